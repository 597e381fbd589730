import type { Mutant } from "./Mutant.ts"

const foundBy = "publish/fallback.test.ts"
const trouble = "publish/fallbackTrouble.test.ts"
const faults = "routes/fallbackFaults.test.ts"
const stays = "publish/fallbackStay.test.ts"

/** Planted in what goes to a fallback, and what stays there: the partitions that are on, the accounts, the routes and the names. */
export const fallbackMutants: ReadonlyArray<Mutant> = [
  {
    name: "what goes to a fallback goes to the destination too",
    file: "publish/fallback/Fallback.ts",
    find: `const of = (partition: number) => this.placeOf(partition)?.writer ?? destination`,
    replace: `const of = (_: number) => destination`,
    foundBy,
    test: "away in the fallback"
  },
  {
    name: "a process that begins does not ask what its fallback holds",
    file: "publish/fallback/Fallback.ts",
    find: `if (!there.isEmpty) part.at = index`,
    replace: ``,
    foundBy,
    test: "begins with the fallback"
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
    find: `place.place === (clusters.get(leg.cluster)?.place ?? leg.cluster)`,
    replace: `place.place === ""`,
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
    find: `const ofFallback = Math.min(between - ofBetween - unclearBetween - ofLetters, fellBack)`,
    replace: `const ofFallback = Math.min(between - ofBetween - unclearBetween - ofLetters, 0)`,
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
    find: `isFirst ? this.#before.beginOf(this.#settings.from) : "earliest"`,
    replace: `"earliest"`,
    foundBy: stays,
    test: "begins with what is new where"
  },
  {
    name: "a group that is known is not given what fell back while no consumer ran, where a new one begins with what is new",
    file: "consume/GroupBefore.ts",
    find: `return void (this.#isKnown = exit.value)`,
    replace: `return void (this.#isKnown = false)`,
    foundBy: stays,
    test: "comes to be while no consumer runs"
  },
  {
    name: "a group that began in an empty stream is not known",
    file: "consume/GroupBefore.ts",
    find: `names.includes(group)`,
    replace: `names.length < 0 && names.includes(group)`,
    foundBy: stays,
    test: "was there when the stream was empty"
  },
  {
    name: "a group is asked for when it has joined",
    file: "consume/ReadPlace.ts",
    find: `return Effect.andThen(this.#askBefore(reading), Effect.raceAllFirst(all))`,
    replace: `return Effect.raceAllFirst([...all, Effect.andThen(Effect.delay(this.#askBefore(reading), 10), Effect.never)])`,
    foundBy: stays,
    test: "comes to be while no consumer runs"
  },
  {
    name: "a new group begins with what is new when the other cluster is found",
    file: "consume/GroupBefore.ts",
    find: `from === "latest" ? { timeMs: this.#begunAtMs } : from`,
    replace: `from`,
    foundBy: stays,
    test: "from where it began, however late"
  },
  {
    name: "a group of which nobody says whether it is new is taken for one",
    file: "consume/GroupBefore.ts",
    find: `this.#isKnown = !(error instanceof TransportError && error.reason === "UnknownTopic")`,
    replace: `this.#isKnown = false`,
    foundBy: stays,
    test: "of which nobody says whether it is new"
  },
  {
    name: "what is sent on from a fallback is read there too",
    file: "routes/Route.ts",
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
    name: "what stays in a fallback may be that of a contract that needs order",
    file: "routes/fallbackFaults.ts",
    find: `if (needed.includes("order")) {`,
    replace: `if (needed.includes("fsync")) {`,
    foundBy: faults,
    test: "stays where order is not needed"
  },
  {
    name: "what stays in a fallback is sent on by another document",
    file: "routes/standIns.ts",
    find: `fallback: !isSameValue(was.fallback, leg.fallback, "inOrder")`,
    replace: `fallback: was.fallback?.cluster !== leg.fallback?.cluster`,
    foundBy: stays,
    test: "is not swapped for one that says redrive"
  },
  {
    name: "a record that stands somewhere in a fallback is not waited for",
    file: "publish/fallback/Fallback.ts",
    find: `      there.isUnplaced = true
      return`,
    replace: `      there.isUnplaced = false
      return`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "does not say where a record stands"
  },
  {
    name: "what has fallen back counts as pending",
    file: "metrics/LedgerReport.ts",
    find: `movedIn - movedOut - stored - fellBack - sum(deadLettered)`,
    replace: `movedIn - movedOut - stored - sum(deadLettered)`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "is seen in the metrics"
  },
  {
    name: "a process that starts while its cluster is away waits for it although there is a fallback",
    file: "publish/Sinks.ts",
    find: `spill === undefined ? (fallback?.clusters ?? []) : [spill.cluster]`,
    replace: `spill === undefined ? [] : [spill.cluster]`,
    foundBy: "publish/fallbackAway.test.ts",
    test: "publishes to the fallback"
  },
  {
    name: "an event that a fallback in memory has is durable",
    file: "routes/levelFaults.ts",
    find: `...(fallback?.clusters ?? [])]`,
    replace: `]`,
    foundBy: faults,
    test: "where the level is durable"
  },
  {
    name: "closing waits for nothing that is sent on from a fallback",
    file: "publish/fallback/SinkFallback.ts",
    find: `    yield* all(({ leave }) => leave)
`,
    replace: ``,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "waits for what is on its way when its process is closed"
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
    test: "whatever its driver does: pull"
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
    find: `filter(({ halted }) => halted?.isOfFallback === true)`,
    replace: `filter(({ halted }) => halted !== undefined)`,
    foundBy: "publish/fallbackRedrive.test.ts",
    test: "leaves a lane halted that its own cluster has refused"
  },
  {
    name: "a topic of a fallback that is made anew is taken for the one before",
    file: "publish/fallback/SinkFallback.ts",
    find: `base < tookEnd || base < settledBefore`,
    replace: `base < 0n * (tookEnd + settledBefore)`,
    foundBy: trouble,
    test: "is known to be another one"
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
    name: "a position before what was sent on is one of another topic",
    file: "publish/fallback/SinkFallback.ts",
    find: `#isAnew({ tookEnd, settledBefore }: PlacePart,`,
    replace: `#isAnew({ tookEnd, settled: settledBefore }: PlacePart,`,
    foundBy: "publish/fallbackOdd.test.ts",
    test: "is no other one because its answers"
  },
  {
    name: "what stays in a fallback is read by nobody",
    file: "consume/ReadPlace.ts",
    find: `return [sides, ...fallbacks]`,
    replace: `return fallbacks.length > 9 ? fallbacks : [sides]`,
    foundBy: stays,
    test: "reads both topics in one group"
  }
]
