/** What a document would move, and why it may not; nothing is written. */
import { Clock, Effect, Result } from "effect"
import type { Control } from "../control/Control.ts"
import { ControlError } from "../control/ControlError.ts"
import type { Place } from "../control/ControlRecord.ts"
import { applyFault, type FleetProcess, processesOf, versionAt } from "../control/fleet.ts"
import { compiled, leftBehindIn, legsOf, placeOf, type PlacesMeans, readRouteOf } from "../control/places.ts"
import { mirrorFault, type SaidOfRest } from "../control/leftBehind.ts"
import { endsOf, isSameTopic } from "../control/Placement.ts"
import type { ContractInfo } from "../contract/Contract.ts"
import { meant, nearest } from "../given/nearest.ts"
import { versionIn } from "../routes/documentVersion.ts"
import { globMatches } from "../routes/Glob.ts"
import { readGroupFaults } from "../routes/groupTopicFault.ts"
import { partitionFault } from "../routes/partitionFault.ts"
import { givenUpAfter } from "../routes/RouteFaults.ts"
import type { Leg, Route, RouteError, Routes } from "../routes/Routes.ts"
import type { TransportError } from "../transport/index.ts"
import { type ForeignWriter, foreignWriters } from "./foreignWriters.ts"
import { answered, placeText } from "./Places.ts"
import type { QuietProcess, Silence } from "./Silence.ts"
import { isThere, type MadeTopic, madeAfter } from "./targetTopics.ts"
import { Trouble } from "./Trouble.ts"

/** What becomes of the order of a key while its stream moves: kept, or given up so that groups need not wait. */
export type MoveOrder = "keep" | "relaxed"

/** A stream that a document puts elsewhere. */
export interface PlannedMove {
  readonly stream: string
  readonly from: Place
  readonly to: Place
  /** The epoch that it has where it lies. */
  readonly epoch: number
  /** Whether the control stream knows already where it lies. */
  readonly isPlaced: boolean
  /** Whether a person holds it: it goes when it is resumed. */
  readonly isPaused: boolean
  readonly order: MoveOrder
  /** Absent: its topic is there. */
  readonly makes?: MadeTopic
  readonly foreignWriters: ReadonlyArray<ForeignWriter>
}

/** What a document would move. */
export interface MovePlan {
  /** Version of the document in force, and of the one that may follow it. */
  readonly from: number
  readonly to: number
  readonly moves: ReadonlyArray<PlannedMove>
  readonly processes: ReadonlyArray<FleetProcess>
  /** Processes that nobody has heard of for a minute: they are passed over, and the move ends when they come back or are given up. */
  readonly silent: ReadonlyArray<string>
  /** Processes that may be gone: the start waits until they beat, or count as gone. */
  readonly quiet: ReadonlyArray<QuietProcess>
  /** Why it may not be started, a sentence each; empty: it may. */
  readonly refused: ReadonlyArray<string>
}

export interface Asked {
  readonly said: SaidOfRest
  readonly document: string
  /** Streams that no document names without a star have to be named. */
  readonly streams: ReadonlyArray<string>
  readonly foreignWritersStopped: boolean
  readonly contracts: ReadonlyArray<ContractInfo>
  readonly order: MoveOrder
  /** Whoever starts it waits until each process has the document in force that is, or counts as gone. */
  readonly waits: boolean
}

/** What is known of the fleet. */
export interface KnownFleet {
  readonly control: Control
  /** Who has written in the control stream, and when last, as far as it is kept. */
  readonly seen: ReadonlyMap<string, number>
  readonly silence: Silence
}

