/**
 * One idempotent producer of librdkafka, and the outcome of its records. A report for each record costs three times as much as sending it;
 * so only failures are reported, and success is concluded:
 *
 * - in rounds: a `flush` that returns OK had nothing in flight at some moment after its call, so everything sent before the call has an
 *   outcome;
 * - while a round is slow, because a leader is away: from librdkafka's statistics, which hold for each partition the last message up to
 *   which everything is acknowledged.
 *
 * Failure reports arrive by another way than the end of a flush: they are awaited before anything counts as stored.
 *
 * One range is one request: were it cut, a broker could refuse the first part for good and store the second, and the retry of the first would
 * stand behind it. While a flush runs, librdkafka sends whatever is queued, be it half a range. So a range that comes meanwhile waits for the
 * end of the flush, 1 ms at most; the linger is longer than any range takes to be produced, and flushes go on until all is settled.
 */
import type { OutgoingBatch, Run } from "leat/transport"
import { acknowledgedMessages } from "./acknowledgedMessages.ts"
import { allMixedUp, attributed, runsOf } from "./attributeFailures.ts"
import { Reachability } from "./Reachability.ts"
import type { ClientError, DeliveryReport, Producer } from "../client/client.ts"
import { clientCodes, codeOfThrown, failure, failureOf } from "../client/failure.ts"
import { type PartitionState, PartitionStates, Sent, unknownRun } from "./Sent.ts"

/** Longest flush, in milliseconds: so long may a range wait for its turn. With 0 it may end before the threads of librdkafka see it. */
const flushMs = 1
/** Age from which a round is slow, in milliseconds: then statistics are parsed, and flushes are further apart if nothing new was sent. */
const slowAfterMs = 100
/** Pause between two flushes of a slow round, in milliseconds. */
const slowLookMs = 10
/** Longest flush behind such a pause: a range that a busy machine has left behind shall be seen. */
const slowFlushMs = 5
/** Turns of the event loop without a failure report after which no more are expected. */
const quietTurns = 2

/** Codes after which a producer sends no more: its session is over, and its queue is purged. */
const ending: ReadonlySet<number> = new Set([
  clientCodes.PURGE_QUEUE,
  clientCodes.PURGE_INFLIGHT,
  clientCodes.FATAL,
  clientCodes.INCONSISTENT
])

/** A range that is handed over. */
interface Handed {
  readonly state: PartitionState
  readonly batch: OutgoingBatch
  readonly from: number
  readonly to: number
  readonly tell: (runs: ReadonlyArray<Run>) => void
}

export interface OutletOptions {
  /** A report for each record: every run has its position. */
  readonly hasPositions: boolean
  readonly nowMs: () => number
  /** Code of an error event, whose own is always -1. */
  readonly codeOf: (error: ClientError) => number
}

export class Outlet {
  /** True once it can send no more; the records in flight may still get an outcome. */
  isBroken = false
  readonly #producer: Producer
  readonly #options: OutletOptions
  readonly #reachability: Reachability
  readonly #states = new PartitionStates()
  /** In the order of sending. */
  #unsettled: Array<Sent> = []
  /** Ranges that wait for the end of a flush, in the order they came. */
  readonly #waiting: Array<Handed> = []
  #sends = 0
  /** Sends with a lower number have nothing in flight. */
  #proven = 0
  #opaque = 0
  #isFlushing = false
  /** Whether a flush begins once the turn of the event loop has handed over what it has. */
  #isFlushDue = false
  #timer: NodeJS.Timeout | undefined
  #failures = 0

