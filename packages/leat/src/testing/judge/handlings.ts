/** What can be said of handlings, one or two at a time. */
import { type Chronicle, type GroupFact, type Handling, moveName, placeName } from "./Chronicle.ts"

/** The record that was handled, in the hands of one group. */
export function placeOf({ topic, partition, position }: Pick<Handling, "topic" | "partition" | "position">): string {
  return `${topic}/${partition}/${position}`
}

/** Whether it ended its event: handled, or dropped by the policy of the group. */
export function isEnded({ ending }: GroupFact, { isDone, isPoison, isAlone }: Handling): boolean {
  return isDone || (ending === "drop" && isPoison && isAlone)
}

/** Whether both were in hands at one time; those that began in the same tick came in one batch. */
export function isBeside(one: Handling, other: Handling): boolean {
  const end = (handling: Handling) => handling.endedAt ?? Number.POSITIVE_INFINITY
  return one.beganAt !== other.beganAt && one.beganAt < end(other) && other.beganAt < end(one)
}

/** When the record in hand was first set aside: stored as a dead letter, or in the next retry topic; undefined: it was not. */
export function asideAt(
  { lettersStored, movesStored }: Chronicle,
  { group, moved, ...place }: Handling
): number | undefined {
  const { origin = place, moves = 0 } = moved ?? {}
  const asLetter = lettersStored.get(placeName(group, origin))
  const asMove = movesStored.get(moveName(group, origin, moves + 1))?.at
  return asLetter === undefined || asMove === undefined ? (asLetter ?? asMove) : Math.min(asLetter, asMove)
}
