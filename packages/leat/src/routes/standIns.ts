import type { Leg } from "./Route.ts"
import { isSameValue } from "./sameValue.ts"

/** What takes the place of a destination. */
export type StandInName = "spill" | "fallback"

export const standIns = ["spill", "fallback"] as const satisfies ReadonlyArray<StandInName>

/** Which of its stand-ins a leg would have elsewhere, or gain or lose: they hold events of it, which do not move. How large a spill is does not matter. */
export function otherStandIns(was: Leg, leg: Leg): ReadonlyArray<StandInName> {
  const isOther: Readonly<Record<StandInName, boolean>> = {
    spill: was.spill?.cluster !== leg.spill?.cluster,
    fallback: !isSameValue(was.fallback, leg.fallback, "inOrder")
  }
  return standIns.filter((name) => isOther[name])
}
