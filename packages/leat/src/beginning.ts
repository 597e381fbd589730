/** What a leat begins with: its drivers, its identity, its table, and what its fibers run in. */
import { Clock, type Context, Effect, Random, Result, Scheduler, type Scope } from "effect"
import { ownOptions } from "./given/ownOptions.ts"
import { leatFaults, leatOptionNames } from "./leatFaults.ts"
import type { LeatOptions } from "./OpenLeat.ts"
import { formatUuid, uuidV7 } from "./record/EventId.ts"
import { type ReferenceReaders, References } from "./routes/References.ts"
import { RouteError, Routes } from "./routes/Routes.ts"
import { type RoutesSource, routesSource } from "./routesSource.ts"
import type { Driver } from "./transport/index.ts"
import { memory } from "./transport/memory/MemoryTransport.ts"

export interface Beginning {
  /** What was given, as it was then. */
  readonly options: LeatOptions
  readonly drivers: ReadonlyArray<Driver>
  /** 16 bytes, drawn for this opening. */
  readonly identity: Uint8Array
  readonly routes: Routes
  readonly from: RoutesSource
  readonly runtime: {
    readonly clock: Clock.Clock
    readonly scheduler: Scheduler.Scheduler
    readonly context: Context.Context<never>
    readonly references: ReferenceReaders
  }
}

/** Fails with all faults of the options and of the document. */
export const beginning = Effect.fnUntraced(function* (
  given: LeatOptions
): Effect.fn.Return<Beginning, RouteError, Scope.Scope> {
  const own = ownOptions(given, leatOptionNames)
  if (Result.isFailure(own)) return yield* new RouteError({ faults: [own.failure] })
  const options = own.success
  const faults = leatFaults(options)
  if (faults.length > 0) return yield* new RouteError({ faults })
  const drivers = [memory, ...(options.drivers ?? [])].filter(
    ({ name }, index, all) => all.findLastIndex((other) => other.name === name) === index
  )
  const references = yield* References
  const clock = yield* Clock.Clock
  const random = yield* Random.Random
  const identity = uuidV7(
    clock.currentTimeMillisUnsafe(),
    Uint8Array.from({ length: 10 }, () => Math.floor(random.nextDoubleUnsafe() * 256))
  )
  const { source } = options
  const contracts = [...(options.contracts ?? [])]
  const compile = (value: unknown) => Routes.compile(value, { drivers, contracts, source })
  const incarnation = formatUuid(identity)
  const { routes: document, control } = options
  const from = yield* routesSource({ routes: document, control, incarnation, drivers, references, compile })
  const routes = yield* Effect.fromResult(
    from.document === undefined ? Result.succeed(inMemory(drivers)) : compile(from.document)
  )
  const scheduler = yield* Scheduler.Scheduler
  const context = yield* Effect.context<never>()
  return { options, drivers, identity, routes, from, runtime: { clock, scheduler, context, references } }
})

function inMemory(drivers: ReadonlyArray<Driver>): Routes {
  return Routes.inMemory(drivers.find(({ name }) => name === memory.name) ?? memory)
}
