import type { Mutant } from "./mutants.ts"

const heldLane = "transport/HeldLane.ts"
const memoryGroup = "transport/memory/MemoryGroup.ts"
const memoryPartition = "transport/memory/MemoryPartition.ts"
const memoryTransport = "transport/memory/MemoryTransport.ts"

/** Bugs of lanes, groups and the memory broker, of kinds that clients and brokers had. */
export const transportMutants: ReadonlyArray<Mutant> = [
  {
    name: "what was never handed out can be settled",
    file: heldLane,
    find: `if (position > this.#handedOut) return answer(Effect.fail(this.#tooFar(position)))`,
    replace: `if (position < 0n) return answer(Effect.fail(this.#tooFar(position)))`
  },
  {
    name: "two settles are on their way at once",
    file: heldLane,
    find: `if (this.#committing !== undefined || this.isOver) return
`,
    replace: `if (this.isOver) return
`
  },
  {
    name: "a settle that failed is told done",
    file: heldLane,
    find: `const result = error === undefined ? Effect.void : Effect.fail(error)`,
    replace: `const result = error?.reason === "LaneLost" ? Effect.fail(error) : Effect.void`
  },
  {
    name: "a stored position answers those too that wait for a higher one",
    file: heldLane,
    find: `this.#answer(({ position }) => position <= committed, error)`,
    replace: `this.#answer(({ position }) => committed >= 0n && position >= 0n, error)`
  },
  {
    name: "a lane that was released can be settled",
    file: heldLane,
    find: `if (this.isOver) return answer(Effect.fail(this.#lost("settle")))`,
    replace: `if (this.#state === "lost") return answer(Effect.fail(this.#lost("settle")))`
  },
  {
    name: "a lane is given away while a settle is on its way",
    file: heldLane,
    find: `if (this.#isOver || this.#committing !== undefined) return
`,
    replace: `if (this.#isOver) return
`
  },
  {
    name: "only who pulls hears of a revocation",
    file: heldLane,
    find: `for (const resume of this.#hearing) resume()`,
    replace: `void this.#hearing`
  },
  {
    name: "what comes while a fiber gives way wakes nobody",
    file: heldLane,
    find: `() => this.#wakes !== seen`,
    replace: `() => seen < 0`
  },
  {
    name: "a lost lane ends as a revoked one does",
    file: heldLane,
    find: `if (this.#state === "lost") return Effect.fail(this.#lost("pull"))
    if (this.#state !== "held") return Cause.done()`,
    replace: `if (this.#state !== "held") return Cause.done()`
  },
  {
    name: "a revoked lane hands out what it has left",
    file: heldLane,
    find: `if (this.#state !== "held") return Cause.done()`,
    replace: `if (this.#state === "released") return Cause.done()`
  },
  {
    name: "lanes that nobody took stay with who left",
    file: "transport/OfferedLanes.ts",
    find: `for (const held of this.#waiting) held.release()`,
    replace: `void this.#waiting`
  },
  {
    name: "a member that does not drain keeps its lanes",
    file: memoryGroup,
    find: `Effect.sync(() => held.lose())`,
    replace: `Effect.sync(() => held.wake())`
  },
  {
    name: "whoever releases is counted as vanished",
    file: memoryGroup,
    find: `if (how === "released") partition.abandoned = 0
    else if (handedOut`,
    replace: `if (handedOut`
  },
  {
    name: "the first member keeps all partitions",
    file: memoryGroup,
    find: `const share = Math.ceil(this.#partitions.length / Math.max(1, members.length))`,
    replace: `const share = this.#partitions.length`
  },
  {
    name: "asking for the partitions of a topic creates it",
    file: memoryTransport,
    find: `broker.find(name)?.partitions.length ?? broker.options.partitions`,
    replace: `broker.topic(name).partitions.length`
  },
  {
    name: "a record over the limit is stored",
    file: memoryTransport,
    find: `if (bytes <= options.recordBytesMax) continue`,
    replace: `if (bytes > 0) continue`
  },
  {
    name: "compaction keeps the first of each key",
    file: memoryPartition,
    find: `if (key !== null) last.set(`,
    replace: `if (key !== null && !last.has(keyText(key))) last.set(`
  },
  {
    name: "a range is read one record too far",
    file: memoryPartition,
    find: `at < chunk.batch.count && next < end;`,
    replace: `at < chunk.batch.count && next <= end;`
  },
  {
    name: "a time is looked for behind it",
    file: memoryPartition,
    find: `if (batch.timeMs(at) >= timeMs) return`,
    replace: `if (batch.timeMs(at) > timeMs) return`
  }
]
