/** Numbers of events by reason, and who hears of a reason that is counted for the first time: nothing is done for an event of a known one. */

/** Number of events by reason. */
export type Counts = Record<string, number>

const told = new WeakMap<Counts, (reason: string) => void>()

/** No members, its own prototype included. An object that has no prototype at all takes three times as much memory, and each stream has four. */
const noMembers: unknown = Object.freeze(Object.create(null))

/** Counts that begin. Nothing is inherited: a reason is any text, also one that objects have a member of. */
export function newCounts(): Counts {
  return Object.create(noMembers as object) as Counts
}

/** Counts so many events more of a reason. */
export function countReason(counts: Counts, reason: string, by = 1): void {
  const before = counts[reason]
  counts[reason] = (before ?? 0) + by
  if (before === undefined) told.get(counts)?.(reason)
}

/** Calls `began` for each reason that there is, and for each that is counted for the first time from now on. */
export function watchReasons(counts: Counts, began: (reason: string) => void): void {
  told.set(counts, began)
  for (const reason in counts) began(reason)
}

export function sum(counts: Readonly<Counts>): number {
  let total = 0
  for (const reason in counts) total += counts[reason] ?? 0
  return total
}

/** Both together, as plain data. */
export function added(left: Readonly<Counts>, right: Readonly<Counts>): Counts {
  const result = Object.assign(newCounts(), left)
  for (const [reason, more] of Object.entries(right)) result[reason] = (result[reason] ?? 0) + more
  return { ...result }
}
