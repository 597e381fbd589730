import type { Mutant } from "./Mutant.ts"

const foundBy = "publish/spillGrown.test.ts"
const file = "publish/spill/OlderSpills.ts"
const full = "publish/spillGrownFull.test.ts"
const spread = "publish/spill/SpreadSending.ts"
const drain = "publish/spill/SpillDrain.ts"

/** Planted in what takes over the spills that a destination had with other partitions. */
export const olderSpillMutants: ReadonlyArray<Mutant> = [
  {
    name: "what was left in a spill of other partitions stays there",
    file: drain,
    find: `      if (!(yield* this.#tookOlder(lanes))) return
`,
    replace: ``,
    foundBy,
    test: "before what that publishes"
  },
  {
    name: "what stands in a spill of other partitions is looked for once",
    file: drain,
    find: `        yield* this.#older.taken(olderLookMs)`,
    replace: ``,
    foundBy,
    test: "waits for a process that has it"
  },
  {
    name: "who publishes does not wait for a spill of other partitions that another process has",
    file: drain,
    find: `this.isWanted ? olderMs : olderLookMs`,
    replace: `olderLookMs`,
    foundBy,
    test: "waits for a process that has it"
  },
  {
    name: "who publishes nothing leaves what stands in a spill of other partitions",
    file: "publish/spill/SpillTurns.ts",
    find: `left?.partition ?? (isLeftElsewhere ? 0 : undefined)`,
    replace: `left?.partition`,
    foundBy,
    test: "by a process that publishes nothing"
  },
  {
    name: "the newest of the spills with other partitions goes first",
    file,
    find: `.toSorted((a, b) => a - b)`,
    replace: `.toSorted((a, b) => b - a)`,
    foundBy,
    test: "the oldest first"
  },
  {
    name: "what is taken over from a spill keeps its partition",
    file,
    find: `return bucket % Math.min(written ?? parts.length, parts.length)`,
    replace: `return (partition + 0 * bucket) % Math.min(written ?? parts.length, parts.length)`,
    foundBy,
    test: "where the partitions are those"
  },
  {
    name: "what was taken over from a spill is not settled there",
    file,
    find: `        yield* lanes.settle(partition, to)
        if (refused === undefined) continue`,
    replace: `        part.at = settled
        if (refused === undefined) break`,
    foundBy,
    test: "before what that publishes"
  },
  {
    name: "what a spill of other partitions has lost is not told",
    file,
    find: `let missing = start > part.at ? Number(start - part.at) : 0`,
    replace: `let missing = 0`,
    foundBy,
    test: "cannot be read any more"
  },
  {
    name: "what the spill of today refuses is settled in the old one",
    file,
    find: `const to = refused?.record.position ?? next`,
    replace: `const to = next`,
    foundBy,
    test: "keeps what the spill of today refuses"
  },
  {
    name: "a process that waits for a spill of other partitions does not say so",
    file,
    find: "this.#spill.waitsFor = () => `waits",
    replace: "older.why ??= () => `waits",
    foundBy,
    test: "waits for a process that has it"
  },
  {
    name: "what is taken over from a spill goes to partitions that a placed stream is not read in",
    file,
    find: `Math.min(written ?? parts.length, parts.length)`,
    replace: `Math.max(written ?? parts.length, parts.length)`,
    foundBy: "moves/grownSpill.test.ts",
    test: "those that the stream is placed in"
  },
  {
    name: "a spill of which nothing was settled is taken for empty when it is looked for",
    file: "publish/spill/readSpill.ts",
    find: `settled = 0n })`,
    replace: `settled = end })`,
    foundBy,
    test: "before what that publishes"
  },
  {
    name: "behind what the spill of today refuses the rest is copied with each look",
    file,
    find: `if (first?.record === records[0]) break`,
    replace: ``,
    foundBy,
    test: "keeps what the spill of today refuses"
  },
  {
    name: "a process that has been there for long takes over what knows more partitions than it",
    file,
    find: `(this.#isLater && partitions > own)`,
    replace: `(this.#isLater && partitions < 0)`,
    foundBy,
    test: "waits for a process that has it"
  },
  {
    name: "that another process has an older spill is told with each look",
    file,
    find: `if (this.#told.has(what)) return Effect.void`,
    replace: ``,
    foundBy,
    test: "waits for a process that has it"
  },
  {
    name: "a full disk keeps what stands in a spill of other partitions",
    file,
    find: `if (error.reason === "Full")`,
    replace: `if (error.reason === "TooLarge")`,
    foundBy: full,
    test: "from where it is"
  },
  {
    name: "what has no room overtakes what was copied before it",
    file,
    find: `      yield* emptied
`,
    replace: ``,
    foundBy: full,
    test: "behind what was copied"
  },
  {
    name: "that a disk has no room to copy a spill is not told",
    file,
    find: `          yield* this.#tellFull(older, refused.full)
`,
    replace: ``,
    foundBy: full,
    test: "from where it is"
  },
  {
    name: "room that comes while the cluster is away is not used",
    file,
    find: `if (!isLeft && !(yield* this.#turn.answers(to))) return false`,
    replace: ``,
    foundBy: full,
    test: "room that comes is used"
  },
  {
    name: "a disk that takes nothing of a spill of other partitions is waited for without a word",
    file,
    find: `waiting === undefined
        ? Effect.void`,
    replace: `waiting !== null
        ? Effect.void`,
    foundBy: full,
    test: "for another reason"
  },
  {
    name: "who publishes nothing keeps a spill that has no room for ever",
    file,
    find: `(this.#turn.isWanted() ? Effect.never : Effect.void)`,
    replace: `Effect.never`,
    foundBy: full,
    test: "is given back"
  },
  {
    name: "what is sent on from an older spill keeps its partition",
    file: spread,
    find: `Map.groupBy(records, this.#home.partitionOf)`,
    replace: `new Map([[sent.partition, records]])`,
    foundBy: full,
    test: "goes to the partitions"
  },
  {
    name: "what goes to several partitions ends as it is answered",
    file: spread,
    find: `for (const { position } of some) fates.set(position, fate)`,
    replace: `if (some.length > 0) return sent.ended(some, how, isSettled)`,
    foundBy: "publish/SpreadSending.test.ts",
    test: "whichever partition answers first"
  },
  {
    name: "what goes to several partitions is settled where one of them has got to",
    file: spread,
    find: `position <= part.at ? sent.settle(position)`,
    replace: `position >= 0n ? sent.settle(position)`,
    foundBy: "publish/SpreadSending.test.ts",
    test: "settled up to where all has ended"
  },
  {
    name: "what is sent on from an older spill goes to a partition that was not fenced",
    file: spread,
    find: `if (this.#fenced.has(part.partition)) return`,
    replace: `if (!this.#fenced.has(part.partition)) return`,
    foundBy: "publish/SpreadSending.test.ts",
    test: "once that was fenced"
  },
  {
    name: "a drop of an older spill is announced where nobody looks for it",
    file: spread,
    find: `announce: (...told) => announce(to, ...told)`,
    replace: `announce: (...told) => announce(sent.partition, ...told)`,
    foundBy: "publish/SpreadSending.test.ts",
    test: "told of where they would have gone"
  },
  {
    name: "what was sent on from an older spill and is not settled is sent again with each look",
    file,
    find: `        this.#known.set(topic, older)
`,
    replace: ``,
    foundBy: "moves/grownSpill.test.ts",
    test: "is sent once where the disk is full"
  },
  {
    name: "that what was sent on from an older spill is not settled is not told",
    file,
    find: `Effect.andThen(sender.provenSoon, this.#tellUnproven(older))`,
    replace: `sender.provenSoon`,
    foundBy: "moves/grownSpill.test.ts",
    test: "is sent once where the disk is full"
  },
  {
    name: "what has left a dead place stays in an older spill that has no room",
    file,
    find: `if (!isLeft && !(yield*`,
    replace: `if (!(yield*`,
    foundBy: "moves/grownSpill.test.ts",
    test: "has left a place that is dead"
  },
  {
    name: "what stands in an older spill whose disk is full is passed over",
    file: "publish/spill/OlderSender.ts",
    find: `if (!(yield* parting.send(sent, part, records, head))) return`,
    replace: `if (part.at < 0n && !(yield* parting.send(sent, part, records, head))) return`,
    foundBy: "moves/grownSpill.test.ts",
    test: "is sent once where the disk is full"
  }
]
