/**
 * Moves of placed streams for tools: what a document would move, the start of it, the way back, a person's word about what is dead, and how far all is.
 * The processes of the fleet do the rest.
 *
 * @example
 * ```ts
 * const tool = { author: "move 7", drivers: [log], reason: "the new cluster" }
 * const { version } = yield* MoveTools.start(transport, { ...tool, document: readFileSync("routes.yaml", "utf8"), streams: ["shop.orders"] })
 * const [orders] = yield* MoveTools.status(transport, tool)
 * ```
 */
import { Effect, Result } from "effect"
import type { AppliedTable } from "../control/ControlledRoutes.ts"
import type { ControlError } from "../control/ControlError.ts"
import type { Place } from "../control/ControlRecord.ts"
import type { SaidOfRest } from "../control/leftBehind.ts"
import type { Tool } from "../control/ControlTools.ts"
import { compiled, placeOf, placesWith, readRouteOf } from "../control/places.ts"
import { endsOf, type Placement } from "../control/Placement.ts"
import type { ContractInfo } from "../contract/Contract.ts"
import { isObject, kindOf, shown } from "../given/takes.ts"
import type { Transport } from "../transport/index.ts"
import { namesText } from "./awaited.ts"
import { backTo } from "./backTo.ts"
import { statusOf, type StreamStatus } from "./moveStatus.ts"
import { fleetOf, given, type MoveTool, type OpenFleet, refused, routesOf, writing } from "./openFleet.ts"
import { awaitApplied, awaitReaders, placed } from "./placing.ts"
import { holds } from "./pausing.ts"
import { type MoveOrder, type MovePlan, type PlannedMove, planMove } from "./planMove.ts"
import { makeTargets } from "./targetTopics.ts"
import { checkedWaves, goOnInWaves, type Waves, type WavesEnd } from "./waves.ts"

export { abandon, giveUp, type GivenUp, retire } from "./dead.ts"
export { type MovePause, pause, resume } from "./pausing.ts"
export { resumeInWaves } from "./resumeInWaves.ts"
export type { MoveTool } from "./openFleet.ts"
export type { SaidOfRest } from "../control/leftBehind.ts"
export type { Place } from "../control/ControlRecord.ts"
export type { ForeignWriter } from "./foreignWriters.ts"
export type { EpochGroup, EpochStatus, PassedWriter, SpillingMember, StreamStatus } from "./moveStatus.ts"
export type { MoveOrder, MovePlan, PlannedMove } from "./planMove.ts"
export type { QuietProcess } from "./Silence.ts"
export type { MadeTopic } from "./targetTopics.ts"
export type { EndedWave, WavedStream, Waves, WavesEnd } from "./waves.ts"

/** A document that moves streams. */
export interface MoveAsked extends MoveTool, SaidOfRest {
  readonly document: string
  /** Streams that are to move; those of routes without a star, and those that were placed, need no name. `shop.*`: those of them that match. */
  readonly streams?: ReadonlyArray<string> | undefined
  /** Partitions of a topic that is not there; as many as its cluster gives it when absent. */
  readonly partitions?: number | undefined
  /** Whoever writes the old topic without being a process of the fleet was stopped. */
  readonly foreignWritersStopped?: boolean | undefined
  /** Contracts that are known: their buckets have to fit the partitions. */
  readonly contracts?: ReadonlyArray<ContractInfo> | undefined
  /**
   * `keep`, when absent: a group is given what stands in the new place when it has settled the old one, so each key keeps its order. `relaxed`: at once, beside
   * what is left at the old one. Not for a contract that is compacted.
   */
  readonly order?: MoveOrder | undefined
  /** They go a few at a time; all at once when absent. The start ends when they have, or when one wave was not well. */
  readonly waves?: Waves | undefined
  /** Is told whom the start waits for, in a sentence: a process that may be gone, and when it counts as gone. */
  readonly onWaiting?: ((why: string) => void) | undefined
}

