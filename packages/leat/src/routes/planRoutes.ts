/**
 * What another table changes for the streams that are open, and what of it may not be put in force. Pure: the same two tables and
 * streams give the same answer, to whoever swaps, plans or prints.
 *
 * A leg is its sink, `cluster/topic`: one that only the new table has is added, one that only the old table has is removed, and of one that
 * both have the settings may differ. A stream moves when its read leg, its partitioner or the epoch of a leg differs, because then the order
 * of its keys hangs on more than one place; so it does when the spill or the fallback of a leg differs, which holds events of the leg.
 */
import { isObject, takes } from "../given/takes.ts"
import type { RouteFault } from "./RouteDocument.ts"
import type { Cluster } from "./Clusters.ts"
import type { Leg, Route, SubscriptionSettings } from "./Route.ts"
import type { Routes } from "./Routes.ts"
import { readGroupFaults } from "./groupTopicFault.ts"
import { isSameValue } from "./sameValue.ts"
import { otherStandIns } from "./standIns.ts"

/** A stream that is open, or that a tool asks about, and the groups that read it there. */
export interface PlannedStream {
  readonly stream: string
  /** Who publishes and reads it. */
  readonly source: string
  readonly groups: ReadonlyArray<string>
  /** Whether the fleet has placed it: it may be moved then, and the control stream says when. */
  readonly isPlaced?: boolean
}

/** What becomes of one leg of a stream. */
export interface LegChange {
  /** `cluster/topic`. */
  readonly sink: string
  readonly change: "added" | "removed" | "settings"
  /** What of it differs; empty for one that is added or removed. */
  readonly settings: ReadonlyArray<keyof Leg>
  /** The leg of the new table; of one that is removed, that of the old one. */
  readonly leg: Leg
}

/** What becomes of a stream; at least one thing does. */
export interface StreamChange {
  readonly stream: string
  readonly source: string
  /** That of the new table, where it differs; undefined: it does not. */
  readonly level: Route["level"] | undefined
  /** Whether its loss objective differs. */
  readonly hasOtherObjective: boolean
  readonly legs: ReadonlyArray<LegChange>
  /** Why it would move, which is refused while it is open; empty: it does not. */
  readonly moves: ReadonlyArray<RouteFault>
}

/** What comes and goes: `cluster/topic`, and names of clusters; sorted. */
export interface PlannedPlaces {
  readonly sinks: ReadonlyArray<string>
  readonly clusters: ReadonlyArray<string>
}

/** What a table changes; no streams, groups and clusters: nothing that is open notices. */
export interface RoutePlan {
  readonly streams: ReadonlyArray<StreamChange>
  /** Groups that read differently, and which of their settings differ. */
  readonly groups: ReadonlyArray<{
    readonly stream: string
    readonly group: string
    readonly settings: ReadonlyArray<keyof SubscriptionSettings>
  }>
  /** Clusters whose section says something else, apart from the order of keys and lists. One that is open and changed is opened a second time, beside. */
  readonly clusters: ReadonlyArray<{ readonly cluster: string; readonly change: "added" | "removed" | "changed" }>
  /** Opened before the table is in force. */
  readonly opened: PlannedPlaces
  /** Closed when it is empty, unless somebody else uses it. */
  readonly closed: PlannedPlaces
  /** Why the table may not take the place of the other; empty: it may. */
  readonly refused: ReadonlyArray<RouteFault>
}

/**
 * Lists what `after` changes for `streams`. `inUse`: the clusters that are open, as they were when they were opened; where nobody says so, those
 * of the streams.
 *
 * @example
 * ```ts
 * const { streams, refused } = planRoutes(before, after, [{ stream: "risk.beacons.sighting", source: "mobile-app", groups: ["positions"] }])
 * for (const { stream, legs } of streams) for (const { sink, change } of legs) console.log(`${stream}: ${sink} ${change}`)
 * for (const { path, message } of refused) console.error(`${path}: ${message}`)
 * ```
 */
