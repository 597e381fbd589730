/**
 * What several streams may not do to each other in one topic. Legs are compared as they are for a stream that is known, with every
 * name filled in: texts that differ (`{stream}` and the name written out, two clusters with one address) may be one topic.
 *
 * One route has one leg to a topic. A topic has one wire; in the compact wire it implies type and stream, so it belongs to one stream,
 * and so does a compacted topic in any wire, because it keeps one record of a key. A sink has one policy, breaker, buffer, linger, batch
 * and time-out, since it is one buffer for all streams that a process writes there.
 */
import type { ContractInfo } from "../contract/Contract.ts"
import { globsMeet } from "./Glob.ts"
import type { Leg, Route } from "./Route.ts"
import type { RouteFault } from "./RouteDocument.ts"

/** One stream at one leg. A stream with a `*` in it stands for those that a route may match. */
interface Visit {
  readonly stream: string
  readonly isCompacted: boolean
  readonly route: Route
  readonly leg: Leg
  /** All that is the same for all streams of one sink, as text. */
  readonly settings: string
}

/** Of one destination. */
interface Place {
  readonly byStream: Map<string, Array<Visit>>
  /** Of those that other streams cannot tell apart: the first, and the first of another stream. */
  readonly alike: Map<string, Array<Visit>>
}

/** What meetings need of a contract. */
export type MeetingStream = Pick<ContractInfo, "stream" | "compacted">

/**
 * The streams that are known to a process or a document, and where they meet.
 *
 * @example
 * ```ts
 * // In a leat: one for the table in force. Ask before anything of a stream is opened; forget a stream that could not be opened.
 * const meetings = table.meetings("mobile-app")
 * const faults = meetings.add(BeaconSighting)
 * if (faults.length > 0) return yield* new RouteError({ faults })
 * ```
 */
export class Meetings {
  readonly #routesOf: (stream: string) => ReadonlyArray<Route>
  readonly #streams = new Map<string, ReadonlyArray<Visit>>()
  /** By destination. */
  #places = new Map<string, Place>()
  /** Each text of settings once: most legs have the same, and there may be thousands of streams. */
  readonly #texts = new Map<string, string>()

  constructor(routesOf: (stream: string) => ReadonlyArray<Route>) {
    this.#routesOf = routesOf
  }

