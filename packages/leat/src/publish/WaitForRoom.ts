/**
 * A publish that waits for room. Its event is kept as bytes, so what was checked is what is placed. Placing, counting and telling
 * are one synchronous step: whoever is interrupted before it is not stored, and whoever was told admitted is.
 */
import { type Admission, rejection } from "./Admission.ts"
import type { Draft } from "./Draft.ts"
import { whyExpired } from "./fullBuffer.ts"
import { type InLine, nextTicket } from "./RoomQueue.ts"
import type { Sink } from "./Sink.ts"
import type { Waiter } from "../ledger/Waiter.ts"

/** What places the event: the publisher of the stream. */
export interface Placing {
  readonly place: (draft: Draft, waiter: Waiter, ticket: number) => Admission
  /** The sink that the last event has to wait for. */
  readonly awaited: Sink | undefined
  /** Why the last event was rejected. */
  readonly fault: string
  readonly ended: (wait: WaitForRoom, told: Admission) => void
}

export class WaitForRoom implements InLine {
  readonly ticket = nextTicket()
  readonly untilMs: number
  readonly owner: Placing
  /** Called once with the answer, and why when it is a rejection. */
  told: ((told: Admission, fault: string) => void) | undefined
  readonly #draft: Draft
  readonly #waiter: Waiter
  /** Where it stands in line; undefined once it has its answer. */
  #sink: Sink | undefined

  constructor(owner: Placing, draft: Draft, waiter: Waiter, sink: Sink) {
    this.owner = owner
    this.#draft = draft
    this.#waiter = waiter
    this.#sink = sink
    this.untilMs = sink.waiting.nowMs + sink.leg.timeoutMs
    sink.waiting.join(this)
  }

  serve(): boolean {
    const told = this.owner.place(this.#draft, this.#waiter, this.ticket)
    const next = told.admitted ? undefined : this.owner.awaited
    if (next === undefined) {
      this.end(told, this.owner.fault)
      return true
    }
    if (next === this.#sink) return false
    this.#sink?.waiting.leave(this)
    this.#sink = next
    next.waiting.join(this)
    return true
  }

  /** These are the sinks that it has to wait for now. Whoever stands at another looks again, and keeps its turn. */
  requires(sinks: ReadonlyArray<Sink>): void {
    const from = this.#sink
    const [first] = sinks
    if (from === undefined || first === undefined || sinks.includes(from)) return
    this.#sink = first
    from.waiting.leave(this)
    first.waiting.join(this)
    first.waiting.freed()
  }

  expire(): void {
    if (this.#sink !== undefined) this.end(rejection.timeout, whyExpired(this.#sink))
  }

  /** Whoever offered the event does not wait any longer. */
  giveUp(): void {
    this.end(rejection.interrupted, "the caller gave up waiting for room")
  }

  /** Answers; only the first time. */
  end(told: Admission, fault: string): void {
    const sink = this.#sink
    if (sink === undefined) return
    this.#sink = undefined
    sink.waiting.leave(this)
    this.owner.ended(this, told)
    this.told?.(told, fault)
  }
}
