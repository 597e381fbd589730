import type { Mutant } from "./Mutant.ts"

const foundBy = "publish/lastAttempt.test.ts"

/** Planted in what a leat that closes still tries. */
export const lastAttemptMutants: ReadonlyArray<Mutant> = [
  {
    name: "closing asks no first cluster for what its fallback has refused",
    file: "publish/lastAttempt.ts",
    find: `if (lane.halted?.isOfFallback === true) fallback?.tryNow(lane.partition.partition)
    else if`,
    replace: `if`,
    foundBy,
    test: "the fallback has refused for good"
  },
  {
    name: "closing drops at once what its fallback has refused",
    file: "publish/Sink.ts",
    find: `(lane.halted !== undefined && (lane.isGated || lane.halted.isOfFallback !== true))`,
    replace: `lane.halted !== undefined`,
    foundBy,
    test: "the fallback has refused for good"
  },
  {
    name: "closing leaves what waits for its next retry its time",
    file: "publish/lastAttempt.ts",
    find: `else if (mayPass(lane.halted)) lane.tryNow()`,
    replace: `else if (lane.halted !== undefined && mayPass(lane.halted)) lane.tryNow()`,
    foundBy,
    test: "what waits for its next retry"
  },
  {
    name: "closing lets no probe through an open breaker",
    file: "publish/lastAttempt.ts",
    find: `  breaker?.probeNow()
`,
    replace: ``,
    foundBy,
    test: "what waits behind an open breaker"
  },
  {
    name: "closing drops what stands because its cluster was away",
    file: "publish/lastAttempt.ts",
    find: `return halted === undefined || isPassing(halted.tag)`,
    replace: `return halted === undefined`,
    foundBy,
    test: "because its cluster was away"
  },
  {
    name: "closing tries again what stands until a person acts",
    file: "publish/lastAttempt.ts",
    find: `return halted === undefined || isPassing(halted.tag)`,
    replace: `return true`,
    foundBy,
    test: "does not try again what stands until a person acts"
  },
  {
    name: "closing leaves a fence that has failed its time",
    file: "publish/lastAttempt.ts",
    find: `    if (mayPass(lane.partition.halted)) lane.partition.tryNow()
`,
    replace: ``,
    foundBy,
    test: "what waits for a fence"
  },
  {
    name: "closing counts the attempts of what stands anew",
    file: "publish/lastAttempt.ts",
    find: `lane.tryNow()`,
    replace: `lane.resume(0, 0)`,
    foundBy,
    test: "whose attempts are used up"
  },
  {
    name: "closing leaves dead letters that wait for their next attempt their time",
    file: "publish/lastAttempt.ts",
    find: `  letters.tryNow()
`,
    replace: ``,
    foundBy,
    test: "stores them at once, and waits for no pause"
  },
  {
    name: "nobody ends the pause before the topic of dead letters is opened again",
    file: "transport/DeadLetters.ts",
    find: `this.#pauses.of(`,
    replace: `Effect.sleep(`,
    foundBy,
    test: "waits for no pause: open"
  },
  {
    name: "pauses have their time, whoever cannot wait for them",
    file: "transport/Pauses.ts",
    find: `      this.#ends.add(end)
`,
    replace: ``,
    foundBy,
    test: "waits for no pause"
  },
  {
    name: "nobody ends the pause before dead letters are sent again",
    file: "transport/Forwarder.ts",
    find: `pauses.of(ms`,
    replace: `Effect.sleep(ms`,
    foundBy,
    test: "waits for no pause: write"
  },
  {
    name: "closing leaves the first cluster of what stays in a fallback its time",
    file: "publish/Sink.ts",
    find: `      this.fallback?.tryNow(partition.partition)
`,
    replace: ``,
    foundBy,
    test: "goes back at once to the first cluster"
  }
]
