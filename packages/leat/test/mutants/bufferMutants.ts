import type { Mutant } from "./Mutant.ts"

/** Planted in the bound over all buffers. */
export const bufferMutants: ReadonlyArray<Mutant> = [
  {
    name: "a dead sink takes the shares of its neighbours",
    file: "publish/BufferBound.ts",
    find: `const change = Math.max(usedBytes, shareBytes) - Math.max(beforeBytes, shareBytes)`,
    replace: `const change = shareBytes < 0 ? 0 : usedBytes - beforeBytes`,
    foundBy: "publish/BufferBound.test.ts",
    test: "keeps the share of each sink"
  },
  {
    name: "all of the bound is for whoever comes first",
    file: "publish/BufferBound.ts",
    find: `let left = this.bytesMax * (1 - commonPart)`,
    replace: `let left = this.bytesMax * (1 - 2 * commonPart)`,
    foundBy: "publish/buffers.test.ts",
    test: "leaves a neighbour of a dead destination its share"
  },
  {
    name: "what small buffers leave of their shares is nobody's",
    file: "publish/BufferBound.ts",
    find: `      left -= own * many
      count -= many`,
    replace: `      left -= (left * many) / count
      count -= many`,
    foundBy: "publish/BufferBound.test.ts",
    test: "gives what a small buffer leaves"
  },
  {
    name: "who had no room for want of the bound is told by nobody",
    file: "publish/BufferBound.ts",
    find: `      sharer.freed()`,
    replace: `      void sharer.freed`,
    foundBy: "publish/buffers.test.ts",
    test: "wakes who waits when room comes free"
  },
  {
    name: "who was told of room once is never told again",
    file: "publish/BufferBound.ts",
    find: `      sharer.isShort = false
`,
    replace: ``,
    foundBy: "publish/BufferBound.test.ts",
    test: "each time once"
  },
  {
    name: "a sink that opens late gets no share",
    file: "publish/BufferBound.ts",
    find: `if (this.#owedBytes > 0) this.#shareOut()`,
    replace: ``,
    foundBy: "publish/BufferBound.test.ts",
    test: "gives a sink that opens late its share"
  },
  {
    name: "a sink that opens late has its share at once, of what is not there",
    file: "publish/BufferBound.ts",
    find: `Math.min(sharer.dueBytes, most)`,
    replace: `Math.max(sharer.dueBytes, most * 0)`,
    foundBy: "publish/BufferBound.test.ts",
    test: "gives a sink that opens late its share"
  },
  {
    name: "what is given back counts as room, although it goes to shares that are owed",
    file: "publish/BufferBound.ts",
    find: `if (others + owedBytes + after <= this.bytesMax) return true`,
    replace: `if (others + Math.min(0, owedBytes) + after <= this.bytesMax) return true`,
    foundBy: "publish/buffers.test.ts",
    test: "drops nothing for a record that has no room all the same"
  },
  {
    name: "what a sink holds anyway is owed to it",
    file: "publish/BufferBound.ts",
    find: `Math.max(0, dueBytes - Math.max(usedBytes, shareBytes))`,
    replace: `Math.max(0, dueBytes - Math.min(usedBytes, shareBytes))`,
    foundBy: "publish/BufferBound.test.ts",
    test: "owes nothing to a sink that holds"
  },
  {
    name: "a sink that closes keeps its share",
    file: "publish/Sink.ts",
    find: `          this.buffer.close()
`,
    replace: ``,
    foundBy: "publish/buffers.test.ts",
    test: "gives the share of a destination that closes"
  },
  {
    name: "another table's buffers do not change the shares",
    file: "publish/SinkBuffer.ts",
    find: `this.#budget.resize(rules.bufferBytesMax)`,
    replace: `this.#budget.bytesMax = rules.bufferBytesMax`,
    foundBy: "publish/buffers.test.ts",
    test: "has all its room again"
  },
  {
    name: "an event misses a required leg whose room another leg of it took",
    file: "publish/SinkBuffer.ts",
    find: `return batch ?? (isPromised && this`,
    replace: `return batch ?? (isPromised && bytes < 0 && this`,
    foundBy: "publish/buffers.test.ts",
    test: "to all of its legs or to none"
  },
  {
    name: "a record that is larger than the share of its sink waits for ever",
    file: "publish/ArenaPool.ts",
    find: `if (held === 0 && size <= this.bytesMax) return true`,
    replace: `if (held < 0) return true`,
    foundBy: "publish/BufferBound.test.ts",
    test: "has room for one record of a sink that holds nothing"
  },
  {
    name: "room for records that may come is taken beyond a share",
    file: "publish/ArenaPool.ts",
    find: `if (wanted > bytes && this.#fits(this.usedBytes, arenaSize(wanted, this.bytesMax))) return`,
    replace: `if (wanted > bytes && this.hasRoom(wanted)) return`,
    foundBy: "publish/BufferBound.test.ts",
    test: "has room for one record of a sink that holds nothing"
  },
  {
    name: "a record that is larger than all buffers is admitted",
    file: "publish/ArenaPool.ts",
    find: `    this.bytesMax = Math.min(bytesMax, pool.bound?.bytesMax ?? bytesMax)`,
    replace: `    this.bytesMax = bytesMax`,
    foundBy: "publish/buffers.test.ts",
    test: "is the bound of a record too"
  },
  {
    name: "emptied arenas are kept beyond the bound over all buffers",
    file: "publish/ArenaPool.ts",
    find: `Math.min(keptBytesMax, bound.bytesMax * keptPart)`,
    replace: `Math.max(keptBytesMax, bound.bytesMax * keptPart)`,
    foundBy: "publish/ArenaPool.test.ts",
    test: "are a quarter of the bound"
  },
  {
    name: "the bound over all buffers is told as the buffer of the destination",
    file: "publish/fullBuffer.ts",
    find: `return fullBytesMax === undefined ? "overflow" : "buffersFull"`,
    replace: `return fullBytesMax === undefined || fullBytesMax > 0 ? "overflow" : "buffersFull"`,
    foundBy: "publish/buffers.test.ts",
    test: "names itself to who is rejected"
  },
  {
    name: "a buffer that is full is told as that of all",
    file: "publish/ArenaPool.ts",
    find: `!isRoom && held + more <= this.#ownBytesMax`,
    replace: `!isRoom && bound !== undefined`,
    foundBy: "publish/BufferBound.test.ts",
    test: "gives what a small buffer leaves"
  },
  {
    name: "the bound over all buffers is told as the buffer of the one destination",
    file: "publish/ArenaPool.ts",
    find: `!isRoom && held + more <= this.#ownBytesMax`,
    replace: `!isRoom && held + more <= this.bytesMax`,
    foundBy: "publish/buffers.test.ts",
    test: "is told from the buffer of the one destination"
  }
]
