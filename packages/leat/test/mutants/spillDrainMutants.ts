import type { Mutant } from "./Mutant.ts"

const foundBy = "publish/spill.test.ts"
const silent = "publish/spillSilence.test.ts"
const settled = "publish/spillSettled.test.ts"
const hangs = "publish/spillHangs.test.ts"
const owners = "publish/spillOwners.test.ts"
const foundByDoubt = "publish/spillDoubt.test.ts"

/** Planted in what empties a spill: its lanes, its drain and their endings, in `publish/spill`. */
export const spillDrainMutants: ReadonlyArray<Mutant> = [
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
    name: "what another process has sent on is surely not stored",
    file: "publish/spill/SpillDrain.ts",
    find: `part.book.skip(part.at, settled, takenOver, true)`,
    replace: `part.book.skip(part.at, settled, takenOver, false)`,
    foundBy: "publish/spillOwners.test.ts",
    test: "does not say that it is stored what another process has sent on"
  },
  {
    name: "nothing is fenced before a spill is sent on",
    file: "publish/spill/SpillDrain.ts",
    find: `      part.isFenced = false
      yield* this.#parting.fenced(sent, part, this.#head(partition, part, lanes))
      for (;;) {`,
    replace: `      part.isFenced = true
      for (;;) {`,
    foundBy,
    test: "fences off what was on its way"
  },
  {
    name: "what is in the spill is settled before it is stored",
    file: "publish/spill/SpillDrain.ts",
    find: `      if (!(yield* this.#parting.send(`,
    replace: `      yield* lanes.settle(partition, next)
      if (!(yield* this.#parting.send(`,
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
    name: "a member whose pull has failed does not join again",
    file: "publish/spill/SpillLanes.ts",
    find: `return Effect.uninterruptible(Effect.andThen(this.#joinAnew, closed))`,
    replace: `return closed`,
    foundBy,
    test: "joins again"
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
    name: "closing settles nothing",
    file: "publish/spill/SpillDrain.ts",
    find: `Effect.onInterrupt(serving, () => settles)`,
    replace: `serving`,
    foundBy: settled,
    test: "is told as what may be stored while its disk settles nothing"
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
    name: "what an earlier process has left and is dropped is surely not stored",
    file: "publish/spill/SpillEndings.ts",
    find: `      account.droppedMayBeStored++
`,
    replace: ``,
    foundBy: settled,
    test: "may be stored where an earlier process has left it"
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
    name: "what a lane passes over is given up",
    file: "publish/spill/SpillLanes.ts",
    find: `if (portion.records.length === Number(next - from)) return`,
    replace: `if (portion.records.length >= 0) return`,
    foundBy: silent,
    test: "reads what its lane has passed over"
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
    name: "a spill that takes nothing tells of each try",
    file: "publish/spill/SpillEndings.ts",
    find: `if (stored + movedOut + dropped + deadLettered === 0) {`,
    replace: `if (stored + movedOut + dropped + deadLettered < 0) {`,
    foundBy: silent,
    test: "tells once of an outage in which its disk takes nothing"
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
    name: "why a spill cannot be had is not said",
    file: "publish/spill/SpillMember.ts",
    find: `if (Exit.isFailure(exit)) this.trouble`,
    replace: `if (Exit.isFailure(exit) && exit.cause === undefined) this.trouble`,
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
  },
  {
    name: "a lane of a spill that does not come is waited for",
    file: "publish/spill/SpillMember.ts",
    find: `late(this.#broken === broken)`,
    replace: `late(this.#broken !== broken)`,
    foundBy: hangs,
    test: "joins anew where a call for its lanes never comes back"
  },
  {
    name: "each partition that waits for its lane has the member join anew",
    file: "publish/spill/SpillMember.ts",
    find: `late(this.#broken === broken)`,
    replace: `late(true)`,
    foundBy: hangs,
    test: "joins less and less often where no lane ever comes"
  },
  {
    name: "a member of a spill joins anew as often as ever",
    file: "publish/spill/SpillMember.ts",
    find: `Effect.sleep(answerMs * 2 ** longer)`,
    replace: `Effect.sleep(answerMs)`,
    foundBy: hangs,
    test: "joins less and less often where no lane ever comes"
  },
  {
    name: "a member of a spill joins anew later without a bound",
    file: "publish/spill/SpillMember.ts",
    find: `Math.min(longer + 1, longerMax)`,
    replace: `longer + 1`,
    foundBy: hangs,
    test: "joins less and less often where no lane ever comes"
  },
  {
    name: "the release of a lane of a spill is waited for",
    file: "publish/spill/SpillLanes.ts",
    find: `Effect.andThen(released(held.lane, this.#spill.name))`,
    replace: `Effect.andThen(held.lane.release)`,
    foundBy: hangs,
    test: "joins anew where the driver never takes back a lane"
  },
  {
    name: "the next member of a spill waits for what the last one had",
    file: "routes/switch/facadeOf.ts",
    find: `endWithin(Scope.close(member, Exit.void), patienceMs)`,
    replace: `endWithin(Scope.close(member, Exit.void), patienceMs * 1000)`,
    foundBy: hangs,
    test: "joins anew although its driver never lets go"
  },
  {
    name: "the lane of a spill's owner is waited for",
    file: "publish/spill/SpillLanes.ts",
    find: `yield* member.until(waiting, () => member.joinAnew)`,
    replace: `yield* member.until(waiting, () => Effect.void)`,
    foundBy: hangs,
    test: "is asked for anew where the call for its owner's lane"
  },
  {
    name: "a spill is not opened anew until its owner's lane is taken back",
    file: "publish/spill/SpillLanes.ts",
    find: `released(lane, \`the owner of \${name}\`)`,
    replace: `lane.release`,
    foundBy: hangs,
    test: "is opened anew where its owner's lane is taken away"
  },
  {
    name: "a process that waits for its spill has no trouble",
    file: "publish/Sink.ts",
    find: `this.spill?.trouble ?? `,
    replace: ``,
    foundBy: hangs,
    test: "is asked for less and less often while another process has it"
  },
  {
    name: "a process that has its spill still waits for it",
    file: "publish/spill/SpillDrain.ts",
    find: `      this.#spill.waitsSinceMs = undefined
`,
    replace: ``,
    foundBy: hangs,
    test: "is asked for anew where the call for its owner's lane"
  },
  {
    name: "why a spill does not say what it holds is not shown",
    file: "publish/spill/answers.ts",
    find: `      spill.why = () => \`does not answer: \${why}\`
`,
    replace: ``,
    foundBy: hangs,
    test: "shows why it cannot be had while its disk"
  },
  {
    name: "what is settled may be anything",
    file: "publish/sendOn/isWhole.ts",
    find: `settled === undefined || typeof settled === "bigint"`,
    replace: `settled === undefined || settled !== null`,
    foundBy: hangs,
    test: "is asked again where it says that something else"
  },
  {
    name: "the owner of a spill looks once at what is there",
    file: "publish/spill/SpillDrain.ts",
    find: `Effect.andThen(Effect.forkScoped(this.#lookAgain(lanes)), this.#sendOnAll(lanes))`,
    replace: `this.#sendOnAll(lanes)`,
    foundBy: owners,
    test: "first look, of a process that is dead"
  },
  {
    name: "the owner of a spill looks at it less often without an end",
    file: "publish/spill/SpillDrain.ts",
    find: `Math.min(pauseMs * 2, lookMsMax)`,
    replace: `pauseMs * 2`,
    foundBy: owners,
    test: "hours later"
  },
  {
    name: "what has landed in a spill is sent on beside what is on its way to the cluster",
    file: "publish/spill/SpillDrain.ts",
    find: `      yield* Effect.timeoutOption(quiet, this.#home.leg.timeoutMs + lateMs)
      if`,
    replace: `      if`,
    foundBy: owners,
    test: "nothing goes there twice"
  },
  {
    name: "what is published waits for ever for what has landed in a spill",
    file: "publish/spill/SpillDrain.ts",
    find: `.pipe(Effect.ensuring(Effect.sync(() => this.#hold(partition, part, false))))`,
    replace: ``,
    foundBy: owners,
    test: "nor does that keep anything back"
  },
  {
    name: "who is interrupted while it joins the group of a spill keeps all others from it",
    file: "publish/spill/SpillLanes.ts",
    find: `#subscribed: Effect.Effect<void> = Effect.uninterruptible(`,
    replace: `#subscribed: Effect.Effect<void> = Effect.interruptible(`,
    foundBy: "publish/spillInterrupted.test.ts",
    test: "while it joins the group"
  },
  {
    name: "who is interrupted before its work begins leaves what it has noted",
    file: "publish/meanwhile.ts",
    find: `  return Effect.acquireUseRelease(
    Effect.sync(noted),
    () => work,
    () => Effect.sync(over)
  )`,
    replace: `  return Effect.suspend(() => {
    noted()
    return Effect.ensuring(work, Effect.sync(over))
  })`,
    foundBy: "publish/spillInterrupted.test.ts",
    test: "leaves no note"
  },
  {
    name: "a turn that ends while the last of a spill is sent holds back what is published for ever",
    file: "publish/spill/Spill.ts",
    find: `      part.isHeld = false
      part.isFresh = false`,
    replace: ``,
    foundBy: "publish/spillInterrupted.test.ts",
    test: "while it holds back what is published"
  },
  {
    name: "what an interrupted reader of a spill has asked for comes to nobody",
    file: "publish/spill/SpillLanes.ts",
    find: `if (held.pulling !== undefined) return Effect.succeed(held.pulling)`,
    replace: ``,
    foundBy: "publish/spillInterrupted.test.ts",
    test: "while it joins the group"
  }
]
