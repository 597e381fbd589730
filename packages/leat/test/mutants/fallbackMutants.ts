import type { Mutant } from "./Mutant.ts"

const foundBy = "publish/fallback.test.ts"
const trouble = "publish/fallbackTrouble.test.ts"
const worlds = "publish/fallbackWorlds.test.ts"
const faults = "routes/fallbackFaults.test.ts"
const stays = "publish/fallbackStay.test.ts"

/** Planted in fallbacks: `publish/fallback`, and what lane, partition, sink and routes do about them. */
export const fallbackMutants: ReadonlyArray<Mutant> = [
  {
    name: "what goes to a fallback goes to the destination too",
    file: "publish/fallback/Fallback.ts",
    find: `const of = (partition: number) => (this.isOn(partition) ? place.writer : destination)`,
    replace: `const of = (_: number) => destination`,
    foundBy,
    test: "away in the fallback"
  },
  {
    name: "a process that begins does not ask what its fallback holds",
    file: "publish/fallback/Fallback.ts",
    find: `part.isOn = part.settled < part.end`,
    replace: `part.isOn = false`,
    foundBy,
    test: "begins with the fallback"
  },
  {
    name: "a partition goes back before the last of its fallback is sent on",
    file: "publish/fallback/FallbackReturn.ts",
    find: `if (left > 0n) {`,
    replace: `if (left > 1n) {`,
    foundBy,
    test: "is not left before the last of it is sent on"
  },
  {
    name: "a partition goes back although something of it is on its way to the fallback",
    file: "publish/fallback/FallbackReturn.ts",
    find: `if (part.isUnplaced || !this.#home.isUnsent(partition)) return`,
    replace: `if (part.isUnplaced) return`,
    foundBy: trouble,
    test: "is not left while something is on its way"
  },
  {
    name: "a busy publisher is not held back near the end of a fallback",
    file: "publish/fallback/FallbackReturn.ts",
    find: `if (isRising && left <= nearRecords) this.#hold(partition, part, true)`,
    replace: `if (isRising && left <= 0n) this.#hold(partition, part, true)`,
    foundBy,
    test: "is left by a busy publisher"
  },
  {
    name: "a destination is not fenced when a partition goes back",
    file: "publish/fallback/SinkFallback.ts",
    find: `partition.turnBack(part.isOwed)`,
    replace: `partition.turnBack(false)`,
    foundBy,
    test: "does not go back before its cluster is fenced"
  },
  {
    name: "what fell back is counted as stored",
    file: "publish/countEnded.ts",
    find: `if (isKept(ending)) account[ending] += events`,
    replace: `if (isKept(ending)) account.stored += events`,
    foundBy,
    test: "away in the fallback"
  },
  {
    name: "a fallback that refuses a record is asked again for ever",
    file: "publish/WriteLane.ts",
    find: `const isOfRecord = tag === "Rejected" || tag === "TooLarge"`,
    replace: `const isOfRecord = tag === ""`,
    foundBy,
    test: "has the policy judge what the fallback refuses"
  },
  {
    name: "a rule that falls back halts",
    file: "publish/isForStandIn.ts",
    find: `(decision.ending === "spill" || decision.ending === "fallback")`,
    replace: `decision.ending === "spill"`,
    foundBy,
    test: "away in the fallback"
  },
  {
    name: "what is sent on from a fallback is settled before it is stored",
    file: "publish/fallback/Redrive.ts",
    find: `        yield* this.#sendOn.send(held, some)
`,
    replace: `        held.passed((some.at(-1)?.position ?? 0n) + 1n)
        yield* held.settle(held.at)
        yield* this.#sendOn.send(held, some)
`,
    foundBy: worlds,
    test: "lose nothing"
  },
  {
    name: "whoever is given a partition of a fallback does not fence what it had given up there",
    file: "publish/fallback/Redrive.ts",
    find: `if (!held.isFenced) yield* this.#sendOn.fence(held)`,
    replace: ``,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "fences the destination when a partition comes again"
  },
  {
    name: "what stands in a fallback until it is resumed is sent on nevertheless",
    file: "publish/sendOn/SendOn.ts",
    find: `Effect.raceFirst(Deferred.await(resumed), settled)`,
    replace: `Effect.raceFirst(Effect.sleep(1000), settled)`,
    foundBy,
    test: "halts where its cluster refuses"
  },
  {
    name: "what is sent on from a fallback is in no account",
    file: "publish/fallback/RedriveEndings.ts",
    find: `if (id !== undefined && !isMarker) count(`,
    replace: `if (id === undefined && !isMarker) count(`,
    foundBy,
    test: "is sent on by whoever is there"
  },
  {
    name: "what is sent on once more from a fallback is counted once more",
    file: "publish/fallback/RedriveEndings.ts",
    find: `if (record.position < (this.#countedTo.get(partition) ?? 0n)) continue`,
    replace: `if (record.position < 0n) continue`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "fences the destination when a partition comes again"
  },
  {
    name: "consumers are not told what was dropped on its way from a fallback",
    file: "publish/fallback/RedriveEndings.ts",
    find: `this.notices.drop(partition, record, how, () => false)`,
    replace: `this.notices.drop(partition, record, how, () => true)`,
    foundBy,
    test: "tells consumers"
  },
  {
    name: "what waits is dropped at closing although there is a fallback",
    file: "publish/fallback/SinkFallback.ts",
    find: `this.trip(lane.partition, { tag: "closed", attempts: 0, detail: "it is being closed" })`,
    replace: ``,
    foundBy,
    test: "when a process closes"
  },
  {
    name: "a fallback keeps what waits only as long as its cluster keeps anything",
    file: "publish/fallback/openFallback.ts",
    find: `const keepsAll = back === "redrive" && transport.trim !== undefined`,
    replace: `const keepsAll = false`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "keeps what waits whatever its age"
  },
  {
    name: "two destinations come to one fallback",
    file: "record/fallbackTopic.ts",
    find: `/[^A-Za-z0-9-]/gu`,
    replace: `/[^A-Za-z0-9.-]/gu`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "a name for each destination"
  },
  {
    name: "a fallback may be the cluster that it stands in for",
    file: "routes/fallbackFaults.ts",
    find: `if (place.place === (clusters.get(cluster)?.place ?? cluster)) {`,
    replace: `if (place.place === "") {`,
    foundBy: faults,
    test: "far"
  },
  {
    name: "a fallback whose cluster has no groups is sent on",
    file: "routes/fallbackFaults.ts",
    find: `["groups", ({ groups }) => groups !== "none"]`,
    replace: `["groups", () => true]`,
    foundBy: faults,
    test: "bare"
  },
  {
    name: "a fallback gives less than the contract needs",
    file: "routes/Routes.ts",
    find: `      ...this.#fallbackNeedFaults(contract, leg),
`,
    replace: ``,
    foundBy: faults,
    test: "gives what the contract needs"
  },
  {
    name: "what an event's fallback has is told missing",
    file: "audit/SequenceAudit.ts",
    find: `const ofFallback = Math.min(between - ofBetween - ofLetters, fellBack)`,
    replace: `const ofFallback = Math.min(between - ofBetween - ofLetters, 0)`,
    foundBy: "audit/published.test.ts",
    test: "takes what a fallback has"
  },
  {
    name: "what fell back and stays is not read",
    file: "consume/FallbackTopics.ts",
    find: `yield* Effect.forkIn(one.topic.read, readers, { startImmediately: true })`,
    replace: ``,
    foundBy: stays,
    test: "reads both topics in one group"
  },
  {
    name: "what falls back while a group reads is passed over where the group begins with what is new",
    file: "consume/FallbackTopics.ts",
    find: `const begin = isFirst && !(typeof from === "object" && "position" in from) ? from : "earliest"`,
    replace: `const begin = "earliest"`,
    foundBy: stays,
    test: "begins with what is new"
  },
  {
    name: "what is sent on from a fallback is read there too",
    file: "Leat.ts",
    find: `fallback?.back === "stay"`,
    replace: `fallback !== undefined`,
    foundBy: stays,
    test: "does not read what is sent on"
  },
  {
    name: "the topic of a fallback is found by its end alone",
    file: "record/fallbackTopic.ts",
    find: `return digits !== undefined && fallbackTopic(destination, partitions) === name ? partitions : undefined`,
    replace: `return digits === undefined ? undefined : partitions`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "a name for each destination"
  },
  {
    name: "a cluster that is away is asked ever again at once",
    file: "publish/fallback/FallbackReturn.ts",
    find: `part.pauseMs = Math.min(part.pauseMs * 2, pauseMsMax)`,
    replace: `part.pauseMs = firstPauseMs`,
    foundBy: stays,
    test: "asks less and less often"
  },
  {
    name: "what stays in a fallback may be that of a contract that needs order",
    file: "routes/fallbackFaults.ts",
    find: `if (needed.includes("order")) {`,
    replace: `if (needed.includes("fsync")) {`,
    foundBy: faults,
    test: "stays where order is not needed"
  },
  {
    name: "what stays in a fallback is sent on by another document",
    file: "routes/difference.ts",
    find: `[sink, spill?.cluster, fallback]`,
    replace: `[sink, spill?.cluster, fallback?.cluster]`,
    foundBy: stays,
    test: "is not swapped for one that says redrive"
  },
  {
    name: "a record that stands somewhere in a fallback is not waited for",
    file: "publish/fallback/Fallback.ts",
    find: `      part.isUnplaced = true
      return`,
    replace: `      part.isUnplaced = false
      return`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "does not say where a record stands"
  },
  {
    name: "a publisher near the end of a fallback waits for it without an end",
    file: "publish/fallback/FallbackReturn.ts",
    find: `if (!part.isHeld || this.#pump.nowMs - part.heldSinceMs < part.heldMs) return false`,
    replace: `if (!part.isHeld || part.heldMs > 0) return false`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "holds nobody back for long"
  },
  {
    name: "what has fallen back counts as pending",
    file: "metrics/LedgerReport.ts",
    find: `admitted + recovered - stored - fellBack - sum(deadLettered)`,
    replace: `admitted + recovered - stored - sum(deadLettered)`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "is seen in the metrics"
  },
  {
    name: "a process that starts while its cluster is away waits for it although there is a fallback",
    file: "publish/Sinks.ts",
    find: `const place = spill ?? fallback`,
    replace: `const place = spill`,
    foundBy: "publish/fallbackAway.test.ts",
    test: "publishes to the fallback"
  },
  {
    name: "what waits in a fallback is sent on with the writer of the sink",
    file: "publish/fallback/Redrive.ts",
    find: `      if (this.#isAway) return
`,
    replace: ``,
    foundBy: "publish/fallbackAway.test.ts",
    test: "publishes to the fallback"
  },
  {
    name: "an event that a fallback in memory has is durable",
    file: "routes/levelFaults.ts",
    find: `fallback === undefined ? [] : [fallback.cluster]`,
    replace: `fallback === undefined ? [] : []`,
    foundBy: faults,
    test: "where the level is durable"
  },
  {
    name: "what is refused when it is sent on from a fallback is surely not stored",
    file: "publish/fallback/RedriveEndings.ts",
    find: `    account.droppedMayBeStored += events
`,
    replace: ``,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "goes on where a record is refused"
  },
  {
    name: "what is stored behind a refused record of a fallback is not counted",
    file: "publish/sendOn/SendOn.ts",
    find: `if (behind.length > 0) this.#stored(part, behind)`,
    replace: ``,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "goes on where a record is refused"
  },
  {
    name: "closing waits for nothing that is sent on from a fallback",
    file: "publish/fallback/SinkFallback.ts",
    find: `    yield* this.#redrive?.leave ?? Effect.void
`,
    replace: ``,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "waits for what is on its way when its process is closed"
  },
  {
    name: "closing settles nothing of what was sent on from a fallback",
    file: "publish/fallback/HeldPartition.ts",
    find: `this.at > this.lane.start ? this.#settles.last(this.partition, this.at) : Effect.void`,
    replace: `Effect.void`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "waits for what is on its way when its process is closed"
  },
  {
    name: "who is held back near the end of a fallback waits for an answer of its cluster",
    file: "publish/fallback/FallbackReturn.ts",
    find: `if (!part.isHeld || this.#pump.nowMs - part.heldSinceMs < part.heldMs) return false
    // For`,
    replace: `if (!part.isHeld || part.settled >= 0n) return false
    // For`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "holds nobody back for long when its cluster takes its time"
  },
  {
    name: "a fallback that takes nothing tells of each try",
    file: "publish/fallback/SinkFallback.ts",
    find: `if (fellBack === 0) {`,
    replace: `if (fellBack < 0) {`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "tells once of an outage in which its cluster"
  },
  {
    name: "closing a fallback waits for drivers without an end",
    file: "publish/fallback/SinkFallback.ts",
    find: `Fiber.interruptAll(this.#running)), endMs)`,
    replace: `Fiber.interruptAll(this.#running)), 1e9)`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "has an end when its process is closed"
  },
  {
    name: "a look for a fallback without an answer is the first one",
    file: "consume/FallbackTopics.ts",
    find: `isFirst &&= this.#unknownLooks > 0) {`,
    replace: `isFirst = false) {`,
    foundBy: "publish/fallbackStay.test.ts",
    test: "reads what fell back while nobody read"
  },
  {
    name: "a lane that its own cluster halts is resumed by each fallback",
    file: "publish/fallback/SinkFallback.ts",
    find: `lane.halted?.isOfFallback === true)`,
    replace: `lane.halted !== undefined)`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "leaves a lane halted that its own cluster has refused"
  },
  {
    name: "a partition of a fallback that cannot be read interrupts its neighbours",
    file: "publish/fallback/Redrive.ts",
    find: `(one) => this.#giveBack(one)`,
    replace: `() => Effect.void`,
    foundBy: trouble,
    test: "has no partition that cannot be read"
  },
  {
    name: "a partition of a fallback that cannot be read is tried again each second",
    file: "publish/fallback/Redrive.ts",
    find: `      this.#sick.set(partition, failures + 1)
      yield* Effect.sleep(pauseMs)
`,
    replace: `      this.#sick.set(partition, failures + 1)
`,
    foundBy: trouble,
    test: "has no partition that cannot be read"
  },
  {
    name: "nobody is told why nothing of a fallback is sent on",
    file: "publish/fallback/Redrive.ts",
    find: `Effect.andThen(this.#fails(undefined, Cause.squash(exit.cause), pauseMs), Effect.sleep(pauseMs))`,
    replace: `Effect.sleep(pauseMs)`,
    foundBy: trouble,
    test: "says once why nothing is sent on"
  },
  {
    name: "what is sent on from a fallback has to be settled before anything goes back",
    file: "publish/fallback/HeldPartition.ts",
    find: `    this.#home.sentOn(this.partition, position)
`,
    replace: ``,
    foundBy: trouble,
    test: "goes back although nothing can be settled there"
  },
  {
    name: "nobody is told that a fallback does not say how far it was sent on",
    file: "publish/fallback/FallbackReturn.ts",
    find: `yield* this.#unanswered(rows)`,
    replace: ``,
    foundBy: trouble,
    test: "says once that nobody says how far"
  },
  {
    name: "a drop whose marker is refused is announced by nobody",
    file: "publish/fallback/HeldPartition.ts",
    find: `    this.#home.endings.handOver(this.partition)
`,
    replace: ``,
    foundBy: trouble,
    test: "has a later event announce a drop"
  },
  {
    name: "a topic of a fallback that is made anew is taken for the one before",
    file: "publish/fallback/SinkFallback.ts",
    find: `base < part.tookEnd) this.anew(`,
    replace: `base < 0n) this.anew(`,
    foundBy: trouble,
    test: "is known to be another one"
  },
  {
    name: "what is sent on from a topic that was made anew is counted already",
    file: "publish/fallback/RedriveEndings.ts",
    find: `    this.#countedTo.delete(partition)
`,
    replace: ``,
    foundBy: trouble,
    test: "is known to be another one"
  },
  {
    name: "what is deleted in a fallback before it is sent on is in no account",
    file: "publish/fallback/RedriveEndings.ts",
    find: `    count(this.#home.unreadAccount, { ending: "dropped", reason: "Corrupt" }, Number(to - first))
`,
    replace: ``,
    foundBy: trouble,
    test: "counts what was deleted there"
  },
  {
    name: "a process that has nothing in a fallback never looks what waits there",
    file: "publish/fallback/FallbackReturn.ts",
    find: `this.#wake.waitFor(idleLookMs)`,
    replace: `this.#wake.wait`,
    foundBy: trouble,
    test: "shows what waits also to a process"
  },
  {
    name: "a settle that ends before whoever begins it goes on is the last one",
    file: "publish/sendOn/Settles.ts",
    find: `settling.isRunning = true
        settling.running = yield* Effect.forkIn(this.#run(partition, settling), this.#scope)`,
    replace: `settling.running = yield* Effect.forkIn(this.#run(partition, settling), this.#scope)
        settling.isRunning = true`,
    foundBy: "publish/Settles.test.ts",
    test: "settles each position"
  },
  {
    name: "a member whose group fails interrupts what is on its way",
    file: "publish/fallback/Redrive.ts",
    find: `      yield* this.#giveBackAll(Array.from(this.#held))
`,
    replace: ``,
    foundBy: trouble,
    test: "stores nothing twice, and gets on"
  },
  {
    name: "a member whose group fails joins again each second",
    file: "publish/fallback/Redrive.ts",
    find: `againMs * 2 ** this.#failures++`,
    replace: `againMs`,
    foundBy: trouble,
    test: "stores nothing twice, and gets on"
  },
  {
    name: "a membership that ends is told by nobody",
    file: "publish/fallback/Redrive.ts",
    find: `else if (!exit.value)`,
    replace: `else if (exit.value && opened === undefined)`,
    foundBy: trouble,
    test: "stores nothing twice, and gets on"
  },
  {
    name: "a resume that comes while a halt is told is lost",
    file: "publish/sendOn/SendOn.ts",
    find: `Effect.raceFirst(Deferred.await(resumed), settled)`,
    replace: `Effect.raceFirst(Deferred.await(this.#resumed), settled)`,
    foundBy: trouble,
    test: "is resumed also by whoever"
  },
  {
    name: "who is held back near the end of a fallback waits also when its destination goes away again",
    file: "publish/fallback/HeldPartition.ts",
    find: `    this.#home.stands(this.partition)
`,
    replace: ``,
    foundBy: trouble,
    test: "holds nobody back whose destination goes away again"
  },
  {
    name: "resume corrects the times of a fallback's own records only",
    file: "publish/fallback/HeldPartition.ts",
    find: `return end > this.readEnd ? end : this.readEnd`,
    replace: `return end`,
    foundBy: trouble,
    test: "has the time of a record corrected"
  },
  {
    name: "an opening that never comes back is waited for by whoever sends on",
    file: "publish/fallback/Redrive.ts",
    find: `duration: answerMs,`,
    replace: `duration: 1e9,`,
    foundBy: trouble,
    test: "is joined anew where one call never"
  },
  {
    name: "a group in which nothing gets on is never joined anew",
    file: "publish/fallback/Redrive.ts",
    find: `    Deferred.doneUnsafe(this.#broken, Effect.void)
`,
    replace: ``,
    foundBy: trouble,
    test: "is joined anew where one call never"
  },
  {
    name: "a group in which nothing gets on is joined anew at each look",
    file: "publish/fallback/HangWatch.ts",
    find: `const isToJoin = nowMs >= this.#joinMs`,
    replace: `const isToJoin = true`,
    foundBy: trouble,
    test: "less and less often while another"
  },
  {
    name: "a fence that never ends keeps all partitions in a fallback",
    file: "publish/fallback/FallbackReturn.ts",
    find: `yield* Effect.forkChild(asked)`,
    replace: `yield* asked`,
    foundBy: trouble,
    test: "asks each partition for itself"
  },
  {
    name: "a partition that is given back takes with it what was refused before",
    file: "publish/sendOn/CarriedDrops.ts",
    find: `      put(this.#refused, partition, marker, dropped.take())
    this.#carried.delete(partition)`,
    replace: `      void [marker, dropped]`,
    foundBy: trouble,
    test: "has all drops announced whose markers"
  },
  {
    name: "a lane whose stream ends at once comes again at once",
    file: "publish/fallback/Redrive.ts",
    find: `Effect.andThen(work, Effect.raceFirst(lane.revoked, Effect.sleep(againMs)))`,
    replace: `work`,
    foundBy: trouble,
    test: "does not spin where the stream"
  },
  {
    name: "letters are closed before what needs them",
    file: "publish/Sink.ts",
    find: `      Effect.andThen(this.#standIn?.close ?? Effect.void),
      Effect.andThen(this.#undelivered.close),`,
    replace: `      Effect.andThen(this.#undelivered.close),
      Effect.andThen(this.#standIn?.close ?? Effect.void),`,
    foundBy: trouble,
    test: "has the first letter that closing needs"
  },
  {
    name: "what falls back is in no metric",
    file: "publish/Destinations.ts",
    find: `if (fallback !== undefined) return this.#ledger.fallingAccount(stream, sink, epoch)`,
    replace: ``,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "is seen in the metrics"
  },
  {
    name: "what waits in a fallback is in no metric",
    file: "publish/sinkSeries.ts",
    find: `fallback === undefined ? kinds : kindsWithFallback`,
    replace: `kinds`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "is seen in the metrics"
  },
  {
    name: "what waits as its policy says is taken for a call that never comes back",
    file: "publish/fallback/Redrive.ts",
    find: `(mine.isSending || mine.at >= row.end)`,
    replace: `mine.at >= row.end`,
    foundBy: trouble,
    test: "is not joined anew while its policy waits"
  },
  {
    name: "an opening without an answer is tried on beside the next one",
    file: "publish/fallback/Redrive.ts",
    find: `Effect.ensuring(Effect.sync(() => fiber.interruptUnsafe()))`,
    replace: `Effect.ensuring(Effect.void)`,
    foundBy: trouble,
    test: "tries one opening at a time"
  },
  {
    name: "what fails is taken for what hangs",
    file: "publish/fallback/HangWatch.ts",
    find: `if (partition === undefined || partition === one) still.sinceMs = againMs`,
    replace: `if (partition === undefined && partition === one) still.sinceMs = againMs`,
    foundBy: "publish/HangWatch.test.ts"
  },
  {
    name: "a partition that gets on is taken for one that hangs",
    file: "publish/fallback/HangWatch.ts",
    find: `found?.settled === settled ? found :`,
    replace: `found !== undefined ? found :`,
    foundBy: "publish/HangWatch.test.ts"
  },
  {
    name: "who was let go near the end of a fallback is held back again at once",
    file: "publish/fallback/FallbackReturn.ts",
    find: `this.#pump.nowMs < part.freeUntilMs`,
    replace: `this.#pump.nowMs < 0`,
    foundBy: "publish/fallbackOdd.test.ts",
    test: "holds nobody for more than eight seconds"
  },
  {
    name: "a position before what was sent on is one of another topic",
    file: "publish/fallback/SinkFallback.ts",
    find: `base < part.tookEnd`,
    replace: `base < part.settled`,
    foundBy: "publish/fallbackOdd.test.ts",
    test: "is no other one because its answers"
  },
  {
    name: "a destination that is not open yet is a call that never comes back",
    file: "publish/fallback/Redrive.ts",
    find: `if (this.#isAway) this.#hangs`,
    replace: `if (!this.#isAway) this.#hangs`,
    foundBy: "publish/fallbackOdd.test.ts",
    test: "says nothing of its group while a process starts"
  },
  {
    name: "what was refused before waits with what is to be told now",
    file: "publish/sendOn/SendOn.ts",
    find: `          notice.told()
          failures = 0
`,
    replace: `          notice.told()
          this.notices.again(partition)
          failures = 0
`,
    foundBy: "publish/fallbackOdd.test.ts",
    test: "announces what was refused before also"
  },
  {
    name: "a trouble that comes again is told by nobody",
    file: "publish/fallback/Redrive.ts",
    find: `if (isNew) this.#untold.add(partition)`,
    replace: `if (isNew && !this.#toldMs.has(partition)) this.#untold.add(partition)`,
    foundBy: "publish/fallbackOdd.test.ts",
    test: "tells of a failure that comes again"
  }
]
