/** How far the moves of a fleet are, for people. */
import { Effect } from "effect"
import type { Control } from "../control/Control.ts"
import type { FoldedRecord } from "../control/ControlFold.ts"
import type { Place } from "../control/ControlRecord.ts"
import { missingIn } from "../control/moves.ts"
import type { Epoch, Placement } from "../control/Placement.ts"
import type { Places } from "./Places.ts"
import type { MoveOrder } from "./planMove.ts"
import { otherGroups, unsettled, untoldGroups } from "./retire.ts"
import type { Trouble } from "./Trouble.ts"

/** A group that reads an epoch. */
export interface EpochGroup {
  readonly group: string
  readonly hasSettled: boolean
  /** No process of the fleet has said that it reads with it: its cluster has. */
  readonly isOther: boolean
  /** Positions that it has not settled; absent: nobody has asked, or its cluster does not say. */
  readonly behind?: number
}

/** A writer that was passed over, or that may still write to an abandoned place. */
export interface PassedWriter {
  readonly member: string
  /** Whether it has not said up to where it wrote. */
  readonly isOwing: boolean
}

/** An epoch of a stream, in its place. */
export interface EpochStatus extends Place {
  readonly epoch: number
  readonly phase: Epoch["phase"]
  /** Whether groups read it beside what is left of the epochs before it, or behind that. */
  readonly order: MoveOrder
  /** Writers that are waited for. */
  readonly missing: ReadonlyArray<string>
  readonly passedOver: ReadonlyArray<PassedWriter>
  /** Of one that is being read to its end. */
  readonly groups: ReadonlyArray<EpochGroup>
  /** Why it is not known how far the groups are, or which groups there are. */
  readonly trouble?: string
}

/** A process whose spills hold events for places that a stream is leaving, or has left: they go along. */
export interface SpillingMember {
  readonly member: string
  /** As it said at its last beat, with what the same spill holds of other streams. */
  readonly events: number
}

/** A stream that the control stream knows the place of. */
export interface StreamStatus {
  readonly stream: string
  /** Oldest first. */
  readonly epochs: ReadonlyArray<EpochStatus>
  /** Processes that have it open and may publish it, also those that only read it. */
  readonly writers: number
  readonly groups: ReadonlyArray<string>
  /** Who holds what goes along in its spills. */
  readonly spilled: ReadonlyArray<SpillingMember>
  /** Whether a person holds it: its next move does not begin, and what it has left is kept. */
  readonly isPaused: boolean
  /** When its last step was, by the clock of who wrote it; absent: so long ago that it stands in a snapshot alone. */
  readonly sinceMs?: number
}

/** Notes when the last step of each stream was. */
export class LastSteps {
  readonly #times = new Map<string, number>()

  readonly see = ({ entry: { record }, timeMs, counts }: FoldedRecord): void => {
    if (!counts || timeMs === 0) return
    if (record.kind === "table") for (const stream of record.places.keys()) this.#note(stream, timeMs)
    else if ("stream" in record && !["joined", "reads", "left"].includes(record.kind)) this.#note(record.stream, timeMs)
  }

  sinceMs(stream: string): number | undefined {
    return this.#times.get(stream)
  }

  #note(stream: string, timeMs: number): void {
    this.#times.set(stream, timeMs)
  }
}

/** `places` undefined: no cluster is asked. */
export const statusOf = (
  control: Control,
  steps: LastSteps,
  places: Places | undefined
): Effect.Effect<ReadonlyArray<StreamStatus>> =>
  Effect.forEach(control.streams, ([stream, placement]) =>
    Effect.map(
      Effect.forEach(placement.epochs, (epoch) => epochStatus({ control, stream, placement }, epoch, places)),
      (epochs) => {
        const sinceMs = steps.sinceMs(stream)
        const writers = Array.from(placement.writers.values()).filter((how) => how === "joined").length
        const { isPaused } = placement
        const spilled = Array.from(control.members).flatMap(([member, { spilled: said }]) => {
          const events = said?.get(stream) ?? 0
          return events > 0 ? [{ member, events }] : []
        })
        const told = { stream, epochs, writers, groups: Array.from(placement.groups), spilled, isPaused }
        return sinceMs === undefined ? told : { ...told, sinceMs }
      }
    )
  )

interface Of {
  readonly control: Control
  readonly stream: string
  readonly placement: Placement
}

function epochStatus(
  { control, stream, placement }: Of,
  epoch: Epoch,
  places: Places | undefined
): Effect.Effect<EpochStatus> {
  const { phase, place, over, handedOver } = epoch
  const isRead = phase === "sealed" || phase === "abandoned"
  const told: EpochStatus = {
    epoch: epoch.epoch,
    ...place,
    phase,
    order: epoch.isRelaxed === true ? "relaxed" : "keep",
    missing: phase === "sealing" ? missingIn(placement, epoch) : [],
    passedOver: Array.from(over, ([member, upTo]) => ({ member, isOwing: upTo === undefined })),
    groups: isRead
      ? Array.from(placement.groups, (group): EpochGroup => ({
          group,
          hasSettled: handedOver.has(group),
          isOther: false
        }))
      : []
  }
  if (places === undefined || !isRead) return Effect.succeed(told)
  return Effect.gen(function* () {
    const groups = yield* behind(epoch, told.groups, places)
    const others = yield* otherGroups(control, stream, place, places)
    if (others === undefined) return { ...told, groups, trouble: untoldGroups(place) }
    const found = others.map((group) => ({ group, hasSettled: handedOver.has(group), isOther: true }))
    return { ...told, groups: [...groups, ...(yield* behind(epoch, found, places))] }
  }).pipe(Effect.catch(({ why }) => Effect.succeed({ ...told, trouble: why })))
}

function behind(
  epoch: Epoch,
  groups: ReadonlyArray<EpochGroup>,
  places: Places
): Effect.Effect<ReadonlyArray<EpochGroup>, Trouble> {
  return Effect.forEach(groups, (one) =>
    one.hasSettled
      ? Effect.succeed(one)
      : Effect.map(places.bounds(epoch.place, one.group), (rows) => ({ ...one, behind: unsettled(epoch, rows) }))
  )
}