export const planMove = (
  { control, seen, silence }: KnownFleet,
  means: PlacesMeans,
  asked: Asked
): Effect.Effect<MovePlan, ControlError> =>
  Effect.gen(function* () {
    const { document } = asked
    const nowMs = yield* Clock.currentTimeMillis
    const processes = processesOf(control)
    const names = processes.map(({ incarnation }) => incarnation)
    const silent = names.filter((name) => silence.isGone(name, nowMs))
    const quiet = names.map((name) => silence.quiet(name, nowMs)).filter((one) => one !== undefined)
    const told = { from: versionAt(control, control.version), to: versionIn(document), processes, silent, quiet }
    const fault = control.version === 0 ? noDocument : applyFault(control, document)
    if (fault !== undefined) return { ...told, moves: [], refused: [fault] }
    const before = yield* Effect.fromResult(compiled(means, control.document))
    const after = yield* Effect.fromResult(compiled(means, document))
    const waitedFor = asked.waits ? quiet.map(({ incarnation }) => incarnation) : []
    const refused: Array<string> = [...lateProcesses(control, new Set([...silent, ...waitedFor]))]
    const moves: Array<PlannedMove> = []
    const named = namedStreams(control, before, after, asked)
    refused.push(...asked.streams.filter((one) => !matchesAny(one, named)).map(noMatch))
    for (const stream of named) {
      const found = candidate(control, before, after, stream)
      if (typeof found === "string") refused.push(found)
      else if (found !== undefined) {
        refused.push(...orderFaults(found, asked))
        const { move, faults } = yield* looked(found, { before, after, means, asked, control, seen, silence })
        if (move !== undefined) moves.push(move)
        refused.push(...faults)
      } else if (asked.streams.includes(stream))
        refused.push(`stream ${stream} lies in the same place in both documents`)
    }
    if (moves.length === 0 && refused.length === 0) refused.push(nothingMoves)
    return { ...told, moves, refused }
  })

const noDocument = "no document was applied yet; apply the one that is in force first, by npx leat routes apply"
const nothingMoves = "the document moves no stream that is known; name those that routes have with a star, by --stream"

/**
 * Those that are asked about, are placed, or stand in a route by their whole name: the document may move all of them. Of names with a star also those
 * of contracts.
 */
function namedStreams(
  { streams }: Control,
  before: Routes,
  after: Routes,
  { streams: asked, contracts }: Asked
): ReadonlyArray<string> {
  const isWhole = (name: string): boolean => !name.includes("*")
  const inRoutes = [before, after].flatMap(({ document }) => document.routes.map(({ match }) => match.stream))
  const matched = contracts.map(({ stream }) => stream).filter((name) => asked.some((glob) => globMatches(glob, name)))
  return Array.from(new Set([...asked.filter(isWhole), ...streams.keys(), ...inRoutes.filter(isWhole), ...matched]))
}

const matchesAny = (asked: string, found: ReadonlyArray<string>): boolean =>
  found.some((name) => globMatches(asked, name))

const noMatch = (glob: string): string =>
  `no stream that is known matches ${glob}; known are those that were placed, that routes have without a star, and those of contracts`

/** A process that has not this document in force may not take the next one either, and would hold up the move. */
function lateProcesses(control: Control, excused: ReadonlySet<string>): ReadonlyArray<string> {
  const version = versionAt(control, control.version)
  return processesOf(control).flatMap(({ incarnation, applied, refused }) => {
    if (applied === version || excused.has(incarnation)) return []
    const why = refused === undefined ? "" : `; it refuses ${refused}`
    return [
      `process ${incarnation} has ${applied === 0 ? "its own routes" : `version ${applied}`} in force, and not version ${version}${why}`
    ]
  })
}

interface Candidate {
  readonly stream: string
  readonly route: Route
  readonly leg: Leg
  readonly was: Leg
  readonly isPlaced: boolean
}

