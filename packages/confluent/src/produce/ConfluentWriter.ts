/**
 * The writer of one topic. After its deadline a send stays in librdkafka, which retries it with the same sequence numbers until it is
 * stored exactly once; the fence waits for that. The writer keeps the outcome. When leat sends the same range again, it gets that outcome,
 * and nothing is stored twice.
 */
import { monotonicMs } from "../client/clock.ts"
import { Effect } from "effect"
import type { EffectWriter, OutgoingBatch, Position, Run, TransportError } from "leat/transport"
import { requestRecordsMax } from "../client/clientConfig.ts"
import { failure } from "../client/failure.ts"
import type { Outlet } from "./Outlet.ts"
import { unknownRun } from "./Sent.ts"

export interface WriterOptions {
  readonly topic: string
  readonly partitions: number
  readonly recordBytesMax: number
  /** Deadline of a fence, in milliseconds; after it leat retries the fence. */
  readonly fenceMs: number
  /** The producer of a partition; undefined while there is none. */
  readonly outlet: (partition: number) => Outlet | undefined
  readonly end: (partition: number) => Effect.Effect<Position, TransportError>
}

/**
 * Time for which a broker is sure to keep the state of an idle producer, in milliseconds. `producer.id.expiration.ms` of a broker is a day
 * by default.
 */
const introducedMs = 15 * 60_000

/** A request has at least so many bytes, if there are as many: brokers take 1 MiB by default. */
const requestBytes = 1_000_000
/** Bytes that a record takes in a request beside its key, headers and value; an upper bound. */
const overheadBytes = 16

/** A send in doubt: leat got the outcome "unknown". */
interface Doubt {
  readonly arena: Uint8Array
  readonly from: number
  readonly to: number
  readonly noticeBytes: number
  /** The outcome, once it is known. */
  runs: ReadonlyArray<Run> | undefined
  /** Called with the outcome: leat sends the range again before it is known. */
  tell: Tell | undefined
}

/** One send of leat's: a range of a batch for one partition, and the caller that waits for the answer. */
interface PendingSend {
  readonly partition: number
  readonly batch: OutgoingBatch
  readonly from: number
  readonly to: number
  readonly tell: Tell
  /** False once the caller has its answer; then nothing is sent, because the fence may have returned. */
  readonly isWaiting: () => boolean
}

type Tell = (runs: ReadonlyArray<Run>) => void

export class ConfluentWriter implements EffectWriter {
  readonly partitions: number
  readonly #options: WriterOptions
  /** The last send in doubt of each partition. */
  readonly #doubts = new Map<number, Doubt>()
  /** By partition: the producer that its leader knows, and until when. */
  readonly #introduced = new Map<number, { readonly outlet: Outlet; untilMs: number }>()
  /** By partition: the sends that wait until the first record is stored. */
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
      const tell: Tell = (runs) => {
        if (doubt !== undefined) return resolved(doubt, runs)
        if (isAnswered) return
        isAnswered = true
        clearTimeout(timer)
        resume(Effect.succeed(runs))
      }
      const leave = () => {
        if (isAnswered || doubt !== undefined) return
        doubt = this.#remember(pending)
      }
      const timer = setTimeout(() => {
        leave()
        const why = "no answer by the deadline; it is still being sent, and the next fence waits for it"
        resume(Effect.succeed([unknownRun(from, to, `${this.#options.topic}/${partition}`, why)]))
      }, timeoutMs)
      const isWaiting = () => !isAnswered && doubt === undefined
      const pending: PendingSend = { partition, batch, from, to, tell, isWaiting }
      this.#start(pending)
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

