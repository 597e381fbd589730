import type { Mutant } from "./Mutant.ts"

const foundBy = "publish/spill.test.ts"
const closing = "publish/spillClosing.test.ts"

/** Planted in the book of a spill: `publish/spill/SpillBook.ts`. */
export const spillBookMutants: ReadonlyArray<Mutant> = [
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
    name: "what is on disk is told stored",
    file: "publish/spill/SpillBook.ts",
    find: `waiter.tellOnDisk(count)`,
    replace: `waiter.tellStored(count)`,
    foundBy,
    test: "at the level durable when it is on disk"
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
    name: "what another process has sent on is counted once more",
    file: "publish/spill/SpillBook.ts",
    find: `    this.#noted.take(to - 1n)
    this.#doubtful.take`,
    replace: `    this.#doubtful.take`,
    foundBy: "publish/SpillBook.test.ts",
    test: "does not know what became of"
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
    name: "what is on its way when a leat is closed is surely not stored",
    file: "publish/spill/SpillBook.ts",
    find: `leaveBehind(waiting, waiting.at < doubtEnd)`,
    replace: `leaveBehind(waiting, false)`,
    foundBy: closing,
    test: "closing waits for what is on its way from the spill"
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
    name: "what another process has sent on of two streams stays spilled",
    file: "publish/spill/SpillBook.ts",
    find: `if (this.#counts.size === 1 || this.#noted.isEmpty) this`,
    replace: `if (this.#counts.size === 1) this`,
    foundBy: "publish/SpillBook.test.ts",
    test: "counts what another process has sent on of two streams"
  }
]
