/**
 * What is written to one topic. A send that met its deadline stays with librdkafka, which goes on sending it with the same numbers until
 * it is stored exactly once; the fence waits for that. So the writer remembers what became of it, and when leat sends the same range
 * again, that is the answer: nothing is stored twice.
 */
import { monotonicMs } from "../client/clock.ts"
import { Effect } from "effect"
import type { EffectWriter, OutgoingBatch, Position, Run, TransportError } from "leat/transport"
import { failure } from "../client/failure.ts"
import type { Outlet } from "./Outlet.ts"
import { unknownRun } from "./Sent.ts"

export interface WriterOptions {
  readonly topic: string
  readonly partitions: number
  readonly recordBytesMax: number
  /** How long a fence waits, in milliseconds, before leat is told to ask again. */
  readonly fenceMs: number
  /** The producer of a partition; undefined: there is none at this moment. */
  readonly outlet: (partition: number) => Outlet | undefined
  readonly end: (partition: number) => Effect.Effect<Position, TransportError>
}

/**
 * How long a broker surely remembers a producer that has stored something and then nothing more, in milliseconds; its
 * `producer.id.expiration.ms` is a day unless it was told otherwise.
 */
const introducedMs = 15 * 60_000

/** A send whose outcome was told to be unknown. */
interface Doubt {
  readonly arena: Uint8Array
  readonly from: number
  readonly to: number
  readonly noticeBytes: number
  /** What became of it, once it is known. */
  runs: ReadonlyArray<Run> | undefined
  /** Who asks again before it is known. */
  tell: ((runs: ReadonlyArray<Run>) => void) | undefined
}

/** Who waits for an answer. */
interface Asker {
  readonly tell: (runs: ReadonlyArray<Run>) => void
  /** Whether it still does. For nobody nothing is sent: the fence may have returned. */
  readonly isWaiting: () => boolean
}

export class ConfluentWriter implements EffectWriter {
  readonly partitions: number
  readonly #options: WriterOptions
  /** The last one of each partition. */
  readonly #doubts = new Map<number, Doubt>()
  /** By partition: until when its leader knows which producer. */
  readonly #introduced = new Map<number, { readonly outlet: Outlet; untilMs: number }>()
  /** By partition: what waits until the first record is stored. */
  readonly #waiting = new Map<number, Array<() => void>>()

  constructor(options: WriterOptions) {
    this.#options = options
    this.partitions = options.partitions
  }

  send(partition: number, batch: OutgoingBatch, from: number, to: number, timeoutMs: number) {
    if (to <= from) return Effect.succeed<ReadonlyArray<Run>>([])
    return Effect.callback<ReadonlyArray<Run>>((resume) => {
      let isAnswered = false
      let doubt: Doubt | undefined
      const tell = (runs: ReadonlyArray<Run>) => {
        if (doubt !== undefined) return resolved(doubt, runs)
        if (isAnswered) return
        isAnswered = true
        clearTimeout(timer)
        resume(Effect.succeed(runs))
      }
      const leave = () => {
        if (isAnswered || doubt !== undefined) return
        doubt = this.#remember(partition, batch, from, to)
      }
      const timer = setTimeout(() => {
        leave()
        const why = "no answer by the deadline; it is still being sent, and the next fence waits for it"
        resume(Effect.succeed([unknownRun(from, to, `${this.#options.topic}/${partition}`, why)]))
      }, timeoutMs)
      this.#start(partition, batch, from, to, { tell, isWaiting: () => !isAnswered && doubt === undefined })
      return Effect.sync(() => {
        clearTimeout(timer)
        leave()
      })
    })
  }

  fence(partition: number): Effect.Effect<Position, TransportError> {
    const { topic, outlet, fenceMs, end } = this.#options
    const settled = Effect.callback<void>((resume) => {
      const one = outlet(partition)
      if (one === undefined) return
      one.whenSettled(topic, partition, () => resume(Effect.void))
    })
    const late = failure("Timeout", "fence", `${topic}/${partition}: what was sent is not settled within ${fenceMs} ms`)
    return settled.pipe(
      Effect.timeoutOrElse({ duration: fenceMs, orElse: () => Effect.fail(late) }),
      Effect.andThen(end(partition))
    )
  }

