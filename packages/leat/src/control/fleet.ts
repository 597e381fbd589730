/**
 * What the state of a control stream says in the words of people: documents have the version that stands in them. In the stream itself they are
 * numbered, so that a record can be based on one.
 */
import { versionIn, withVersion } from "../routes/documentVersion.ts"
import { documentCharsMax } from "./bounds.ts"
import type { Control, ControlMember, KeptDocument } from "./Control.ts"

/** A document that was applied to a fleet. */
export interface PastDocument {
  /** As the document says. */
  readonly version: number
  /** The text, as it was applied. */
  readonly document: string
  /** Who applied it: an incarnation, or what a tool calls itself. */
  readonly author: string
  readonly reason: string
  /** When, by the clock of who applied it. */
  readonly timeMs: number
}

/** A process of a fleet. */
export interface FleetProcess {
  readonly incarnation: string
  /** The version of the document that was in force there at its last beat; 0: its own routes, or a document that is forgotten. */
  readonly applied: number
  /** Which later version it refuses, and why, as it said at its last beat; absent: none. */
  readonly refused?: string
}

/** A process, as somebody sees it who reads all of the stream. */
export interface SeenProcess extends FleetProcess {
  /** When it wrote last, by its own clock; absent: so long ago that it stands in a snapshot alone. */
  readonly seenMs?: number
}

/** A document never changes, so its version is read once. */
const versions = new WeakMap<KeptDocument, number>()

function versionOf(kept: KeptDocument): number {
  let version = versions.get(kept)
  if (version === undefined) versions.set(kept, (version = versionIn(kept.document)))
  return version
}

/** The version of the document with a number of the stream; 0: none, or it is forgotten. */
export function versionAt({ history }: Control, number: number): number {
  const kept = history.find(({ version }) => version === number)
  return kept === undefined ? 0 : versionOf(kept)
}

/** Oldest first; the last one is in force. */
export function pastDocuments({ history }: Control): ReadonlyArray<PastDocument> {
  return history.map((kept) => {
    const { document, author, reason, timeMs } = kept
    return { version: versionOf(kept), document, author, reason, timeMs }
  })
}

function processOf(control: Control, incarnation: string, { version, refused }: ControlMember): FleetProcess {
  return { incarnation, applied: versionAt(control, version), ...(refused === "" ? {} : { refused }) }
}

/** The processes that live, as far as the stream tells. */
export function processesOf(control: Control): ReadonlyArray<FleetProcess> {
  return Array.from(control.members, ([incarnation, member]) => processOf(control, incarnation, member))
}

/** The text that takes a fleet back to a version, under a new number; or why there is none. */
export function textBackTo(
  control: Control,
  version: number,
  above: number
): { readonly text: string } | { readonly fault: string } {
  const all = pastDocuments(control)
  if (all.length === 0) return { fault: "no document was applied yet, so there is none to go back to" }
  if (all.at(-1)?.version === version)
    return { fault: `version ${version} was applied last, so there is nothing to go back from` }
  const found = all.findLast((one) => one.version === version)
  if (found !== undefined) {
    // A version names one content, so the old text gets a new one.
    const text = withVersion(found.document, Math.max(above, all.at(-1)?.version ?? 0) + 1)
    if (text !== undefined) return { text }
  }
  const known = [...new Set(all.map((one) => one.version))].join(", ")
  // From callers without types, it may be anything.
  return { fault: `there is no version ${String(version)} in the history, which has ${known}` }
}

/** Why a document cannot be applied on top of the last one, whatever it says else; undefined: it can. */
export function applyFault(control: Control, document: string): string | undefined {
  const { length } = document
  if (length > documentCharsMax)
    return `the document has ${length} characters, and one for a fleet has at most ${documentCharsMax}; a service can read a longer one from its own file`
  const next = versionIn(document)
  if (next === 0) return "the document says no version, as version: 1"
  const last = versionAt(control, control.version)
  return next > last
    ? undefined
    : `version ${next} is not higher than ${last}, which was applied last; give it a higher number, also to go back to what it says`
}

/** What stands in the stream as the reason of a way back. */
export const backReason = (version: number, reason: string): string =>
  `back to version ${version}${reason === "" ? "" : `: ${reason}`}`

/** Something that a fleet has said. */
export type FleetChange =
  | { readonly kind: "applied"; readonly document: PastDocument }
  /** A process lives. `isNews`: it was not known, or has another document in force, or refuses another one, than at its last beat. */
  | { readonly kind: "beat"; readonly process: FleetProcess; readonly isNews: boolean }
  /** A process was closed, or was not heard of for long. */
  | { readonly kind: "gone"; readonly incarnation: string }

/** What was said between two states. Looks only at what differs: most records are beats of one process, in a fleet of thousands. */
export function changesBetween(before: Control, after: Control): ReadonlyArray<FleetChange> {
  const changes: Array<FleetChange> = []
  if (after.history !== before.history) {
    const isNew = after.history.map(({ version }) => version > before.version)
    for (const [index, document] of pastDocuments(after).entries())
      if (isNew[index] === true) changes.push({ kind: "applied", document })
  }
  if (after.members === before.members) return changes
  for (const [incarnation, member] of after.members) {
    const was = before.members.get(incarnation)
    if (was === member) continue
    const isNews = was?.version !== member.version || was.refused !== member.refused
    changes.push({ kind: "beat", process: processOf(after, incarnation, member), isNews })
  }
  for (const incarnation of before.members.keys())
    if (!after.members.has(incarnation)) changes.push({ kind: "gone", incarnation })
  return changes
}
