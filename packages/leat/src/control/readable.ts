/**
 * What a group may deliver from a partition. Epochs follow each other: a later one begins when the group has settled all earlier ones, in every
 * partition that shares a bucket with it. One whose move need not keep order is read beside them.
 */
import type { Place } from "./ControlRecord.ts"
import { endsOf, type Epoch, isSamePlace, isSameTopic, type Placement } from "./Placement.ts"

/** The position of a group: the first one that it has not settled. Older than it was does no harm. */
export type SettledOf = (place: Place, partition: number) => number

/** From `from` on, up to `end` where that is known, records of `epoch` may be delivered; late ones in no order with other epochs. */
export interface Readable {
  readonly epoch: number
  readonly from: number
  readonly end: number | undefined
  readonly isLate: boolean
}

/** `undefined`: the reader stands. `keepsOrder`: whatever its moves say, as of a state, whose last word is the one that counts. */
export function readableIn(
  { epochs }: Placement,
  place: Place,
  partition: number,
  settledOf: SettledOf,
  keepsOrder = false
): Readable | undefined {
  for (const [index, epoch] of epochs.entries()) {
    if (!isSamePlace(epoch.place, place) || isPassed(epoch, partition, settledOf)) continue
    const begin = epoch.begin?.[partition]
    const earlier = epochs.slice(0, index)
    // A group has one position in a partition: in the same topic, also with another count of partitions, nothing can be passed over.
    const waitsFor =
      epoch.isRelaxed === true && !keepsOrder ? earlier.filter((one) => isSameTopic(one.place, place)) : earlier
    if (begin === undefined || !waitsFor.every((one) => isBehind(one, epoch, partition, settledOf))) return undefined
    const from = Math.max(settledOf(place, partition), begin)
    return { epoch: epoch.epoch, from, end: epoch.end?.[partition], isLate: epoch.phase === "abandoned" }
  }
  return undefined
}

/**
 * What to do with a record that lies there. One of an older epoch was written by somebody who was passed over, or came late: it is
 * swept, or was sent again. One of a newer epoch has to wait until the control stream has told of it.
 */
export function fateOf({ epoch }: Readable, recordEpoch: number): "deliver" | "skip" | "stand" {
  if (recordEpoch === epoch) return "deliver"
  return recordEpoch < epoch ? "skip" : "stand"
}

/** Whether a group has settled all of an epoch in a partition. An epoch that is empty there is settled, wherever the group stands. */
export function isPassed({ phase, place, begin, end }: Epoch, partition: number, settledOf: SettledOf): boolean {
  const [first, last] = [begin?.[partition], end?.[partition]]
  if (phase === "retired") return true
  return first !== undefined && last !== undefined && Math.max(settledOf(place, partition), first) >= last
}

function isBehind(earlier: Epoch, later: Epoch, partition: number, settledOf: SettledOf): boolean {
  if (earlier.phase === "abandoned") return true
  const shared = greatestDivisor(earlier.place.partitions, later.place.partitions)
  // Two partitions share a bucket when their numbers are the same modulo what both counts share.
  for (let parent = partition % shared; parent < earlier.place.partitions; parent += shared)
    if (!isPassed(earlier, parent, settledOf)) return false
  return true
}

function greatestDivisor(one: number, other: number): number {
  return other === 0 ? one : greatestDivisor(other, one % other)
}

/** The epoch whose topic may not be there: the coordinator makes it before it seals for it, or else before it opens it. */
export function unmadeOf(placement: Placement): Epoch | undefined {
  const { newest, source } = endsOf(placement)
  if (newest === undefined || source === undefined) return undefined
  const isSealedForIt = source.phase === "sealing" || source.phase === "sealed"
  return isSealedForIt && source.attempt === newest.epoch ? undefined : newest
}