  #start(partition: number, batch: OutgoingBatch, from: number, to: number, asker: Asker): void {
    const doubt = this.#doubts.get(partition)
    if (doubt !== undefined && isSame(doubt, batch, from, to)) {
      if (doubt.runs === undefined) doubt.tell = (runs) => this.#again(partition, batch, doubt, runs, asker)
      else this.#again(partition, batch, doubt, doubt.runs, asker)
      return
    }
    this.#doubts.delete(partition)
    const refused = this.#refused(partition, batch, from, to)
    if (refused !== undefined) asker.tell([refused])
    else this.#whenReachable(partition, batch, [{ from, to, fate: "unknown" }], asker)
  }

  /** The range that was in doubt comes again: only what is still unknown of it is sent. */
  #again(partition: number, batch: OutgoingBatch, doubt: Doubt, runs: ReadonlyArray<Run>, asker: Asker): void {
    if (this.#doubts.get(partition) === doubt) this.#doubts.delete(partition)
    if (runs.every(({ fate }) => fate !== "unknown") || !asker.isWaiting()) asker.tell(runs)
    else this.#whenReachable(partition, batch, runs, asker)
  }

  #whenReachable(partition: number, batch: OutgoingBatch, runs: ReadonlyArray<Run>, asker: Asker): void {
    const outlet = this.#options.outlet(partition)
    const unavailable = (why: string) => {
      const error = failure("Unavailable", "send", `${this.#options.topic}/${partition}: ${why}`)
      asker.tell(
        runs.map((run) => (run.fate === "unknown" ? { from: run.from, to: run.to, fate: "notStored", error } : run))
      )
    }
    if (outlet === undefined || outlet.isBroken) return unavailable("the producer is being replaced")
    const { reachable } = outlet
    if (reachable === true) return this.#produce(outlet, partition, batch, runs, asker.tell)
    void reachable.then((isReachable) => {
      if (isReachable && asker.isWaiting()) this.#produce(outlet, partition, batch, runs, asker.tell)
      else unavailable("no broker could be reached")
    })
  }

  /** Sends the unknown ones of the runs, and tells all of them when the last is settled. */
  #produce(
    outlet: Outlet,
    partition: number,
    batch: OutgoingBatch,
    runs: ReadonlyArray<Run>,
    tell: (runs: ReadonlyArray<Run>) => void
  ): void {
    const waiting = this.#waiting.get(partition)
    if (waiting !== undefined) {
      waiting.push(() => this.#produce(outlet, partition, batch, runs, tell))
      return
    }
    const known = this.#introduced.get(partition)
    if (known?.outlet === outlet && monotonicMs() < known.untilMs)
      return this.#handOver(outlet, partition, batch, runs, tell)
    const first = runs.find(({ fate }) => fate === "unknown")
    if (first !== undefined) this.#introduce(outlet, partition, batch, runs, first, tell)
    else tell(runs)
  }

  /**
   * The first record of a producer goes by itself, and everything else of the partition waits for it. A leader that does not know
   * the producer takes any number for its first: if it refused a first request and then took the second, the first would be taken for
   * a duplicate when it comes again, and told stored without being there.
   */
  #introduce(
    outlet: Outlet,
    partition: number,
    batch: OutgoingBatch,
    runs: ReadonlyArray<Run>,
    { from }: Run,
    tell: (runs: ReadonlyArray<Run>) => void
  ): void {
    this.#waiting.set(partition, [])
    const alone: ReadonlyArray<Run> = [{ from, to: from + 1, fate: "unknown" }]
    this.#handOver(outlet, partition, batch, alone, (told) => {
      const [one] = told
      const waiting = this.#waiting.get(partition) ?? []
      this.#waiting.delete(partition)
      const rest = runs.flatMap((run) => {
        if (run.fate !== "unknown") return [run]
        const start = Math.max(run.from, from + 1)
        if (start >= run.to) return []
        if (one?.fate === "stored") return [{ ...run, from: start }]
        // It was not handed over.
        return [{ from: start, to: run.to, fate: "notStored" as const, ...(one?.error && { error: one.error }) }]
      })
      if (one?.fate === "stored") this.#introduced.set(partition, { outlet, untilMs: monotonicMs() + introducedMs })
      this.#handOver(outlet, partition, batch, rest, (others) =>
        tell(joined([...told, ...others].toSorted((left, right) => left.from - right.from)))
      )
      for (const then of waiting) then()
    })
  }

  #handOver(
    outlet: Outlet,
    partition: number,
    batch: OutgoingBatch,
    runs: ReadonlyArray<Run>,
    tell: (runs: ReadonlyArray<Run>) => void
  ): void {
    const known = this.#introduced.get(partition)
    if (known !== undefined) known.untilMs = monotonicMs() + introducedMs
    const told: Array<Run> = runs.filter(({ fate }) => fate !== "unknown")
    let pending = 1
    const add = (more: ReadonlyArray<Run>) => {
      told.push(...more)
      if (--pending === 0) tell(told.length === 1 ? told : told.toSorted((left, right) => left.from - right.from))
    }
    for (const { fate, from, to } of runs) {
      if (fate !== "unknown") continue
      pending++
      const { sent, refused } = outlet.send(this.#options.topic, partition, batch, from, to, add)
      told.push(...refused)
      if (sent === undefined) pending--
    }
    add([])
  }

  /** T12: a batch with a record that no broker takes is refused whole, so that none behind it is stored before leat has decided. */
  #refused(partition: number, batch: OutgoingBatch, from: number, to: number): Run | undefined {
    const { recordBytesMax, topic } = this.#options
    if (!(partition >= 0 && partition < this.partitions)) {
      const detail = `${topic} has ${this.partitions} partitions, no ${partition}`
      return { from, to, fate: "notStored", error: failure("UnknownTopic", "send", detail) }
    }
    if (batch.rangeBytes(from, to) + batch.noticeBytes <= recordBytesMax) return undefined
    for (let index = from; index < to; index++) {
      const bytes = batch.recordBytes(index)
      if (bytes <= recordBytesMax) continue
      const detail = `${topic}: a record of ${bytes} bytes; the limit is ${recordBytesMax}`
      return { from, to, fate: "notStored", error: failure("TooLarge", "send", detail) }
    }
    return undefined
  }

  #remember(partition: number, batch: OutgoingBatch, from: number, to: number): Doubt {
    const doubt: Doubt = {
      arena: batch.arena,
      from,
      to,
      noticeBytes: batch.noticeBytes,
      runs: undefined,
      tell: undefined
    }
    this.#doubts.set(partition, doubt)
    return doubt
  }
}

/** Stored runs that follow each other are one, in range and in position. */
function joined(runs: ReadonlyArray<Run>): ReadonlyArray<Run> {
  const result: Array<Run> = []
  for (const run of runs) {
    const last = result.at(-1)
    const end = last?.base === undefined ? undefined : last.base + BigInt(last.to - last.from)
    const isNext = last?.fate === "stored" && run.fate === "stored" && last.to === run.from && end === run.base
    if (last === undefined || !isNext) result.push(run)
    else result[result.length - 1] = { ...last, to: run.to }
  }
  return result
}

function resolved(doubt: Doubt, runs: ReadonlyArray<Run>): void {
  doubt.runs = runs
  doubt.tell?.(runs)
}

function isSame(doubt: Doubt, batch: OutgoingBatch, from: number, to: number): boolean {
  // An arena is not used again after an unknown outcome: the same bytes are the same records.
  return (
    doubt.arena === batch.arena && doubt.from === from && doubt.to === to && doubt.noticeBytes === batch.noticeBytes
  )
}
