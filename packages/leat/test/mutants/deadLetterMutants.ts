import type { Mutant } from "./Mutant.ts"

const frontDoor = "consume/deadLetters.test.ts"
const partitions = "consume/deadLetterPartitions.test.ts"

export const deadLetterMutants: ReadonlyArray<Mutant> = [
  {
    name: "dead letters are deleted as the events of their cluster are",
    file: "transport/DeadLetters.ts",
    find: `areRetried === true ? {} :`,
    replace: `areRetried !== true ? {} :`,
    foundBy: "deadLetters/retention.test.ts",
    test: "dead letters and their replays are kept"
  },
  {
    name: "dead letters of a cluster that outlives the process are deleted as its events are",
    file: "transport/everything.ts",
    find: `capabilities.ephemeral ?`,
    replace: `!capabilities.ephemeral ?`,
    foundBy: "deadLetters/retention.test.ts",
    test: "dead letters and their replays are kept"
  },
  {
    name: "replays are deleted as the events of their cluster are",
    file: "deadLetters/storePage.ts",
    find: `, ...lettersRetention(transport) }`,
    replace: ` }`,
    foundBy: "deadLetters/retention.test.ts",
    test: "dead letters and their replays are kept"
  },
  {
    name: "what a where writes into a letter is replayed",
    file: "deadLetters/pages.ts",
    find: `where(copyOf(letter))`,
    replace: `where(letter)`,
    foundBy: "deadLetters/replaying.test.ts",
    test: "to the letters that it is shown"
  },
  {
    name: "letters that are listed have the bytes of their page",
    file: "deadLetters/listLetters.ts",
    find: `...ownBytes({ key, value, headers: found?.headers ?? headers })`,
    replace: `key, value, headers: found?.headers ?? headers`,
    foundBy: "deadLetters/replaying.test.ts",
    test: "may be given away"
  },
  {
    name: "a topic of dead letters whose opening has no answer is waited for without an end",
    file: "transport/DeadLetters.ts",
    find: `duration: openMs, orElse`,
    replace: `duration: openMs * 1e6, orElse`,
    foundBy: partitions,
    test: "is opened again after half a minute"
  },
  {
    name: "that a topic of dead letters is not opened is told late",
    file: "transport/DeadLetters.ts",
    find: `      this.#isLongSince(opening)
`,
    replace: ``,
    foundBy: partitions,
    test: "is opened again after half a minute"
  },
  {
    name: "a dead letter is done before it is stored",
    file: "transport/DeadLetters.ts",
    find: `    this.#letters.push(letter)`,
    replace: `    letter.done(undefined)`,
    foundBy: frontDoor,
    test: "are stored, each at least once"
  },
  {
    name: "a dead letter that is refused counts as stored",
    file: "transport/DeadLetters.ts",
    find: `done(refusal?.message, refusal?.reason)`,
    replace: `done(undefined)`,
    foundBy: frontDoor,
    test: "too large"
  },
  {
    name: "letters of lanes that were given back are kept for as long as the topic cannot be written",
    file: "transport/DeadLetters.ts",
    find: `    if (++this.#count >= this.#tidyAt) this.#tidy()`,
    replace: `    void this.#tidyAt`,
    foundBy: frontDoor,
    test: "given back"
  },
  {
    name: "letters of lanes that were given back are stored all the same",
    file: "transport/DeadLetters.ts",
    find: `      if (!letter.isWanted()) continue
`,
    replace: ``,
    foundBy: frontDoor,
    test: "given back"
  },
  {
    name: "a dead-letter topic has one partition",
    file: "transport/LetterWriter.ts",
    find: `partitions: count`,
    replace: `partitions: Math.min(count, 1)`,
    foundBy: frontDoor,
    test: "the partitions of its own"
  },
  {
    name: "a topic that cannot be opened once is never tried again",
    file: "transport/DeadLetters.ts",
    find: `            for (const { done } of this.#take(this.#letters.splice(0))) done(textOf(opened.cause))
            continue`,
    replace: `            return yield* Effect.never`,
    foundBy: frontDoor,
    test: "halts its key"
  },
  {
    name: "a partition of dead letters that cannot be written holds up the others",
    file: "transport/DeadLetters.ts",
    find: `    return Effect.forkScoped(this.#store(partition, line, writer))`,
    replace: `    return this.#store(partition, line, writer)`,
    foundBy: partitions,
    test: "does not hold up"
  },
  {
    name: "two appends are on their way to one partition of dead letters",
    file: "transport/DeadLetters.ts",
    find: `(one) => one.partition % writer.partitions`,
    replace: `(one) => one.partition`,
    foundBy: partitions,
    test: "one send at a time"
  },
  {
    name: "letters that wait in a line are kept when their lane is given back",
    file: "transport/DeadLetters.ts",
    find: `      line.letters = line.letters.filter(isWanted)`,
    replace: `      void line`,
    foundBy: partitions,
    test: "tidied away"
  },
  {
    name: "the writer that refused a dead letter stores the next ones",
    file: "transport/DeadLetters.ts",
    find: `      if (refusal !== undefined) writer.isSound = false`,
    replace: `      void writer`,
    foundBy: partitions,
    test: "is opened again"
  },
  {
    name: "what a replaced writer gives back is forgotten",
    file: "transport/DeadLetters.ts",
    find: `line.letters = [...unsent, ...line.letters]`,
    replace: `line.letters = [...line.letters]`,
    foundBy: partitions,
    test: "is opened again"
  },
  {
    name: "what a line has left is not stored with the next writer",
    file: "transport/DeadLetters.ts",
    find: `      this.#letters = [...line.letters, ...this.#letters]`,
    replace: `      void line`,
    foundBy: partitions,
    test: "is opened again"
  },
  {
    name: "a writer of dead letters that was replaced is closed under those who wait for it",
    file: "transport/LetterWriter.ts",
    find: `this.#isReplaced && this.#appends === 0`,
    replace: `this.#isReplaced`,
    foundBy: partitions,
    test: "is opened again"
  },
  {
    name: "a writer of dead letters that was replaced is never closed",
    file: "transport/LetterWriter.ts",
    find: `    this.#isReplaced = true`,
    replace: `    this.#isReplaced = false`,
    foundBy: partitions,
    test: "is opened again"
  },
  {
    name: "who waits for a writer of dead letters that was replaced waits for ever",
    file: "transport/LetterWriter.ts",
    find: `Effect.andThen(Effect.sleep(graceMs), Deferred.done(this.#over, Exit.void))`,
    replace: `Effect.sleep(graceMs)`,
    foundBy: partitions,
    test: "is opened again"
  },
  {
    name: "nobody waits for a writer of dead letters that is being closed",
    file: "transport/LetterWriter.ts",
    find: `Effect.forkIn(Scope.close(scope, Exit.void), writers)`,
    replace: `Effect.forkDetach(Scope.close(scope, Exit.void))`,
    foundBy: partitions,
    test: "is being closed already"
  },
  {
    name: "that dead letters wait is told for each partition of them",
    file: "transport/StorageWatch.ts",
    find: `    if (this.#isTold || nowMs`,
    replace: `    if (nowMs`,
    foundBy: partitions,
    test: "is told once"
  },
  {
    name: "that dead letters wait is told again whenever another of them is stored",
    file: "transport/StorageWatch.ts",
    find: `    if (this.#sinceMs.size === 0) this.#isTold = false`,
    replace: `    this.#isTold = false`,
    foundBy: partitions,
    test: "is told once"
  },
  {
    name: "an outage drains the topic into its dead letters",
    file: "OutageWatch.ts",
    find: `count >= latestMin ? failed * 2 > count`,
    replace: `count < 0 ? failed * 2 > count`,
    foundBy: frontDoor,
    test: "of three events in four is waited out"
  },
  {
    name: "an outage never ends",
    file: "OutageWatch.ts",
    find: `if (count === 1) this.#note(0, nowMs)
    else for (let left = Math.min(count, latestMax); left > 0; left--) this.#note(0, nowMs)`,
    replace: `    void count`,
    foundBy: "consume/OutageWatch.test.ts",
    test: "ends with a batch that is handled"
  },
  {
    name: "what failed long ago still counts as an outage",
    file: "OutageWatch.ts",
    find: `if ((this.#atMs[index] ?? 0) < nowMs - windowMs) continue`,
    replace: `if ((this.#atMs[index] ?? 0) < 0) continue`,
    foundBy: "consume/OutageWatch.test.ts",
    test: "ends with a batch that is handled"
  },
  {
    name: "an outage of more than ten minutes drains the topic into its dead letters",
    file: "OutageWatch.ts",
    find: `const lasts = this.#isOutage && !this.#hasHandled`,
    replace: `const lasts = false`,
    foundBy: "consume/OutageWatch.test.ts",
    test: "not ended by time alone"
  },
  {
    name: "an outage holds up all that stands behind one that waits, for ever",
    file: "OutageWatch.ts",
    find: `if (!this.#isOutage || nowMs < probeAtMs) return this.#isOutage`,
    replace: `if (nowMs < Infinity) return this.#isOutage`,
    foundBy: "consume/OutageWatch.test.ts",
    test: "all stands behind"
  },
  {
    name: "what waits in an outage is counted as failed once and never again",
    file: "OutageWatch.ts",
    find: `    if (countedMs >= nowMs - windowMs) return countedMs
    for`,
    replace: `    if (countedMs >= 0) return countedMs
    for`,
    foundBy: "consume/OutageWatch.test.ts",
    test: "of six hours"
  },
  {
    name: "a record is set aside twice",
    file: "consume/SetAside.ts",
    find: `    this.#queued = []
    return queued`,
    replace: `    return queued`,
    foundBy: "consume/readModel.test.ts",
    test: "says what its model says, whatever is drawn"
  },
  {
    name: "a key that stands is not tried again",
    file: "consume/SetAside.ts",
    find: `    const held = Array.from(this.#standing.keys())`,
    replace: `    const held = Array.from(this.#standing.keys()).slice(1)`,
    foundBy: "consume/readModel.test.ts",
    test: "says what its model says, whatever is drawn"
  },
  {
    name: "a replay counts from zero",
    file: "consume/deadLetterOf.ts",
    find: `readReplays(first[1]) ?? 0`,
    replace: `0`,
    foundBy: frontDoor,
    test: "how often it did"
  },
  {
    name: "a dead letter loses the headers of its record",
    file: "consume/deadLetterOf.ts",
    find: `...due }), ...headers],`,
    replace: `...due })],`,
    foundBy: frontDoor,
    test: "dead-letters what cannot be read or handled, as it stood"
  },
  {
    name: "a batch ends whole for one event",
    file: "consume/ReadLane.ts",
    find: `else if (held.span > 1) this.#isolate(held, nowMs)`,
    replace: `else if (held.span > 100) this.#isolate(held, nowMs)`,
    foundBy: "consume/readModel.test.ts",
    test: "says what its model says, whatever is drawn"
  },
  {
    name: "what was in doubt is forwarded behind what comes later",
    file: "transport/Forwarder.ts",
    find: `left = [...leftOf(runs, known), ...behind]`,
    replace: `left = [...behind, ...leftOf(runs, known)]`,
    foundBy: "transport/Forwarder.test.ts",
    test: "is fenced when it is in doubt"
  },
  {
    name: "what was in doubt is forwarded again without a fence",
    file: "transport/Forwarder.ts",
    find: `if (isInDoubt) yield*`,
    replace: `if (isInDoubt && failures < 0) yield*`,
    foundBy: "transport/Forwarder.test.ts",
    test: "is fenced when it is in doubt"
  },
  {
    name: "one record that is refused takes those beside it along",
    file: "transport/Forwarder.ts",
    find: `  if (to - from > 1)`,
    replace: `  if (to - from > 100)`,
    foundBy: "transport/Forwarder.test.ts",
    test: "is refused alone where a broker takes none"
  },
  {
    name: "what is refused together is sent one by one",
    file: "transport/Forwarder.ts",
    find: `from + ((to - from) >> 1)`,
    replace: `from + 1`,
    foundBy: "transport/Forwarder.test.ts",
    test: "is halved until the broker takes it"
  },
  {
    name: "an event that was set aside keeps its second dead letter from being stored",
    file: "record/EventIdCursor.ts",
    find: `if (left === count && nameBytes === deadLetterName.length && isAt(deadLetterName, source, nameAt)) return false`,
    replace: `if (left < 0) return false`,
    foundBy: "record/DeadLetter.test.ts",
    test: "and its replay have no id that keeps them from"
  },
  {
    name: "what was replayed before a group came is not for it",
    file: "consume/SideTopic.ts",
    find: `from: From = "earliest"`,
    replace: `from: From = "latest"`,
    foundBy: "consume/replays.test.ts",
    test: "is found while the subscription runs"
  },
  {
    name: "what is replayed while a group reads is not found",
    file: "consume/SideTopics.ts",
    find: `yield* this.#wake.idleFor(lookMs)`,
    replace: `yield* this.#wake.idleFor(lookMs * 100)`,
    foundBy: "consume/replays.test.ts",
    test: "is found while"
  },
  {
    name: "a replay that fails is set aside where nobody looks",
    file: "consume/SideTopics.ts",
    find: `const own = { ...options, lettersOf: topic,`,
    replace: `const own = { ...options,`,
    foundBy: "consume/replays.test.ts",
    test: "is set aside again"
  },
  {
    name: "a driver that fails of the question for replays ends its subscription",
    file: "consume/SideTopic.ts",
    find: `    Effect.exit,
    Effect.map((exit) => {`,
    replace: `    Effect.map(Exit.succeed),
    Effect.catchTag("TimeoutError", (error) => Effect.succeed(Exit.fail(error))),
    Effect.map((exit: Exit.Exit<unknown, unknown>) => {`,
    foundBy: "consume/replays.test.ts",
    test: "never answers"
  },
  {
    name: "the time of a delivery runs while it stands in line",
    file: "consume/Handling.ts",
    find: `if (this.#options.consumer === undefined || info?.isTaken === true)`,
    replace: `if (info !== undefined)`,
    foundBy: "consume/timeLimits.test.ts",
    test: "does not run while it stands in line behind others"
  },
  {
    name: "the time of a delivery that is taken never runs",
    file: "consume/DeliveryInfo.ts",
    find: `    this.#whenTaken?.()`,
    replace: `    void this.#whenTaken`,
    foundBy: "consume/timeLimits.test.ts",
    test: "holds for deliveries that are taken by hand"
  },
  {
    name: "the handler of tombstones of a consumer who takes events has no end",
    file: "consume/Handling.ts",
    find: `    info.take()
    const call`,
    replace: `    const call`,
    foundBy: "consume/timeLimits.test.ts",
    test: "tombstones"
  },
  {
    name: "a loop takes events before it asks for them",
    file: "promise/DeliveryIterator.ts",
    find: `        this.#takeNext = () => resume(Effect.void)`,
    replace: `        resume(Effect.void)`,
    foundBy: "consume/timeLimits.test.ts",
    test: "asks for it"
  },
  {
    name: "a dead letter that is set aside again loses the headers that it had",
    file: "record/DeadLetter.ts",
    find: `  if (headers[0]?.[0] === deadLetterHeader) return readFirst(headers)`,
    replace: `  if (headers.length === 0) return readFirst(headers)`,
    foundBy: "record/DeadLetter.test.ts",
    test: "of what was a dead letter before"
  },
  {
    name: "a handler may take as long as it likes, whatever its policy says",
    file: "consume/LaneShell.ts",
    find: `        handling.expire(nowMs)`,
    replace: `        void handling`,
    foundBy: "consume/timeLimits.test.ts",
    test: "is tried again by the policy"
  },
  {
    name: "a promise that succeeds after it was told to end has failed",
    file: "consume/Handling.ts",
    find: `if (infos[0]?.hasSucceeded === true) return Exit.void`,
    replace: `if (infos.length === 0) return Exit.void`,
    foundBy: "consume/timeLimits.test.ts",
    test: "hears of it by its signal"
  },
  {
    name: "of a batch that failed in part all are done",
    file: "consume/ReadLane.ts",
    find: `if (parts.has(index)) failed.push(one)`,
    replace: `if (parts.has(index) && index === 0) failed.push(one)`,
    foundBy: "consume/readModel.test.ts",
    test: "says what its model says, whatever is drawn"
  },
  {
    name: "what failed of a batch is tried again out of order",
    file: "consume/ReadLane.ts",
    find: `one.following = failed[index + 1] ?? behind`,
    replace: `one.following = behind`,
    foundBy: "consume/readModel.test.ts",
    test: "says what its model says, whatever is drawn"
  },
  {
    name: "what a handler of batches says of an event that it was not given is believed",
    file: "consume/Handling.ts",
    find: `at >= 0 && at < span)`,
    replace: `at >= 0)`,
    foundBy: "consume/batches.test.ts",
    test: "is judged whole where what its handler says does"
  },
  {
    name: "a batch that waits for more waits until it is full",
    file: "consume/Bundling.ts",
    find: `if (waits && nowMs < this.dueMs) return true`,
    replace: `if (waits) return true`,
    foundBy: "consume/batches.test.ts",
    test: "is given when it is full, or when its time is over"
  },
  {
    name: "a delivery whose time is over is given again while its consumer still has it",
    file: "consume/Handling.ts",
    find: `      if (!one.isInHand) fiber.interruptUnsafe()`,
    replace: `      fiber.interruptUnsafe()`,
    foundBy: "consume/timeLimits.test.ts",
    test: "holds for deliveries that are taken by hand"
  },
  {
    name: "the copy of an event is handled again",
    file: "consume/SeenIds.ts",
    find: `else if (seq <= bucket.highest) {`,
    replace: `else if (seq < bucket.highest) {`,
    foundBy: "consume/dedupe.test.ts",
    test: "handles what a publisher has stored twice once"
  },
  {
    name: "what is resumed behind later events is taken for a copy",
    file: "consume/SeenIds.ts",
    find: `return !this.#close(bucket, seq, seq + 1)`,
    replace: `return true`,
    foundBy: "consume/dedupe.test.ts",
    // As far as vitest writes it out.
    test: "handles what was resumed behind"
  },
  {
    name: "what is resumed late and is the first of its bucket is taken for a copy",
    file: "consume/SeenIds.ts",
    find: `unseenBelow: isBefore ? 0 : seq`,
    replace: `unseenBelow: isBefore ? seq : 0`,
    foundBy: "consume/dedupe.test.ts",
    test: "are all those below the first"
  },
  {
    name: "what is below the first of a bucket is handled as often as it comes",
    file: "consume/SeenIds.ts",
    find: `    bucket.unseenBelow = 0
`,
    replace: ``,
    foundBy: "consume/dedupe.test.ts",
    test: "are all those below the first"
  },
  {
    name: "what was dropped before the first of a bucket may still come",
    file: "consume/SeenIds.ts",
    find: `if (range.to >= bucket.unseenBelow) bucket`,
    replace: `if (range.to < 0) bucket`,
    foundBy: "consume/dedupe.test.ts",
    test: "are all those below the first"
  },
  {
    name: "a lane that looks back to the begin of the log takes it for the middle",
    file: "consume/lookBack.ts",
    find: `isWhole = range.fromPosition === 0n`,
    replace: `isWhole = range.fromPosition < 0n`,
    foundBy: "consume/dedupe.test.ts",
    test: "where it does not look back to the begin"
  },
  {
    name: "a gap that was announced may still be filled",
    file: "consume/SeenIds.ts",
    find: `      this.#close(bucket, range.from, range.to)
`,
    replace: ``,
    foundBy: "consume/dedupe.test.ts",
    test: "are those of copies only"
  },
  {
    name: "what is announced before its bucket goes on is a gap",
    file: "consume/SeenIds.ts",
    find: `if (range.to > bucket.highest) bucket.announced =`,
    replace: `if (range.to < 0) bucket.announced =`,
    foundBy: "consume/dedupe.test.ts",
    test: "forget no gap for those that were announced"
  },
  {
    name: "gaps are remembered without a bound",
    file: "consume/SeenIds.ts",
    find: `if (this.#gaps > gapsMax &&`,
    replace: `if (this.#gaps < 0 &&`,
    foundBy: "consume/dedupe.test.ts",
    test: "remember so many gaps"
  },
  {
    name: "a replay is taken for a copy",
    file: "consume/SeenIds.ts",
    find: `isOtherStream === true || replays !== undefined`,
    replace: `isOtherStream === true || replays === -1`,
    foundBy: "consume/dedupe.test.ts",
    test: "those of copies only"
  },
  {
    name: "what was handled before a lane began is not known",
    file: "consume/lookBack.ts",
    find: `fromPosition: start > records ? start - records : 0n`,
    replace: `fromPosition: start`,
    foundBy: "consume/dedupe.test.ts",
    test: "knows what was handled before it began"
  },
  {
    name: "a dead letter says the partition for the position",
    file: "record/DeadLetter.ts",
    find: `offset: position, group,`,
    replace: `offset: partition, group,`,
    foundBy: "record/DeadLetter.test.ts",
    test: "says in Kafka's own headers"
  },
  {
    name: "a reader with the wrong schema drains the topic into its dead letters",
    file: "consume/ReadingWatch.ts",
    find: `      this.#left--
`,
    replace: ``,
    foundBy: "consume/ReadingWatch.test.ts",
    test: "sets aside a hundred in ten minutes"
  },
  {
    name: "what stands behind records that cannot be decoded is not looked at",
    file: "consume/ReadingWatch.ts",
    find: `if (nowMs >= this.#lookAtMs) this.#look(`,
    replace: `if (nowMs < this.#lookAtMs) this.#look(`,
    foundBy: "consume/malformed.test.ts",
    test: "as one of which all can: the first ones"
  },
  {
    name: "a reader looks behind again and again in vain",
    file: "consume/ReadingWatch.ts",
    find: `? nowMs + lookMs : Number.NEGATIVE_INFINITY`,
    replace: `? nowMs : Number.NEGATIVE_INFINITY`,
    foundBy: "consume/ReadingWatch.test.ts",
    test: "once a second"
  },
  {
    name: "what a reader can decode is no sign that it can",
    file: "consume/ReadingWatch.ts",
    find: `this.#watch.handled(count, nowMs)`,
    replace: `void [count, nowMs]`,
    foundBy: "consume/ReadingWatch.test.ts",
    test: "while it can decode half"
  },
  {
    name: "what cannot be decoded is a sign of an outage of what handlers need",
    file: "consume/holdBack.ts",
    find: `if (isUnread) {`,
    replace: `if (isUnread && tag === "") {`,
    foundBy: "consume/malformed.test.ts",
    test: "in an outage of what handlers need"
  },
  {
    name: "what a handler calls Malformed was not decoded",
    file: "consume/holdBack.ts",
    find: `if (isUnread) {`,
    replace: `if (isUnread || tag === "Malformed") {`,
    foundBy: "consume/malformed.test.ts",
    test: "is not what a handler says"
  },
  {
    name: "an outage of what handlers need keeps what cannot be decoded",
    file: "consume/Consuming.ts",
    find: `tag: "Malformed", isUnread: true, detail: textOfThrown(error)`,
    replace: `tag: "Malformed", detail: textOfThrown(error)`,
    foundBy: "consume/malformed.test.ts",
    test: "as one of which all can: the first ones"
  },
  {
    name: "an event of another stream is decoded",
    file: "consume/readEvent.ts",
    find: `if (meta.isOtherStream === true) return otherStream`,
    replace: ``,
    foundBy: "consume/sharedTopic.test.ts",
    test: "into its topic: compact"
  },
  {
    name: "an event that dedupe cannot know is not told",
    file: "consume/SeenIds.ts",
    find: `if (isOld && !buckets.has(id.bucket)) this.#onOld()`,
    replace: `void isOld`,
    foundBy: "consume/dedupe.test.ts",
    test: "older than what it looks through: { records: 30"
  },
  {
    name: "dedupe does not say that it looks through a part of the log",
    file: "consume/lookBack.ts",
    find: `if (!isWhole) seen.cut()`,
    replace: ``,
    foundBy: "consume/dedupe.test.ts",
    test: "older than what it looks through: { records: 0"
  },
  {
    name: "an event of a bucket that dedupe knows is told to be older than what it looks through",
    file: "consume/SeenIds.ts",
    find: `if (isOld && !buckets.has(id.bucket)) this.#onOld()`,
    replace: `if (isOld) this.#onOld()`,
    foundBy: "consume/dedupe.test.ts",
    test: "older than what it looks through: { records: 30"
  },
  {
    name: "an outage where little happens drains the topic into its dead letters",
    file: "OutageWatch.ts",
    find: `lasts || this.#inARow >= latestMin`,
    replace: `lasts`,
    foundBy: "consume/retryTopicTroubles.test.ts",
    test: "in which little happens"
  },
  {
    name: "an outage where little happens lets one through in ten minutes",
    file: "OutageWatch.ts",
    find: `const idleProbeMs = 3_600_000`,
    replace: `const idleProbeMs = 600_000`,
    foundBy: "consume/OutageWatch.test.ts",
    test: "in an hour behind which nothing stands"
  },
  {
    name: "what was handled does not part those that failed in a row",
    file: "OutageWatch.ts",
    find: `    this.#inARow = 0
`,
    replace: ``,
    foundBy: "consume/OutageWatch.test.ts",
    test: "is when more than half"
  },
  {
    name: "a record that nothing stands behind waits in an outage for as long as one that holds up others",
    file: "consume/ReadLane.ts",
    find: `isAhead: isFull || held.following !== undefined`,
    replace: `isAhead: isFull`,
    foundBy: "consume/OutageWatch.test.ts",
    test: "all stands behind"
  },
  {
    name: "a record that waits in a retry topic counts as a sign of an outage at each attempt",
    file: "OutageWatch.ts",
    find: `    if (countedMs >= nowMs - windowMs) return countedMs
    this.#inARow++`,
    replace: `    this.#inARow++`,
    foundBy: "consume/OutageWatch.test.ts",
    test: "only where nothing else is handled"
  },
  {
    name: "a replay that fails again keeps the header of its replay",
    file: "consume/deadLetterOf.ts",
    find: `  return { headers: headers.slice(1), replays:`,
    replace: `  return { headers, replays:`,
    foundBy: "consume/replays.test.ts",
    test: "is set aside again"
  },
  {
    name: "letters that are stored already are stored again by the writer that takes over",
    file: "transport/DeadLetters.ts",
    find: `if (fate === "unsent")`,
    replace: `if (exit.value.includes("unsent"))`,
    foundBy: "consume/deadLetterPartitions.test.ts",
    test: "stored in part not stored again"
  },
  {
    name: "the answer to what a replaced writer has on its way is not waited for",
    file: "transport/Forwarder.ts",
    find: `yield* send(transport.name, writer, partition, batch, range)`,
    replace: `yield* Effect.raceFirst(
        send(transport.name, writer, partition, batch, range),
        over === undefined ? Effect.never : Effect.as(Deferred.await(over), [{ ...range, fate: "unknown" } satisfies Run])
      )`,
    foundBy: "consume/deadLetterPartitions.test.ts",
    test: "waited for, and sends none of it again"
  },
  {
    name: "what is over waits for its next attempt all the same",
    file: "transport/Forwarder.ts",
    find: `yield* untilOver(pause(pauses, failures++), over)`,
    replace: `yield* pause(pauses, failures++)`,
    foundBy: "transport/Forwarder.test.ts",
    test: "sent no more when it is over"
  },
  {
    name: "what was stored out of order is refused when it is sent again",
    file: "transport/Forwarder.ts",
    find: `  if (!known.stored.has(from)) known.refused[from] = error`,
    replace: `  known.refused[from] = error`,
    foundBy: "transport/Forwarder.test.ts",
    test: "is stored when it once was"
  },
  {
    name: "what was stored behind one that is refused counts as not sent",
    file: "transport/Forwarder.ts",
    find: `if (!known.stored.has(index)) unsent?.add(index)`,
    replace: `unsent?.add(index)`,
    foundBy: "transport/Forwarder.test.ts",
    test: "is stored when it once was"
  },
  {
    name: "what was open before a leat could not be opened stays open",
    file: "promise/index.ts",
    find: `Exit.isSuccess(exit) ? Effect.void : Scope.close(scope, exit)`,
    replace: `Exit.isSuccess(exit) ? Effect.void : Effect.void`,
    foundBy: "promise.test.ts",
    test: "leaves nothing open where its own routes"
  },
  {
    name: "the name of a failure is as long as it is",
    file: "consume/Handling.ts",
    find: `const tagCharactersMax = 255`,
    replace: `const tagCharactersMax = 1e9`,
    foundBy: "consume/deadLetters.test.ts",
    test: "have the first part of the name of a failure"
  }
]
