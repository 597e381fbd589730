/**
 * What stands in the control stream. All processes read it in the same order and fold it into the same state (`Control`).
 *
 * A record that changes a placement or the table names the number that it is based on (`base`): it counts only where that is the number
 * in force at its own position. The others only ever add, and may come twice: joins, beats, drains, sweeps, hand-overs.
 */

/** Where a stream lies. */
export interface Place {
  readonly cluster: string
  readonly topic: string
  readonly partitions: number
}

/** One position for each partition. */
export type Positions = ReadonlyArray<number>

export type ControlRecord =
  | TableRecord
  | PlacedRecord
  /** An incarnation writes a stream. It sends nothing before it has read this back. */
  | { readonly kind: "joined"; readonly stream: string; readonly member: string }
  /** It writes the stream no more, and all that it sent has its answer. It never joins again. */
  | { readonly kind: "left"; readonly stream: string; readonly member: string; readonly upTo: Positions }
  | BeatRecord
  /** Nobody hears of a process any more, which was judged by so many beats. */
  | { readonly kind: "forgotten"; readonly member: string; readonly beats: number }
  /** From here on writers gate what is offered and empty their old lanes. */
  | { readonly kind: "sealing"; readonly stream: string; readonly base: number }
  /** A person's word: the stream begins no step that nobody waits for, until it is resumed. What has begun goes on until the stream is written again. */
  | { readonly kind: "paused"; readonly stream: string; readonly base: number }
  | { readonly kind: "resumed"; readonly stream: string; readonly base: number }
  | DrainedRecord
  | SealedRecord
  | AbandonedRecord
  | SnapshotRecord
  /** Gates open. `begin`: the end of each partition of the target, read after `sealed`. */
  | { readonly kind: "opened"; readonly stream: string; readonly base: number; readonly begin: Positions }
  /** What members that were passed over wrote behind the end, up to here, is stored in the newest epoch. */
  | { readonly kind: "swept"; readonly stream: string; readonly epoch: number; readonly upTo: Positions }
  /** A member that was passed over is dead, and so is all that it sent: a person's word. `upTo` was read after that. */
  | {
      readonly kind: "givenUp"
      readonly stream: string
      readonly epoch: number
      readonly member: string
      readonly upTo: Positions
    }
  /** A group reads a stream: an epoch is not retired before it has settled it. */
  | { readonly kind: "reads"; readonly stream: string; readonly group: string }
  /** A group has settled all of the epoch. */
  | { readonly kind: "handedOver"; readonly stream: string; readonly epoch: number; readonly group: string }
  /** Nobody needs the epoch any more; `groups` are all that its old transport knows. */
  | {
      readonly kind: "retired"
      readonly stream: string
      readonly base: number
      readonly epoch: number
      readonly groups: ReadonlyArray<string>
    }

/** A process lives, and has applied this version of the table. */
export interface BeatRecord {
  readonly kind: "beat"
  readonly member: string
  readonly version: number
  /** Why it has no later version in force; empty: it refuses none. */
  readonly refused: string
  /** By stream: events in its spills for places that the stream is leaving, or has left. For people: nothing is decided by it. */
  readonly spilled?: ReadonlyMap<string, number> | undefined
}

/** A whole document, new or an older one again. `places`: where its streams lie, with names and stars resolved by who planned it. */
export interface TableRecord {
  readonly kind: "table"
  readonly base: number
  /** As its author wrote it. */
  readonly document: string
  readonly places: ReadonlyMap<string, Place>
  /** Streams that need not keep their order while they move; absent: none. Who does not know of it keeps order. */
  readonly relaxed?: ReadonlySet<string> | undefined
}

/**
 * From here on it is known where a stream lies, so that it can be moved. All processes of the fleet are its writers, whether they have written it or
 * not: one writes nothing before it has read its first beat back, so that each is a process of the fleet here, or reads this before it writes.
 */
export interface PlacedRecord {
  readonly kind: "placed"
  readonly stream: string
  /** The version of the table that says so. */
  readonly base: number
  readonly place: Place
  /** What its records say there; 1 or more. */
  readonly epoch: number
}

/** A member has nothing left in its old lanes, nothing in flight and nothing in doubt. `upTo`: the end of each partition, read after that. */
export interface DrainedRecord {
  readonly kind: "drained"
  readonly stream: string
  readonly epoch: number
  /** Which sealing of the epoch it answers: a stale answer to one that was aborted must not count for the next. */
  readonly attempt: number
  readonly member: string
  readonly upTo: Positions
}

/** The barrier. */
export interface SealedRecord {
  readonly kind: "sealed"
  readonly stream: string
  readonly base: number
  /** The end of each partition, read when all others had drained. */
  readonly end: Positions
  /** Who is passed over, with how many beats it was judged by: one more, and the record does not count. */
  readonly over: ReadonlyMap<string, number>
}

/**
 * A person's word: the place of an epoch is dead, and nobody waits for what only it has. What has no answer there goes to the newest epoch, perhaps
 * twice. Where the place comes back, the rest is delivered late, in no order with what came after.
 */
export interface AbandonedRecord {
  readonly kind: "abandoned"
  readonly stream: string
  readonly base: number
  readonly epoch: number
}

/**
 * A part of the state that all records before `upTo` lead to, so that a new process need not read those. It changes nothing: who has read them knows.
 */
export interface SnapshotRecord {
  readonly kind: "snapshot"
  /** A position of the control stream. */
  readonly upTo: number
  /** From 0 on. */
  readonly part: number
  readonly parts: number
  readonly bytes: Uint8Array
}
