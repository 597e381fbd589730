/**
 * Where a document puts the streams that the control stream has placed: what stands in its table record, so that applying it moves them. Only who can
 * compile the document can tell, and who has to know how many partitions a topic has opens its cluster.
 */
import { Effect, Result, type Scope } from "effect"
import type { ContractInfo } from "../contract/Contract.ts"
import { textOfThrown } from "../given/thrown.ts"
import { openCluster } from "../routes/openCluster.ts"
import { OpeningWatch } from "../routes/OpeningWatch.ts"
import type { ReferenceReaders } from "../routes/References.ts"
import { type Leg, type Route, type RouteError, Routes, routeError } from "../routes/Routes.ts"
import { standIns, type StandInName } from "../routes/standIns.ts"
import { type Driver, type Transport, TransportError } from "../transport/index.ts"
import { type Control, apply } from "./Control.ts"
import { ControlError } from "./ControlError.ts"
import type { Place } from "./ControlRecord.ts"
import { keptOpen } from "./keptOpen.ts"
import { isPlaceCompacted, leftBehind, mirrorFault, type SaidOfRest } from "./leftBehind.ts"
import { endsOf, isSameTopic, type Placement } from "./Placement.ts"

/** The places of a document on top of a state of the control stream. */
export type PlacesOf = (control: Control, document: string) => Effect.Effect<ReadonlyMap<string, Place>, ControlError>

/** What it takes to know them. */
export interface PlacesMeans {
  readonly compile: (document: string) => Result.Result<Routes, RouteError>
  /** Opens a cluster of the document. */
  readonly transportOf: (
    routes: Routes,
    cluster: string
  ) => Effect.Effect<Transport, RouteError | TransportError, Scope.Scope>
  /** Of topics that are not there; undefined: as many as their cluster would give them. */
  readonly partitions?: number | undefined
}

const refused = (detail: string): ControlError => new ControlError({ reason: "Refused", detail })

/** How long a cluster is asked, in milliseconds. */
const askMs = 60_000

/** Of whoever can compile documents. */
export const placesWith =
  (asked: PlacesMeans, said: SaidOfRest = {}): PlacesOf =>
  (control, document) =>
    Effect.gen(function* () {
      const means = yield* keptOpen(asked)
      const places = new Map<string, Place>()
      if (control.streams.size === 0) return places
      const routes = yield* Effect.fromResult(compiled(means, document))
      const restFaults = (stream: string, placement: Placement, before: Routes, { sink }: Leg) => {
        const { lastEpoch } = placement
        // What is planned has nothing yet: it is left without a look.
        const { source, newest: last } = endsOf(placement)
        const newest = (source ?? last)?.place
        const was = Result.getOrUndefined(readRouteOf(before, stream))?.leg
        const mirror = mirrorFault(stream, legsOf(before, stream), sink, lastEpoch + 1)
        if (mirror !== undefined) return Effect.succeed([mirror])
        if (was === undefined || newest === undefined || !isSameTopic(newest, { ...was, partitions: 0 }))
          return Effect.succeed([])
        return leftBehindIn(means, before, routes, { stream, was, place: newest, said })
      }
      const before = Result.getOrUndefined(means.compile(control.document))
      for (const [stream, placement] of control.streams) {
        const { leg } = yield* Effect.fromResult(Result.mapError(readRouteOf(routes, stream), refused))
        const fault = leftFault(routes, stream, placement)
        if (fault !== undefined) return yield* refused(fault)
        const known = knownPlace(placement, leg)
        const left =
          known === undefined && before !== undefined ? yield* restFaults(stream, placement, before, leg) : []
        if (left.length > 0) return yield* refused(left.join("; "))
        places.set(stream, known ?? (yield* placeOf(means, routes, leg)))
      }
      return places
    }).pipe(Effect.scoped)

/** What would stay in the place of a leg, as its cluster says. */
export function leftBehindIn(
  { transportOf }: Pick<PlacesMeans, "transportOf">,
  before: Routes,
  after: Routes,
  { stream, was, place, said }: Leaving
): Effect.Effect<ReadonlyArray<string>, ControlError> {
  const found = standInsAt(before, stream, place)
  const spills = legsAt(before, stream, place).flatMap(({ spill }) => (spill === undefined ? [] : [spill.cluster]))
  const lostSpills = [...new Set(spills)].filter((name) => !after.clusters.has(name))
  const isCompacted = Effect.scoped(
    Effect.flatMap(transportOf(before, was.cluster), (transport) => isPlaceCompacted(place, transport))
  )
  return reached(was.sink, leftBehind(stream, { sink: was.sink, standIns: found, lostSpills }, isCompacted, said))
}

/** All legs of a stream, whoever publishes it. */
export function legsOf(routes: Routes, stream: string): ReadonlyArray<Leg> {
  return routes.routesOf(stream).flatMap(({ legs }) => legs)
}

/** What stands in for a place, whoever publishes the stream. */
export function standInsAt(routes: Routes, stream: string, place: Place): ReadonlyArray<StandInName> {
  const there = legsAt(routes, stream, place)
  return standIns.filter((name) => there.some((leg) => leg[name] !== undefined))
}

function legsAt(routes: Routes, stream: string, place: Place): ReadonlyArray<Leg> {
  return legsOf(routes, stream).filter((leg) => isSameTopic(place, { ...leg, partitions: 0 }))
}

