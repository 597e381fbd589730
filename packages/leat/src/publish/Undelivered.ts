/**
 * Where a sink puts what it cannot publish and its policy dead-letters: copies of the records, in `{topic}.undelivered` of the same cluster. The
 * records themselves keep their place in the buffer until their letters are stored, so that a topic that cannot be written fills the buffer, and
 * nothing grows without a bound.
 */
import { Effect } from "effect"
import type { PlainRecord } from "../record/batchOf.ts"
import { deadLetterHeaders, undeliveredTopic } from "../record/DeadLetter.ts"
import type { RecordBatch } from "../record/RecordBatch.ts"
import type { Leg } from "../routes/Route.ts"
import { DeadLetters } from "../transport/DeadLetters.ts"
import { ChangeTeller } from "../ChangeTeller.ts"
import { LetterTeller } from "../LetterTeller.ts"
import type { Pump } from "./Pump.ts"
import type { PumpedLane } from "./Pumped.ts"
import type { Span } from "./Span.ts"
import type { Halted } from "./LaneHome.ts"

/** Records of a lane that may wait for their letters at once: each is looked at whenever something is sent. */
export const lettersMax = 1024

export interface UndeliveredOptions {
  readonly leg: Pick<Leg, "cluster" | "topic" | "sink">
  readonly pump: Pick<Pump, "transport" | "context" | "scheduler" | "wallMs">
  /** The lane was told what became of letters, and whether it has halted for it. */
  readonly answered: (lane: PumpedLane, hasHalted: boolean) => void
}

export class Undelivered {
  /** Of the topic, as `cluster/topic`. */
  readonly name: string
  readonly #options: UndeliveredOptions
  /** Made with the first letter. */
  #letters: DeadLetters | undefined
  readonly #teller: LetterTeller
  /** Of whether most of what is sent fails. */
  readonly outages: ChangeTeller

  constructor(options: UndeliveredOptions) {
    const { cluster, topic } = options.leg
    this.#options = options
    this.name = `${cluster}/${undeliveredTopic(topic)}`
    const who = `publishing to ${options.leg.sink}`
    const { context } = options.pump
    this.#teller = new LetterTeller({ who, deadLetters: this.name, context })
    this.outages = new ChangeTeller(context, (isOutage) => ({ text: outageText(options.leg.sink, isOutage) }))
  }

  /** Has copies of the records of a span stored, each made when its turn has come; the lane is told when all are stored or refused. */
  put(lane: PumpedLane, span: Span, failure: Halted): void {
    const { answered } = this.#options
    const { batch } = span.queued
    const { partition } = lane.partition
    const faults: Array<string | undefined> = []
    let open = span.to - span.from
    const letters = (this.#letters ??= this.#open())
    const isWanted = () => span.state === "deadLettering"
    const atMs = this.#options.pump.wallMs
    for (let index = span.from; index < span.to; index++) {
      const record = () => this.#letterOf(batch, index, partition, failure, atMs)
      const done = (fault: string | undefined) => {
        if (fault === undefined) this.#tell(partition, failure)
        faults[index - span.from] = fault
        if (--open > 0 || !isWanted()) return
        const { halted } = lane
        lane.letterAnswered(span, failure, faults)
        answered(lane, lane.halted !== halted)
      }
      letters.put({ partition, record, isWanted, done })
    }
  }

  /** The same for a record that no lane holds. Completes when its letter is stored, or with why it is refused for good. */
  putRecord(partition: number, record: PlainRecord, failure: Halted): Effect.Effect<string | undefined> {
    return Effect.callback((resume) => {
      const letters = (this.#letters ??= this.#open())
      const { headers = [], timeMs = 0 } = record
      const { wallMs } = this.#options.pump
      const letter = () => ({
        ...record,
        headers: [...this.#headers(partition, failure, wallMs, timeMs), ...headers],
        timeMs: wallMs
      })
      let isWanted = true
      letters.put({
        partition,
        record: letter,
        isWanted: () => isWanted,
        done: (fault) => {
          if (fault === undefined) this.#tell(partition, failure)
          resume(Effect.succeed(fault))
        }
      })
      return Effect.sync(() => (isWanted = false))
    })
  }

  /** Letters that wait for their next attempt have it at once. */
  tryNow(): void {
    this.#letters?.tryNow()
  }

  /** Ends what is on its way, for which nobody waits any more. */
  readonly close: Effect.Effect<void> = Effect.suspend(() =>
    Effect.andThen(this.#letters?.close ?? Effect.void, Effect.andThen(this.#teller.close, this.outages.close))
  )

  /** Whoever only offers hears of it nowhere else. */
  #tell(partition: number, { tag, attempts, detail }: Halted): void {
    this.#teller.stored({ tag, attempts, detail, place: `meant for partition ${partition}` })
  }

  #open(): DeadLetters {
    const { leg, pump } = this.#options
    const { transport, context, scheduler } = pump
    return new DeadLetters({
      transport,
      deadLetters: undeliveredTopic(leg.topic),
      topic: leg.topic,
      who: `publishing to ${leg.sink}`,
      waiting: `they keep their place in the buffer, and a partition with ${lettersMax} of them waits`,
      context,
      scheduler
    })
  }

  /** The bytes are copied: the arena is used again. Its own time may be what it was refused for. */
  #letterOf(batch: RecordBatch, index: number, partition: number, failure: Halted, atMs: number): PlainRecord {
    const own = batch.headers(index).map(([name, value]) => [name, new Uint8Array(value)] as const)
    return {
      key: copyOf(batch.key(index)),
      value: copyOf(batch.value(index)),
      headers: [...this.#headers(partition, failure, atMs, batch.timeMs(index)), ...own],
      timeMs: this.#options.pump.wallMs
    }
  }

  #headers(partition: number, { tag, attempts, detail }: Halted, atMs: number, timeMs: number) {
    const { topic } = this.#options.leg
    const failure = { stage: "publish", tag, attempts, message: detail } as const
    return deadLetterHeaders({ by: "leat", topic, partition, ...failure, atMs, timeMs, replays: 0 })
  }
}

function copyOf(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null ? null : new Uint8Array(bytes)
}

function outageText(sink: string, isOutage: boolean): string {
  return isOutage
    ? `most of what is sent to ${sink} fails: what fails for a passing reason is not dead-lettered now, it waits and is tried again`
    : `most of what is sent to ${sink} is stored again; what still fails is dead-lettered`
}
