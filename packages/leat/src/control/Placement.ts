/**
 * Where a stream lies and lay: a list of epochs, oldest first. The newest is `planned` or `open`; each one before it is `open`, `sealing`,
 * `sealed`, `abandoned` or `retired`. A place may come more than once, so an epoch is a range of positions in each partition of its place.
 */
import type { Place, Positions } from "./ControlRecord.ts"

export interface Placement {
  /** Changes of this placement that counted. The next one has to be based on it. */
  readonly step: number
  /** The highest number that an epoch had, planned ones that were dropped included. */
  readonly lastEpoch: number
  readonly epochs: ReadonlyArray<Epoch>
  readonly writers: ReadonlyMap<string, "joined" | "left" | "givenUp">
  /** That read the stream: an epoch is retired when all of them have settled it. */
  readonly groups: ReadonlySet<string>
  /** A person has said so: no sealing begins, and no epoch is retired. */
  readonly isPaused: boolean
}

export interface Epoch {
  readonly epoch: number
  readonly place: Place
  readonly phase: "planned" | "open" | "sealing" | "sealed" | "abandoned" | "retired"
  /** Where it begins; undefined: it was not opened yet. */
  readonly begin: Positions | undefined
  /** Where it ends; undefined: it is not sealed yet, or was abandoned and nobody knows. */
  readonly end: Positions | undefined
  /** The number of the epoch that its sealing was for, or for which it was abandoned. */
  readonly attempt: number
  readonly drained: ReadonlyMap<string, Positions>
  /** Who was passed over and is not swept yet; with its `upTo` when it has drained since. Of an abandoned one, who may still write there. */
  readonly over: ReadonlyMap<string, Positions | undefined>
  /** Up to where records of those are swept. */
  readonly swept: Positions
  readonly handedOver: ReadonlySet<string>
  /** What stands there is read beside what is left of the epochs before it, and not behind that. Absent: order is kept. */
  readonly isRelaxed?: boolean | undefined
}

/** An epoch that is planned and has begun nowhere. */
export function plannedEpoch(epoch: number, place: Place, isRelaxed = false): Epoch {
  const order = isRelaxed ? { isRelaxed } : {}
  const none = { begin: undefined, end: undefined, attempt: 0, swept: [] }
  return {
    epoch,
    place,
    phase: "planned",
    ...none,
    drained: new Map(),
    over: new Map(),
    handedOver: new Set(),
    ...order
  }
}

export function isSamePlace(one: Place, other: Place): boolean {
  return isSameTopic(one, other) && one.partitions === other.partitions
}

export function isSameTopic(one: Place, other: Place): boolean {
  return one.cluster === other.cluster && one.topic === other.topic
}

/** The newest epoch, and the one that it is to follow while it is planned. */
export function endsOf({ epochs }: Placement): {
  readonly newest: Epoch | undefined
  readonly source: Epoch | undefined
} {
  const newest = epochs.at(-1)
  return { newest, source: newest?.phase === "planned" ? epochs.at(-2) : undefined }
}

/** Whether somebody who was passed over may still have records that are not swept, or may still write to an abandoned place. */
export function isSweeping({ epochs }: Placement): boolean {
  return epochs.some(({ over }) => over.size > 0)
}
