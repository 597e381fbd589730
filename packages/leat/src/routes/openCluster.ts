/**
 * Opens a cluster of the table: resolves the references of its section, lets the driver open it, and tries again while the
 * reason may pass. What references stand for is known here, to the driver, and to nobody else.
 */
import { Clock, Effect, Random, Result, type Scope } from "effect"
import { textOfThrown } from "../given/thrown.ts"
import { contained } from "../transport/contained.ts"
import { leavableTransport } from "../transport/leavable.ts"
import { monotonicMs } from "../Wake.ts"
import { type ReferenceReaders, resolveReferences } from "./References.ts"
import type { Cluster } from "./Clusters.ts"
import { openingName, type OpeningWatch } from "./OpeningWatch.ts"
import { RouteError } from "./Routes.ts"
import { type ClusterConfig, OpeningTrouble, type Transport, TransportError } from "../transport/index.ts"
import { withhold } from "./redact.ts"

/**
 * How long a cluster, or a topic of it, is tried before its stream fails to open, in milliseconds. The `timeout` of a leg is no bound here: it is
 * that of one send, and a cluster that has just started may need longer to create a topic.
 */
const openMsMax = 30_000

/** The delay before the first try again, and the longest, in milliseconds. */
const againMs = 100
const againMsMax = 5000

/**
 * Tries again while the error is retryable, with growing delays, for `openMsMax`; the last delay is cut, so that the
 * last try begins when the time is over and not up to a delay later. `failed` hears why each try has failed.
 */
export function persistently<A, E extends RouteError | TransportError, R>(
  effect: Effect.Effect<A, E, R>,
  failed: (why: string) => void = () => {}
): Effect.Effect<A, E, R> {
  return Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const startMs = monotonicMs(clock)
    for (let delayMs = againMs; ; delayMs = Math.min(delayMs * 1.5, againMsMax)) {
      const result = yield* Effect.result(effect)
      if (Result.isSuccess(result)) return result.success
      const leftMs = startMs + openMsMax - monotonicMs(clock)
      const { failure } = result
      const mayPass = failure._tag === "TransportError" && failure.isRetryable
      if (!mayPass || leftMs <= 0) return yield* Effect.fail(failure)
      failed(failure.message)
      // Half of it is chance, so that many processes do not come back in step.
      const random = yield* Random.next
      yield* Effect.sleep(Math.min(Math.round(delayMs * (0.5 + random)), leftMs))
    }
  })
}

/** What the driver of a cluster was given. It is known here and to the driver, and nobody says it. */
export interface GivenSection {
  /** With what its references stood for; undefined until it is open. */
  config: ClusterConfig | undefined
  /** Whether the driver has asked what they stand for now: it keeps itself up to date. */
  isAsking: boolean
}

/** Fails with `RouteError` for references that cannot be read; each try reads them anew. `given` is filled in. */
export function openCluster(
  { name, driver, config }: Cluster,
  readers: ReferenceReaders,
  watch: OpeningWatch,
  given: GivenSection = { config: undefined, isAsking: false }
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
  const again = Effect.suspend(() => {
    given.isAsking = true
    return resolved
  })
  const reread = Effect.mapError(again, ({ message }) => {
    // It may be on its way: files of secrets are replaced while they are read.
    return new TransportError({ reason: "Unavailable", transport: driver.name, operation: "open", detail: message })
  })
  const opened = Effect.flatMap(resolved, (section) => {
    const opening = Effect.suspend(() => driver.open(name, section, reread))
    const own = contained(opening, `the cluster ${name}`, (thrown) => withhold(said(thrown), read))
    const noted = Effect.tap(Effect.flatMap(own, usable), () => Effect.sync(() => void (given.config = section)))
    return discreetly(noted, driver.name, read)
  })
  return watch.during(openingName(name), (failed) =>
    Effect.provideService(persistently(opened, failed), OpeningTrouble, (why) => failed(withhold(why, read)))
  )
}

/** Refuses a transport whose numbers are none: with a pipeline of 0 nothing would ever be sent, and with NaN everything at once. */
function usable(transport: Transport): Effect.Effect<Transport, TransportError> {
  const { pipeline, recordBytesMax } = transport.capabilities
  const isCount = Number.isInteger(pipeline) && pipeline >= 1
  if (isCount && recordBytesMax >= 1) return Effect.succeed(leavableTransport(transport))
  const wrong = isCount ? `recordBytesMax: ${recordBytesMax}` : `pipeline: ${pipeline}`
  const detail = `the driver declares ${wrong}, which is no number from 1`
  return Effect.fail(
    new TransportError({ reason: "Unsupported", transport: transport.name, operation: "open", detail })
  )
}

/** Without the client's own error, and without what a defect says: both may hold the whole section. A driver that breaks fails as any other. */
function discreetly<A, R>(
  opening: Effect.Effect<A, TransportError, R>,
  driver: string,
  read: ReadonlyMap<string, string>
): Effect.Effect<A, TransportError, R> {
  return opening.pipe(
    Effect.mapError((error) => {
      if (read.size === 0) return error
      const { reason, transport, operation, detail } = error
      return new TransportError({ reason, transport, operation, detail: withhold(detail, read) })
    }),
    Effect.catchDefect((defect) => {
      const detail = `the driver broke: ${withhold(said(defect), read)}`
      return Effect.fail(new TransportError({ reason: "Unsupported", transport: driver, operation: "open", detail }))
    })
  )
}

function said(defect: unknown): string {
  return defect instanceof Error ? `${defect.name}: ${defect.message}` : textOfThrown(defect)
}