/** Undefined: it does not move. */
function candidate(control: Control, before: Routes, after: Routes, stream: string): Candidate | string | undefined {
  const placement = control.streams.get(stream)
  const [old, now] = [readRouteOf(before, stream), readRouteOf(after, stream)]
  if (Result.isFailure(now)) return now.failure
  if (Result.isFailure(old)) return placement === undefined ? undefined : old.failure
  const [was, leg] = [old.success.leg, now.success.leg]
  if (was.sink === leg.sink) return undefined
  if (old.success.route.partitioner !== now.success.route.partitioner)
    return `stream ${stream} would move and have another partitioner; change that on its own`
  const { source, newest } = placement === undefined ? { source: undefined, newest: undefined } : endsOf(placement)
  if (source !== undefined && newest !== undefined)
    return `stream ${stream} moves to ${placeText(newest.place)} already; abort that, or wait until it is over`
  const [here, there] = [after.clusters.get(was.cluster)?.place, after.clusters.get(leg.cluster)?.place]
  if (was.topic === leg.topic && here !== undefined && here === there)
    return `stream ${stream} would move from ${was.sink} to ${leg.sink}, which is the same topic under another name of its cluster; a stream has to move to another topic, and a cluster keeps its name while streams lie there`
  if (!after.clusters.has(was.cluster))
    return `cluster ${was.cluster} is not in the document, and what lies in ${was.sink} has to be read there; leave it in until the move is over`
  const mirror = mirrorFault(stream, legsOf(before, stream), leg.sink, (placement?.lastEpoch ?? was.epoch) + 1)
  if (mirror !== undefined) return mirror
  return { stream, route: now.success.route, leg, was, isPlaced: placement !== undefined }
}

/** Who reads it keeps order whatever the move says. */
function orderFaults({ stream }: Candidate, { order, contracts }: Asked): ReadonlyArray<string> {
  if (order === "keep" || contracts.find((one) => one.stream === stream)?.compacted !== true) return []
  return [
    `stream ${stream} is compacted: what counts is the last event of each key, so its move keeps order; leave --order out (order)`
  ]
}

interface Looking extends KnownFleet {
  readonly before: Routes
  readonly after: Routes
  readonly means: PlacesMeans
  readonly asked: Asked
}

/** Looks at both places. */
const looked = (
  { stream, route, leg, was, isPlaced }: Candidate,
  { before, after, means, asked, control, seen }: Looking
): Effect.Effect<{ readonly move: PlannedMove | undefined; readonly faults: ReadonlyArray<string> }> =>
  Effect.gen(function* () {
    const placement = control.streams.get(stream)
    const newest = placement === undefined ? undefined : endsOf(placement).newest
    const unknown = isPlaced ? undefined : yield* unknownFault(stream, was, { control, before, means, asked })
    if (unknown !== undefined) return { move: undefined, faults: [unknown] }
    const from =
      newest !== undefined && isSameTopic(newest.place, { ...was, partitions: 0 })
        ? newest.place
        : yield* placeOf({ ...means, partitions: undefined }, before, was)
    const to = yield* placeOf(means, after, leg)
    const faults: Array<string> = []
    const contract = asked.contracts.find((one) => one.stream === stream)
    const wrong = contract === undefined ? undefined : partitionFault(contract, route, leg, to.partitions)
    if (wrong !== undefined) faults.push(wrong.message)
    faults.push(...readGroupFaults(stream, placement?.groups ?? [], leg).map(({ message }) => message))
    faults.push(
      ...(yield* leftBehindIn(means, before, after, { stream, was, place: from, said: { ...asked.said, contract } }))
    )
    const nowMs = yield* Clock.currentTimeMillis
    const [ofNew, isMade] = yield* Effect.scoped(
      Effect.flatMap(means.transportOf(after, leg.cluster), (transport) =>
        Effect.map(isThere(transport, leg.topic), (found) => [transport.capabilities, !found] as const)
      )
    )
    const isOfFleet = (incarnation: string) =>
      control.members.has(incarnation) || placement?.writers.has(incarnation) === true || seen.has(incarnation)
    const asking = Effect.scoped(
      Effect.flatMap(means.transportOf(before, was.cluster), (transport) =>
        Effect.all([
          foreignWriters(transport, from, stream, isOfFleet, nowMs),
          isMade ? madeAfter(contract, transport, from.topic) : Effect.undefined
        ])
      )
    )
    // Who has said that nobody else writes there may move away from a cluster that is gone.
    const [writers, makes] = yield* asked.foreignWritersStopped && placement !== undefined
      ? Effect.orElseSucceed(Effect.timeout(asking, goneMs), () => [[], unasked(contract, isMade)] as const)
      : asking
    const ofOld = before.clusters.get(was.cluster)?.capabilities ?? ofNew
    const givenUp = givenUpAfter(leg.policy).join(", ")
    if (ofNew.ordering === "none" || ofNew.batch === "each") faults.push(`${leg.sink} keeps no order of records`)
    else if (ofOld.ordering === "perPartition" && ofNew.ordering !== "perPartition" && givenUp !== "")
      faults.push(
        `${leg.sink} keeps order only where nothing is given up, and its policy gives up after ${givenUp}; ${was.sink} keeps it in any case`
      )
    if (ofOld.lag === "none")
      faults.push(`${was.sink} does not tell what groups have settled, so nobody knows when it has been read`)
    if (!asked.foreignWritersStopped) faults.push(...writers.map((one) => foreignText(one, from, nowMs)))
    return {
      move: {
        stream,
        from,
        to,
        epoch: newest?.epoch ?? was.epoch,
        isPlaced,
        isPaused: placement?.isPaused === true,
        order: asked.order,
        foreignWriters: writers,
        ...(makes === undefined ? {} : { makes })
      },
      faults
    }
  }).pipe(
    Effect.mapError((error) => (error instanceof ControlError ? new Trouble({ why: error.detail }) : error)),
    (looking) => answered(looking, `stream ${stream}`, lookMsMax),
    Effect.catch(({ why }) => Effect.succeed({ move: undefined, faults: [why] }))
  )

