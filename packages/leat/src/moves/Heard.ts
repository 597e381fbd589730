/**
 * When each process was heard of last, by the monotonic clock of who listens. A beat is news when it is another one than before: what a cluster
 * tells late makes nobody younger, and a wall clock that is set makes nobody older.
 */
import { membersMax } from "../control/bounds.ts"
import type { Control } from "../control/Control.ts"

export class Heard {
  readonly #beats = new Map<string, { readonly beats: number; readonly sinceMs: number }>()
  /** Writers that have never beaten, and since when that is known. */
  readonly #unheard = new Map<string, number>()
  #members: Control["members"] | undefined

  note({ members }: Control, nowMs: number): void {
    if (members === this.#members) return
    this.#members = members
    for (const member of this.#beats.keys()) if (!members.has(member)) this.#beats.delete(member)
    for (const [member, { beats }] of members) {
      this.#unheard.delete(member)
      if (this.#beats.get(member)?.beats !== beats) this.#beats.set(member, { beats, sinceMs: nowMs })
    }
  }

  /** For how long there was no other beat of it, in milliseconds; of a process that never beat, since it was first asked about. */
  silentMs(member: string, nowMs: number): number {
    const heard = this.#beats.get(member)
    if (heard !== undefined) return nowMs - heard.sinceMs
    const sinceMs = this.#unheard.get(member) ?? nowMs
    if (this.#unheard.size >= membersMax) this.#unheard.clear()
    this.#unheard.set(member, sinceMs)
    return nowMs - sinceMs
  }
}
