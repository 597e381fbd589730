import { Effect, Exit, Layer } from "effect"
import { MemoryBroker, memoryTransport } from "leat"
import { drawWorld, runCase, simulate, transportCases, TransportUnderTest } from "leat/testing"
import { tellInMemory } from "../simulation/worlds.ts"
import { calm, type Scenario, tell } from "../simulation/scenario.ts"

/** Stories that together go through every path of the lanes and of the memory transport. */
const scenarios: ReadonlyArray<Scenario> = [
  {
    ...calm,
    rates: { fail: 0.2, cut: 0.05, loseResponse: 0.1, delay: 0.1, fence: 0.1, settle: 0.1, pull: 0.02, loseLane: 0.05 },
    handlerFaults: 0.2,
    consumers: 2,
    rebalances: 0.05
  },
  { ...calm, policy: "drop", rates: { lateWrite: 0.3, fail: 0.1, msMax: 100 }, lingerMs: 1 },
  {
    ...calm,
    events: 120,
    keys: 2,
    overflow: "dropOldest",
    rates: { delay: 0.8, msMax: 500 },
    lingerMs: 0,
    textBytes: 3000,
    bufferBytes: 65_536,
    isBurst: true
  },
  {
    ...calm,
    events: 120,
    overflow: "reject",
    rates: { fail: 0.2, msMax: 400 },
    textBytes: 3000,
    bufferBytes: 65_536,
    isBurst: true
  },
  {
    ...calm,
    events: 120,
    overflow: "dropOldest",
    rates: { delay: 0.6, loseResponse: 0.1, msMax: 400 },
    rebalances: 0.1,
    consumers: 3,
    textBytes: 3000,
    bufferBytes: 65_536,
    isBurst: true
  },
  { ...calm, isClosedEarly: true, isBurst: true, rates: { delay: 0.3 } }
]

/** The first thing that is wrong in `runs` runs of each story; undefined when nothing is. */
export function findFault(runs: number): string | undefined {
  for (let seed = 1; seed <= runs; seed++) {
    for (const [index, scenario] of scenarios.entries()) {
      const exit = simulated(seed, tell(scenario, seed))
      if (Exit.isFailure(exit)) return `story ${index}, seed ${seed}: ${String(exit.cause)}`.slice(0, 500)
      const [first] = exit.value
      if (first !== undefined) return `story ${index}, seed ${seed}: ${first}`.slice(0, 500)
    }
  }
  return undefined
}

/** Tasks of a run at most: forty times what the longest takes where nothing is planted. A bug that spins is found in a second. */
const stepsMax = 20_000

/** What never ends is as wrong as what ends wrongly. */
function simulated<A, E>(seed: number, program: Effect.Effect<A, E>): Exit.Exit<A, E> {
  try {
    return simulate(seed, program, { stepsMax }).exit
  } catch (error) {
    return Exit.die(error)
  }
}

/** The first promise of a transport that the memory transport does not keep, on virtual time; undefined when it keeps all. */
export function findBrokenCase(): string | undefined {
  const broker = new MemoryBroker()
  const layer = Layer.succeed(TransportUnderTest, {
    connect: Effect.sync(() => memoryTransport(broker)),
    compact: Effect.sync(() => broker.compact())
  })
  for (const one of transportCases) {
    for (let seed = 1; seed <= 3; seed++) {
      const exit = simulated(seed, runCase(one, layer))
      if (Exit.isFailure(exit)) return `conformance: ${one.name}`
    }
  }
  return undefined
}

/** The first thing that is wrong in `runs` worlds; undefined when nothing is. */
export function findVerdict(runs: number): string | undefined {
  for (let seed = 1; seed <= runs; seed++) {
    const [first] = tellInMemory(drawWorld(seed)).verdicts
    if (first !== undefined) return `world ${seed}: ${first.kind}: ${first.evidence}`.slice(0, 500)
  }
  return undefined
}
