import type { LedgerSnapshot } from "leat"
import type { Role } from "../arguments.ts"
import type { Listener } from "../consumers/consumers.ts"
import type { FloorPlan } from "../input/floorPlan.ts"
import type { PublisherListener } from "../publisher/publisher.ts"

/** What the job says at its end. */
export interface Summary {
  readonly transport: string
  readonly offered: number
  readonly rejected: number
  readonly admitted: number
  readonly stored: number
  readonly deadLettered: number
  readonly dropped: number
  readonly pending: number
  readonly balanced: boolean
  readonly malformed: number
  /** Events handled by the groups positions, sos and security in this process. */
  readonly consumed: number
  readonly seconds: number
}

/** How it ended, for people. */
export interface Ending {
  readonly summary: Summary
  readonly ledger: LedgerSnapshot
  readonly role: Role | undefined
  /** Whether there is nothing left to do; if not, it was stopped. */
  readonly isComplete: boolean
  /** What differs from what the input says; empty when nothing does. */
  readonly faults: ReadonlyArray<string>
  /** How to go on, or that it cannot. */
  readonly next: string
}

/** What is known at the beginning. */
export interface Beginning {
  /** What is played, and how fast. */
  readonly headline: string
  /** Lines of the whole input. */
  readonly lines: number
  readonly role: Role | undefined
  readonly plan: FloorPlan
}

/** Where everything stands at one moment. */
export interface Status {
  readonly atMs: number
  readonly ledger: LedgerSnapshot
  /** Events stored, by stream, whoever published them. */
  readonly streams: ReadonlyArray<{ readonly stream: string; readonly stored: number }>
  /** Records that a group has before it, over all processes. */
  readonly groups: ReadonlyArray<{ readonly group: string; readonly stream: string; readonly lag: number }>
}

/** Tells people what happens. */
export interface Report extends Listener, PublisherListener {
  readonly begin: (beginning: Beginning) => void
  /** A sentence that is no trouble. */
  readonly note: (sentence: string) => void
  readonly status: (status: Status) => void
  readonly end: (ending: Ending) => void
  /** Gives the terminal back; for endings of every kind. */
  readonly close: () => void
}
