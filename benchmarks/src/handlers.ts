/** Handlers per second of one group, with nothing to do: what a delivery costs beside its handler. */
import { log } from "@leat/log"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { Effect } from "effect"
import { Leat, MemoryBroker, memoryDriver } from "leat"
import { waitUntil } from "leat/testing"
import { inFolder, logRoutes } from "./log.ts"
import { sighting } from "./sighting.ts"

const events = 50_000

export interface HandlerFigures {
  readonly transport: string
  readonly handlersPerSecond: number
  /** The same through `handleBatch`, 500 events at once. */
  readonly batchedPerSecond: number
}

function measure(transport: string, options: Parameters<typeof Leat.make>[0]): Promise<HandlerFigures> {
  const program = Effect.gen(function* () {
    const leat = yield* Leat.make(options)
    const stream = yield* leat.stream(BeaconSighting)
    yield* stream.publishAll(Array.from({ length: events }, (_, index) => sighting(index)))
    const rate = Effect.fnUntraced(function* (group: string, isBatched: boolean) {
      let handled = 0
      const startMs = performance.now()
      yield* isBatched
        ? stream.handleBatch(group, (all) => Effect.sync(() => void (handled += all.length)), { records: 500 })
        : stream.handle(group, () => Effect.sync(() => void handled++))
      yield* waitUntil(
        "all handled",
        Effect.sync(() => handled >= events),
        { withinMs: 60_000, everyMs: 1 }
      )
      return Math.round((events / (performance.now() - startMs)) * 1000)
    })
    yield* Effect.scoped(rate("warm", false))
    const handlersPerSecond = yield* Effect.scoped(rate("one", false))
    return { transport, handlersPerSecond, batchedPerSecond: yield* Effect.scoped(rate("many", true)) }
  }).pipe(Effect.scoped)
  return Effect.runPromise(program)
}

export async function benchHandlers(): Promise<ReadonlyArray<HandlerFigures>> {
  return [
    await measure("memory", { source: "benchmark", drivers: [memoryDriver(new MemoryBroker())] }),
    await inFolder((directory) =>
      measure("@leat/log", { source: "benchmark", drivers: [log], routes: logRoutes(directory, 1000, 4) })
    )
  ]
}
