import type { Mutant } from "./Mutant.ts"

const over = "publish/moveOver.test.ts"
const leaving = "publish/leaving.test.ts"

/** Planted where what the lanes of one leg hold moves to those of another, and where lanes are left. */
export const moveMutants: ReadonlyArray<Mutant> = [
  {
    name: "what moves goes behind what was offered since",
    file: "publish/WriteLane.ts",
    find: `isInFront ? 0 : this.#queue.length`,
    replace: `this.#queue.length`,
    foundBy: over,
    test: "goes in front of what was offered since"
  },
  {
    name: "what goes back when a move is called off goes in front",
    file: "publish/WriteLane.ts",
    find: `isInFront ? 0 : this.#queue.length`,
    replace: `isInFront || !isInFront ? 0 : this.#queue.length`,
    foundBy: over,
    test: "goes behind what waits when a move is called off"
  },
  {
    name: "what goes behind leaves the batch open that it stands behind",
    file: "publish/WriteLane.ts",
    find: `if (!isInFront) this.flush()`,
    replace: ``,
    foundBy: over,
    test: "goes behind what waits when a move is called off"
  },
  {
    name: "what moves stays in its old lanes too",
    file: "publish/LaneQueue.ts",
    find: `      queued.spans = []
`,
    replace: `      queued.spans = spans.map((span) => ({ ...span }))
`,
    foundBy: over,
    test: "goes in front of what was offered since"
  },
  {
    name: "who waits for what moves hears nothing more",
    file: "publish/moveOver.ts",
    find: `    batch.follow(from, index)
`,
    replace: ``,
    foundBy: over,
    test: "goes in front of what was offered since"
  },
  {
    name: "who waits for all that a lane holds hears nothing more of what moves",
    file: "record/RecordBatch.ts",
    find: `if (index < from || index >= to || waiter.isForgotten) continue`,
    replace: `if (index >= from) continue`,
    foundBy: over,
    test: "is waited for by who flushes"
  },
  {
    name: "who waits for all that a lane holds waits for one record of what moves",
    file: "record/RecordBatch.ts",
    find: `else before.to++`,
    replace: ``,
    foundBy: over,
    test: "is waited for by who flushes"
  },
  {
    name: "what is in doubt moves before its fence",
    file: "publish/moveOver.ts",
    find: `if (!isAbandoned && isUnsettled(from)) return`,
    replace: `if (isAbandoned && isUnsettled(from)) return`,
    foundBy: over,
    test: "moves with what is in doubt only after the fence"
  },
  {
    name: "lanes are settled while something is on its way to the dead letters",
    file: "publish/leaving.ts",
    find: `isFenced(!isUnsettled(leg))`,
    replace: `isFenced(true)`,
    foundBy: leaving,
    test: "have a letter on its way"
  },
  {
    name: "drops that were to be announced are forgotten with a move",
    file: "publish/moveOver.ts",
    find: `  to.lanes.announce(drops)
`,
    replace: ``,
    foundBy: over,
    test: "has its drops announced there"
  },
  {
    name: "drops that a record was to announce stay with it when that moves",
    file: "publish/WriteLane.ts",
    find: `        this.#drops.takeBack(span)
        take(`,
    replace: `        take(`,
    foundBy: over,
    test: "has drops announced that were on their way"
  },
  {
    name: "what moves in is admitted once more",
    file: "publish/countEnded.ts",
    find: `account.movedIn += batch.count`,
    replace: `account.admitted += batch.count`,
    foundBy: over,
    test: "goes in front of what was offered since"
  },
  {
    name: "what moves is told to who waits",
    file: "publish/countEnded.ts",
    find: `if (!batch.isAwaited || ending === "movedOut") return`,
    replace: `if (!batch.isAwaited) return`,
    foundBy: over,
    test: "goes in front of what was offered since"
  },
  {
    name: "what may be stored in the place that was left is not said to be",
    file: "publish/moveOver.ts",
    find: `    batch.isDoubtful = isDoubtful
`,
    replace: ``,
    foundBy: over,
    test: "takes along what is on its way"
  },
  {
    name: "each part of a range announces what the range was to",
    file: "publish/Span.ts",
    find: `said: from === span.from ? span.said : nothing })`,
    replace: `said: span.said })`,
    foundBy: "publish/writeModel.test.ts",
    test: "says what its model says, whatever is drawn"
  },
  {
    name: "what is stored, as somebody has read, moves all the same",
    file: "publish/LaneQueue.ts",
    find: `ending: isThere(part.from) ? "stored" : "movedOut"`,
    replace: `ending: isThere(part.from) ? "movedOut" : "movedOut"`,
    foundBy: over,
    test: "ends as stored where somebody has read"
  },
  {
    name: "what moves keeps the partition that it had",
    file: "publish/moveOver.ts",
    find: `bucket % partitions`,
    replace: `(bucket % 3) % partitions`,
    foundBy: over,
    test: "goes in front of what was offered since"
  },
  {
    name: "the arena of what is on its way is used again when it moves",
    file: "publish/LaneQueue.ts",
    find: `          queued.isReusable = false
`,
    replace: ``,
    foundBy: over,
    test: "leaves a driver its bytes"
  },
  {
    name: "what moves in is younger than what is there",
    file: "publish/SinkBuffer.ts",
    find: `if (isInFront) for (const queued of all.toReversed()) this.#backlog.addOldest(queued)
    else for`,
    replace: `for`,
    foundBy: over,
    test: "is the oldest of its new place"
  },
  {
    name: "lanes move behind ones that have sent",
    file: "publish/moveOver.ts",
    find: `if (!to.lanes.isGated || !to.lanes.all.every((lane) => lane.isUnsent))`,
    replace: `if (!to.lanes.isGated)`,
    foundBy: over,
    test: "is not moved by lanes that send"
  },
  {
    name: "a fence that is owed for what was given up is not waited for",
    file: "publish/leaving.ts",
    find: `partition?.isFenceOwed === true`,
    replace: `partition?.isFenceOwed === undefined`,
    foundBy: leaving,
    test: "owe the fence of what was given up"
  },
  {
    name: "lanes are drained while a spill holds what is theirs",
    file: "publish/leaving.ts",
    find: `lanes.partitions.some((partition) => sink.isSpilling(partition)) || holdsOf(sink, lanes.account.stream)`,
    replace: `lanes.partitions.length < 0 && sink.isClosing`,
    foundBy: leaving,
    test: "are drained when the spill has sent on"
  },
  {
    name: "lanes are waited for by what a spill holds of other streams",
    file: "publish/leaving.ts",
    find: `if (account.stream !== stream) ofOthers += account.spilled`,
    replace: `if (account.stream === "") ofOthers += account.spilled`,
    foundBy: leaving,
    test: "are drained while the spill holds what is another"
  },
  {
    name: "what is behind a gate goes into the spill of a sink that closes",
    file: "publish/Sink.ts",
    find: `if (lane.isEmpty || lane.isGated) continue`,
    replace: `if (lane.isEmpty) continue
      lane.isGated = false`,
    foundBy: leaving,
    test: "go into no spill from behind a gate"
  },
  {
    name: "nobody hears that a lane is empty",
    file: "publish/Changes.ts",
    find: `wake.signal()`,
    replace: `void wake`,
    foundBy: leaving,
    test: "are settled while they wait"
  }
]
