import type { Mutant } from "./Mutant.ts"

const heldLane = "transport/HeldLane.ts"
const leavable = "transport/leavable.test.ts"
const memoryGroup = "transport/memory/MemoryGroup.ts"
const memoryPartition = "transport/memory/MemoryPartition.ts"
const memoryTransport = "transport/memory/MemoryTransport.ts"

/** Bugs of lanes, groups and the memory broker, of kinds that clients and brokers had. */
export const transportMutants: ReadonlyArray<Mutant> = [
  {
    name: "a driver that breaks while it closes something breaks the closing of the leat",
    file: "transport/endWithin.ts",
    find: `Effect.forkDetach(Effect.exit(ending), {`,
    replace: `Effect.forkDetach(ending as Effect.Effect<never>, {`,
    foundBy: "publish/brokenClosing.test.ts",
    test: "breaks while it closes"
  },
  {
    name: "a driver that never ends closing something is waited for without an end",
    file: "transport/contained.ts",
    find: `endWithin(Scope.close(own, Exit.void), patienceMs)`,
    replace: `endWithin(Scope.close(own, Exit.void), 1e9)`,
    foundBy: "publish/brokenClosing.test.ts",
    test: "never ends closing"
  },
  {
    name: "what ends a moment after it was left counts as left",
    file: "transport/leavable.ts",
    find: `    if (fiber.pollUnsafe() !== undefined) return
    this.#left.set`,
    replace: `    left.isWell = false
    this.#left.set`,
    foundBy: leavable,
    test: "takes its time to close"
  },
  {
    name: "a driver that never answers holds ever more calls",
    file: "transport/leavable.ts",
    find: `if (left === undefined || isFree(left)) return this.#begin`,
    replace: `if (left === undefined || left.fibers.size > 0) return this.#begin`,
    foundBy: leavable,
    test: "three times without an end"
  },
  {
    name: "a call that was left and has ended keeps the next one waiting",
    file: "transport/leavable.ts",
    find: `    left.fibers.delete(fiber)
    if`,
    replace: `    if`,
    foundBy: leavable,
    test: "forgets those that have ended"
  },
  {
    name: "calls that never end ration all later ones, whatever is answered",
    file: "transport/leavable.ts",
    find: `    left.isWell = true
`,
    replace: ``,
    foundBy: leavable,
    test: "waits for nothing any more once one is answered"
  },
  {
    name: "after three calls without an answer nobody asks again",
    file: "transport/leavable.ts",
    find: `if (waitMs <= 0) {`,
    replace: `if (waitMs < -1e12) {`,
    foundBy: leavable,
    test: "three times without an end"
  },
  {
    name: "each pull of a stream ends what the one before has begun",
    file: "transport/leavable.ts",
    find: `return Effect.onInterrupt(Deferred.await(answer), () => calls.leave(kind, fiber))`,
    replace: `for (const child of (fiber as unknown as { children: () => Set<Fiber.Fiber<unknown>> }).children()) child.interruptUnsafe()
      return Effect.onInterrupt(Deferred.await(answer), () => calls.leave(kind, fiber))`,
    foundBy: leavable,
    test: "keeps alive what one pull of a stream"
  },
  {
    name: "a call that does not let itself be interrupted is waited for without an end",
    file: "transport/leavable.ts",
    find: `Effect.timeoutOption(Fiber.await(fiber), graceMs)`,
    replace: `Fiber.await(fiber)`,
    foundBy: leavable,
    test: "can be left, although"
  },
  {
    name: "a settle that has no answer keeps the next one waiting",
    file: "transport/leavable.ts",
    find: `return { id, partition, start, abandoned, batches, revoked, settle, release }`,
    replace: `void settle
  return { id, partition, start, abandoned, batches, revoked, settle: (position) => lane.settle(position), release }`,
    foundBy: leavable,
    test: "that settles can be left"
  },
  {
    name: "what a driver dies of when it is asked is told as it is",
    file: "transport/leavable.ts",
    find: `Effect.catchDefect(Effect.suspend(call), (defect) => Effect.fail(broken(operation)(defect)))`,
    replace: `Effect.suspend(call)`,
    foundBy: "opening.test.ts",
    test: "breaks when it is asked for partitions"
  },
  {
    name: "what a driver dies of while it reads is told as it is",
    file: "transport/leavable.ts",
    find: `Stream.catchDefect(records, (defect) => Stream.fail(broken("read")(defect)))`,
    replace: `records`,
    foundBy: leavable,
    test: "fails where its driver breaks"
  },
  {
    name: "the calls of a driver are waited for, whatever it does",
    file: "routes/openCluster.ts",
    find: `Effect.succeed(leavableTransport(transport))`,
    replace: `Effect.succeed(leavableTransport(transport).name === "" ? leavableTransport(transport) : transport)`,
    foundBy: "publish/fallbackHangs.test.ts",
    test: "one look at it never comes back"
  },
  {
    name: "what a driver opens of a topic is closed with the rest of its sink",
    file: "publish/openTopic.ts",
    find: `contained(transport.openWriter(topic), sink)`,
    replace: `transport.openWriter(topic)`,
    foundBy: "publish/brokenClosing.test.ts",
    test: "closes a topic"
  },
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
    find: `      holding.isOverdue = true
      held.lose()`,
    replace: `      holding.isOverdue = true
      held.wake()`
  },
  {
    name: "whoever releases is counted as vanished",
    file: memoryGroup,
    find: `if (how === "released") partition.abandoned = 0
    else if (!holding.isOverdue && handedOut`,
    replace: `if (!holding.isOverdue && handedOut`
  },
  {
    name: "a member that does not drain in time is counted as vanished",
    file: memoryGroup,
    find: `holding.isOverdue = true`,
    replace: ``,
    foundBy: "conformance"
  },
  {
    name: "the first member keeps all partitions",
    file: memoryGroup,
    find: `const share = Math.floor(this.#partitions.length / Math.max(1, members.length))`,
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
    find: `of chunk.keys()) last.set(`,
    replace: `of chunk.keys()) if (!last.has(keyText(key))) last.set(`
  },
  {
    name: "a range is read one record too far",
    file: memoryPartition,
    find: `at < chunk.count && next < end;`,
    replace: `at < chunk.count && next <= end;`
  },
  {
    name: "a time is looked for behind it",
    file: memoryPartition,
    find: `if (chunk.timeMs(at) >= timeMs) return`,
    replace: `if (chunk.timeMs(at) > timeMs) return`
  },
  {
    name: "a lane that comes after the end stays with its member",
    file: "transport/OfferedLanes.ts",
    find: `if (!this.#isTaken) return held.release()`,
    replace: `if (!this.#isTaken) return`,
    foundBy: "transport/OfferedLanes.test.ts",
    test: "releases what nobody took when its stream is no"
  },
  {
    name: "a driver that fails says nothing was stored",
    file: "transport/Sending.ts",
    find: `fate: "unknown", error: new TransportError`,
    replace: `fate: "notStored", error: new TransportError`,
    foundBy: "transport/Sending.test.ts",
    test: "knows nothing where the driver throws"
  },
  {
    name: "a connection that broke is known not to have stored",
    file: "transport/TransportError.ts",
    find: `known(this.reason)?.mayBeStored ?? true`,
    replace: `this.reason !== "Disconnected" && this.reason !== "Timeout" && (known(this.reason)?.mayBeStored ?? true)`,
    foundBy: "transport/TransportError.test.ts",
    test: "Disconnected"
  },
  {
    name: "a record of the limit is refused",
    file: "transport/memory/MemoryTransport.ts",
    find: `if (bytes <= options.recordBytesMax) continue`,
    replace: `if (bytes < options.recordBytesMax) continue`,
    foundBy: "transport/memory.test.ts",
    test: "takes a record of its limit, and none of a byte more"
  },
  {
    name: "only the first record of a request is held to the limit",
    file: "transport/memory/MemoryTransport.ts",
    find: `for (let index = mayBeLarge ? from : to; index < to; index++) {`,
    replace: `for (let index = mayBeLarge ? from : to; index <= from; index++) {`,
    foundBy: "conformance"
  },
  {
    name: "retention takes the newest batches",
    file: "transport/memory/MemoryPartition.ts",
    find: `this.#chunks = this.#chunks.slice(gone)`,
    replace: `this.#chunks = this.#chunks.slice(0, -gone)`,
    foundBy: "transport/memory.test.ts",
    test: "keeps the newest batches when it is full"
  },
  {
    name: "a trim takes the rest of what was kept together",
    file: memoryPartition,
    find: `this.#chunks.filter(({ base, count }) => base + BigInt(count) > start)`,
    replace: `this.#chunks.filter(({ base }) => base >= start)`,
    foundBy: "conformance"
  },
  {
    name: "a trim goes back",
    file: memoryPartition,
    find: `    if (start <= this.start) return
`,
    replace: ``,
    foundBy: "conformance"
  },
  {
    name: "a time is found before the start",
    file: memoryPartition,
    find: `let at = Math.max(0, Number(this.start - chunk.base))`,
    replace: `let at = 0`,
    foundBy: "transport/MemoryPartition.test.ts",
    test: "is trimmed to the position"
  },
  {
    name: "a reader changes what the next one reads",
    file: "transport/memory/MemoryPartition.ts",
    find: `value: value === null ? null : new Uint8Array(value),`,
    replace: `value,`,
    foundBy: "transport/memory.test.ts",
    test: "gives each reader bytes of its own"
  },
  {
    name: "positions go back when a partition is written again",
    file: "transport/memory/MemoryPartition.ts",
    find: `this.end = base + BigInt(to - from)`,
    replace: `this.end = base + BigInt(Math.max(1, to - from - 1))`,
    foundBy: "stories"
  },
  {
    name: "one member gets all partitions",
    file: "transport/memory/MemoryGroup.ts",
    find: `const [least] = members.toSorted((a, b) => (counts.get(a) ?? 0) - (counts.get(b) ?? 0) || a.id - b.id)`,
    replace: `const [least] = members`,
    foundBy: "conformance"
  },
  {
    name: "what a driver has acquired for an opening that failed stays open",
    file: "transport/contained.ts",
    find: `(Exit.isSuccess(exit) ? Scope.addFinalizerExit(outer, ending) : ending())`,
    replace: `Scope.addFinalizerExit(outer, ending)`,
    foundBy: "publish/brokenClosing.test.ts",
    test: "fails again and again with something in hand"
  },
  {
    name: "what does not end is waited for without an end",
    file: "transport/endWithin.ts",
    find: `Effect.timeoutOption(Fiber.join(fiber), ms)`,
    replace: `Effect.timeoutOption(Fiber.join(fiber), 1e9)`,
    foundBy: "publish/brokenClosing.test.ts",
    test: "never ends"
  },
  {
    name: "an opening that does not end is waited for at the end",
    file: "publish/Shared.ts",
    find: `endWithin(Fiber.interrupt(opening), patienceMs)`,
    replace: `Effect.exit(Fiber.interrupt(opening))`,
    foundBy: "publish/brokenClosing.test.ts",
    test: "never ends the opening"
  },
  {
    name: "a lane that a driver does not take back is waited for",
    file: "transport/released.ts",
    find: `yield* endWithin(
      Effect.suspend(() => lane.release),
      releaseMs
    )`,
    replace: `yield* Effect.exit(Effect.suspend(() => lane.release))`,
    foundBy: "publish/brokenClosing.test.ts",
    test: "never ends the release of a lane"
  },
  {
    name: "a topic stays open beside which something cannot be opened",
    file: "publish/openPlaces.ts",
    find: `({ writer })) : allOrNothing(all)`,
    replace: `({ writer })) : all`,
    foundBy: "publish/brokenClosing.test.ts",
    test: "fails again and again with something in hand"
  },
  {
    name: "a driver that throws has its stream die of it",
    file: "publish/openPlaces.ts",
    find: `return Effect.catchDefect(places, (defect) => {`,
    replace: `return Effect.catchDefect(places, (defect) => {
    if (defect !== undefined) return Effect.die(defect)`,
    foundBy: "publish/brokenClosing.test.ts",
    test: "throws in openWriter"
  },
  {
    name: "retention takes what was appended last",
    file: memoryPartition,
    find: `this.bytes <= bytesMax || gone === this.#chunks.length - 1`,
    replace: `this.bytes <= bytesMax`,
    foundBy: "transport/memory.test.ts",
    test: "keeps what was appended last although"
  }
]
