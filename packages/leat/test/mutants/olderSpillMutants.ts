import type { Mutant } from "./Mutant.ts"

const foundBy = "publish/spillGrown.test.ts"
const file = "publish/spill/OlderSpills.ts"
const drain = "publish/spill/SpillDrain.ts"

/** Planted in what takes over the spills that a destination had with other partitions. */
export const olderSpillMutants: ReadonlyArray<Mutant> = [
  {
    name: "what was left in a spill of other partitions stays there",
    file: drain,
    find: `      yield* this.#older.taken(this.isWanted ? olderMs : olderLookMs)`,
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
    find: `        yield* lanes.settle(partition, at)
        if (refused === undefined) continue`,
    replace: `        at = settled
        if (refused === undefined) break`,
    foundBy,
    test: "before what that publishes"
  },
  {
    name: "what a spill of other partitions has lost is not told",
    file,
    find: `let at = start > settled ? start : settled`,
    replace: `let at = settled`,
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
    find: "this.#spill.why = () =>",
    replace: "older.why ??= () =>",
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
    find: `if (this.#told.has(topic)) return`,
    replace: ``,
    foundBy,
    test: "waits for a process that has it"
  }
]