/** A stream that is to leave a place. */
export interface Leaving {
  readonly stream: string
  readonly was: Leg
  readonly place: Place
  /** `contract`: where it is known. */
  readonly said: SaidOfRest & { readonly contract?: ContractInfo | undefined }
}

/** Of whoever cannot. */
export const noPlaces: PlacesOf = ({ streams }) =>
  streams.size === 0
    ? Effect.succeed(new Map())
    : Effect.fail(
        refused(
          `${streams.size === 1 ? "stream" : "streams"} ${Array.from(streams.keys()).slice(0, 5).join(", ")} can be moved by a document, and only who has its drivers knows whether this one does; give the drivers`
        )
      )

/** Compiles documents with drivers, and opens their clusters with them. */
export function meansOf(
  drivers: ReadonlyArray<Driver>,
  references: ReferenceReaders,
  partitions?: number
): PlacesMeans {
  return {
    compile: (document) => Routes.compile(document, { drivers }),
    transportOf: (routes, name) => {
      const cluster = routes.clusters.get(name)
      if (cluster !== undefined) return openCluster(cluster, references, new OpeningWatch())
      const message = `no cluster named ${name} is in the document`
      return Effect.fail(routeError("clusters", message))
    },
    partitions
  }
}

export function compiled(
  { compile }: Pick<PlacesMeans, "compile">,
  document: string
): Result.Result<Routes, ControlError> {
  return Result.mapError(compile(document), ({ message }) =>
    refused(`the document has faults: ${message.replaceAll("\n", "; ")}`)
  )
}

/** The route whose read leg a stream has, whoever publishes it; or why there is none. */
export function readRouteOf(
  routes: Routes,
  stream: string
): Result.Result<{ readonly route: Route; readonly leg: Leg }, string> {
  const all = routes.routesOf(stream)
  const [route, ...others] = all
  if (route === undefined) return Result.fail(`no route of the document matches stream ${stream}, which is placed`)
  const leg = route.readLeg
  const other = others.find(({ readLeg }) => readLeg.sink !== leg.sink)
  if (other === undefined) return Result.succeed({ route, leg })
  return Result.fail(
    `stream ${stream} would be read at ${leg.sink} from source ${route.source}, and at ${other.readLeg.sink} from source ${other.source}; a stream that can be moved lies in one place`
  )
}

/** Where it lies or lay last: with the partitions that it was placed with there. */
function knownPlace({ epochs }: Placement, { cluster, topic }: Leg): Place | undefined {
  const [newest, before] = epochs.toReversed()
  const known = newest?.phase === "planned" ? [newest, before] : [newest]
  return known.find((epoch) => epoch !== undefined && isSameTopic(epoch.place, { cluster, topic, partitions: 0 }))
    ?.place
}

/** Why a document may not leave a place out; undefined: it may. */
function leftFault(routes: Routes, stream: string, { epochs }: Placement): string | undefined {
  const left = epochs.find(({ place, phase }) => phase !== "retired" && !routes.clusters.has(place.cluster))
  if (left === undefined) return undefined
  const { cluster, topic } = left.place
  return `cluster ${cluster} is not in the document, and stream ${stream} still lies in ${cluster}/${topic} there; leave it in until its move is over`
}

/** With the partitions that the topic has or would have. */
export function placeOf(
  { transportOf, partitions: given }: Pick<PlacesMeans, "transportOf" | "partitions">,
  routes: Routes,
  { cluster, topic, sink }: Leg
): Effect.Effect<Place, ControlError> {
  const asked = Effect.gen(function* () {
    const transport = yield* transportOf(routes, cluster)
    const found = yield* Effect.result(transport.bounds(topic))
    if (Result.isSuccess(found)) return found.success.length
    if (found.failure.reason !== "UnknownTopic") return yield* found.failure
    return given ?? (yield* transport.partitionsOf(topic))
  })
  return Effect.map(reached(sink, Effect.scoped(asked)), (partitions) => ({ cluster, topic, partitions }))
}

/** What a place says, or why it says nothing. */
function reached<A>(
  sink: string,
  asked: Effect.Effect<A, RouteError | TransportError>
): Effect.Effect<A, ControlError> {
  const late = Effect.fail(refused(`${sink} cannot be reached: no answer within ${askMs / 1000} seconds`))
  return asked.pipe(
    Effect.mapError((error) =>
      error instanceof TransportError && error.reason === "UnknownTopic"
        ? refused(
            `topic ${sink} is not there, and its cluster makes none by itself; say with how many it is to be made, by --partitions (partitions)`
          )
        : refused(`${sink} cannot be reached: ${error.message}`)
    ),
    Effect.catchDefect((defect) => Effect.fail(refused(`${sink} cannot be reached: ${textOfThrown(defect)}`))),
    Effect.timeoutOrElse({ duration: askMs, orElse: () => late })
  )
}

/** Why a table would not count although nobody is in between; undefined: it would. */
export function placesFault(
  control: Control,
  document: string,
  places: ReadonlyMap<string, Place>
): string | undefined {
  const one = { kind: "table", base: control.version, document, places } as const
  if (places.size === 0 || apply(control, one) !== control) return undefined
  for (const [stream, place] of places) {
    const alone = { ...one, places: new Map([[stream, place]]) }
    if (apply(control, alone) === control)
      return `stream ${stream} cannot lie in ${place.cluster}/${place.topic}: that place was abandoned, and nobody knows where it ends`
  }
  return "the document cannot be applied: the state of the control stream would be too large"
}
