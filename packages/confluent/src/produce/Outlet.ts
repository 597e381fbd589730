/**
 * One idempotent producer of librdkafka, and how it is learnt what became of the records handed to it. A report for each of them costs
 * three times what sending them does; so only failures are reported, and success is concluded:
 *
 * - in rounds: a `flush` that says OK had nothing outstanding at some moment after it was called, so everything handed over before
 *   the call is settled;
 * - while a round takes long, because a leader is away: from librdkafka's statistics, which tell for each partition up to which of its
 *   messages everything is acknowledged.
 *
 * Failures arrive by another way than the end of a flush: they are waited for before anything is told stored.
 */
import type { OutgoingBatch, Run } from "leat/transport"
import { acknowledgedMessages } from "./acknowledgedMessages.ts"
import { mixedUp, partlyFailed, placeOf } from "./attributeFailures.ts"
import { Reachability } from "./Reachability.ts"
import type { ClientError, DeliveryReport, Producer } from "../client/client.ts"
import { clientCodes, codeOfThrown, failure, failureOf } from "../client/failure.ts"
import { type PartitionState, PartitionStates, Sent, unknownRun } from "./Sent.ts"

/** After this time, in milliseconds, a round is slow: statistics are read, and flushes are further apart. */
const slowAfterMs = 100
/** Between two looks at a slow round. */
const slowLookMs = 10
/** Turns of the event loop without a failure after which none is on its way. */
const quietTurns = 2

/** Codes after which a producer sends nothing more: the session is over, and its queue was thrown away. */
const ending: ReadonlySet<number> = new Set([
  clientCodes.PURGE_QUEUE,
  clientCodes.PURGE_INFLIGHT,
  clientCodes.FATAL,
  clientCodes.INCONSISTENT
])

export interface OutletOptions {
  /** A report for each record: every run has its position. */
  readonly hasPositions: boolean
  readonly nowMs: () => number
  /** Code of an error event, whose own is always -1. */
  readonly codeOf: (error: ClientError) => number
}

export class Outlet {
  /** Whether it will never send again; what it has is still waited for. */
  isBroken = false
  readonly #producer: Producer
  readonly #options: OutletOptions
  readonly #reachability: Reachability
  readonly #states = new PartitionStates()
  /** In the order they were handed over. */
  #unsettled: Array<Sent> = []
  #sends = 0
  /** What was handed over before this send has nothing outstanding. */
  #proven = 0
  #opaque = 0
  #isFlushing = false
  #timer: NodeJS.Timeout | undefined
  #failures = 0

