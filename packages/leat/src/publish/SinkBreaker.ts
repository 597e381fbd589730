/** The breaker of a sink: which lanes wait for it, when its probes are due, and who is told that it opens and closes. */
import { Effect } from "effect"
import type { BreakerSettings, Leg } from "../routes/Route.ts"
import { isPassing } from "../reasons.ts"
import { warn } from "../Telemetry.ts"
import type { Run, Writer } from "../transport/index.ts"
import { answeredRuns } from "../transport/answeredRuns.ts"
import { Breaker, type BreakerState } from "./Breaker.ts"
import type { Alarmed } from "./Calendar.ts"
import type { LaneBreaker } from "./LaneRules.ts"
import type { Pump } from "./Pump.ts"
import type { PumpedLane } from "./Pumped.ts"
import type { Span } from "./Span.ts"
import type { Sending } from "./WritePartition.ts"
import type { WriteLane } from "./WriteLane.ts"

type Answer = (runs: ReadonlyArray<Run>) => void

/** What the breaker asks of its sink. */
export interface BreakerHome {
  readonly leg: Leg
  readonly partitions: number
  /** Has the lanes of a partition, or of all, ask again. False where nobody writes there. */
  readonly wake: (partition: number | undefined) => boolean
  /** Records that have not ended. */
  readonly pending: number
}

interface SpillingSink {
  readonly breaker: SinkBreaker | undefined
  readonly isSpilling: (partition: number) => boolean
}

/** What `leat.sinks()` shows. */
export interface BreakerView {
  /** `halfOpen`: a probe is on its way. */
  readonly state: BreakerState
  /** Since when it is open, or closed, in epoch milliseconds: a probe that fails changes nothing of that. */
  readonly sinceMs: number
}

export class SinkBreaker implements LaneBreaker, Alarmed {
  alarmMs = Number.POSITIVE_INFINITY
  readonly #home: BreakerHome
  readonly #pump: Pump
  readonly #breaker: Breaker
  /** What is on its way as a probe. */
  #probe: Span | undefined
  /** The partition that was woken for the next probe, and has not had its turn yet. */
  #woken: number | undefined
  /** Of the wall clock. */
  #sinceMs: number
  #openedMs = 0
  /** Records that ended, or went to the spill, because it was open. */
  #ended = 0

  constructor(home: BreakerHome, pump: Pump, settings: BreakerSettings) {
    this.#home = home
    this.#pump = pump
    this.#breaker = new Breaker(home.partitions, settings)
    this.#sinceMs = pump.wallMs
  }

  get isOpen(): boolean {
    return this.#breaker.state !== "closed"
  }

