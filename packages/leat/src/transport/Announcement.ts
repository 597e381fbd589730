/**
 * What a leat writes down of its ledger now and then, so that after a crash it is known exactly what of the announced was
 * lost. What came after the last announcement is unknown, and never taken for nothing.
 */
import type { Effect } from "effect"
import type { LedgerSnapshot, LegRow, ReadRow, StreamRow } from "../ledger/Ledger.ts"
import type { UnannouncedRange } from "../ledger/Unannounced.ts"
import type { ObjectiveRow } from "../ledger/ObjectiveRow.ts"
import type { TransportError } from "./TransportError.ts"

/** Next sequence of a bucket; what is below was admitted. `[17, 205]`: sequences 0 to 204. */
export type BucketNext = readonly [bucket: number, next: number]

/** The counters of one stream, and how far its buckets had got. */
export interface AnnouncedStream extends StreamRow {
  /** Buckets that have had an event, with the sequence that the next one will get. */
  readonly sequences: ReadonlyArray<BucketNext>
}

/** The counters of a leg; of a leat that was closed with the drops that no record announces. */
export interface AnnouncedLeg extends LegRow {
  /** Absent: nobody can tell which they were. */
  readonly unannounced?: ReadonlyArray<UnannouncedRange>
}

/** A row of a lane that was read, with its positions as decimal text. */
export interface AnnouncedLane extends Omit<ReadRow, "start" | "end"> {
  readonly start: string
  readonly end: string
}

/**
 * All counters of one incarnation at one moment; plain JSON. A `LedgerStore` is given them, `readLedgers` of `@leat/log`
 * reads them back.
 */
export interface Announcement {
  /** UUIDv7 of the leat that announces. */
  readonly incarnation: string
  /** The `source` of its options. */
  readonly source: string
  /** Epoch milliseconds. */
  readonly announcedAtMs: number
  /** Whether the leat was closed after this: then nothing is missing. */
  readonly isClosed: boolean
  readonly streams: ReadonlyArray<AnnouncedStream>
  /** What was written, by stream and sink. */
  readonly legs: ReadonlyArray<AnnouncedLeg>
  /** Lanes that it reads or has read, by group. */
  readonly lanes: ReadonlyArray<AnnouncedLane>
  /** How its loss objectives stand; absent where it has none. */
  readonly objectives?: ReadonlyArray<ObjectiveRow>
}

/** What is announced. */
export interface Books {
  readonly snapshot: () => LedgerSnapshot
  readonly objectives: () => ReadonlyArray<ObjectiveRow>
}

/** The drops that no record announces. */
export interface DropBooks {
  /** Of each leg of the snapshot, in its order; undefined: there are too many to say. */
  readonly unannounced: ReadonlyArray<ReadonlyArray<UnannouncedRange> | undefined>
}

/**
 * Where announcements are kept, one for each incarnation.
 *
 * @example
 * ```ts
 * import { ledgerStore, log } from "@leat/log"
 *
 * const leat = yield* Leat.make({ source: "mobile-app", routes, drivers: [log], ledger: { store: ledgerStore("./data") } })
 * ```
 */
export interface LedgerStore {
  /**
   * Puts this announcement in place of the last one of its incarnation, whole or not at all. When it fails, or gives no
   * answer for ten seconds, leat logs a warning, once while the reason is the same, and announces again later; never before the last one has its answer.
   */
  readonly save: (announcement: Announcement) => Effect.Effect<void, TransportError>
}

/** The books as they stand now; `sequences` gives the buckets of a stream. */
export function announcementOf(
  books: Books,
  drops: DropBooks,
  sequences: (stream: string) => ReadonlyArray<BucketNext>,
  {
    incarnation,
    source,
    announcedAtMs,
    isClosed
  }: Pick<Announcement, "incarnation" | "source" | "announcedAtMs" | "isClosed">
): Announcement {
  const { streams, legs, lanes } = books.snapshot()
  const objectives = books.objectives()
  // Before it is closed a later record may announce them.
  const unannounced = isClosed ? drops.unannounced : []
  return {
    incarnation,
    source,
    announcedAtMs,
    isClosed,
    streams: streams.map((row) => ({ ...row, sequences: sequences(row.stream) })),
    legs: legs.map((leg, index) => {
      const ranges = unannounced[index]
      return ranges === undefined ? leg : { ...leg, unannounced: ranges }
    }),
    lanes: lanes.map((row) => ({ ...row, start: String(row.start), end: String(row.end) })),
    ...(objectives.length === 0 ? {} : { objectives })
  }
}
