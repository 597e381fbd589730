/**
 * Which processes a tool takes for gone: those that have not written for long by their own clocks, and those that have not beaten while it has
 * watched. It is no proof: one that is gone may be cut off from the control stream, and still publish.
 */
import type { Control } from "../control/Control.ts"

/** From the last word of a process on, by its own clock: clocks differ. In milliseconds. */
const goneMsMax = 60_000
/** Without a beat while it was watched: as long as a lease of those that coordinate. In milliseconds. */
const watchedMsMax = 30_000
/** Two beats, in milliseconds: it may be about to be gone. */
const quietMs = 12_000

/** A process that has not beaten for a while. */
export interface QuietProcess {
  readonly incarnation: string
  /** When it wrote last, by its own clock. */
  readonly seenMs: number
  /** When it counts as gone for a start that begins now, if it writes nothing before. */
  readonly goneMs: number
}

export class Silence {
  readonly #seen: ReadonlyMap<string, number>
  readonly #begunMs: number
  readonly #beats: Map<string, { readonly beats: number; readonly sinceMs: number | undefined }>

  /** `seen`: when each wrote last, as what was read says. */
  constructor({ members }: Control, seen: ReadonlyMap<string, number>, nowMs: number) {
    this.#seen = seen
    this.#begunMs = nowMs
    this.#beats = new Map(Array.from(members, ([member, { beats }]) => [member, { beats, sinceMs: undefined }]))
  }

  /** What is read now. */
  note({ members }: Control, nowMs: number): void {
    for (const [member, { beats }] of members)
      if (this.#beats.get(member)?.beats !== beats) this.#beats.set(member, { beats, sinceMs: nowMs })
  }

  isGone(member: string, nowMs: number): boolean {
    return this.#goneMs(member) <= nowMs
  }

  /** Undefined: it beats, or is gone. */
  quiet(incarnation: string, nowMs: number): QuietProcess | undefined {
    const [seenMs, goneMs] = [this.#seenMs(incarnation), this.#goneMs(incarnation)]
    return nowMs - seenMs < quietMs || goneMs <= nowMs ? undefined : { incarnation, seenMs, goneMs }
  }

  #seenMs(member: string): number {
    return this.#beats.get(member)?.sinceMs ?? this.#seen.get(member) ?? 0
  }

  #goneMs(member: string): number {
    const sinceMs = this.#beats.get(member)?.sinceMs
    if (sinceMs !== undefined) return sinceMs + watchedMsMax
    return Math.min(this.#begunMs + watchedMsMax, this.#seenMs(member) + goneMsMax)
  }
}