/** How a topic is made whose old one cannot be asked. */
const unasked = (contract: ContractInfo | undefined, isMade: boolean): MadeTopic | undefined =>
  isMade ? { isCompacted: contract?.compacted ?? false, isKnown: contract !== undefined } : undefined

const unpublished =
  "; a stream that nobody has published yet goes where the document has it that npx leat routes apply applies"

/** Why a stream that was never placed cannot move: it lies nowhere, mostly because its name is another. Undefined: its topic is there. */
const unknownFault = (
  stream: string,
  { cluster, topic, sink }: Leg,
  { control, before, means, asked: { contracts } }: Pick<Looking, "control" | "before" | "means" | "asked">
): Effect.Effect<string | undefined, RouteError | TransportError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const transport = yield* means.transportOf(before, cluster)
      if (yield* isThere(transport, topic)) return undefined
      const known = [...control.streams.keys(), ...contracts.map((one) => one.stream)]
      const topics = yield* Effect.orElseSucceed(transport.topics ?? Effect.succeed([]), () => [])
      const other = nearest(topic, topics)
      const ofTopic = other === undefined ? unpublished : `; did you mean the stream of topic ${cluster}/${other}?`
      return `stream ${stream}: topic ${sink} is not there, so nothing of it can move${meant(stream, known) || ofTopic}`
    })
  )

/** All that is asked for one stream, in milliseconds. */
const lookMsMax = 180_000

/** How long a place is asked that may be left without an answer, in milliseconds. */
const goneMs = 30_000

function foreignText({ incarnation, records, lastMs }: ForeignWriter, from: Place, nowMs: number): string {
  const who =
    incarnation === "" ? "somebody who does not use leat" : `${incarnation}, which is no process of the fleet,`
  const seconds = Math.max(0, Math.round((nowMs - lastMs) / 1000))
  return `${who} has written to ${placeText(from)} ${seconds} seconds ago (${records} records of the last minutes); stop it, and say --foreign-writers-stopped (foreignWritersStopped)`
}
