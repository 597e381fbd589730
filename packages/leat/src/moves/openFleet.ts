/** What tools of moves begin with: the control stream, read whole, and the clusters of its documents. */
import { Clock, Effect, Result, type Scope } from "effect"
import { apply, type Control } from "../control/Control.ts"
import { ControlledRoutes, type WrittenStream } from "../control/ControlledRoutes.ts"
import { ControlError } from "../control/ControlError.ts"
import { type ControlStream, openControlStream, readAll } from "../control/ControlStream.ts"
import { type Tool, topicDefault } from "../control/ControlTools.ts"
import { keptOpen } from "../control/keptOpen.ts"
import { meansOf, type PlacesMeans } from "../control/places.ts"
import { isObject, kindOf } from "../given/takes.ts"
import { References } from "../routes/References.ts"
import type { RouteError } from "../routes/Routes.ts"
import { type Driver, type Transport, TransportError } from "../transport/index.ts"
import { LastSteps } from "./moveStatus.ts"
import { Places, type TransportOf } from "./Places.ts"
import type { KnownFleet } from "./planMove.ts"
import { Silence } from "./Silence.ts"

/** Who does it, and with what it opens the clusters of documents. */
export interface MoveTool extends Tool {
  readonly drivers: ReadonlyArray<Driver>
  /** Writes nothing, and says what would come of it. */
  readonly isDryRun?: boolean | undefined
}

/** The control stream, as a tool has it. */
export type ToolStream = WrittenStream & Pick<ControlStream, "look">

export interface OpenFleet extends KnownFleet {
  readonly steps: LastSteps
  readonly means: PlacesMeans
  readonly places: Places
  readonly transportOf: TransportOf
}

/** Reads all of it. Clusters that are asked something are open until the scope closes. */
export const fleetOf = Effect.fnUntraced(function* (
  transport: Pick<Transport, "read" | "bounds">,
  {
    topic = topicDefault,
    drivers,
    partitions
  }: Pick<MoveTool, "topic" | "drivers"> & { readonly partitions?: number | undefined }
): Effect.fn.Return<OpenFleet, ControlError, Scope.Scope> {
  const references = yield* References
  const seen = new Map<string, number>()
  const steps = new LastSteps()
  const { control } = yield* readAll(transport, topic, (record) => {
    if (record.timeMs > 0) seen.set(record.entry.author, record.timeMs)
    steps.see(record)
  })
  const means = yield* keptOpen(meansOf(drivers, references, partitions))
  const silence = new Silence(control, seen, yield* Clock.currentTimeMillis)
  const transportOf: TransportOf = (cluster) => openedOf(control, means, cluster)
  return { control, seen, silence, steps, means, places: new Places(transportOf), transportOf }
})

/** A cluster of the document in force, or of the last one that had it: what has moved away is read there until it is retired. */
function openedOf(
  control: Control,
  means: PlacesMeans,
  cluster: string
): Effect.Effect<Transport, RouteError | TransportError, Scope.Scope> {
  for (const { document } of control.history.toReversed()) {
    const routes = Result.getOrUndefined(means.compile(document))
    if (routes?.clusters.has(cluster) === true) return means.transportOf(routes, cluster)
  }
  const detail = `no document in the history of the fleet has a cluster ${cluster}`
  return Effect.fail(new TransportError({ reason: "Unsupported", transport: "leat", operation: "open", detail }))
}

/** Reads all of it, and opens it for a tool that writes. `texts`: what has to be a text, for callers without types. */
export function writing<A>(
  transport: Transport,
  tool: MoveTool,
  texts: Readonly<Record<string, unknown>>,
  write: (fleet: OpenFleet & { readonly stream: ToolStream }) => Effect.Effect<A, ControlError>
): Effect.Effect<A, ControlError> {
  const written = Effect.gen(function* () {
    const { topic = topicDefault, author } = tool
    const stream = yield* openControlStream({ transport, topic, author, isTool: true })
    const fleet = yield* fleetOf(transport, tool)
    return yield* write({ ...fleet, stream: tool.isDryRun === true ? dry(stream.control) : stream })
  })
  const own = { author: tool?.author, reason: tool?.reason ?? "", ...texts }
  return Effect.andThen(given(transport, ["read", "bounds", "openWriter", "ensure"], tool, own), Effect.scoped(written))
}

/** What is written there is folded, and stands nowhere. */
function dry(begun: Control): ToolStream {
  let control = begun
  return {
    get control() {
      return control
    },
    trouble: undefined,
    look: Effect.void,
    beat: Effect.void,
    write: (record) =>
      Effect.sync(() => {
        const before = control
        control = apply(control, record)
        return { counts: control !== before, control }
      })
  }
}

export function routesOf(stream: WrittenStream): ControlledRoutes {
  const routes = new ControlledRoutes()
  routes.connected(stream)
  return routes
}

export const refused = (detail: string): ControlError => new ControlError({ reason: "Refused", detail })

/** For callers without types. */
export function given(
  transport: unknown,
  functions: ReadonlyArray<string>,
  tool: unknown,
  texts: Readonly<Record<string, unknown>>
): Effect.Effect<void, ControlError> {
  if (!isObject(transport) || !functions.every((name) => typeof transport[name] === "function"))
    return Effect.fail(refused(`a control stream is on a transport, and not on ${kindOf(transport)}`))
  if (!isObject(tool)) return Effect.fail(refused(`a tool is named as { author, drivers }, and not by ${kindOf(tool)}`))
  const { topic = "", drivers, streams = [] } = tool
  if (!Array.isArray(drivers)) return Effect.fail(refused(`drivers is a list of drivers, and not ${kindOf(drivers)}`))
  if (!Array.isArray(streams) || !streams.every((one) => typeof one === "string"))
    return Effect.fail(refused("streams is a list of names of streams"))
  for (const [name, text] of Object.entries({ topic, ...texts }))
    if (typeof text !== "string") return Effect.fail(refused(`${name} is a text, and not ${kindOf(text)}`))
  return Effect.void
}
