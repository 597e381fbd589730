/** Worlds over memory, on virtual time. */
import { Effect, Exit } from "effect"
import { MemoryBroker, memoryDriver, memoryTransport } from "leat"
import { isKnown, knownMishaps } from "./knownFaults.ts"
import { simulate, type Told, type Stage, tellWorld, type Verdict, type World } from "leat/testing"

/** Chance, per task, that the next timer goes off although there is work to do. */
const racing = 0.01

/** Tells a world; what ends it is a verdict too. Known faults are left out. */
export function tellInMemory(asked: World): Pick<Told, "verdicts" | "occasions"> & { readonly trace: string } {
  const rates = Object.fromEntries(
    Object.entries(asked.rates).filter(([name]) => !knownMishaps.some((known) => known === name))
  )
  const world = { ...asked, rates }
  const stages = Array.from({ length: world.clusters }, (): Stage => {
    const broker = new MemoryBroker({ partitions: 2, recordBytesMax: 20_000 })
    const reader = Effect.sync(() => memoryTransport(broker))
    return { driver: memoryDriver(broker), config: {}, reader, withinMs: 0 }
  })
  const hung = (evidence: string): Verdict => ({ kind: "hung", evidence })
  try {
    const { exit, timers, trace } = simulate(world.seed, tellWorld(stages, world), { racing })
    if (Exit.isFailure(exit)) return { verdicts: [hung(String(exit.cause))], occasions: new Map(), trace }
    const { verdicts, occasions } = exit.value
    const leaked: ReadonlyArray<Verdict> =
      timers === 0 ? [] : [{ kind: "leaked", evidence: `${timers} timers are still armed` }]
    return { verdicts: [...verdicts, ...leaked].filter((one) => !isKnown(one)), occasions, trace }
  } catch (error) {
    return { verdicts: [hung(String(error))], occasions: new Map(), trace: "" }
  }
}