/** A move that was started. */
export interface StartedMove extends AppliedTable {
  readonly moves: ReadonlyArray<PlannedMove>
  /** How far they got, where they go in waves. */
  readonly waves?: WavesEnd
}

/** Looks what a document would move, and why it may not. Writes nothing. */
export const plan = (
  transport: Pick<Transport, "read" | "bounds">,
  asked: MoveAsked
): Effect.Effect<MovePlan, ControlError> =>
  Effect.andThen(
    given(transport, ["read", "bounds"], asked, { document: asked?.document }),
    Effect.scoped(
      Effect.suspend(() => Effect.flatMap(fleetOf(transport, asked), (fleet) => planned(fleet, asked, true)))
    )
  )

const planned = (fleet: OpenFleet, asked: MoveAsked, waits: boolean): Effect.Effect<MovePlan, ControlError> => {
  const { document, streams = [], foreignWritersStopped = false, contracts = [], order = "keep" } = asked
  if (order !== "keep" && order !== "relaxed")
    return Effect.fail(refused(`order is keep or relaxed, and not ${shown(order)}`))
  return planMove(fleet, fleet.means, {
    document,
    streams,
    foreignWritersStopped,
    contracts,
    order,
    waits,
    said: asked
  })
}

/**
 * Moves streams: places what is not placed, waits until all processes know of that, and applies the document. A process that does not beat is waited for
 * until it counts as gone, half a minute. Fails with `Refused` and all reasons where it may not. The processes go on from there; `status` says how far they are.
 */
export const start = (transport: Transport, asked: MoveAsked): Effect.Effect<StartedMove, ControlError> =>
  writing(transport, asked, { document: asked?.document }, (fleet) =>
    Effect.gen(function* () {
      const { stream, means } = fleet
      const waves = yield* checkedWaves(asked.waves)
      const isDry = asked.isDryRun === true
      const { onWaiting = () => {} } = asked
      if (typeof onWaiting !== "function")
        return yield* refused(`onWaiting is a function, and not ${kindOf(onWaiting)}`)
      const waiting = { fleet, onWaiting }
      if (!isDry) yield* awaitApplied(waiting)
      const { moves, refused: why } = yield* planned({ ...fleet, control: stream.control }, asked, isDry)
      if (why.length > 0) return yield* refused(why.join("; "))
      const reason = asked.reason ?? ""
      // A place that cannot be made is found while nothing is written yet.
      if (!isDry) yield* makeTargets(means, asked, moves)
      for (const { stream: name, from, epoch, isPlaced } of moves)
        if (!isPlaced) yield* placed(stream, name, from, epoch, reason)
      const isNews = moves.some(({ isPlaced }) => !isPlaced)
      if (isNews && !isDry) yield* awaitReaders(waiting)
      const relaxed = moves.filter(({ order }) => order === "relaxed").map(({ stream: name }) => name)
      const some = relaxed.length === 0 ? undefined : new Set(relaxed)
      const applied = routesOf(stream).apply(asked.document, reason, placesWith(means, asked), some)
      if (waves === undefined || isDry) return { ...(yield* applied), moves }
      const isPaused = (name: string): boolean => stream.control.streams.get(name)?.isPaused === true
      const names = moves.map(({ stream: name }) => name)
      // Whom a person has paused before stays paused.
      const left = names.filter(isPaused)
      const those = names.filter((name) => !left.includes(name))
      for (const name of those) yield* holds(stream, name, true, reason)
      const { version } = yield* Effect.tapError(applied, () =>
        Effect.ignore(Effect.forEach(those, (name) => holds(stream, name, false, reason)))
      )
      const ended = yield* goOnInWaves(stream, those, waves, reason)
      return { version, moves, waves: { ...ended, left: [...ended.left, ...left] } }
    })
  )

