import type { Mutant } from "./Mutant.ts"

const foundBy = "publish/spill.test.ts"
const silent = "publish/spillSilence.test.ts"

const settled = "publish/spillSettled.test.ts"

const away = "publish/spillAway.test.ts"

const closing = "publish/spillClosing.test.ts"

const foundByDoubt = "publish/spillDoubt.test.ts"

/** Planted in spills: `publish/spill`, and what lane, partition, sink and routes do about them. */
export const spillMutants: ReadonlyArray<Mutant> = [
  {
    name: "a lane that stands goes to its spill again and again while closing",
    file: "publish/Sink.ts",
    find: `if (this.#givenToSpill.has(lane) || this.#standIn`,
    replace: `if (this.#standIn`,
    foundBy: "publish/spillClosing.test.ts"
  },
  {
    name: "a publish whose signal is aborted is waited for on",
    file: "publish/Publishing.ts",
    find: `if (this.told !== undefined) this.#published.forget(this.told)`,
    replace: ``,
    foundBy: "publish/givingUp.test.ts"
  },
  {
    name: "a publishAll whose signal is aborted is waited for on",
    file: "publish/Publishing.ts",
    find: `if (told !== undefined) waiter.forget(told)`,
    replace: ``,
    foundBy: "publish/givingUp.test.ts"
  },
  {
    name: "a publish whose fiber is interrupted is waited for on",
    file: "publish/Publishing.ts",
    find: `return told === undefined ? undefined : Effect.sync`,
    replace: `return told === undefined || level !== "queued" ? undefined : Effect.sync`,
    foundBy: "publish/givingUp.test.ts"
  },
  {
    name: "who waits for the disk cannot be forgotten",
    file: "ledger/Waiter.ts",
    find: `if (this.#durable === done) this.#durable = undefined`,
    replace: `if (this.#durable === done) this.#durable = done`,
    foundBy: "publish/givingUp.test.ts"
  },
  {
    name: "those who gave up waiting for what is in a spill are kept for ever",
    file: "publish/spill/SpillBook.ts",
    find: `if (this.#awaited.length >= this.#sweptAt) this.#sweep()`,
    replace: ``,
    foundBy: "publish/SpillBook.test.ts",
    test: "takes those who waited"
  },
  {
    name: "whoever has gone is put behind later receipts",
    file: "publish/spill/SpillBook.ts",
    find: `first !== undefined && first.at < one.at; first`,
    replace: `first !== undefined; first`,
    foundBy: "publish/SpillBook.test.ts",
    test: "takes those who waited"
  },
  {
    name: "what is in the spill is told stored",
    file: "publish/WriteLane.ts",
    find: `if (isOfSpill === true) {`,
    replace: `if (isOfSpill === undefined) {`,
    foundBy,
    test: "keeps what is published while its cluster is away"
  },
  {
    name: "a spill that is full halts nothing and drops what it may not",
    file: "publish/WriteLane.ts",
    find: `if (ending === "drop") {
        this.#ending(batch, part, "inFlight", "dropped", spillFull)`,
    replace: `if (ending !== undefined) {
        this.#ending(batch, part, "inFlight", "dropped", spillFull)`,
    foundBy,
    test: "keeps events in the buffer while the spill is full"
  },
  {
    name: "what a frozen cluster has left in doubt does not go to the spill",
    file: "publish/WritePartition.ts",
    find: `    this.#notBeforeMs = 0
    for (const lane of this.#doubted) lane.clearDoubt()`,
    replace: `    this.#notBeforeMs = 0`,
    foundBy,
    test: "keeps what is published while its cluster is frozen"
  },
  {
    name: "what is published overtakes what is in the spill",
    file: "publish/WritePartition.ts",
    find: `if (this.isHeldBack) return idle`,
    replace: ``,
    foundBy,
    test: "belongs to one process at a time"
  },
  {
    name: "a spill is fenced only where its destination can be",
    file: "publish/WritePartition.ts",
    find: `!(isOfSpill ? (fallback?.canFence ?? true) : canFence)`,
    replace: `!canFence`,
    foundBy: foundByDoubt,
    test: "a destination that fences: none"
  },
  {
    name: "another stream goes to a spill before what it may hold",
    file: "publish/WritePartition.ts",
    find: `if (owing !== undefined) return this.#again`,
    replace: `if (owing !== undefined && this.isHeldBack) return this.#again`,
    foundBy: foundByDoubt,
    test: "says nothing of some records of a range, and has none of it"
  },
  {
    name: "what a spill may hold is sent on unseen, and published as well",
    file: "publish/WritePartition.ts",
    find: `!this.#isFencing && !this.isOwing`,
    replace: `!this.#isFencing`,
    foundBy: foundByDoubt,
    test: "says nothing of some records of a range, and has none of it"
  },
  {
    name: "what a spill may hold goes there while another process has it",
    file: "publish/WritePartition.ts",
    find: `if (this.isBarred || this.#window.length > 0) return idle`,
    replace: `if (this.#window.length > 0) return idle`,
    foundBy: "publish/WritePartition.test.ts",
    test: "wait for what may stand in the spill"
  },
  {
    name: "nobody looks where records stand that a spill has",
    file: "publish/spill/Spill.ts",
    find: `!runs.some(isUnplaced)`,
    replace: `runs.length > 0`,
    foundBy: foundByDoubt,
    test: "is read where no answer says"
  },
  {
    name: "what a spill has no more is noted there",
    file: "publish/WriteLane.ts",
    find: `      if (run.base === undefined) {
        // The spill`,
    replace: `      if (run.base === 0n) {
        // The spill`,
    foundBy: foundByDoubt,
    test: "and that has it no more"
  },
  {
    name: "records of a spill are taken to follow each other",
    file: "publish/spill/placed.ts",
    find: `base + BigInt(end - at))) end++`,
    replace: `base + BigInt(end - at)) || end < to) end++`,
    foundBy: "publish/spillPlaced.test.ts",
    test: "is read there, each for itself"
  },
  {
    name: "what was sent on is found in a spill",
    file: "publish/spill/placed.ts",
    find: `{ fromPosition }`,
    replace: `{ fromPosition: 0n }`,
    foundBy: "publish/spillPlaced.test.ts",
    test: "is behind what this leat has noted"
  },
  {
    name: "a spill that cannot be read has nothing",
    file: "publish/spill/placed.ts",
    find: `{ ...run, fate: "unknown", error }`,
    replace: `{ ...run, error }`,
    foundBy: "publish/spillPlaced.test.ts",
    test: "is unknown while it cannot be read"
  },
  {
    name: "closing gives up the fence of a spill, and with it what the disk would take",
    file: "publish/Pump.ts",
    find: `unknownRun(this.transport.name, sending.from, sending.to, detail)])
    }
`,
    replace: `unknownRun(this.transport.name, sending.from, sending.to, detail)])
    }
    partition.fencing?.interruptUnsafe()
`,
    foundBy: foundByDoubt,
    test: "is waited for, and what is left goes to the disk"
  },
  {
    name: "a fence of the destination is taken for one of its spill",
    file: "publish/Pumped.ts",
    find: `    super.trip()
    // That of the destination is asked for anew by whoever sends on; it is not one of the spill, whenever it returns.
    this.fencing?.interruptUnsafe()`,
    replace: `    super.trip()`,
    foundBy: foundByDoubt,
    test: "is not taken for returned"
  },
  {
    name: "the budget of a destination bounds what goes to its spill",
    file: "publish/WriteLane.ts",
    find: `const mayMs = isOfSpill ? nowMs : (`,
    replace: `const mayMs = isOfSpill && span.attempts === 0 ? nowMs : (`,
    foundBy: foundByDoubt,
    test: "does not bound what goes to its spill"
  },
  {
    name: "what goes to a spill earns retries of its destination",
    file: "publish/WriteLane.ts",
    find: `const mayMs = isOfSpill ? nowMs : (`,
    replace: `const mayMs = isOfSpill && span.attempts > 0 ? nowMs : (`,
    foundBy: "publish/WritePartition.test.ts",
    test: "are not counted in the budget"
  },
  {
    name: "what a spill may hold is not looked for before it goes there again",
    file: "publish/spill/Spill.ts",
    find: `if (this.#isOwing(partition)) answer`,
    replace: `if (part.isHeld && this.#isOwing(partition)) answer`,
    foundBy: foundByDoubt,
    test: "has what stands there, also where there is no room"
  },
  {
    name: "what does not stand in a spill that is full is kept from its destination",
    file: "publish/WriteLane.ts",
    find: `part.mayBeSpilled = isUnknown`,
    replace: `part.mayBeSpilled ||= isUnknown`,
    foundBy: foundByDoubt,
    test: "keeps nothing from its destination"
  },
  {
    name: "a spill has no bound",
    file: "publish/spill/Spill.ts",
    find: `batch.noticeBytes > bytesMax() - used`,
    replace: `batch.noticeBytes > Number.POSITIVE_INFINITY - used`,
    foundBy,
    test: "keeps events in the buffer while the spill is full"
  },
  {
    name: "what is on disk is told stored",
    file: "publish/spill/SpillBook.ts",
    find: `waiter.tellOnDisk(count)`,
    replace: `waiter.tellStored(count)`,
    foundBy,
    test: "at the level durable when it is on disk"
  },
  {
    name: "closing leaves in memory what is held back for the end of a spill",
    file: "publish/spill/SpillDrain.ts",
    find: `if (part !== undefined) this.#hold(partition, part, false)`,
    replace: ``,
    foundBy,
    test: "also while the last of that is on its way"
  },
  {
    name: "what is published is held back as long as a cluster gives no answer",
    file: "publish/spill/SpillDrain.ts",
    find: `              this.#hold(partition, part, false)
              return Effect.void`,
    replace: `              return Effect.void`,
    foundBy,
    test: "keeps nothing in memory for long"
  },
  {
    name: "what another process has sent on is told stored",
    file: "publish/spill/SpillBook.ts",
    find: `this.#tell(to - 1n, { ending: "dropped", reason }, mayBeStored)`,
    replace: `this.#tell(to - 1n, { ending: "stored" }, mayBeStored)`,
    foundBy: "publish/spillOwners.test.ts",
    test: "does not say that it is stored what another process has sent on"
  },
  {
    name: "what another process has sent on is surely not stored",
    file: "publish/spill/SpillDrain.ts",
    find: `part.book.skip(part.at, settled, takenOver, true)`,
    replace: `part.book.skip(part.at, settled, takenOver, false)`,
    foundBy: "publish/spillOwners.test.ts",
    test: "does not say that it is stored what another process has sent on"
  },
  {
    name: "what another process has sent on is counted once more",
    file: "publish/spill/SpillBook.ts",
    find: `    this.#noted.take(to - 1n)
    this.#doubtful.take`,
    replace: `    this.#doubtful.take`,
    foundBy: "publish/SpillBook.test.ts",
    test: "does not know what became of"
  },
  {
    name: "each partition of a spill has a rate of its own",
    file: "publish/sendOn/SendOn.ts",
    find: `        const { from, to } = portion.next(this.#pace.pageMax(portionMax))
        yield* this.#pace.wait(to - from)`,
    replace: `        const own = new Pace(
          () => this.#pump.nowMs,
          () => this.#home.leg.spill?.ratePerSecond
        )
        const { from, to } = portion.next(own.pageMax(portionMax))
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
    name: "every receipt is followed through an outage",
    file: "publish/spill/SpillBook.ts",
    find: `while (this.receipts > receiptsMax) {`,
    replace: `while (this.receipts > Infinity) {`,
    foundBy: "publish/SpillBook.test.ts",
    test: "follows the latest receipts"
  },
  {
    name: "what nobody has noted in a spill is counted",
    file: "publish/spill/SpillBook.ts",
    find: `if (!this.#noted.take(position)) return undefined`,
    replace: `if (position < 0n) return undefined`,
    foundBy: "publish/SpillBook.test.ts",
    test: "knows each event by its record"
  },
  {
    name: "what is sent on stays spilled in the books",
    file: "publish/spill/SpillBook.ts",
    find: `account.spilled -= count`,
    replace: `account.spilled -= 0`,
    foundBy,
    test: "keeps what is published while its cluster is away"
  },
  {
    name: "nothing is fenced before a spill is sent on",
    file: "publish/spill/SpillDrain.ts",
    find: `      yield* this.#sendOn.fence(sent)
      for (;;) {`,
    replace: `      for (;;) {`,
    foundBy,
    test: "fences off what was on its way"
  },
  {
    name: "what is in the spill is settled before it is stored",
    file: "publish/spill/SpillDrain.ts",
    find: `      yield* this.#sendOn.send(sent, records)
      if`,
    replace: `      yield* lanes.settle(partition, next)
      yield* this.#sendOn.send(sent, records)
      if`,
    foundBy,
    test: "keeps what its cluster has not stored when it is closed"
  },
  {
    name: "a partition leaves the spill while something is on its way there",
    file: "publish/spill/SpillDrain.ts",
    find: `if (this.#home.isQuiet(partition) && part.at >= part.end) {`,
    replace: `if (part.at >= part.end) {`,
    foundBy,
    test: "waits for what is on its way to the disk"
  },
  {
    name: "what was given up in the spill comes behind what is published later",
    file: "publish/spill/SpillDrain.ts",
    find: `if (part.fencedEnd <= part.end) break`,
    replace: `if (part.fencedEnd <= part.end || part.at > 0n) break`,
    foundBy: foundByDoubt,
    test: "sends what was given up there"
  },
  {
    name: "a drop from the spill is not announced",
    file: "publish/sendOn/SendOn.ts",
    find: `if (record.position >= part.announcedEnd) part.announce(record, how)`,
    replace: ``,
    foundBy,
    test: "asks the policy about what the destination refuses"
  },
  {
    name: "a member whose pull has failed does not join again",
    file: "publish/spill/SpillLanes.ts",
    find: `return Effect.asVoid(Effect.all([closed, ...others, Deferred.succeed(broken, undefined)]))`,
    replace: `return Effect.asVoid(Effect.all([closed, ...others]))`,
    foundBy,
    test: "joins again"
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
    name: "a pull of the disk without an answer is waited for",
    file: "publish/spill/SpillLanes.ts",
    find: `answered(held.pull, this.#place, "pull")`,
    replace: `held.pull`,
    foundBy: silent,
    test: "joins again when a pull of its disk never answers"
  },
  {
    name: "a disk that gives nothing is not told",
    file: "publish/spill/SpillDrain.ts",
    find: `does not give what it holds`,
    replace: `x`,
    foundBy: silent,
    test: "joins again when a pull of its disk never answers"
  },
  {
    name: "what came without an answer is taken for nobody's",
    file: "publish/spill/SpillLanes.ts",
    find: `withinPortion(portion, from, next <= to ? next : to)`,
    replace: `withinPortion(portion, from, next)`,
    foundBy: silent,
    test: "sends nothing on of which its disk has not said"
  },
  {
    name: "what a spill has given out and was not sent on is lost",
    file: "publish/spill/SpillLanes.ts",
    find: `if (given !== undefined && from < given.next)`,
    replace: `if (given !== undefined && from < 0n)`,
    foundBy,
    test: "skips nothing when sending on breaks down"
  },
  {
    name: "closing gives nothing to the spill",
    file: "publish/spill/SinkSpill.ts",
    find: `if (!this.spill.isReady) return false`,
    replace: `return false`,
    foundBy,
    test: "gives what is buffered to the spill"
  },
  {
    name: "the spill of a topic has no partitions in its name",
    file: "publish/spill/openSpill.ts",
    find: `\${partitions}\${spillSuffix}`,
    replace: `\${spillSuffix}`,
    foundBy,
    test: "keeps what is published while its cluster is away"
  },
  {
    name: "a spill keeps what its cluster keeps of a topic",
    file: "publish/spill/openSpill.ts",
    find: `transport.ensure({ topic, partitions, retention: everything })`,
    replace: `transport.ensure({ topic, partitions })`,
    foundBy,
    test: "keeps what is on disk whatever the cluster there keeps"
  },
  {
    name: "a topic with a retention may be a spill",
    file: "publish/spill/openSpill.ts",
    find: `if (faults.length > 0) return`,
    replace: `if (faults.length > 9) return`,
    foundBy,
    test: "does not take a topic that may delete"
  },
  {
    name: "what is left of a stream that is not open yet is counted under its tag",
    file: "publish/spill/SinkSpill.ts",
    find: `Array.from(this.#sink.streams).find(isOf) ?? stream`,
    replace: `stream`,
    foundBy: "publish/spillOwners.test.ts",
    test: "counts what is left under its stream"
  },
  {
    name: "two destinations have one spill",
    file: "publish/spill/openSpill.ts",
    find: `.replaceAll(".", "_2e")`,
    replace: ``,
    foundBy: "publish/openSpill.test.ts",
    test: "never has the name of another"
  },
  {
    name: "what stands for a dot may stand in the name of another cluster",
    file: "publish/spill/openSpill.ts",
    find: `.replaceAll(/_(?=2e|5f)/g, "_5f")`,
    replace: ``,
    foundBy: "publish/openSpill.test.ts",
    test: "never has the name of another"
  },
  {
    name: "a spill may be in memory",
    file: "routes/spillFaults.ts",
    find: `acks.includes("fsync") && !ephemeral`,
    replace: `acks.length > 0 && ephemeral !== undefined`,
    foundBy: "routes/spillFaults.test.ts",
    test: "needs a cluster on disk"
  },
  {
    name: "a rule may spill nowhere",
    file: "routes/spillFaults.ts",
    find: `if (spilling.length === 0) return []
    const`,
    replace: `if (spilling.length < 2) return []
    const`,
    foundBy: "routes/spillFaults.test.ts",
    test: "names the leg that does not say where"
  },
  {
    name: "what a process has left in its spill is told missing",
    file: "audit/SequenceAudit.ts",
    find: `Math.min(tail - ofTail, elsewhere)`,
    replace: `Math.min(tail - ofTail, 0)`,
    foundBy: "audit/published.test.ts",
    test: "takes what a process has left in its spill"
  },
  {
    name: "what ends otherwise than stored is told before it is settled",
    file: "publish/sendOn/SendOn.ts",
    find: `return part.settle(record.position + 1n)
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
    name: "closing settles nothing",
    file: "publish/spill/SpillDrain.ts",
    find: `yield* Effect.onInterrupt(serving, () => settles)`,
    replace: `yield* serving`,
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
    name: "nobody is told that the next process sends something once more",
    file: "publish/spill/SinkSpill.ts",
    find: `    if (unsettled > 0)
`,
    replace: `    if (unsettled < 0)
`,
    foundBy: settled,
    test: "is told once more by the next process"
  },
  {
    name: "what was sent on is sent on again when its disk has lost its power",
    file: "publish/spill/SpillDrain.ts",
    find: `if (part.at < settled) part.at = settled`,
    replace: `part.at = settled`,
    foundBy: settled,
    test: "is not sent on again when the disk"
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
    name: "what an earlier process has left and is dropped is surely not stored",
    file: "publish/spill/SpillEndings.ts",
    find: `      account.droppedMayBeStored++
`,
    replace: ``,
    foundBy: settled,
    test: "may be stored where an earlier process has left it"
  },
  {
    name: "what was sent on has no room in a spill",
    file: "publish/spill/SpillRoom.ts",
    find: `return this.waiting + this.#underway + this.#endedBytes`,
    replace: `return this.waiting + this.#underway`,
    foundBy: settled,
    test: "is that of all on disk"
  },
  {
    name: "what is trimmed keeps its room",
    file: "publish/spill/SpillRoom.ts",
    find: `this.#endedBytes -= first.bytes`,
    replace: `this.#endedBytes -= 0`,
    foundBy: settled,
    test: "is that of all on disk"
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
    name: "a receipt on whose outcome somebody waits is told to stay in the spill",
    file: "publish/spill/SpillBook.ts",
    find: `if (oldest.waiter.isAwaited) this.#await(oldest)
    else leaveBehind`,
    replace: `leaveBehind`,
    foundBy: "publish/SpillBook.test.ts",
    test: "follows a receipt on whose outcome"
  },
  {
    name: "who waits is told of the event of another",
    file: "publish/spill/SpillBook.ts",
    find: `  line.insert(index, one)`,
    replace: `  line.push(one)`,
    foundBy: "publish/SpillBook.test.ts",
    test: "follows a receipt on whose outcome"
  },
  {
    name: "what is noted late is taken for what stands behind",
    file: "publish/spill/SpillBook.ts",
    find: `    else this.#all.insert(index, { from, to })`,
    replace: `    else this.#all.push({ from, to })`,
    foundBy: "publish/SpillBook.test.ts",
    test: "notes what had no answer at first"
  },
  {
    name: "what a leat finds in its spill again is counted by nobody",
    file: "publish/spill/SpillEndings.ts",
    find: `else if (meta.id?.incarnation !== this.#home.incarnation)`,
    replace: `else if (record.position < 1n)`,
    foundBy: "publish/spillOwners.test.ts",
    test: "counts what another process has left there meanwhile"
  },
  {
    name: "what comes to a spill while it is looked at is behind its end",
    file: "publish/spill/SpillDrain.ts",
    find: `      yield* this.#answered
`,
    replace: ``,
    foundBy: "publish/spillOwners.test.ts",
    test: "sends on what comes to its disk while it looks"
  },
  {
    name: "what has no answer is sent on before anybody knows whose it is",
    file: "publish/spill/Unnoted.ts",
    find: `const all = [first?.begun, ...(isOwed ? [this.#from, ...this.#found.values()] : [])]`,
    replace: `const all = [first?.begun]`,
    foundBy: foundByDoubt,
    test: "says nothing of some records of a range, and has them"
  },
  {
    name: "what does not stand in a spill goes there before what is in front of it",
    file: "publish/spill/Spill.ts",
    find: `answer(part.unnoted.take(batch, from, to, part.at))
    else`,
    replace: `{
      const found = part.unnoted.take(batch, from, to, part.at)
      if (found.some(({ fate }) => fate === "stored")) answer(found)
      else this.#write(partition, part, ...sent)
    } else`,
    foundBy: foundByDoubt,
    test: "says nothing of some records of a range, and has none of it"
  },
  {
    name: "a fence looks for nothing in a spill",
    file: "publish/spill/Spill.ts",
    find: `      yield* part.unnoted.look(place, partition, part, end)
`,
    replace: ``,
    foundBy: foundByDoubt,
    test: "says nothing of some records of a range, and has them"
  },
  {
    name: "what a lane passes over is given up",
    file: "publish/spill/SpillLanes.ts",
    find: `if (records.length === Number(next - from)) return`,
    replace: `if (records.length >= 0) return`,
    foundBy: silent,
    test: "reads what its lane has passed over"
  },
  {
    name: "what stands for a cluster hears for ever why it could not be opened once",
    file: "publish/Sinks.ts",
    find: `    if (isAway) yield* Scope.close(holding, Exit.void)
`,
    replace: ``,
    foundBy: away,
    test: "takes what is published, and sends all on"
  },
  {
    name: "a stream waits for a cluster that its spill stands for",
    file: "publish/Sinks.ts",
    find: `Effect.sync(() => this.#standIns.set(sink, one))`,
    replace: `Effect.void`,
    foundBy: away,
    test: "takes what is published, and sends all on"
  },
  {
    name: "a topic of another number of partitions takes what was spilled",
    file: "publish/spill/awayTransport.ts",
    find: `if (writer.partitions === partitions) return come(cluster, writer)`,
    replace: `if (writer.partitions > 0) return come(cluster, writer)`,
    foundBy: away,
    test: "is told to be started again"
  },
  {
    name: "the spill of another destination says how many partitions there are",
    file: "publish/spill/openSpill.ts",
    find: `/^[1-9][0-9]{0,5}$/.test(count)`,
    replace: `/[0-9]{1,6}$/.test(count)`,
    foundBy: "publish/openSpill.test.ts",
    test: "says of its own destination alone"
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
    find: `while (to < limit && !this.#stored.has(to)) to++`,
    replace: `while (to < limit) to++`,
    foundBy: "publish/Portion.test.ts",
    test: "end once each and in order"
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
    name: "closing waits for no answer to what is sent on",
    file: "publish/spill/SinkSpill.ts",
    find: `      yield* this.#drain.leave
`,
    replace: ``,
    foundBy: closing,
    test: "closing waits for what is on its way from the spill"
  },
  {
    name: "what is on its way when a leat is closed is surely not stored",
    file: "publish/spill/SpillBook.ts",
    find: `leaveBehind(waiting, waiting.at < doubtEnd)`,
    replace: `leaveBehind(waiting, false)`,
    foundBy: closing,
    test: "closing waits for what is on its way from the spill"
  },
  {
    name: "closing waits for drivers without an end",
    file: "publish/spill/SinkSpill.ts",
    find: `endWithin(Fiber.interrupt(running), endMs)`,
    replace: `endWithin(Fiber.interrupt(running), 1e9)`,
    foundBy: closing,
    test: "closing has an end where the driver"
  },
  {
    name: "a lane that has made its last record announces drops",
    file: "publish/LegLanes.ts",
    find: `([, lane]) => lane === undefined || lane.isMarked)`,
    replace: `([, lane]) => lane === undefined)`,
    foundBy: closing,
    test: "what is dropped from the spill while its lane closes"
  },
  {
    name: "a read of the spill without an answer is waited for",
    file: "publish/spill/SpillLanes.ts",
    find: `orElse: () => Stream.fail(lateOf(this.#place, "read"))`,
    replace: `orElse: () => Stream.never`,
    foundBy: silent,
    test: "asks again what its disk holds"
  },
  {
    name: "lanes of a spill that are lost are never closed",
    file: "publish/spill/SpillLanes.ts",
    find: `return Effect.asVoid(Effect.forkIn(Scope.close(scope, Exit.void), this.#scope))`,
    replace: `return scope === this.#scope ? Effect.never : Effect.void`,
    foundBy: silent,
    test: "closes each lane that comes anew"
  },
  {
    name: "partitions of a spill that comes again wait for each other's settles",
    file: "publish/spill/SpillDrain.ts",
    find: `yield* Effect.forkChild(lanes.settle(partition, part.at))`,
    replace: `yield* lanes.settle(partition, part.at)`,
    foundBy: silent,
    test: "sends on at once in many partitions"
  },
  {
    name: "a disk that cannot trim may have a spill",
    file: "publish/spill/openSpill.ts",
    find: `if (transport.trim === undefined) {`,
    replace: `if (transport.topics === undefined) {`,
    foundBy: silent,
    test: "is refused where its disk gives no room back"
  },
  {
    name: "a spill that takes nothing tells of each try",
    file: "publish/spill/SpillEndings.ts",
    find: `if (stored + dropped + deadLettered === 0) {`,
    replace: `if (stored + dropped + deadLettered < 0) {`,
    foundBy: silent,
    test: "tells once of an outage in which its disk takes nothing"
  },
  {
    name: "receipts are forgotten in the partition that has the next one",
    file: "publish/spill/SpillBook.ts",
    find: `for (const book of this.#books) if (book.oldest < (oldest?.oldest ?? Number.POSITIVE_INFINITY)) oldest = book`,
    replace: `oldest = this.#books.findLast((book) => book.oldest < Number.POSITIVE_INFINITY)`,
    foundBy: "publish/SpillBook.test.ts",
    test: "follows the latest receipts of a destination"
  },
  {
    name: "what cannot be read is surely not stored",
    file: "publish/spill/SpillBook.ts",
    find: `isDoubtful || this.#doubtful.countWithin(from, to) > 0`,
    replace: `isDoubtful`,
    foundBy: "publish/SpillBook.test.ts",
    test: "says of what cannot be read"
  },
  {
    name: "the topic of a spill is never made anew",
    file: "publish/spill/SpillDrain.ts",
    find: `          this.#endings.anew(partition, part)
`,
    replace: ``,
    foundBy: "publish/spillOwners.test.ts",
    test: "says that what stood in a topic which was made anew"
  },
  {
    name: "records at the front of a spill are gone without a word",
    file: "publish/spill/SpillDrain.ts",
    find: `        this.#endings.missing(partition, part, start)
`,
    replace: `        if (part.at < start) part.at = start
`,
    foundBy: "publish/spillOwners.test.ts",
    test: "says that records at the front of it are gone"
  },
  {
    name: "any position is taken for that of what was sent to a spill",
    file: "publish/spill/Spill.ts",
    find: `run.base !== undefined && run.base < begun`,
    replace: `run.base !== undefined && run.base < 0n`,
    foundBy: foundByDoubt,
    test: "is looked for where its position cannot be"
  },
  {
    name: "a spill that is full drops what is to be set aside",
    file: "publish/spillIsFull.ts",
    find: `return "ending" in decision ? decision.ending : undefined`,
    replace: `return "ending" in decision ? "drop" : undefined`,
    foundBy,
    test: "keeps events in the buffer while the spill is full"
  },
  {
    name: "a first lane that breaks at once ends no member",
    file: "publish/spill/SpillLanes.ts",
    find: `Effect.suspend(() => Effect.raceFirst(once, broken()))`,
    replace: `Effect.raceFirst(once, Effect.suspend(broken))`,
    foundBy: silent,
    test: "closes each lane that comes anew"
  },
  {
    name: "what another process has sent on of two streams stays spilled",
    file: "publish/spill/SpillBook.ts",
    find: `if (this.#counts.size === 1 || this.#noted.isEmpty) this`,
    replace: `if (this.#counts.size === 1) this`,
    foundBy: "publish/SpillBook.test.ts",
    test: "counts what another process has sent on of two streams"
  },
  {
    name: "why a spill cannot be had is not said",
    file: "publish/spill/SpillLanes.ts",
    find: `if (Exit.isFailure(exit)) failed(`,
    replace: `if (Exit.isFailure(exit)) void (`,
    foundBy: silent,
    test: "says why it cannot be had"
  },
  {
    name: "each partition of the owner's topic is the lock of a spill",
    file: "publish/spill/SpillLanes.ts",
    find: `lane.partition === 0 ? Effect.asVoid`,
    replace: `lane.partition >= 0 ? Effect.asVoid`,
    foundBy: "publish/spillOwners.test.ts",
    test: "belongs to one process also where the topic"
  }
]