  #start(pending: PendingSend): void {
    const { partition, from, to, tell } = pending
    const doubt = this.#doubts.get(partition)
    if (doubt !== undefined && isSame(doubt, pending)) {
      if (doubt.runs === undefined) doubt.tell = (runs) => this.#again(pending, doubt, runs)
      else this.#again(pending, doubt, doubt.runs)
      return
    }
    this.#doubts.delete(partition)
    const refused = this.#refused(pending)
    if (refused !== undefined) tell([refused])
    else this.#whenReachable(pending, [{ from, to, fate: "unknown" }])
  }

  /** Retries a range in doubt: only the runs that are still unknown are sent. */
  #again(pending: PendingSend, doubt: Doubt, runs: ReadonlyArray<Run>): void {
    const { partition, tell, isWaiting } = pending
    if (this.#doubts.get(partition) === doubt) this.#doubts.delete(partition)
    if (runs.every(({ fate }) => fate !== "unknown") || !isWaiting()) tell(runs)
    else this.#whenReachable(pending, runs)
  }

  #whenReachable(pending: PendingSend, runs: ReadonlyArray<Run>): void {
    const { partition, tell, isWaiting } = pending
    const outlet = this.#options.outlet(partition)
    const unavailable = (why: string) => {
      const error = failure("Unavailable", "send", `${this.#options.topic}/${partition}: ${why}`)
      tell(runs.map((run) => (run.fate === "unknown" ? { from: run.from, to: run.to, fate: "notStored", error } : run)))
    }
    if (outlet === undefined || outlet.isBroken) return unavailable("the producer is being replaced")
    const { reachable } = outlet
    if (reachable === true) return this.#produce(outlet, pending, runs)
    void reachable.then((isReachable) => {
      if (isReachable && isWaiting()) this.#produce(outlet, pending, runs)
      else unavailable("no broker could be reached")
    })
  }

  /** Sends the unknown runs; answers with all runs once the last one has an outcome. */
  #produce(outlet: Outlet, pending: PendingSend, runs: ReadonlyArray<Run>): void {
    const { partition, tell } = pending
    const waiting = this.#waiting.get(partition)
    if (waiting !== undefined) {
      waiting.push(() => this.#produce(outlet, pending, runs))
      return
    }
    const known = this.#introduced.get(partition)
    if (known?.outlet === outlet && monotonicMs() < known.untilMs) return this.#handOver(outlet, pending, runs, tell)
    const first = runs.find(({ fate }) => fate === "unknown")
    if (first !== undefined) this.#introduce(outlet, pending, runs, first.from)
    else tell(runs)
  }

  /**
   * Sends the first record of a producer alone; all else of the partition waits for it. A leader accepts any sequence number from a
   * producer that it does not know. If it rejected the first request and accepted the second, it would take a retry of the first for a
   * duplicate, and answer "stored" although the record is lost.
   */
  #introduce(outlet: Outlet, pending: PendingSend, runs: ReadonlyArray<Run>, from: number): void {
    const { partition, tell } = pending
    this.#waiting.set(partition, [])
    const alone: ReadonlyArray<Run> = [{ from, to: from + 1, fate: "unknown" }]
    this.#handOver(outlet, pending, alone, (told) => {
      const [one] = told
      const waiting = this.#waiting.get(partition) ?? []
      this.#waiting.delete(partition)
      const rest = runs.flatMap((run) => {
        if (run.fate !== "unknown") return [run]
        const start = Math.max(run.from, from + 1)
        if (start >= run.to) return []
        if (one?.fate === "stored") return [{ ...run, from: start }]
        // It was not sent.
        return [{ from: start, to: run.to, fate: "notStored" as const, ...(one?.error && { error: one.error }) }]
      })
      if (one?.fate === "stored") this.#introduced.set(partition, { outlet, untilMs: monotonicMs() + introducedMs })
      this.#handOver(outlet, pending, rest, (others) =>
        tell(joined([...told, ...others].toSorted((left, right) => left.from - right.from)))
      )
      for (const then of waiting) then()
    })
  }

  /** Hands the unknown runs to the producer; `tell` gets all of them. */
  #handOver(outlet: Outlet, pending: PendingSend, runs: ReadonlyArray<Run>, tell: Tell): void {
    const known = this.#introduced.get(pending.partition)
    if (known !== undefined) known.untilMs = monotonicMs() + introducedMs
    const told: Array<Run> = runs.filter(({ fate }) => fate !== "unknown")
    let unanswered = 1
    const add = (more: ReadonlyArray<Run>) => {
      told.push(...more)
      if (--unanswered === 0) tell(told.length === 1 ? told : told.toSorted((left, right) => left.from - right.from))
    }
    for (const { fate, from, to } of runs) {
      if (fate !== "unknown") continue
      unanswered++
      this.#inRequests(outlet, pending, from, to, add)
    }
    add([])
  }

  /** Sends records [from, to), a request at a time: nothing is stored behind what is refused. */
  #inRequests(outlet: Outlet, pending: PendingSend, from: number, to: number, tell: Tell): void {
    const { partition, batch, isWaiting } = pending
    const { topic } = this.#options
    const end = this.#requestEnd(batch, from, to)
    if (end === to) return outlet.send(topic, partition, batch, from, to, tell)
    outlet.send(topic, partition, batch, from, end, (runs) => {
      const isStored = runs.every(({ fate }) => fate === "stored")
      if (isStored && isWaiting())
        return this.#inRequests(outlet, pending, end, to, (more) => tell(joined([...runs, ...more])))
      // What is behind a failure has none of its own.
      const why = `${topic}/${partition}: the deadline came before its request`
      const late = isStored ? { error: failure("Unavailable", "send", why) } : {}
      tell([...runs, { from: end, to, fate: "notStored", ...late }])
    })
  }

  /** Behind the last record of [from, to) that fits one request; at least one does. */
  #requestEnd(batch: OutgoingBatch, from: number, to: number): number {
    const bytesMax = Math.max(requestBytes, this.#options.recordBytesMax) - batch.noticeBytes
    const fits = (end: number) =>
      batch.rangeBytes(from, end) + overheadBytes * (end - from) <= bytesMax && end - from <= requestRecordsMax
    if (fits(to)) return to
    let [low, high] = [from + 1, to]
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (fits(middle)) low = middle
      else high = middle
    }
    return low
  }

  /** T12: a batch with a record over the limit is rejected whole, so that no record behind it is stored before leat has decided. */
  #refused({ partition, batch, from, to }: PendingSend): Run | undefined {
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

  #remember({ partition, batch, from, to }: PendingSend): Doubt {
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

/** Merges stored runs that are adjacent in range and in position. */
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

function isSame(doubt: Doubt, { batch, from, to }: PendingSend): boolean {
  // An arena is not reused after an unknown outcome, so the same arena and range are the same records.
  return (
    doubt.arena === batch.arena && doubt.from === from && doubt.to === to && doubt.noticeBytes === batch.noticeBytes
  )
}
