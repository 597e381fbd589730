import type { Mutant } from "./Mutant.ts"

/** Planted in destinations: their budget, their lanes, how they open, change and close. */
export const sinkMutants: ReadonlyArray<Mutant> = [
  {
    name: "the topic of a compacted contract is made as its cluster makes topics",
    file: "publish/openTopic.ts",
    find: `if (compaction === undefined) return opened`,
    replace: `if (compaction !== "needed") return opened`,
    foundBy: "publish/compactedTopics.test.ts",
    test: "is made compacted, and that of another contract is not"
  },
  {
    name: "a topic that is not compacted will do where the contract needs that",
    file: "publish/openTopic.ts",
    find: `if (compaction === "wanted") return`,
    replace: `if (compaction.length > 0) return`,
    foundBy: "publish/compactedTopics.test.ts",
    test: "is not compacted, and the contract needs that"
  },
  {
    name: "a compacted topic that deletes as well will do",
    file: "transport/madeCompacted.ts",
    find: `property.startsWith("retention")`,
    replace: `property === "retention.none"`,
    foundBy: "publish/compactedTopics.test.ts",
    test: "deletes by its time as well"
  },
  {
    name: "who publishes an ordinary contract to a compacted topic is not told",
    file: "publish/Sinks.ts",
    find: `if (compaction === undefined && mayBeCompacted(transport))`,
    replace: `if (compaction !== undefined && mayBeCompacted(transport))`,
    foundBy: "publish/compactedTopics.test.ts",
    test: "when its cluster answers"
  },
  {
    name: "who reads an ordinary contract in a compacted topic is not told",
    file: "consume/Source.ts",
    find: `|| !mayBeCompacted(transport)) return`,
    replace: `|| mayBeCompacted(transport)) return`,
    foundBy: "publish/compactedTopics.test.ts",
    test: "is read there, before its leg is open"
  },
  {
    name: "who uses an ordinary topic is told that it is compacted",
    file: "transport/CompactionWatch.ts",
    find: `isCompacted ? Telemetry.warn(`,
    replace: `!isCompacted ? Telemetry.warn(`,
    foundBy: "publish/compactedTopics.test.ts",
    test: "is an ordinary one"
  },
  {
    name: "of a compacted topic each that uses it is told",
    file: "transport/CompactionWatch.ts",
    find: `if (this.#known.has(one.sink)) return`,
    replace: `if (this.#known.size > 99) return`,
    foundBy: "publish/compactedTopics.test.ts",
    test: "published and read there, and is compacted"
  },
  {
    name: "a topic that gives no answer once is never asked again whether it is compacted",
    file: "transport/CompactionWatch.ts",
    find: `const isLater = isRetryable(cause)`,
    replace: `const isLater = false`,
    foundBy: "publish/compactedTopics.test.ts",
    test: "when its cluster answers"
  },
  {
    name: "whether a topic is compacted is asked beyond the end of the leat",
    file: "transport/CompactionWatch.ts",
    find: `Effect.forkIn(Effect.interruptible(this.#run), this.#scope)`,
    replace: `Effect.forkDetach(Effect.interruptible(this.#run))`,
    foundBy: "publish/compactedTopics.test.ts",
    test: "any more when the leat is closed"
  },
  {
    name: "a topic that cannot be made compacted is made otherwise",
    file: "transport/madeCompacted.ts",
    find: `Effect.mapBoth(transport.bounds(topic), { onFailure: () => refusal, onSuccess: () => "compacted" as const })`,
    replace: `Effect.as(Effect.ignore(Effect.fail(refusal)), "compacted" as const)`,
    foundBy: "publish/compactedTopics.test.ts",
    test: "nobody may ask how it is"
  },
  {
    name: "who joins the topic of a compacted contract makes it as its cluster makes topics",
    file: "consume/Source.ts",
    find: `if (isCompacted === true) return madeCompacted`,
    replace: `if (isCompacted === undefined) return madeCompacted`,
    foundBy: "publish/compactedTopics.test.ts",
    test: "by a consumer that joins it"
  },
  {
    name: "what stands for a cluster that is away makes a compacted topic as the cluster makes topics",
    file: "publish/spill/awayTransport.ts",
    find: `openTopic(cluster, { topic, sink, compaction })`,
    replace: `openTopic(cluster, { topic, sink })`,
    foundBy: "publish/compactedTopics.test.ts",
    test: "was away when the process began"
  },
  {
    name: "memory deletes of a compacted topic what is old",
    file: "transport/memory/MemoryTransport.ts",
    find: `spec.compacted === true && spec.retention === undefined`,
    replace: `spec.compacted === undefined && spec.retention !== undefined`,
    foundBy: "publish/compactedTopics.test.ts",
    test: "whatever the retention"
  },
  {
    name: "a topic is not looked at again after it has been opened",
    file: "publish/PartitionWatch.ts",
    find: `if (topic.transport.capabilities.partitions === "fixed") return Effect.void`,
    replace: `if (topic.partitions > 0) return Effect.void`,
    foundBy: "publish/PartitionWatch.test.ts",
    test: "is told once for each number"
  },
  {
    name: "a number of partitions is told in every round",
    file: "publish/PartitionWatch.ts",
    find: `this.#watched.set(watched, now)`,
    replace: ``,
    foundBy: "publish/PartitionWatch.test.ts",
    test: "is told once for each number"
  },
  {
    name: "what a topic would be created with is told as its number of partitions",
    file: "publish/PartitionWatch.ts",
    find: `const { length: now } = yield* transport.bounds(topic)`,
    replace: `const now = yield* transport.partitionsOf(topic)`,
    foundBy: "publish/PartitionWatch.test.ts",
    test: "is not told while it is not there"
  },
  {
    name: "an arena that a driver may still hold is in use for ever",
    file: "publish/SinkBuffer.ts",
    find: `this.#budget.give(queued.batch, queued.isReusable)`,
    replace: `if (queued.isReusable) this.#budget.give(queued.batch, true)`,
    foundBy: "publish/sinks.test.ts",
    test: "gets back what nobody uses again"
  },
  {
    name: "the oldest is not found behind one that has gone",
    file: "publish/Backlog.ts",
    find: `if (newer === undefined) this.#newest = older`,
    replace: `if (newer === undefined) this.#newest = undefined`,
    foundBy: "publish/Backlog.test.ts",
    test: "the oldest that may be dropped"
  },
  {
    name: "the newest is dropped for another",
    file: "publish/Backlog.ts",
    find: `for (let one = this.#oldest; one !== undefined; one = one.newer)
      if (one.batch !== kept && one.isDroppable) return one.owner`,
    replace: `for (let one = this.#newest; one !== undefined; one = one.older)
      if (one.batch !== kept && one.isDroppable) return one.owner`,
    foundBy: "publish/Backlog.test.ts",
    test: "the oldest that may be dropped"
  },
  {
    name: "a lane that is used again counts for the stream that it served",
    file: "publish/Pumped.ts",
    find: `this.serve(home, keeper.account)`,
    replace: `this.serve(home, this.account)`,
    foundBy: "publish/pumping.test.ts",
    test: "uses lanes and partitions again"
  },
  {
    name: "a partition that is used again writes to the topic of the one before",
    file: "publish/Pumped.ts",
    find: `    this.serve(home.writing)
    this.home = home`,
    replace: `    this.serve(home.writing)`,
    foundBy: "publish/pumping.test.ts",
    test: "uses lanes and partitions again"
  },
  {
    name: "a task of the next turn is done in this one",
    file: "publish/tasksOf.ts",
    find: `schedule = (task) => dispatcher.scheduleTask(task, 0)`,
    replace: `schedule = (task) => (dispatcher.flush === undefined ? undefined : task())`,
    foundBy: "publish/sinks.test.ts",
    test: "is told when the books are right"
  },
  {
    name: "an arena that is used again at once is taken for the open batch",
    file: "publish/Sink.ts",
    find: `    if (batch === undefined) return undefined
    this.buffer`,
    replace: `    if (batch === undefined || batch === open) return batch
    this.buffer`,
    foundBy: "publish/sinks.test.ts",
    test: "has the newest event where the one before was dropped"
  },
  {
    name: "who waits does not hear of room",
    file: "publish/Sink.ts",
    find: `    this.waiting.freed()
    this.changes.signal()`,
    replace: `    this.changes.signal()`,
    foundBy: "publish/publishing.test.ts",
    test: "lets publish wait in turn"
  },
  {
    name: "records are dropped for one that does not fit all the same",
    file: "publish/SinkBuffer.ts",
    find: `if (batch === undefined && this.#rules.overflow === "dropOldest" && this.#wouldFit(bytes)) {`,
    replace: `if (batch === undefined && this.#rules.overflow === "dropOldest") {`,
    foundBy: "publish/sinks.test.ts",
    test: "is given to nobody at the cost"
  },
  {
    name: "of a compacted topic several ranges are on their way at once",
    file: "publish/Sink.ts",
    find: `compaction ? 1 : pipeline`,
    replace: `pipeline`,
    foundBy: "publish/lateAnswers.test.ts",
    test: "where an answer takes 2500 ms"
  },
  {
    name: "closing waits a thousand times as long as it may",
    file: "publish/Sink.ts",
    find: `this.#emptied(drainMs - spillMs, begin)`,
    replace: `this.#emptied(drainMs * 1000, begin)`,
    foundBy: "publish/closing.test.ts",
    test: "waits for its drain and no longer"
  },
  {
    name: "drops that could not be announced are announced again and again",
    file: "publish/Sink.ts",
    find: `    lane.isMarked = true
    const marked`,
    replace: `    const marked`,
    foundBy: "publish/closing.test.ts",
    test: "a marker that is dropped too"
  },
  {
    name: "another table's policy is not taken",
    file: "publish/Sink.ts",
    find: `Object.assign(this.rules, { policy, lingerMs`,
    replace: `void policy
    Object.assign(this.rules, { lingerMs`,
    foundBy: "publish/publishing.test.ts",
    test: "changes policies, buffers and levels"
  },
  {
    name: "a larger buffer does not take larger records",
    file: "publish/Sink.ts",
    find: `    this.buffer.configure(leg)
    this.largest = Math.min(this.recordBytesMax, this.buffer.bytesMax)`,
    replace: `    this.buffer.configure(leg)`,
    foundBy: "publish/sinks.test.ts",
    test: "takes larger records"
  },
  {
    name: "a lane that halts while it closes is waited for",
    file: "publish/Sink.ts",
    find: `      this.#dropStanding()
    }
    this.#standIn?.driven`,
    replace: `    }
    this.#standIn?.driven`,
    foundBy: "publish/closing.test.ts",
    test: "that halts meanwhile"
  },
  {
    name: "a full batch waits until the next one is due",
    file: "publish/Sink.ts",
    find: `if (open !== undefined) this.ready(lane)`,
    replace: ``,
    foundBy: "publish/sinks.test.ts",
    test: "although the next one lingers"
  },
  {
    name: "a stream does not hear that another has opened its best-effort sink",
    file: "publish/Sinks.ts",
    find: `if (waiting !== undefined) yield* Deferred.succeed(waiting.again, undefined)`,
    replace: `void waiting`,
    foundBy: "opening.test.ts",
    test: "joins when another stream opens its sink"
  },
  {
    name: "only the first stream joins a best-effort sink that has opened",
    file: "publish/Sinks.ts",
    find: `for (const { scope, opened } of waiting) {`,
    replace: `for (const { scope, opened } of Array.from(waiting).slice(0, 1)) {`,
    foundBy: "opening.test.ts",
    test: "is there for all streams that wait for it"
  },
  {
    name: "a cluster that is away is asked twice a second for ever",
    file: "publish/Sinks.ts",
    find: `delayMs = Math.min(delayMs * 2, againMsMax)`,
    replace: `delayMs = Math.min(delayMs, againMsMax)`,
    foundBy: "publish/sinks.test.ts",
    test: "is tried less and less often"
  },
  {
    name: "a sink opens with the settings that it was asked for with",
    file: "publish/Destinations.ts",
    find: `      this.#sinks.configure(leg)
`,
    replace: ``,
    foundBy: "publish/sinks.test.ts",
    test: "has the settings of the table"
  },
  {
    name: "what a leg missed before another table came is announced by nobody",
    file: "publish/Destinations.ts",
    find: `if (found !== undefined) {
      found.buckets`,
    replace: `if (found !== undefined && found.account !== account) {
      found.buckets`,
    foundBy: "publish/sinks.test.ts",
    test: "late announces what its leg lost"
  },
  {
    name: "a best-effort leg uses a sink whose partitions will not do",
    file: "publish/Destinations.ts",
    find: `sink !== undefined && partitionFault(contract, route, leg, writtenOf(leg, sink)) === undefined`,
    replace: `sink !== undefined && route.legs.length > 0`,
    foundBy: "opening.test.ts",
    test: "is opened for the stream that can use it"
  },
  {
    name: "a fence that failed has fenced",
    file: "publish/boundedFence.ts",
    find: `Effect.succeed(failureOf(cause))`,
    replace: `Effect.as(Effect.succeed(failureOf(cause)), undefined)`,
    foundBy: "publish/closing.test.ts",
    test: "behind a fence that its policy does not ask for again"
  },
  {
    name: "a fence that does not end is told to nobody",
    file: "publish/boundedFence.ts",
    find: `Effect.forkScoped(Effect.delay(told, timeoutMs + tellMs), { startImmediately: true })`,
    replace: `Effect.asVoid(Effect.succeed(told))`,
    foundBy: "publish/brokenDrivers.test.ts",
    test: "which is told once"
  },
  {
    name: "a best-effort cluster that is away keeps its streams waiting",
    file: "publish/Sinks.ts",
    find: `Effect.asVoid(Effect.timeoutOption(Deferred.await(unopened.tried), patience))`,
    replace: `Effect.asVoid(Effect.timeoutOption(Deferred.await(unopened.tried), Duration.times(patience, 1000)))`,
    foundBy: "opening.test.ts",
    test: "opens its stream without it"
  },
  {
    name: "a topic is created with partitions that will not do",
    file: "publish/Sinks.ts",
    find: `yield* check(yield* Scope.provide(known, asking))`,
    replace: `yield* Scope.provide(known, asking)`,
    foundBy: "opening.test.ts",
    test: "for which nothing was created"
  },
  {
    name: "a sink that has opened is listed as not open",
    file: "publish/Sinks.ts",
    find: `          this.#unopened.delete(request.leg.sink)
`,
    replace: ``,
    foundBy: "opening.test.ts",
    test: "opens its stream without it"
  },
  {
    name: "drops of a leg that was away are announced by every lane",
    file: "publish/LegLanes.ts",
    find: `(range) => isForgotten(range) || range.bucket % partitions === partition`,
    replace: `() => true`,
    foundBy: "publish/sinks.test.ts",
    test: "late announces what its leg lost"
  },
  {
    name: "drops that nobody remembers are told in one partition",
    file: "publish/LegLanes.ts",
    find: `const told = ranges.some(isForgotten)`,
    replace: `const told = ranges.every(isForgotten)`,
    foundBy: "publish/LegLanes.test.ts",
    test: "which nobody remembers"
  },
  {
    name: "a flush waits for nothing",
    file: "publish/LegLanes.ts",
    find: `      lane.await(waiter)`,
    replace: ``,
    foundBy: "publish/publishing.test.ts",
    test: "is no event that is merely large"
  },
  {
    name: "a record is one byte longer than its room",
    file: "publish/LegLanes.ts",
    find: `open.room >= bytes) return open`,
    replace: `open.room + 1 >= bytes) return open`,
    foundBy: "publish/LegLanes.test.ts",
    test: "only where it has room for all of it"
  },
  {
    name: "the first record of a batch does not begin its linger",
    file: "publish/LegLanes.ts",
    find: `if (isStarting) this.#maker.appended(lane)`,
    replace: `if (isStarting && lane.open === undefined) this.#maker.appended(lane)`,
    foundBy: "publish/linger.test.ts",
    test: "however long nothing was offered"
  },
  {
    name: "what a leg that was away dropped was not admitted to it",
    file: "publish/ClosedLeg.ts",
    find: `    account.admitted++
`,
    replace: ``,
    foundBy: "opening.test.ts",
    test: "opens its stream without it"
  },
  {
    name: "a publish goes on inside the stack of the lane",
    file: "publish/Publishing.ts",
    find: `else waiter.whenDone(told)`,
    replace: `else waiter.whenDone(then)`,
    foundBy: "publish/sinks.test.ts",
    test: "is told when the books are right"
  },
  {
    name: "arenas that are taken are counted as kept",
    file: "publish/ArenaPool.ts",
    find: `if (batch !== undefined) this.#keptBytes -= batch.capacityBytes`,
    replace: ``,
    foundBy: "publish/ArenaPool.test.ts",
    test: "are used again without end"
  },
  {
    name: "two lanes get one arena",
    file: "publish/ArenaPool.ts",
    find: `this.#kept.get(size)?.pop()`,
    replace: `this.#kept.get(size)?.at(-1)`,
    foundBy: "publish/ArenaPool.test.ts",
    test: "are used again without end"
  },
  {
    name: "an emptied batch still has its records",
    file: "publish/ArenaPool.ts",
    find: `    batch.reset()
`,
    replace: ``,
    foundBy: "publish/ArenaPool.test.ts",
    test: "have no records"
  },
  {
    name: "a batch that grows is counted twice",
    file: "publish/ArenaPool.ts",
    find: `this.#use(size - batch.arena.length)`,
    replace: `this.#use(size)`,
    foundBy: "publish/ArenaPool.test.ts",
    test: "grows a batch only within it"
  },
  {
    name: "what is over a power of two of a buffer cannot be used",
    file: "publish/ArenaPool.ts",
    find: `return size > bytesMax && bytes <= bytesMax ? bytesMax : size`,
    replace: `return size > bytesMax && bytes <= bytesMax && bytesMax < 0 ? bytesMax : size`,
    foundBy: "publish/ArenaPool.test.ts",
    test: "can be used to its last byte"
  },
  {
    name: "a buffer takes eight times its budget",
    file: "publish/ArenaPool.ts",
    find: `held + more <= this.bytesMax &&`,
    replace: `held + more <= this.bytesMax * 8 &&`,
    foundBy: "publish/ArenaPool.test.ts",
    test: "grows a batch only within it"
  },
  {
    name: "emptied arenas are kept without end",
    file: "publish/ArenaPool.ts",
    find: `if (this.#keptBytes + capacityBytes > this.#keptBytesMax) return`,
    replace: `if (this.#keptBytes < 0) return`,
    foundBy: "publish/ArenaPool.test.ts",
    test: "are used again without end"
  },
  {
    name: "a best-effort sink says nothing of why it is not open before its first attempt is over",
    file: "publish/Sinks.ts",
    find: `watch.why(leg.sink) ?? watch.why(openingName(leg.cluster)) ?? error?.message`,
    replace: `error?.message`,
    foundBy: "opening.test.ts",
    test: "is not open as soon as that is known"
  },
  {
    name: "a best-effort sink that is away is told of twice",
    file: "publish/Sinks.ts",
    find: ` && !this.#isTold(request.leg, error))`,
    replace: `)`,
    foundBy: "opening.test.ts",
    test: "is told of once, whatever of it is not there: its topic"
  },
  {
    name: "the cluster of a best-effort sink is told of, and then the sink",
    file: "publish/Sinks.ts",
    find: ` || watch.hasWarned(openingName(cluster))`,
    replace: ``,
    foundBy: "opening.test.ts",
    test: "is told of once, whatever of it is not there: its cluster"
  },
  {
    name: "nobody is told of a best-effort sink that may not be opened",
    file: "publish/Sinks.ts",
    find: `return mayPass && (watch`,
    replace: `return !mayPass || (watch`,
    foundBy: "opening.test.ts",
    test: "is told of once, whatever of it is not there: its right"
  }
]
