/**
 * What another table changes for the streams that are open, and what of it may not be put in force. Pure: the same two tables and
 * streams give the same answer, to whoever swaps, plans or prints.
 */
import type { RouteFault } from "./RouteDocument.ts"
import type { Cluster } from "./Clusters.ts"
import type { Leg, Route, SubscriptionSettings } from "./Route.ts"
import type { Routes } from "./Routes.ts"
import { isSameValue } from "./sameValue.ts"

/** A stream that is open, and the groups that read it here. */
export interface OpenStream {
  readonly stream: string
  /** Who publishes and reads it. */
  readonly source: string
  readonly groups: ReadonlyArray<string>
}

/** What differs between two tables; everything empty: nothing that is open notices. */
export interface RouteDifference {
  /** Streams that would go to another place: sinks, epochs, the leg that is read, or the partition of a key. */
  readonly moved: ReadonlyArray<{
    readonly stream: string
    /** `cluster/topic` of each leg, sorted. */
    readonly from: ReadonlyArray<string>
    /** Empty: no route matches any more. */
    readonly to: ReadonlyArray<string>
    /** Where the new document says so. */
    readonly path: string
  }>
  /** Streams whose `level` differs. */
  readonly levels: ReadonlyArray<{ readonly stream: string; readonly level: Route["level"] }>
  /** Streams whose loss objective differs. */
  readonly objectives: ReadonlyArray<{ readonly stream: string; readonly objective: Route["objective"] }>
  /** Legs that stay where they are, and which of their settings differ. */
  readonly legs: ReadonlyArray<{
    readonly stream: string
    readonly leg: Leg
    readonly settings: ReadonlyArray<keyof Leg>
  }>
  /** Groups that read differently, and which of their settings differ. */
  readonly subscriptions: ReadonlyArray<{
    readonly stream: string
    readonly group: string
    readonly settings: ReadonlyArray<keyof SubscriptionSettings>
  }>
  /** Clusters whose section says something else, apart from the order of keys and lists. */
  readonly clusters: ReadonlyArray<{ readonly cluster: string; readonly change: "added" | "removed" | "changed" }>
}

/**
 * Lists what `after` changes for `streams`.
 *
 * @example
 * ```ts
 * const changes = difference(this.routes(), table, [{ stream: "risk.beacons.sighting", source: "mobile-app", groups: ["positions"] }])
 * for (const { stream, leg, settings } of changes.legs) console.log(`${stream} -> ${leg.sink}: ${settings.join(", ")}`)
 * ```
 */
export function difference(before: Routes, after: Routes, streams: ReadonlyArray<OpenStream>): RouteDifference {
  const pairs = streams.map((open) => ({
    ...open,
    old: before.lookup(open.stream, open.source),
    now: after.lookup(open.stream, open.source)
  }))
  return {
    moved: pairs.flatMap(({ stream, old, now }) => {
      if (isSameValue(placeOf(old), placeOf(now), "inOrder")) return []
      return [
        { stream, from: sinksOf(old), to: sinksOf(now), path: now === undefined ? "routes" : `routes[${now.index}].to` }
      ]
    }),
    levels: pairs.flatMap(({ stream, old, now }) =>
      now === undefined || old?.level === now.level ? [] : [{ stream, level: now.level }]
    ),
    objectives: pairs.flatMap(({ stream, old, now }) =>
      now === undefined || isSameValue(old?.objective, now.objective, "inOrder")
        ? []
        : [{ stream, objective: now.objective }]
    ),
    legs: pairs.flatMap(({ stream, old, now }) =>
      (now?.legs ?? []).flatMap((leg) => {
        const was = old?.legs.find(({ sink, epoch }) => sink === leg.sink && epoch === leg.epoch)
        const settings =
          was === undefined ? [] : differing(was, leg).filter((name) => name !== "path" && name !== "destination")
        return settings.length === 0 ? [] : [{ stream, leg, settings }]
      })
    ),
    subscriptions: pairs.flatMap(({ stream, groups }) =>
      groups.flatMap((group) => {
        const settings = differing(before.subscription(stream, group), after.subscription(stream, group))
        return settings.length === 0 ? [] : [{ stream, group, settings }]
      })
    ),
    clusters: changedClusters(before, after)
  }
}

/**
 * Why `after` may not take the place of `before`; empty: it may. `openClusters` are the names of those that are open.
 *
 * @example
 * ```ts
 * const faults = swapFaults(before, after, difference(before, after, streams), openTransports.keys())
 * if (faults.length > 0) return yield* new RouteError({ faults })
 * ```
 */
export function swapFaults(
  before: Routes,
  after: Routes,
  { moved, clusters }: RouteDifference,
  openClusters: Iterable<string>
): ReadonlyArray<RouteFault> {
  const open = new Set(openClusters)
  return [
    ...versionFaults(before, after),
    ...moved.map(({ stream, path }) => ({
      path,
      message: `stream ${stream} is open and would move; only policies, buffers, wires and levels can be swapped in this version`
    })),
    ...clusters.flatMap(({ cluster, change }) => {
      if (change === "added" || !open.has(cluster)) return []
      const message =
        change === "removed"
          ? `cluster ${cluster} is open and is not in this document; leave it in until its streams are closed`
          : `cluster ${cluster} is open with another section; give the new section another name, because what is open is not moved in this version`
      return [{ path: `clusters.${cluster}`, message }]
    })
  ]
}

/** A version names one content: who has applied 13 has applied the same as everybody else. */
function versionFaults(before: Routes, after: Routes): ReadonlyArray<RouteFault> {
  if (after.version > before.version) return []
  if (after.version < before.version) {
    const message = `version ${after.version} is older than ${before.version}, which is in force; give it a higher number, also to go back to what it says`
    return [{ path: "version", message }]
  }
  if (isSameValue(before.document, after.document, "inOrder")) return []
  const message = `version ${after.version} is in force with another content; give this document a higher number`
  return [{ path: "version", message }]
}

function placeOf(route: Route | undefined): unknown {
  return [
    route?.partitioner,
    route?.readLeg.sink,
    route?.legs.map(({ sink, epoch }) => `${sink} ${epoch}`).toSorted(),
    standInsOf(route)
  ]
}

/** What is in a spill or a fallback does not move to another one. */
function standInsOf(route: Route | undefined): unknown {
  return route?.legs.map(({ sink, spill, fallback }) => [sink, spill?.cluster, fallback]).toSorted()
}

function sinksOf(route: Route | undefined): ReadonlyArray<string> {
  return route?.legs.map(({ sink }) => sink).toSorted() ?? []
}

function differing<A extends object>(one: A, other: A): ReadonlyArray<keyof A & string> {
  const found: Array<keyof A & string> = []
  for (const key in one) if (!isSameValue(one[key], other[key], "inOrder")) found.push(key)
  return found
}

function changedClusters(before: Routes, after: Routes): RouteDifference["clusters"] {
  const names = new Set([...before.clusters.keys(), ...after.clusters.keys()])
  return Array.from(names).flatMap((cluster) => {
    const change = changeOf(before.clusters.get(cluster), after.clusters.get(cluster))
    return change === undefined ? [] : [{ cluster, change }]
  })
}

function changeOf(was: Cluster | undefined, now: Cluster | undefined): "added" | "removed" | "changed" | undefined {
  if (was === undefined) return "added"
  if (now === undefined) return "removed"
  const isSame = was.driver.name === now.driver.name && isSameValue(was.config, now.config, "inAnyOrder")
  return isSame ? undefined : "changed"
}