export function planRoutes(
  before: Routes,
  after: Routes,
  streams: ReadonlyArray<PlannedStream>,
  inUse?: ReadonlyMap<string, Cluster>
): RoutePlan {
  for (const table of [before, after])
    takes("planRoutes", "tables, as Routes.compile gives them", isTable(table), table)
  takes("planRoutes", "a list of streams", Array.isArray(streams) && streams.every(isObject), streams)
  const pairs = streams.map((open) => ({
    ...open,
    old: before.lookup(open.stream, open.source),
    now: after.lookup(open.stream, open.source)
  }))
  const changed = pairs.flatMap((pair) => streamChange(pair) ?? [])
  const [were, are] = [pairs.map(({ old }) => old), pairs.map(({ now }) => now)]
  const [clustersBefore, clustersAfter] = [clustersOf(were), clustersOf(are)]
  const clusters = changedClusters(before, after)
  const opens = inUse ?? new Map(Array.from(clustersBefore, (name) => [name, before.clusters.get(name)] as const))
  return {
    streams: changed,
    groups: pairs.flatMap(({ stream, groups }) =>
      groups.flatMap((group) => {
        const settings = differing(before.subscription(stream, group), after.subscription(stream, group))
        return settings.length === 0 ? [] : [{ stream, group, settings }]
      })
    ),
    clusters,
    opened: { sinks: without(sinksOf(are), sinksOf(were)), clusters: without(clustersAfter, clustersBefore) },
    closed: { sinks: without(sinksOf(were), sinksOf(are)), clusters: without(clustersBefore, clustersAfter) },
    refused: [
      ...versionFaults(before, after),
      ...changed.flatMap(({ moves }) => moves),
      ...clusterFaults(after, opens),
      ...pairs.flatMap(groupFaults)
    ]
  }
}

/** Where the stream is read in another topic. */
function groupFaults({ stream, groups, old, now }: Pair): ReadonlyArray<RouteFault> {
  const isThere = now === undefined || now.readLeg.topic === old?.readLeg.topic
  return isThere ? [] : readGroupFaults(stream, groups, now.readLeg)
}

function isTable(value: unknown): boolean {
  return isObject(value) && typeof value["lookup"] === "function" && value["clusters"] instanceof Map
}

/** Of one stream. */
interface Pair extends PlannedStream {
  readonly old: Route | undefined
  readonly now: Route | undefined
}

function streamChange(pair: Pair): StreamChange | undefined {
  const { stream, source, old, now } = pair
  const legs = [...(now?.legs ?? []).flatMap((leg) => changeOf(leg, old)), ...removed(old, now)]
  const change = {
    stream,
    source,
    level: old === undefined || now === undefined || old.level === now.level ? undefined : now.level,
    hasOtherObjective: now !== undefined && !isSameValue(old?.objective, now.objective, "inOrder"),
    legs,
    moves: movesOf(pair)
  }
  const { level, hasOtherObjective, moves } = change
  return legs.length === 0 && moves.length === 0 && level === undefined && !hasOtherObjective ? undefined : change
}

function changeOf(leg: Leg, old: Route | undefined): ReadonlyArray<LegChange> {
  const { sink } = leg
  const was = old?.legs.find((one) => one.sink === sink)
  if (was === undefined) return [{ sink, change: "added", settings: [], leg }]
  const settings = differing(was, leg).filter((name) => name !== "path" && name !== "destination")
  return settings.length === 0 ? [] : [{ sink, change: "settings", settings, leg }]
}

function removed(old: Route | undefined, now: Route | undefined): ReadonlyArray<LegChange> {
  const gone = old?.legs.filter(({ sink }) => now?.legs.every((leg) => leg.sink !== sink) !== false) ?? []
  return gone.map((leg) => ({ sink: leg.sink, change: "removed", settings: [], leg }))
}