  get view(): BreakerView {
    return { state: this.#breaker.state, sinceMs: this.#sinceMs }
  }

  /** Takes other settings over. */
  configure(settings: BreakerSettings): void {
    this.#breaker.configure(settings)
    if (this.#breaker.state === "open") this.#pump.alarm(this, this.#breaker.probeAtMs)
  }

  /** There is none any more. */
  close(): void {
    this.#pump.forget(this)
  }

  admits(lane: WriteLane, span: Span, nowMs: number): boolean {
    const { partition } = (lane as PumpedLane).partition
    if (!this.#breaker.admits(partition, nowMs)) return false
    this.#probe = span
    // It has had its turn, and may be answered before it is over.
    this.#woken = undefined
    return true
  }

  ended(records: number): void {
    this.#ended += records
  }

  /** A send to the destination was answered. */
  answered(partition: number, { span, runs = [], isBehind }: Sending, nowMs: number): void {
    const isProbe = span === this.#probe
    if (isProbe) this.#probe = undefined
    const failed = failedOf(runs)
    // What failed because of others says nothing of its own.
    const isOfOthers = failed?.fate === "notStored" && failed.error === undefined
    if (!isProbe && failed !== undefined && (isBehind || isOfOthers)) return
    this.#look(partition, failed, isProbe, nowMs)
  }

  /** Looks at the answer to a send that no lane has made. It was not asked for; where it is answered, the breaker closes all the same. */
  watched(partition: number, from: number, to: number, answer: Answer): Answer {
    return (runs) => {
      const failed = failedOf(answeredRuns(runs, from, to))
      const { nowMs } = this.#pump
      if (failed === undefined && this.#breaker.close()) this.#closes(nowMs)
      else this.#look(partition, failed, false, nowMs)
      answer(runs)
    }
  }

  /** The next probe is due, however long the pause is. */
  probeNow(): void {
    this.#breaker.probeNow(this.#pump.nowMs)
    this.#wakeNext()
  }

  /** The next probe is due. */
  ring(): void {
    this.#wakeNext()
  }

  /** A partition has had its turn: where it was woken for a probe and has nothing to send, it is the turn of the next one. */
  driven(partition: number): void {
    if (partition !== this.#woken) return
    this.#woken = undefined
    if (this.#breaker.state !== "open") return
    this.#breaker.leave(partition)
    this.#wakeNext()
  }

  #wakeNext(): void {
    if (this.#breaker.state !== "open") return
    for (let first = this.#breaker.first; first !== undefined; first = this.#breaker.first) {
      this.#woken = first
      if (this.#home.wake(first)) return
      this.#breaker.leave(first)
    }
    this.#woken = undefined
  }

  #look(partition: number, failed: Run | undefined, isProbe: boolean, nowMs: number): void {
    const hasFailed = failed !== undefined
    if (isProbe) {
      if (this.#breaker.probed(hasFailed, nowMs)) this.#closes(nowMs)
      else if (this.#breaker.state === "open") this.#pump.alarm(this, this.#breaker.probeAtMs)
    } else if (this.#breaker.answered(partition, hasFailed, nowMs)) this.#opens(failed, nowMs)
  }

  #opens(failed: Run | undefined, nowMs: number): void {
    this.#sinceMs = this.#pump.wallMs
    this.#openedMs = nowMs
    this.#ended = 0
    this.#woken = undefined
    this.#pump.alarm(this, this.#breaker.probeAtMs)
    const { counts } = this.#breaker
    const why = failed?.error === undefined ? "no answer" : `${failed.error.reason}: ${failed.error.detail}`
    this.#tell(
      `the breaker of ${this.#home.leg.sink} opens: ${counts.failed} of the last ${counts.sends} sends have failed, and so has the last one to ${counts.sick} of ${counts.partitions} partitions: ${why}; one probe at a time is sent until one is answered, and what is published waits or is given up, as its policy says`
    )
  }

  #closes(nowMs: number): void {
    this.#sinceMs = this.#pump.wallMs
    this.#probe = undefined
    this.#woken = undefined
    this.#pump.forget(this)
    const { probes } = this.#breaker
    const seconds = Math.round((nowMs - this.#openedMs) / 1000)
    this.#tell(
      `the breaker of ${this.#home.leg.sink} closes after ${seconds} ${seconds === 1 ? "second" : "seconds"} and ${probes} ${probes === 1 ? "probe" : "probes"}: ${this.#home.pending} events have waited, and ${this.#ended} of them were given up, or went elsewhere, because it was open`
    )
    this.#home.wake(undefined)
  }

  #tell(sentence: string): void {
    Effect.runForkWith(this.#pump.context)(warn(sentence))
  }
}

/** The destination for what its spill sends on: that is seen by the breaker, and not held by it. */
export function sentOn(writer: Writer, sink: SpillingSink): Writer {
  const send: Writer["send"] = (partition, batch, from, to, timeoutMs, answer) => {
    const breaker = sink.isSpilling(partition) ? sink.breaker : undefined
    writer.send(partition, batch, from, to, timeoutMs, breaker?.watched(partition, from, to, answer) ?? answer)
  }
  return { partitions: writer.partitions, fence: (partition) => writer.fence(partition), send }
}

/** Why a send has failed, when it has: something of it may pass, or has no answer, and nothing of it was stored or refused. */
function failedOf(runs: ReadonlyArray<Run>): Run | undefined {
  const isAnswered = ({ fate, error }: Run) =>
    fate === "stored" || (fate === "notStored" && error !== undefined && !isPassing(error.reason))
  if (runs.some(isAnswered)) return undefined
  return runs.find(({ error }) => error !== undefined) ?? runs[0]
}
