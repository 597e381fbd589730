/**
 * Streams that leave the place of a spill, because their fleet moves them. A record of one is not sent to the old place any more: it waits until
 * the new place is open, and is carried there in its turn.
 */
import type { Effect } from "effect"
import type { EventId } from "../../record/EventId.ts"
import { markerOwner } from "../../record/CompactHeader.ts"
import { readMeta } from "../../record/Wire.ts"
import type { ReceivedRecord } from "../../transport/index.ts"
import type { Changes } from "../Changes.ts"
import type { Written } from "./Unproven.ts"

/** Takes records of one stream to the place where it is written now. */
export interface Carrier {
  /**
   * In order, each until it is stored. `stored` is told how many more are, and answers whether the rest is still to go there. What is interrupted may
   * land later, as a copy.
   */
  readonly carry: (records: ReadonlyArray<ReceivedRecord>, stored: (count: number) => boolean) => Effect.Effect<void>
  /**
   * An event of it was stored there. One of this process is counted elsewhere as moved out. Not carried there again: it may be read again before it is settled.
   */
  readonly arrived: (id: EventId) => void
  /** What it carries to. */
  readonly written: Written
  /** What it carries, where to, and why that does not get on, as far as it is known. */
  readonly what: string
  /** Called before it is asked whether all that has arrived of others counts there; and what it gives, when it does. */
  readonly asked: () => () => void
}

/** Where a record of a spill goes: to the destination, nowhere for the time being, or elsewhere. */
export type SpillFate = "send" | "wait" | Carrier

export interface Departures {
  /** `stream`: its name, or what stands for it in the compact wire. `epoch`: as the record says. */
  readonly fateOf: (stream: string, sink: string, epoch: number | undefined) => SpillFate
  /** Whether any stream is placed: else nobody has to look. */
  readonly isPlaced: boolean
  /** In which epochs records are stored that are sent there, of those that a process before this one has left. */
  readonly leftIn: (records: ReadonlyArray<ReceivedRecord>, sink: string) => ReadonlyArray<Written>
  /** Whether a record is of this process. What that has stored counts anyway: where the epoch had ended it is swept. */
  readonly isOwn: (record: ReceivedRecord) => boolean
  /** Whether they would count there, as far as is known now. */
  readonly mayCount: (records: ReadonlyArray<ReceivedRecord>, sink: string) => boolean
  /** To how many partitions of a place the events of a stream go; undefined: to all, for it is not placed there. */
  readonly partitionsOf: (stream: string, sink: string, epoch: number | undefined) => number | undefined
  /**
   * Whether what was stored there counts as far as is known, of what a process before this one has left: nobody sweeps that, so the epoch must not have
   * ended before. It is so for sure of what was stored before `looked` began.
   */
  readonly mayStillCount: (written: Written) => boolean
  /** Whether it does for sure, without another look. */
  readonly counts: (written: Written) => boolean
  /** Completes when the control stream was read to its end: waits while that cannot be. */
  readonly looked: Effect.Effect<void>
  /** Why the control stream cannot be read or written; undefined: it can. */
  readonly trouble: string | undefined
  readonly changes: Changes
}

/** Whether a record is of an incarnation: an event, or what announces drops. */
export function isOf({ headers }: ReceivedRecord, incarnation: string): boolean {
  const { id, isMarker } = readMeta(headers, "")
  return (isMarker ? markerOwner(headers[0]?.[1])?.incarnation : id?.incarnation) === incarnation
}

/** Records that follow each other and go the same way. */
export interface Stretch {
  readonly fate: SpillFate
  readonly records: ReadonlyArray<ReceivedRecord>
}

/** The fate of a record. What no leat has written, or says no stream, goes where it was to go. */
export function fateOf({ headers }: ReceivedRecord, sink: string, departures: Departures): SpillFate {
  const { id, epoch, isMarker } = readMeta(headers, "")
  const stream = isMarker ? markerOwner(headers[0]?.[1])?.tag : id?.stream
  return stream === undefined ? "send" : departures.fateOf(stream, sink, epoch)
}

/** The first of them that go the same way. */
export function firstStretch(records: ReadonlyArray<ReceivedRecord>, sink: string, departures: Departures): Stretch {
  const [first] = records
  const fate = first === undefined ? "send" : fateOf(first, sink, departures)
  const end = records.findIndex((record) => fateOf(record, sink, departures) !== fate)
  return { fate, records: end < 0 ? records : records.slice(0, end) }
}