/** Why what is open of the stream would have to go elsewhere. */
function movesOf({ stream, old, now, isPlaced = false }: Pair): ReadonlyArray<RouteFault> {
  if (old === undefined) return []
  if (now === undefined)
    return [{ path: "routes", message: `stream ${stream} is open, and no route matches it any more; leave one in` }]
  const moves: Array<RouteFault> = []
  const refused = (path: string, message: string) => moves.push({ path, message })
  const at = `routes[${now.index}]`
  if (old.readLeg.sink !== now.readLeg.sink && !isPlaced) {
    const message = `stream ${stream} is open and would move: its read leg is ${old.readLeg.sink}, and would be ${now.readLeg.sink}; only other legs can be added or removed while it is open; in a fleet, npx leat move start moves it`
    refused(`${at}.to`, message)
  }
  if (old.partitioner !== now.partitioner) {
    const message = `stream ${stream} is open with the partitioner ${old.partitioner}; with another one its keys would go to other partitions`
    refused(`${at}.partitioner`, message)
  }
  for (const leg of now.legs) {
    const was = old.legs.find(({ sink }) => sink === leg.sink)
    if (was === undefined) continue
    // The control stream says which epoch is written where.
    if (was.epoch !== leg.epoch && !(isPlaced && leg === now.readLeg))
      refused(`${leg.path}.epoch`, `stream ${stream} is open at ${leg.sink} in epoch ${was.epoch}; it keeps that`)
    for (const name of otherStandIns(was, leg)) {
      const how = was[name] === undefined ? "without a" : leg[name] === undefined ? "with a" : "with another"
      const message = `stream ${stream} is open at ${leg.sink} ${how} ${name}; what holds events of an open leg does not come, go or move in this version`
      refused(`${leg.path}.${name}`, message)
    }
  }
  return moves
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

/** A cluster that is open gets another client, and no other kind of one: what has it open counts on what it can do. */
function clusterFaults(after: Routes, inUse: ReadonlyMap<string, Cluster | undefined>): ReadonlyArray<RouteFault> {
  return Array.from(inUse).flatMap(([cluster, was]) => {
    const now = after.clusters.get(cluster)
    if (now === undefined || was === undefined) return []
    const isAlike = was.driver.name === now.driver.name && isSameValue(was.capabilities, now.capabilities, "inOrder")
    if (isAlike) return []
    const message = `cluster ${cluster} is open, and its new section is of ${was.driver.name === now.driver.name ? "a cluster that can do other things" : "another transport"}; give that a name of its own`
    return [{ path: `clusters.${cluster}`, message }]
  })
}

function sinksOf(routes: ReadonlyArray<Route | undefined>): ReadonlySet<string> {
  return new Set(routes.flatMap((route) => route?.legs.map(({ sink }) => sink) ?? []))
}

/** Those that legs, their spills and their fallbacks are on. */
function clustersOf(routes: ReadonlyArray<Route | undefined>): ReadonlySet<string> {
  const legs = routes.flatMap((route) => route?.legs ?? [])
  const names = legs.flatMap(({ cluster, spill, fallback }) => [cluster, spill?.cluster, ...(fallback?.clusters ?? [])])
  return new Set(names.filter((name) => name !== undefined))
}

function without(some: ReadonlySet<string>, others: ReadonlySet<string>): ReadonlyArray<string> {
  return Array.from(some)
    .filter((one) => !others.has(one))
    .toSorted()
}

function differing<A extends object>(one: A, other: A): ReadonlyArray<keyof A & string> {
  const found: Array<keyof A & string> = []
  for (const key in one) if (!isSameValue(one[key], other[key], "inOrder")) found.push(key)
  return found
}

function changedClusters(before: Routes, after: Routes): RoutePlan["clusters"] {
  const names = new Set([...before.clusters.keys(), ...after.clusters.keys()])
  return Array.from(names).flatMap((cluster) => {
    const change = changeOfSection(before.clusters.get(cluster), after.clusters.get(cluster))
    return change === undefined ? [] : [{ cluster, change }]
  })
}

function changeOfSection(
  was: Cluster | undefined,
  now: Cluster | undefined
): "added" | "removed" | "changed" | undefined {
  if (was === undefined) return "added"
  if (now === undefined) return "removed"
  return isSameSection(was, now) ? undefined : "changed"
}

/** Whether two sections say the same. */
export function isSameSection(was: Cluster, now: Cluster): boolean {
  return was.driver.name === now.driver.name && isSameValue(was.config, now.config, "inAnyOrder")
}