  /**
   * Adds a stream, unless it may not meet those that are there; says why not, with the path of its leg. The cost does not depend on
   * how many streams there are.
   */
  add({ stream, compacted }: MeetingStream, routes = this.#routesOf(stream)): ReadonlyArray<RouteFault> {
    const visits = routes.flatMap((route) =>
      route.legs.map((leg): Visit => ({ stream, isCompacted: compacted, route, leg, settings: this.#textOf(leg) }))
    )
    const faults = visits.flatMap((visit, index) => {
      const own = visits.slice(0, index).filter(({ leg }) => leg.destination === visit.leg.destination)
      const place = this.#places.get(visit.leg.destination)
      const others = Array.from(place?.alike.values() ?? [], (alike) => alike.find((one) => one.stream !== stream))
      for (const other of [...own, ...(place?.byStream.get(stream) ?? []), ...others]) {
        const fault = other === undefined ? undefined : conflict(visit, other)
        if (fault !== undefined) return [fault]
      }
      return []
    })
    if (faults.length > 0) return faults
    this.#streams.set(stream, visits)
    for (const visit of visits) this.#visit(visit)
    return []
  }

  #textOf(leg: Leg): string {
    const text = textOf(leg)
    const known = this.#texts.get(text)
    if (known === undefined) this.#texts.set(text, text)
    return known ?? text
  }

  /** Forgets a stream that could not be opened. */
  delete(stream: string): void {
    if (!this.#streams.delete(stream)) return
    this.#places = new Map()
    for (const visits of this.#streams.values()) for (const visit of visits) this.#visit(visit)
  }

  #visit(visit: Visit): void {
    const { stream, leg } = visit
    const place: Place = this.#places.get(leg.destination) ?? { byStream: new Map(), alike: new Map() }
    this.#places.set(leg.destination, place)
    const own = place.byStream.get(stream) ?? []
    // A stream may be opened again and again.
    const isKnown = own.some((one) => one.leg.path === leg.path && one.isCompacted === visit.isCompacted)
    if (!isKnown) place.byStream.set(stream, [...own, visit])
    const alike = place.alike.get(likeness(visit)) ?? []
    place.alike.set(likeness(visit), alike)
    if (alike.length === 0 || (alike.length === 1 && alike[0]?.stream !== stream)) alike.push(visit)
  }
}

/** Whatever is in conflict with one of those that have the same is in conflict with each: of one sink and source they have one set of settings, too. */
function likeness({ stream, isCompacted, route, leg }: Visit): string {
  return JSON.stringify([leg.wire, isCompacted, isGlob(stream), leg.sink, route.source])
}

/** Why two visits may not be to one destination, told of the first. */
function conflict(visit: Visit, other: Visit): RouteFault | undefined {
  const { leg } = visit
  const isOneStream = visit.stream === other.stream
  if (isOneStream && visit.route.index === other.route.index) {
    if (leg.path === other.leg.path) return undefined
    const names =
      leg.cluster === other.leg.cluster ? "" : `; clusters ${other.leg.cluster} and ${leg.cluster} are one place`
    return { path: leg.path, message: `the route already has a leg to ${leg.sink}, ${other.leg.path}${names}` }
  }
  if (leg.wire !== other.leg.wire) {
    const message = `${other.leg.path} writes ${leg.sink} with wire ${other.leg.wire}; a topic has one wire`
    return { path: `${leg.path}.wire`, message }
  }
  return isOneStream ? undefined : (sharing(visit, other) ?? otherSettings(visit, other))
}

/** Two streams in one topic. */
function sharing(visit: Visit, other: Visit): RouteFault | undefined {
  if (isGlob(visit.stream) || isGlob(other.stream)) return undefined
  const { leg } = visit
  const meet = `streams ${other.stream} and ${visit.stream} meet in topic ${leg.sink}`
  const path = `${leg.path}.topic`
  if (visit.isCompacted || other.isCompacted) {
    const compacted = visit.isCompacted ? visit.stream : other.stream
    const message = `${meet}; ${compacted} is compacted, which keeps one record of a key: use {stream} in the topic`
    return { path, message }
  }
  if (leg.wire === "cloudevents") return undefined
  return { path, message: `${meet} with wire compact; use {stream} in the topic, or wire cloudevents` }
}

const settings = {
  policy: ({ policy }: Leg) => JSON.stringify(policy),
  spill: ({ spill }: Leg) => JSON.stringify(spill),
  breaker: ({ breaker }: Leg) => JSON.stringify(breaker),
  fallback: ({ fallback }: Leg) => JSON.stringify(fallback),
  "buffer.bytes": ({ bufferBytesMax }: Leg) => bufferBytesMax,
  "buffer.overflow": ({ overflow }: Leg) => overflow,
  linger: ({ lingerMs }: Leg) => lingerMs,
  "batch.bytes": ({ batchBytes }: Leg) => batchBytes,
  "batch.records": ({ batchRecords }: Leg) => batchRecords,
  timeout: ({ timeoutMs }: Leg) => timeoutMs
} as const

/** One sink of one process with two settings. */
function otherSettings(visit: Visit, other: Visit): RouteFault | undefined {
  const { leg } = visit
  if (visit.settings === other.settings || leg.sink !== other.leg.sink) return undefined
  if (!globsMeet(visit.route.source, other.route.source)) return undefined
  const differing = Object.entries(settings).flatMap(([name, of]) => (of(leg) === of(other.leg) ? [] : [name]))
  if (differing.length === 0) return undefined
  const message = `${leg.sink} is one sink and ${other.leg.path} gives it another ${differing.join(" and ")}; make them the same`
  return { path: leg.path, message }
}

function textOf(leg: Leg): string {
  return JSON.stringify(Object.values(settings).map((of) => of(leg) ?? null))
}

function isGlob(stream: string): boolean {
  return stream.includes("*")
}
