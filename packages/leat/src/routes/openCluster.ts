/**
 * Opens a cluster of the table: resolves the references of its section, lets the driver open it, and tries again while the
 * reason may pass. What references stand for is known here, to the driver, and to nobody else.
 */
import { Effect, Schedule, type Scope } from "effect"
import { type ReferenceReaders, resolveReferences } from "./References.ts"
import type { Cluster } from "./RouteFaults.ts"
import { RouteError } from "./Routes.ts"
import { type Transport, TransportError } from "../transport/index.ts"
import { withhold } from "./redact.ts"

/** How long a cluster that cannot be reached is tried before its stream fails to open, in milliseconds. */
const openMsMax = 30_000

/** How often, and how long, what may pass is tried again. */
export function patience(durationMs: number) {
  return Schedule.exponential("100 millis").pipe(Schedule.jittered, Schedule.upTo({ duration: durationMs }))
}

/** Fails with `RouteError` for references that cannot be read; each try reads them anew. */
export function openCluster(
  { name, driver, config }: Cluster,
  readers: ReferenceReaders
): Effect.Effect<Transport, RouteError | TransportError, Scope.Scope> {
  const read = new Map<string, string>()
  const resolved = resolveReferences(config, readers).pipe(
    Effect.tap((section) => Effect.sync(() => section.read.forEach((reference, value) => read.set(value, reference)))),
    Effect.map((section) => section.config),
    Effect.mapError((faults) => {
      const placed = faults.map(({ path, message }) => ({ path: `clusters.${name}.${path}`, message }))
      return new RouteError({ faults: placed })
    })
  )
  const reread = Effect.mapError(resolved, ({ message }) => {
    // It may be on its way: files of secrets are replaced while they are read.
    return new TransportError({ reason: "Unavailable", transport: driver.name, operation: "open", detail: message })
  })
  return Effect.flatMap(resolved, (section) =>
    discreetly(
      Effect.suspend(() => driver.open(name, section, reread)),
      read
    )
  ).pipe(
    Effect.retry({
      schedule: patience(openMsMax),
      while: (error) => error._tag === "TransportError" && error.isRetryable
    })
  )
}

/** Without the client's own error, and without what a defect says: both may hold the whole section. */
function discreetly<A, R>(
  opening: Effect.Effect<A, TransportError, R>,
  read: ReadonlyMap<string, string>
): Effect.Effect<A, TransportError, R> {
  return opening.pipe(
    Effect.mapError((error) => {
      if (read.size === 0) return error
      const { reason, transport, operation, detail } = error
      return new TransportError({ reason, transport, operation, detail: withhold(detail, read) })
    }),
    Effect.catchDefect((defect) => {
      if (read.size === 0) return Effect.die(defect)
      const said = withhold(defect instanceof Error ? `${defect.name}: ${defect.message}` : String(defect), read)
      return Effect.die(new Error(`a driver broke while it opened a cluster: ${said}`))
    })
  )
}
