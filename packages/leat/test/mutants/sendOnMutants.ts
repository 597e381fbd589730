import type { Mutant } from "./Mutant.ts"

const holes = "publish/fallbackHoles.test.ts"
const foundBy = "publish/spill.test.ts"
const silent = "publish/spillSilence.test.ts"
const settled = "publish/spillSettled.test.ts"

/** Planted in the loop that sends on what a spill or a fallback holds: `publish/sendOn`. */
export const sendOnMutants: ReadonlyArray<Mutant> = [
  {
    name: "each partition of a spill has a rate of its own",
    file: "publish/sendOn/SendOn.ts",
    find: `        const { from, to } = portion.next(this.#pace.pageMax(portionMax), this.#size.bytesMax(this.#pump.nowMs))
        const old = this.#ages.expired(portion.records, from, to)
        if (old.length === 0) yield* this.#pace.wait(to - from)`,
    replace: `        const own = new Pace(
          () => this.#pump.nowMs,
          () => this.#home.leg.spill?.ratePerSecond
        )
        const { from, to } = portion.next(own.pageMax(portionMax), this.#size.bytesMax(this.#pump.nowMs))
        const old = this.#ages.expired(portion.records, from, to)
        yield* own.wait(to - from)`,
    foundBy: "publish/spillRate.test.ts",
    test: "sends on no more than its rate"
  },
  {
    name: "the rate of a spill is that with which its sink was opened",
    file: "publish/sendOn/SendOn.ts",
    find: `      () => home.leg.spill?.ratePerSecond
    )`,
    replace: `      ((rate) => () => rate)(home.leg.spill?.ratePerSecond)
    )`,
    foundBy: "publish/spillRate.test.ts",
    test: "takes over another rate"
  },
  {
    name: "a drop from the spill is not announced",
    file: "publish/sendOn/SendOn.ts",
    find: `for (const record of records) part.announce(record, how)`,
    replace: ``,
    foundBy,
    test: "asks the policy about what the destination refuses"
  },
  {
    name: "a settle without an answer keeps everything waiting",
    file: "publish/sendOn/Settles.ts",
    find: `Effect.raceFirst(Deferred.await(waiting), late)`,
    replace: `Effect.andThen(Deferred.await(waiting), late)`,
    foundBy: silent,
    test: "goes on beside a settle of its disk that never answers"
  },
  {
    name: "a settle without an answer is not begun anew",
    file: "publish/sendOn/Settles.ts",
    find: `if (why === undefined) return position`,
    replace: `if (why !== "") return position`,
    foundBy: silent,
    test: "has that settle begun anew"
  },
  {
    name: "nobody is told that a spill cannot settle",
    file: "publish/sendOn/Settles.ts",
    find: `monotonicMs(clock) - sinceMs >= tellUnsettledMs`,
    replace: `monotonicMs(clock) - sinceMs < 0`,
    foundBy: silent,
    test: "goes on beside a settle of its disk that never answers"
  },
  {
    name: "a trim without an answer is not told",
    file: "publish/sendOn/Settles.ts",
    find: `      if (!wasTold)
`,
    replace: `      if (wasTold)
`,
    foundBy: silent,
    test: "goes on beside a trim of its disk that never answers"
  },
  {
    name: "what ends otherwise than stored is told before it is settled",
    file: "publish/sendOn/SendOn.ts",
    find: `return part.settle(endOf(records))
      })`,
    replace: `return Effect.succeed(true)
      })`,
    foundBy: settled,
    test: "is told as what may be stored while its disk settles nothing"
  },
  {
    name: "what is not settled is surely not stored",
    file: "publish/sendOn/SendOn.ts",
    find: `Exit.isSuccess(exit) && exit.value`,
    replace: `Exit.isSuccess(exit)`,
    foundBy: settled,
    test: "is told as what may be stored while its disk settles nothing"
  },
  {
    name: "closing waits for a settle that hangs, and settles nothing beside it",
    file: "publish/sendOn/Settles.ts",
    find: `      settling.running?.interruptUnsafe()
`,
    replace: `      if (settling.running !== undefined) return Effect.void
`,
    foundBy: settled,
    test: "is told as what may be stored while its disk settles nothing"
  },
  {
    name: "what had no answer before it was refused is surely not stored",
    file: "publish/sendOn/SendOn.ts",
    find: `          if (answered.doubtEnd !== undefined) part.doubt(answered.doubtEnd)
`,
    replace: ``,
    foundBy: settled,
    test: "may be stored where a send of it had no answer"
  },
  {
    name: "a trim that has failed is not begun anew",
    file: "publish/sendOn/Settles.ts",
    find: `else yield* Effect.sleep(Math.min(againMs * 2 ** failures++, trimAgainMsMax))`,
    replace: `else return`,
    foundBy: settled,
    test: "comes back also when a trim has failed"
  },
  {
    name: "a record that others fail because of is never sent first",
    file: "publish/sendOn/Portion.ts",
    find: `    this.refusals.limit(cause.from - this.#from)
    return undefined`,
    replace: `    return failed`,
    foundBy: "publish/spillRefusals.test.ts",
    test: "may be refused as Kafka does"
  },
  {
    name: "what is stored behind a record of a spill that is not is sent again",
    file: "publish/sendOn/Portion.ts",
    find: `to < limit && !this.#stored.has(to) && `,
    replace: `to < limit && `,
    foundBy: "publish/Portion.test.ts",
    test: "end once each and in order"
  },
  {
    name: "what is sent on knows no batch of its leg",
    file: "publish/sendOn/Portion.ts",
    find: ` && this.batch.rangeBytes(from, to + 1) <= bytesMax`,
    replace: ``,
    foundBy: "publish/Portion.test.ts",
    test: "are sent with as many others as fit into a batch"
  },
  {
    name: "how much a destination takes at once is found anew each time",
    file: "publish/sendOn/SendOn.ts",
    find: `          if (failed.error.reason === "TooLarge") this.#size.refused(bytes, facts.nowMs)
`,
    replace: `          void bytes
`,
    foundBy: "publish/spillRefusals.test.ts",
    test: "which is found once"
  },
  {
    name: "what a destination has refused as too large is never tried again",
    file: "publish/sendOn/RequestSize.ts",
    find: `if (nowMs >= this.#untilMs)`,
    replace: `if (this.#untilMs === 0)`,
    foundBy: "publish/Portion.test.ts",
    test: "is half of what was too large, for a while"
  },
  {
    name: "what was too large grows with a larger request",
    file: "publish/sendOn/RequestSize.ts",
    find: `Math.min(this.bytesMax(nowMs), Math.floor(bytes / 2))`,
    replace: `Math.floor(bytes / 2)`,
    foundBy: "publish/Portion.test.ts",
    test: "is half of what was too large, for a while"
  },
  {
    name: "what is stored behind a record of a spill ends before it is known",
    file: "publish/sendOn/Portion.ts",
    find: `while (this.#stored.delete(this.#from)) this.#from++`,
    replace: `while (this.#stored.delete(this.#from)) this.#from += 1 + this.#stored.size * 0
    this.#stored.clear()`,
    foundBy: "publish/Portion.test.ts",
    test: "end once each and in order"
  },
  {
    name: "what is stored behind a record of a spill is surely not stored",
    file: "publish/sendOn/Portion.ts",
    find: `to > this.#from && fate !== "notStored")`,
    replace: `to > this.#from && fate === "unknown")`,
    foundBy: "publish/Portion.test.ts",
    test: "end once each and in order"
  },
  {
    name: "what a lane of a fallback passes over is given up",
    file: "publish/fallback/Redrive.ts",
    find: `gap === undefined ? yield* this.#whole(held, batch) : batch.records`,
    replace: `batch.records`,
    foundBy: holes,
    test: "reads them before it gives them up"
  },
  {
    name: "what a lane of a fallback passes over at the end is not missed",
    file: "publish/fallback/Redrive.ts",
    find: `if (isHoled) yield* this.#missing(held, next, why)`,
    replace: `void why`,
    foundBy: holes,
    test: "counts as lost what cannot be read either"
  },
  {
    name: "what a lane of a fallback passes over in between is not missed",
    file: "publish/fallback/Redrive.ts",
    find: `if (isHoled) yield* this.#missing(held, some[0]`,
    replace: `if (some.length < 0) yield* this.#missing(held, some[0]`,
    foundBy: holes,
    test: "counts as lost what cannot be read either"
  },
  {
    name: "what was compacted in a fallback is lost",
    file: "publish/fallback/Redrive.ts",
    find: `gap === undefined && records.length < Number`,
    replace: `records.length < Number`,
    foundBy: holes,
    test: "takes it for no loss where it says why"
  },
  {
    name: "a read of a fallback without an answer is waited for",
    file: "publish/fallback/Redrive.ts",
    find: `answered(wholeRecords(this.#place, held.partition, held.at, batch), this.#place.transport, "read")`,
    replace: `wholeRecords(this.#place, held.partition, held.at, batch)`,
    foundBy: holes,
    test: "loses nothing where the disk does not answer at first"
  },
  {
    name: "records of a fallback follow each other",
    file: "publish/sendOn/wholeRecords.ts",
    find: `(isNext && at - from < most)`,
    replace: `(isNext !== undefined && at - from < most)`,
    foundBy: holes,
    test: "counts as lost what cannot be read either"
  },
  {
    name: "a lane may be of no partition",
    file: "publish/sendOn/ofPartition.ts",
    find: `if (Number.isInteger(partition) && partition >= 0)`,
    replace: `if (partition !== null)`,
    foundBy: "publish/fallbackOdd.test.ts",
    test: "is joined anew where its driver gives a lane of no partition"
  },
  {
    name: "a fallback is opened with positions that are none",
    file: "publish/fallback/openFallback.ts",
    find: `if (!bounds.every(isWhole))`,
    replace: `if (bounds.length < 0)`,
    foundBy: "publish/fallbackOdd.test.ts",
    test: "is not opened where its driver says positions that are none"
  },
  {
    name: "what is old in a spill is sent on all the same",
    file: "publish/sendOn/SpillAges.ts",
    find: `if (ageMsMax === undefined) return []`,
    replace: `if (ageMsMax !== -1) return []`,
    foundBy: "publish/spillAges.test.ts",
    test: "is not sent on any more"
  },
  {
    name: "a wall clock that is set forward makes what is in a spill older",
    file: "publish/sendOn/SpillAges.ts",
    find: `Math.min(this.#clock.wallMs, this.#clock.nowMs + this.#apartMs)`,
    replace: `this.#clock.wallMs`,
    foundBy: "publish/spillAges.test.ts",
    test: "no older when a wall clock"
  },
  {
    name: "what is old in a spill is dropped where it is to be set aside",
    file: "publish/sendOn/SendOn.ts",
    find: `decision.ending !== "deadLetter" || first`,
    replace: `decision.ending === "deadLetter" || first`,
    foundBy: "publish/spillAges.test.ts",
    test: "is not sent on any more"
  },
  {
    name: "of several that are too old in a spill the first is announced",
    file: "publish/sendOn/SendOn.ts",
    find: `for (const record of records) part.announce(record, how)`,
    replace: `for (const record of records.slice(0, 1)) part.announce(record, how)`,
    foundBy: "publish/spillAges.test.ts",
    test: "is not sent on any more"
  },
  {
    name: "any rule is asked about what is too old in a spill",
    file: "Policy.ts",
    find: `tag === breakerOpen || tag === spillExpired`,
    replace: `tag === breakerOpen`,
    foundBy: "Policy.test.ts",
    test: "is judged by a rule that names it alone"
  },
  {
    name: "an age of a spill needs no rule",
    file: "routes/spillFaults.ts",
    find: `spill.age !== undefined && expiring.length === 0`,
    replace: `spill.age === "" && expiring.length === 0`,
    foundBy: "routes/spillFaults.test.ts",
    test: "keeps events for so long at most"
  }
]
