/** One side of a comparison. Each lives in a process of its own, so that its processor time is nobody else's. */
import type { Client, Wire } from "./plan.ts"

export interface SidePlan {
  readonly side: "leat" | "raw"
  readonly client: Client
  readonly wire: Wire
  readonly bootstrap: string
}

/** What one size of value is published to and read from. */
export interface SideCase {
  readonly valueBytes: number
  readonly topics: SideTopics
  /** Leat has its own, the others are told. */
  readonly incarnation?: string
}

export interface SideTopics {
  /** What both sides fill alike. */
  readonly main: string
  /** Records without headers. */
  readonly bare: string
  /** Awaited one by one. */
  readonly naive: string
  /** Filled once and read by both sides. */
  readonly read: string
}

/**
 * - `leat`: `offer`, which is what a fast publisher calls, or `publish` at level `queued`, with a receipt for each event.
 * - raw: the client at its `best`; the same `bare` of headers; `naive`, awaiting each event.
 */
export type ProduceWay = "offer" | "publish" | "best" | "bare" | "naive" | "fill"
export type ConsumeWay = "handle" | "handleBatch" | "best"

/** Time that is measured begins and ends where the side says so. */
export interface Stopwatch {
  readonly start: () => void
  readonly stop: () => void
}

export interface Side {
  /** Identity of the publisher in the headers. */
  readonly incarnation: string
  /** Publishes so many events; resolves when all are stored. */
  readonly produce: (way: ProduceWay, events: number) => Promise<void>
  /** Milliseconds from the call to the acknowledgement of each event, at a steady rate. */
  readonly latencies: (perSecond: number, seconds: number) => Promise<ReadonlyArray<number>>
  /**
   * Reads so many events as a new group, each decoded. The watch runs from the moment that partitions are given to the member
   * until the last event was handled.
   */
  readonly consume: (way: ConsumeWay, group: string, events: number, watch: Stopwatch) => Promise<void>
  readonly close: () => Promise<void>
}

export type OpenSide = (plan: SidePlan, one: SideCase) => Promise<Side>

export interface Turn {
  readonly events: number
  readonly seconds: number
  /** Processor time of all threads of the side's process. */
  readonly cpuUs: number
}

export type Ask =
  | { readonly ask: "open"; readonly one: SideCase }
  | { readonly ask: "produce"; readonly way: ProduceWay; readonly events: number }
  | { readonly ask: "latencies"; readonly perSecond: number; readonly seconds: number }
  | { readonly ask: "consume"; readonly way: ConsumeWay; readonly group: string; readonly events: number }
  | { readonly ask: "close" }

export type Answer =
  | { readonly ready: true }
  | { readonly failed: string }
  | { readonly incarnation: string }
  | { readonly turn: Turn }
  | { readonly latenciesMs: ReadonlyArray<number> }
  | { readonly closed: true }
