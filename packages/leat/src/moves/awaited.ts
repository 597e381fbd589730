/** Whom a duty waits for, before anything is asked of a cluster. */
import type { Control } from "../control/Control.ts"
import type { Duty } from "../control/duties.ts"
import { endsOf, type Placement } from "../control/Placement.ts"
import { placeText } from "./Places.ts"

/** Names that a sentence has at most. */
const namesMax = 5

export function namesText(names: ReadonlyArray<string>): string {
  const more = names.length - namesMax
  return `${names.slice(0, namesMax).join(", ")}${more > 0 ? ` and ${more} more` : ""}`
}

/** A writer that keeps a move planned, since it refuses the document that says so. */
export interface Refusing {
  readonly member: string
  readonly why: string
}

/** Writers that live and have not applied what was applied last. `isSilent`: it has not beaten for a lease. */
export function lateWriters(
  control: Control,
  { writers }: Placement,
  isSilent: (member: string) => boolean
): { readonly late: ReadonlyArray<string>; readonly refusing: ReadonlyArray<Refusing> } {
  const late: Array<string> = []
  const refusing: Array<Refusing> = []
  for (const [member, how] of writers) {
    if (how !== "joined" || isSilent(member)) continue
    const { version = 0, refused = "" } = control.members.get(member) ?? {}
    if (version >= control.version) continue
    if (refused === "") late.push(member)
    else refusing.push({ member, why: refused })
  }
  return { late, refusing }
}

/** As the rest of a sentence; undefined: nobody is waited for. */
export function awaitedBy(
  control: Control,
  placement: Placement,
  duty: Duty,
  isSilent: (member: string) => boolean
): string | undefined {
  switch (duty.does) {
    case "startSealing": {
      const { late, refusing } = lateWriters(control, placement, isSilent)
      const all = [...refusing.map(({ member }) => member), ...late]
      if (all.length === 0) return undefined
      const target = endsOf(placement).newest?.place
      const to = target === undefined ? "" : ` to ${placeText(target)}`
      return `the move${to} waits until ${namesText(all)} ${all.length === 1 ? "has" : "have"} the document in force that says so`
    }
    case "seal": {
      const living = duty.missing.filter((member) => !isSilent(member))
      if (living.length === 0) return undefined
      return `the move waits until ${namesText(living)} ${living.length === 1 ? "has" : "have"} sent to ${placeText(duty.place)} what is held for it`
    }
    case "awaitLeaving":
      return `${namesText(duty.members)} may still write to the place of epoch ${duty.epoch}, which was abandoned; give up who of them is dead`
    case "open":
    case "sweep":
    case "giveUp":
    case "retire":
      return undefined
  }
}
