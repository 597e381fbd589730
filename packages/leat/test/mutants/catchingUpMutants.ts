import type { Mutant } from "./Mutant.ts"

export const catchingUpMutants: ReadonlyArray<Mutant> = [
  {
    name: "a settle that failed is tried again after settleEvery",
    file: "consume/ReadLane.ts",
    find: `this.#settledAtMs = Math.min(this.#settledAtMs, againAtMs - this.#settings.settleEveryMs)`,
    replace: ``,
    foundBy: "consume/caughtUp.test.ts",
    test: "is not kept waiting for settleEvery by a settle that failed"
  },
  {
    name: "whoever waits to catch up hears of no stop while a transport does not answer",
    file: "consume/CatchingUp.ts",
    find: `if (isOver && question.pollUnsafe() === undefined) yield* this.#endedOrHalted`,
    replace: ``,
    foundBy: "consume/caughtUp.test.ts",
    test: "says so once where the transport has no answer"
  },
  {
    name: "whoever waits to catch up asks a transport that does not answer once",
    file: "consume/CatchingUp.ts",
    find: `answer !== undefined || nowMs >= untilMs`,
    replace: `answer !== undefined`,
    foundBy: "consume/caughtUp.test.ts",
    test: "says so once where the transport has no answer"
  },
  {
    name: "whoever waits to catch up believes a lane of a log that is gone",
    file: "consume/CatchingUp.ts",
    find: `if (isStrange) this`,
    replace: `if (isStrange && !isStrange) this`,
    foundBy: "consume/caughtUp.test.ts",
    test: "waits for a topic that was made anew"
  },
  {
    name: "what a lane of a log that is gone has settled is told to those who wait",
    file: "consume/CatchingUp.ts",
    find: `if (!this.#strange.has(partition)) this`,
    replace: `this`,
    foundBy: "consume/caughtUp.test.ts",
    test: "waits for a topic that was made anew"
  },
  {
    name: "whoever waits to catch up does not ask about the lanes of others",
    file: "consume/CatchingUp.ts",
    find: `else isElsewhere ||= here === undefined`,
    replace: `else isElsewhere ||= false`,
    foundBy: "consume/caughtUp.test.ts",
    test: "waits for the lanes of other members too"
  },
  {
    name: "whoever waits to catch up takes the lanes of others for done",
    file: "consume/CatchingUp.ts",
    find: `if (settled >= end) ends.delete(partition)`,
    replace: `if (settled >= end || here === undefined) ends.delete(partition)`,
    foundBy: "consume/caughtUp.test.ts",
    test: "waits for the lanes of other members too"
  },
  {
    name: "whoever waits to catch up waits for what is stored later too",
    file: "consume/CatchingUp.ts",
    find: `const wanted = before === undefined ? end : before.get(partition)`,
    replace: `const wanted = end`,
    foundBy: "consume/caughtUp.test.ts",
    test: "does not wait for what other members have got since"
  },
  {
    name: "whoever waits to catch up waits for what a cut log had",
    file: "consume/CatchingUp.ts",
    find: `wanted < end ? wanted : end`,
    replace: `wanted`,
    foundBy: "consume/caughtUp.test.ts",
    test: "is not kept waiting by a log that was made anew"
  },
  {
    name: "whoever waits to catch up is not told of a halt",
    file: "consume/CatchingUp.ts",
    find: `if (halted.length > 0) return`,
    replace: `if (halted.length > 9) return`,
    foundBy: "consume/caughtUp.test.ts",
    test: "fails when a lane halts"
  },
  {
    name: "whoever waits to catch up is not told that the subscription was stopped",
    file: "consume/CatchingUp.ts",
    find: `parts.fiber.addObserver(changed)`,
    replace: `parts.fiber.addObserver(() => undefined)`,
    foundBy: "consume/caughtUp.test.ts",
    test: "fails at once when a subscription without lanes"
  },
  {
    name: "a fault that passes ends the wait to catch up",
    file: "consume/CatchingUp.ts",
    find: `if (error?.isRetryable !== true) {`,
    replace: `if (error?.isRetryable !== undefined) {`,
    foundBy: "consume/caughtUp.test.ts",
    test: "waits out passing faults"
  },
  {
    name: "a handler waits for its own subscription to catch up",
    file: "consume/CatchingUp.ts",
    find: `if (delivery !== undefined && (source`,
    replace: `if (delivery === undefined && (source`,
    foundBy: "consume/caughtUp.test.ts",
    test: "fails for a handler that waits for itself"
  },
  {
    name: "whoever waits to catch up waits in silence",
    file: "consume/CatchingUp.ts",
    find: `if (this.#isTold || nowMs`,
    replace: `if (nowMs >= 0 || nowMs`,
    foundBy: "consume/caughtUp.test.ts",
    test: "warns once of what does not move"
  },
  {
    name: "a settle that is waited for waits for settleEvery",
    file: "consume/LaneShell.ts",
    find: `this.#settleAt = undefined
    return true`,
    replace: `this.#settleAt = undefined
    return false`,
    foundBy: "consume/caughtUp.test.ts",
    test: "without waiting for settleEvery"
  },
  {
    name: "a halt behind what is waited for ends the wait",
    file: "consume/LaneShell.ts",
    find: `return machine.halted.position < position || machine.running === 0`,
    replace: `return true`,
    foundBy: "consume/caughtUp.test.ts",
    test: "does not mind a halt behind what it waits for"
  },
  {
    name: "what a lane settles at its end is not told to those who wait",
    file: "consume/CatchingUp.ts",
    find: `if (!this.#strange.has(partition)) this.#settled.set(partition, settled)
      changed()`,
    replace: `changed()`,
    foundBy: "consume/caughtUp.test.ts",
    test: "completes when stopping settles the last of it"
  },
  {
    name: "where a group began at the end is told by no bounds",
    file: "transport/memory/MemoryGroup.ts",
    find: `return origin > log.start ? origin : undefined`,
    replace: `return undefined`,
    foundBy: "consume/caughtUp.test.ts",
    test: "nor what stands before where the lane of another member began"
  },
  {
    name: "a process may end while it waits to catch up",
    file: "consume/CatchingUp.ts",
    find: `yield* this.#wake.waitFor(Math.min(untilMs - nowMs, heldMs))`,
    replace: `yield* untilMs === Number.POSITIVE_INFINITY ? this.#wake.wait : this.#wake.waitFor(Math.min(untilMs - nowMs, heldMs))`,
    foundBy: "promise/processEnd.test.ts",
    test: "is a wait for a handler that keeps none itself"
  }
]