  constructor(producer: Producer, options: OutletOptions) {
    this.#producer = producer
    this.#options = options
    this.#reachability = new Reachability(producer, options.codeOf)
    producer.on("delivery-report", (error, report) => this.#reported(error, report))
    producer.on("event.stats", ({ message }) => this.#told(message))
  }

  /** Whether nothing is outstanding. */
  get isSettled(): boolean {
    return this.#unsettled.length === 0
  }

  /** Whether the cluster can be reached, as far as is known; where it was away, a promise of the answer. */
  get reachable(): true | Promise<boolean> {
    return this.#reachability.now
  }

  /**
   * Hands records [from, to) over. What librdkafka refuses is told at once, as the runs that are returned; of the rest `tell` says
   * what became of it.
   */
  send(
    topic: string,
    partition: number,
    batch: OutgoingBatch,
    from: number,
    to: number,
    tell: (runs: ReadonlyArray<Run>) => void
  ): { readonly sent: Sent | undefined; readonly refused: ReadonlyArray<Run> } {
    const state = this.#states.of(topic, partition)
    const firstOpaque = this.#opaque
    let refused: ReadonlyArray<Run> = []
    let index = from
    try {
      for (; index < to; index++) {
        this.#producer.produce(
          topic,
          partition,
          batch.value(index),
          batch.key(index),
          // 0 is no time: librdkafka then takes the present one.
          batch.timeMs(index) || undefined,
          this.#options.hasPositions ? this.#opaque++ : undefined,
          headersOf(batch, index)
        )
      }
    } catch (error) {
      refused = [this.#refusal(error, index, to, `${topic}/${partition}`)]
      if (this.#options.hasPositions) this.#opaque = firstOpaque + index - from
    }
    if (index === from) return { sent: undefined, refused }
    state.produced += index - from
    const place = {
      number: this.#sends++,
      firstOpaque,
      sentAtMs: this.#options.nowMs(),
      hasPositions: this.#options.hasPositions
    }
    const sent = new Sent(state, batch, from, index, place, tell)
    state.unsettled.push(sent)
    this.#unsettled.push(sent)
    if (!this.#options.hasPositions) this.#round()
    return { sent, refused }
  }

  /** Calls `then` once nothing that was handed over for the partition is unsettled. */
  whenSettled(topic: string, partition: number, then: () => void): void {
    const state = this.#states.find(topic, partition)
    if (state === undefined || state.unsettled.length === 0) then()
    else state.whenSettled.push(then)
  }

  /** Says of everything that is outstanding that nobody knows: the client is closed, or gave no sign in time. */
  giveUp(why: string): void {
    clearTimeout(this.#timer)
    for (const sent of this.#unsettled.splice(0)) {
      const { topic, partition } = sent.state
      this.#settle(sent, [unknownRun(sent.from, sent.to, `${topic}/${partition}`, why)])
    }
  }

  /** Ends the client without waiting for anything that is outstanding. */
  close(done: () => void): void {
    this.isBroken = true
    this.#producer._disconnect(done)
  }

  #refusal(error: unknown, from: number, to: number, what: string): Run {
    const code = codeOfThrown(error)
    if (code !== undefined && ending.has(code)) {
      this.isBroken = true
      const closed = failure("Unavailable", "send", `${what}: the producer's session is over; a new one is begun`)
      return { from, to, fate: "notStored", error: closed }
    }
    // It was refused before it was queued, whatever the code says of messages that were.
    const reason = code === undefined ? failure("Unknown", "send", `${what}: ${String(error)}`) : undefined
    return { from, to, fate: "notStored", error: reason ?? failureOf({ code: code ?? -1, message: "" }, "send", what) }
  }

  #round(): void {
    const last = this.#unsettled.at(-1)
    if (this.#isFlushing || this.#timer !== undefined || last === undefined || last.number < this.#proven) return
    this.#isFlushing = true
    const upTo = this.#sends
    const isSlow = this.#options.nowMs() - (this.#unsettled[0]?.sentAtMs ?? 0) > slowAfterMs
    this.#flush(isSlow ? 0 : 1, (error) => {
      this.#isFlushing = false
      if (!error) {
        // A round that ended proves that the cluster answers.
        this.#reachability.answered()
        this.#proven = upTo
        this.#whenQuiet(() => this.#settleBefore(upTo))
      }
      const oldestMs = this.#unsettled[0]?.sentAtMs ?? Number.POSITIVE_INFINITY
      if (!error || this.#options.nowMs() - oldestMs < slowAfterMs) return this.#round()
      this.#timer = setTimeout(() => {
        this.#timer = undefined
        this.#round()
      }, slowLookMs)
    })
  }

  /** In a thread of libuv's; one that is closed has nothing to say any more. */
  #flush(timeoutMs: number, done: (error: ClientError | null | undefined) => void): void {
    try {
      this.#producer.flush(timeoutMs, done)
    } catch {
      clearTimeout(this.#timer)
    }
  }

  /** Failures come from another thread than whatever says that there are no more: up to 100 in each turn of the loop. */
  #whenQuiet(then: () => void): void {
    let seen = this.#failures
    let turns = 0
    const turn = () => {
      turns = seen === this.#failures ? turns + 1 : 0
      seen = this.#failures
      if (turns >= quietTurns) then()
      else setImmediate(turn)
    }
    setImmediate(turn)
  }