  constructor(producer: Producer, options: OutletOptions) {
    this.#producer = producer
    this.#options = options
    this.#reachability = new Reachability(producer, options.codeOf)
    producer.on("delivery-report", (error, report) => this.#reported(error, report))
    producer.on("event.stats", ({ message }) => this.#told(message))
  }

  /** True while nothing is in flight. */
  get isSettled(): boolean {
    return this.#unsettled.length === 0 && this.#waiting.length === 0
  }

  /** Whether the cluster can be reached, as far as is known; where it was away, a promise of the answer. */
  get reachable(): true | Promise<boolean> {
    return this.#reachability.now
  }

  /** Sends records [from, to); `tell` gets the outcome, at once where librdkafka rejects all of them. */
  send(
    topic: string,
    partition: number,
    batch: OutgoingBatch,
    from: number,
    to: number,
    tell: (runs: ReadonlyArray<Run>) => void
  ): void {
    const state = this.#states.of(topic, partition)
    const handed: Handed = { state, batch, from, to, tell }
    // One record cannot be cut.
    if (!this.#isFlushing || (to - from === 1 && state.waiting === 0)) return this.#produce(handed)
    state.waiting++
    this.#waiting.push(handed)
  }

  /** Calls `then` once every record sent to the partition has an outcome. */
  whenSettled(topic: string, partition: number, then: () => void): void {
    const state = this.#states.find(topic, partition)
    if (state === undefined || isSettled(state)) then()
    else state.whenSettled.push(then)
  }

  /** Ends everything in flight with the outcome "unknown": the client is closed, or did not answer in time. */
  giveUp(why: string): void {
    clearTimeout(this.#timer)
    for (const { state, from, to, tell } of this.#waiting.splice(0)) {
      state.waiting--
      const error = failure("Unavailable", "send", `${state.topic}/${state.partition}: ${why}`)
      tell([{ from, to, fate: "notStored", error }])
      tellSettled(state)
    }
    for (const sent of this.#unsettled.splice(0)) {
      const { topic, partition } = sent.state
      this.#settle(sent, [unknownRun(sent.from, sent.to, `${topic}/${partition}`, why)])
    }
  }

  /** Ends the client without waiting for the records in flight. */
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
    // The record was rejected before it was queued, so it is not stored, whatever the code means for a queued one.
    const reason = code === undefined ? failure("Unknown", "send", `${what}: ${String(error)}`) : undefined
    return { from, to, fate: "notStored", error: reason ?? failureOf({ code: code ?? -1, message: "" }, "send", what) }
  }

  /** Hands a range to librdkafka. No flush is running. */
  #produce({ state, batch, from, to, tell }: Handed): void {
    const { topic, partition } = state
    const { hasPositions } = this.#options
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
          // 0 means no time; librdkafka then sets the current one.
          batch.timeMs(index) || undefined,
          hasPositions ? this.#opaque++ : undefined,
          headersOf(batch, index)
        )
      }
    } catch (error) {
      refused = [this.#refusal(error, index, to, `${topic}/${partition}`)]
      if (hasPositions) this.#opaque = firstOpaque + index - from
    }
    if (index === from) {
      tell(refused)
      return tellSettled(state)
    }
    state.produced += index - from
    const place = { number: this.#sends++, firstOpaque, sentAtMs: this.#options.nowMs(), hasPositions }
    const told = refused.length === 0 ? tell : (runs: ReadonlyArray<Run>) => tell([...runs, ...refused])
    const sent = new Sent(state, batch, from, index, place, told)
    state.unsettled.push(sent)
    this.#unsettled.push(sent)
    this.#flushSoon()
  }

  #produceWaiting(): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      next.state.waiting--
      this.#produce(next)
    }
  }

  /** What is handed over in the same turn of the event loop is flushed together. */
  #flushSoon(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    clearTimeout(this.#timer)
    this.#timer = undefined
    setImmediate(() => {
      this.#isFlushDue = false
      this.#round()
    })
  }

  #round(timeoutMs = flushMs): void {
    const last = this.#unsettled.at(-1)
    if (this.#isFlushing || this.#timer !== undefined || last === undefined || last.number < this.#proven) return
    this.#isFlushing = true
    const upTo = this.#sends
    this.#flush(timeoutMs, (error) => {
      this.#isFlushing = false
      if (!error) this.#provenBefore(upTo)
      this.#produceWaiting()
      const newestMs = this.#unsettled.at(-1)?.sentAtMs ?? Number.POSITIVE_INFINITY
      if (!error || this.#options.nowMs() - newestMs < slowAfterMs) return this.#round()
      this.#timer = setTimeout(() => {
        this.#timer = undefined
        this.#round(slowFlushMs)
      }, slowLookMs)
    })
  }

  /** A flush that returned OK: nothing with a lower number is in flight. */
  #provenBefore(number: number): void {
    this.#proven = number
    if (this.#options.hasPositions) return
    // It proves that the cluster can be reached.
    this.#reachability.answered()
    this.#whenQuiet(() => this.#settleBefore(number))
  }

  /** Runs in a thread of libuv. A closed client throws. */
  #flush(timeoutMs: number, done: (error: ClientError | null | undefined) => void): void {
    try {
      this.#producer.flush(timeoutMs, done)
    } catch {
      clearTimeout(this.#timer)
    }
  }

  /**
   * Failure reports come from another thread than the end of a flush, up to 100 in each turn of the event loop: waits until none arrives.
   */
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

  /** Settles ranges with nothing in flight: a record without a failure report is stored. */
  #conclude(done: ReadonlyArray<Sent>): void {
    for (const sent of done) {
      // A failure report, its own or another one of the partition, has settled it before.
      if (sent.runs !== undefined) continue
      const { state } = sent
      if (state.reports.length > 0) this.#attribute(state, done)
      else if (sent.isTainted) this.#settle(sent, [allMixedUp(sent)])
      else this.#settle(sent, [{ from: sent.from, to: sent.to, fate: "stored" }])
    }
  }

  /** Settles the ranges of a partition that have nothing in flight, and attributes the failure reports to their records. */
  #attribute(state: PartitionState, done: ReadonlyArray<Sent>): void {
    const { reports } = state
    const ranges = [...state.unsettled]
    state.reports = []
    // While a range is in flight, the reports may belong to it, and more may follow.
    const isComplete = ranges.every((sent) => done.includes(sent))
    const codes = isComplete ? attributed(ranges, reports) : undefined
    if (codes !== undefined) return this.#settleBy(ranges, codes)
    for (const sent of ranges) {
      sent.isTainted = true
      if (done.includes(sent)) this.#settle(sent, [allMixedUp(sent)])
    }
  }

  #settleBy(ranges: ReadonlyArray<Sent>, codes: ReadonlyArray<number | undefined>): void {
    let before = 0
    for (const sent of ranges) this.#settle(sent, runsOf(sent, codes.slice(before, (before += sent.count))))
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
    // Every record has failed: there is nothing to wait for.
    const ranges = [...state.unsettled]
    if (state.reports.length < ranges.reduce((total, { count }) => total + count, 0)) return
    this.#attribute(state, ranges)
  }

  /** The last send whose first number is this one or lower. */
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

  /** Statistics are parsed only while a round is slow, because they are long. */
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
    tellSettled(state)
  }
}

function isSettled({ unsettled, waiting }: PartitionState): boolean {
  return unsettled.length === 0 && waiting === 0
}

function tellSettled(state: PartitionState): void {
  if (isSettled(state)) for (const then of state.whenSettled.splice(0)) then()
}

function headersOf(batch: OutgoingBatch, index: number): ReadonlyArray<object> | undefined {
  const headers = batch.headers(index)
  if (headers.length === 0) return undefined
  // One object for each header keeps order and duplicates. A computed key is an own property, whatever its name.
  return headers.map(([name, value]) => ({ [name]: value }))
}
