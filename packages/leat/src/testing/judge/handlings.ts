/** What can be said of handlings, one or two at a time. */
import type { GroupFact, Handling } from "./Chronicle.ts"

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