  #settleBefore(number: number): void {
    this.#conclude(this.#unsettled.filter((sent) => sent.number < number))
  }

  /** These ranges have nothing outstanding: what was not reported as failed is stored. */
  #conclude(done: ReadonlyArray<Sent>): void {
    for (const sent of done) {
      // Its failures have settled it, or those of its partition were put down already.
      if (sent.runs !== undefined) continue
      const { state } = sent
      if (state.reports.length > 0) this.#attribute(state, done)
      else if (sent.isTainted) this.#settle(sent, [mixedUp(sent)])
      else this.#settle(sent, [{ from: sent.from, to: sent.to, fate: "stored" }])
    }
  }

  /** Settles every range of a partition that has nothing outstanding, its failures put down to records. */
  #attribute(state: PartitionState, done: ReadonlyArray<Sent>): void {
    const { reports } = state
    const ranges = [...state.unsettled]
    state.reports = []
    // With a range outstanding it is not known whose failures these are, nor whether they are all.
    const isComplete = ranges.every((sent) => done.includes(sent))
    const start = isComplete ? placeOf(ranges, reports) : undefined
    let before = 0
    for (const sent of ranges) {
      if (start === undefined) sent.isTainted = true
      if (start === undefined && done.includes(sent)) this.#settle(sent, [mixedUp(sent)])
      if (start === undefined) continue
      const first = Math.max(0, start - before)
      const from = Math.max(0, before - start)
      this.#settle(sent, partlyFailed(sent, first, reports.slice(from, Math.max(from, before - start + sent.count))))
      before += sent.count
    }
  }

  #reported(error: ClientError | null, report: DeliveryReport): void {
    const code = error?.code ?? 0
    if (error !== null && ending.has(code)) this.isBroken = true
    if (this.#options.hasPositions) {
      const opaque = Number(report.opaque)
      const sent = this.#withOpaque(opaque)
      if (sent?.reported(opaque - sent.firstOpaque, code, report.offset) === true) {
        this.#reachability.answered()
        this.#settle(sent, sent.reportedRuns())
      }
      return
    }
    if (error === null) return
    this.#failures++
    const state = this.#states.of(report.topic, report.partition)
    state.reports.push({ code, report })
    // All of them: nothing else is to be waited for.
    if (state.reports.length === state.unsettled.reduce((total, { count }) => total + count, 0)) {
      for (const sent of state.unsettled.slice()) {
        this.#settle(sent, partlyFailed(sent, 0, state.reports.splice(0, sent.count)))
      }
    }
  }

  /** The last one that was handed over before or with this number. */
  #withOpaque(opaque: number): Sent | undefined {
    let low = 0
    let high = this.#unsettled.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#unsettled[middle]?.firstOpaque ?? 0) <= opaque) low = middle + 1
      else high = middle
    }
    return this.#unsettled[low - 1]
  }

  /** Statistics are read only while a round is slow: they are long. */
  #told(statistics: string): void {
    const oldest = this.#unsettled[0]
    if (oldest === undefined || this.#options.hasPositions) return
    if (this.#options.nowMs() - oldest.sentAtMs < slowAfterMs) return
    const acknowledged = acknowledgedMessages(statistics)
    const done = this.#unsettled.filter(
      ({ state: { topic, partition }, lastMessage }) => acknowledged(topic, partition) >= lastMessage
    )
    if (done.length > 0) this.#whenQuiet(() => this.#conclude(done))
  }

  #settle(sent: Sent, runs: ReadonlyArray<Run>): void {
    const { state } = sent
    const index = this.#unsettled.indexOf(sent)
    if (index >= 0) this.#unsettled.splice(index, 1)
    const place = state.unsettled.indexOf(sent)
    if (place >= 0) state.unsettled.splice(place, 1)
    sent.settle(runs)
    if (state.unsettled.length === 0) for (const then of state.whenSettled.splice(0)) then()
  }
}

function headersOf(batch: OutgoingBatch, index: number): ReadonlyArray<object> | undefined {
  const headers = batch.headers(index)
  if (headers.length === 0) return undefined
  // One object for each header keeps order and duplicates; a computed key is an own property, whatever its name.
  return headers.map(([name, value]) => ({ [name]: value }))
}
