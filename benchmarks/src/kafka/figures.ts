import type { ToolFigures } from "./producerPerformance.ts"
import type { Client, Wire } from "./plan.ts"

/** What one way of doing it costs; medians of the rounds. */
export interface SideFigures {
  readonly eventsPerSecond: number
  /** Processor time of the client's process, all threads. */
  readonly cpuUsPerEvent: number
}

/** From the call to the acknowledgement, at a steady rate. */
export interface LatencyFigures {
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Two sides of one run, turn by turn. */
export interface Comparison {
  /** Events/s of leat as part of those of the other side; median of the rounds. */
  readonly ratio: number
  readonly ratios: ReadonlyArray<number>
  /** Processor time that leat takes for an event as part of what the other side takes; median of the rounds. */
  readonly cpuRatio: number
}

export interface CaseName {
  readonly client: Client
  readonly wire: Wire
  readonly valueBytes: number
}

export interface ProducingFigures extends CaseName {
  /** Events of one turn; fewer where each is awaited. */
  readonly turnEvents: number
  /** `offer` in a loop, then `flush`. */
  readonly leat: SideFigures & LatencyFigures
  /** `publish` at level `queued` in a loop, then `flush`. */
  readonly leatPublish: SideFigures
  /** The client at its best, with the same headers; and without. */
  readonly raw: SideFigures & LatencyFigures
  readonly rawWithoutHeaders: SideFigures
  /** The client, awaiting each event. */
  readonly naive: SideFigures
  readonly toRaw: Comparison
  /** How many times as many events/s as the naive way. */
  readonly timesNaive: number
  /** Records of both sides that were read back and found equal, the time of the event apart. */
  readonly recordsCompared: number
}

export interface ConsumingFigures extends CaseName {
  readonly turnEvents: number
  readonly handle: SideFigures
  readonly handleBatch: SideFigures
  readonly raw: SideFigures
  readonly handleToRaw: Comparison
  readonly handleBatchToRaw: Comparison
}

export interface KafkaFigures {
  readonly partitions: number
  readonly steadyPerSecond: number
  readonly producing: ReadonlyArray<ProducingFigures>
  readonly consuming: ReadonlyArray<ConsumingFigures>
  /** Kafka's own ProducerPerformance, in Java. */
  readonly tool: ReadonlyArray<ToolFigures>
  /** What could not be measured, and why: sentences. */
  readonly leftOut: ReadonlyArray<string>
}