/** Says where streams lie, by the document in force, so that documents can move them. Nothing moves by it. */
export const place = (
  transport: Transport,
  asked: MoveTool & { readonly streams: ReadonlyArray<string> }
): Effect.Effect<ReadonlyMap<string, Place>, ControlError> =>
  writing(transport, asked, {}, ({ stream, means }) =>
    Effect.gen(function* () {
      const found = new Map<string, Place>()
      const { control } = stream
      if (control.version === 0) return yield* refused("no document was applied yet, so none says where a stream lies")
      const routes = yield* Effect.fromResult(compiled(means, control.document))
      for (const name of asked.streams ?? []) {
        const known = control.streams.get(name)?.epochs.at(-1)?.place
        if (known === undefined) {
          const { leg } = yield* Effect.fromResult(Result.mapError(readRouteOf(routes, name), refused))
          const at = yield* placeOf(means, routes, leg)
          yield* placed(stream, name, at, leg.epoch, asked.reason ?? "")
          found.set(name, at)
        } else found.set(name, known)
      }
      return found
    })
  )

/** Ends moves that hold nothing up for good yet: applies an older document again, with a new version, that has those streams where they lie. */
export const abort = (transport: Transport, tool: MoveTool & SaidOfRest): Effect.Effect<AppliedTable, ControlError> =>
  writing(transport, tool, {}, (fleet) => {
    const { streams } = fleet.stream.control
    const moving = Array.from(streams).filter(([, placement]) => endsOf(placement).source !== undefined)
    const late = moving.filter(([, placement]) => !isAbortable(placement)).map(([name]) => name)
    if (moving.length === 0)
      return Effect.fail(refused("no stream is about to move; to take one back that has moved, roll back"))
    if (late.length > 0)
      return Effect.fail(
        refused(`${namesText(late)} is sealed where it lay, and goes on from there; roll back instead`)
      )
    const back = new Map(moving.flatMap(([name, placement]) => pairOf(name, endsOf(placement).source?.place)))
    return backTo(fleet, tool, back)
  })

function pairOf(name: string, at: Place | undefined): ReadonlyArray<readonly [string, Place]> {
  return at === undefined ? [] : [[name, at]]
}

/** Before `sealed` the old place can be written on. */
function isAbortable(placement: Placement): boolean {
  const { source } = endsOf(placement)
  return source?.phase === "open" || source?.phase === "sealing"
}

/** Moves streams back: applies the last document, with a new version, that has them where they lay before. All that was moved last when none is named. */
export const rollback = (
  transport: Transport,
  asked: MoveTool & SaidOfRest & { readonly streams?: ReadonlyArray<string> | undefined }
): Effect.Effect<AppliedTable, ControlError> =>
  writing(transport, asked, {}, (fleet) => {
    const { control } = fleet.stream
    const back = new Map<string, Place>()
    for (const name of asked.streams ?? control.streams.keys()) {
      const { epochs = [] } = control.streams.get(name) ?? {}
      const before = epochs.at(-2)?.place
      if (before !== undefined) back.set(name, before)
      else if (asked.streams !== undefined)
        return Effect.fail(refused(`stream ${name} has not moved, as far as is known`))
    }
    if (back.size === 0) return Effect.fail(refused("no stream has moved, as far as is known"))
    return backTo(fleet, asked, back)
  })

/** How far the moves of all placed streams are. Without drivers no cluster is asked, and nobody knows how far groups are behind. */
export const status = (
  transport: Pick<Transport, "read" | "bounds">,
  asked: Pick<Tool, "topic" | "drivers"> = {}
): Effect.Effect<ReadonlyArray<StreamStatus>, ControlError> =>
  Effect.suspend(() => {
    const { topic, drivers } = isObject(asked) ? asked : ({} as Pick<Tool, "topic" | "drivers">)
    const named = { topic, drivers: drivers ?? [], author: "" }
    return Effect.andThen(
      given(transport, ["read", "bounds"], named, {}),
      Effect.scoped(
        Effect.flatMap(fleetOf(transport, named), ({ control, steps, places }) =>
          statusOf(control, steps, drivers === undefined ? undefined : places)
        )
      )
    )
  })
