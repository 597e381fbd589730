/** A world that is told over memory on virtual time, to its verdicts and its whole history. */
import { Effect, Exit } from "effect"
import { MemoryBroker, memoryDriver, memoryTransport } from "../../transport/memory/MemoryTransport.ts"
import { Chronicle, type Verdict } from "../judge/Chronicle.ts"
import { simulate } from "../SeededScheduler.ts"
import type { Stage } from "./Scenario.ts"
import { tellWorld, type Told } from "./tellWorld.ts"
import { recordBytesMax, type World } from "./World.ts"

/** Chance, per task, that the next timer goes off although there is work to do. */
const racing = 0.01

/** What became of a world that was simulated. */
export interface SimulatedWorld extends Told {
  /** Hash of every choice of the scheduler: equal for equal runs; empty when the run did not end. */
  readonly trace: string
}

/**
 * Tells a world over memory, or over the stages that are made for it, on virtual time. What ends it too soon, and timers that are left
 * armed, are verdicts too. The same world is the same history, in every process.
 *
 * @example
 * ```ts
 * const { verdicts, chronicle } = simulateWorld(drawWorld(42))
 * if (verdicts.length > 0) console.error(storyLines(chronicle).join("\n"))
 * ```
 */
export function simulateWorld(world: World, stage: () => Stage = memoryStage): SimulatedWorld {
  const failed = (evidence: string, trace: string): SimulatedWorld => ({
    verdicts: [{ kind: "hung", evidence }],
    occasions: new Map(),
    chronicle: new Chronicle(),
    trace
  })
  try {
    const stages = Array.from({ length: world.clusters }, stage)
    const { exit, timers, trace } = simulate(world.seed, tellWorld(stages, world), { racing })
    if (Exit.isFailure(exit)) return failed(String(exit.cause), trace)
    const { verdicts, occasions, chronicle } = exit.value
    const leaked: ReadonlyArray<Verdict> =
      timers === 0 ? [] : [{ kind: "leaked", evidence: `${timers} timers are still armed` }]
    return { verdicts: [...verdicts, ...leaked], occasions, chronicle, trace }
  } catch (error) {
    return failed(String(error), "")
  }
}

function memoryStage(): Stage {
  const broker = new MemoryBroker({ partitions: 2, recordBytesMax })
  const reader = Effect.sync(() => memoryTransport(broker))
  return { driver: memoryDriver(broker), config: {}, reader, withinMs: 0 }
}
