/** A range of records in librdkafka, and its outcome. */
import type { OutgoingBatch, Run } from "leat/transport"
import type { DeliveryReport } from "../client/client.ts"
import { clientCodes, failure, failureOf, fateOf } from "../client/failure.ts"

/** The records of one partition. librdkafka numbers the messages of each partition from 1. */
export interface PartitionState {
  readonly topic: string
  readonly partition: number
  /** Messages sent so far. */
  produced: number
  /** Ranges that are not handed to librdkafka yet. */
  waiting: number
  /** In the order of sending. */
  readonly unsettled: Array<Sent>
  /** Failure reports that are not attributed to a range yet. */
  reports: Array<Failed>
  /** Called once nothing is in flight. */
  readonly whenSettled: Array<() => void>
}

/** The partitions that records were handed over for. */
export class PartitionStates {
  readonly #topics = new Map<string, Map<number, PartitionState>>()

  find(topic: string, partition: number): PartitionState | undefined {
    return this.#topics.get(topic)?.get(partition)
  }

  /** The same; one that is not there is added. */
  of(topic: string, partition: number): PartitionState {
    let partitions = this.#topics.get(topic)
    if (partitions === undefined) {
      partitions = new Map()
      this.#topics.set(topic, partitions)
    }
    let state = partitions.get(partition)
    if (state === undefined) {
      state = { topic, partition, produced: 0, waiting: 0, unsettled: [], reports: [], whenSettled: [] }
      partitions.set(partition, state)
    }
    return state
  }
}

export interface Failed {
  readonly code: number
  readonly report: DeliveryReport
}

/** Of a record: its time is epoch milliseconds, 0 where the client sets it. */
export interface Bytes {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly timestamp: number
}

export class Sent {
  readonly state: PartitionState
  readonly batch: OutgoingBatch
  readonly from: number
  /** Behind the last record that was sent. */
  readonly to: number
  /** Number of the last message in its partition. */
  readonly lastMessage: number
  readonly sentAtMs: number
  /** Rises with each send of the producer. */
  readonly number: number
  /** Opaque number of the first record. */
  readonly firstOpaque: number
  /** A failure of it may be attributed to another range, so its outcome is unknown. */
  isTainted = false
  /** The outcome. */
  runs: ReadonlyArray<Run> | undefined
  #tell: (runs: ReadonlyArray<Run>) => void
  /** The reports, where each message has one. */
  #offsets: Float64Array | undefined
  #codes: Int32Array | undefined
  #reported = 0

  constructor(
    state: PartitionState,
    batch: OutgoingBatch,
    from: number,
    to: number,
    place: {
      readonly number: number
      readonly firstOpaque: number
      readonly sentAtMs: number
      readonly hasPositions: boolean
    },
    tell: (runs: ReadonlyArray<Run>) => void
  ) {
    this.state = state
    this.batch = batch
    this.from = from
    this.to = to
    this.lastMessage = state.produced
    this.number = place.number
    this.firstOpaque = place.firstOpaque
    this.sentAtMs = place.sentAtMs
    this.#tell = tell
    if (place.hasPositions) {
      this.#offsets = new Float64Array(to - from).fill(-1)
      this.#codes = new Int32Array(to - from)
    }
  }

  get count(): number {
    return this.to - this.from
  }

  /** Takes the report of one record; returns whether every record has been reported. */
  reported(index: number, code: number, offset: number): boolean {
    if (this.#offsets === undefined || this.#codes === undefined || index < 0 || index >= this.count) return false
    this.#offsets[index] = offset
    this.#codes[index] = code
    this.#reported++
    return this.#reported === this.count
  }

  /** The outcome by the reports of single records. */
  reportedRuns(): ReadonlyArray<Run> {
    const { topic, partition } = this.state
    const offsets = this.#offsets ?? new Float64Array(0)
    const codes = this.#codes ?? new Int32Array(0)
    const runs: Array<Run> = []
    for (let at = 0; at < this.count;) {
      const code = codes[at] ?? 0
      const offset = offsets[at] ?? -1
      const start = at++
      // Of what failed the offsets mean nothing.
      const isNext = (next: number) =>
        codes[next] === code && (code !== 0 || follows(offsets[next] ?? -1, offset, next - start))
      while (at < this.count && isNext(at)) at++
      runs.push(runOf(this.from + start, this.from + at, code, `${topic}/${partition}`, offset))
    }
    return runs
  }

  /** What a failure report may say of record `index` of the range. */
  record(index: number): Bytes {
    const at = this.from + index
    return { key: this.batch.key(at), value: this.batch.value(at), timestamp: this.batch.timeMs(at) }
  }

  settle(runs: ReadonlyArray<Run>): void {
    this.runs = runs
    const tell = this.#tell
    this.#tell = ignore
    tell(runs)
  }
}

function ignore(): void {}

function follows(offset: number, base: number, distance: number): boolean {
  return base < 0 ? offset < 0 : offset === base + distance
}

/** A run that ended with a code of the client; 0 is success. What was refused together with others has no error of its own. */
export function runOf(from: number, to: number, code: number, what: string, offset = -1): Run {
  const fate = fateOf(code)
  if (code === clientCodes.INVALID_DIFFERENT_RECORD) return { from, to, fate }
  if (fate === "stored") return offset < 0 ? { from, to, fate } : { from, to, fate, base: BigInt(offset) }
  return { from, to, fate, error: failureOf({ code, message: "" }, "send", what) }
}

export function unknownRun(from: number, to: number, what: string, why: string): Run {
  return { from, to, fate: "unknown", error: failure("Timeout", "send", `${what}: ${why}`) }
}
