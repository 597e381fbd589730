/**
 * One `publishAll`: takes events from the iterable, and stops at the first that has to wait until it has its answer. What is there
 * when it is called, a list or a set and the context, is copied before it waits: the caller goes on with his own. The patience of
 * one call is one time-out: once an event has waited for that long in vain, the others are rejected with `timeout` where there is
 * no room at once. An iterable that may have no end is left when the leat is closed: nothing behind that would be admitted.
 */
import { AsyncResource } from "node:async_hooks"
import { isObject, kindOf } from "../given/takes.ts"
import type { EventContext, Surroundings } from "../record/ContextHeaders.ts"
import type { Waiter } from "../ledger/Waiter.ts"
import { type Admission, Rejected } from "./Admission.ts"
import { keptContext } from "./keptContext.ts"
import type { Publisher } from "./Publisher.ts"
import { WaitForRoom } from "./WaitForRoom.ts"

/**
 * After so many events of an iterable that may have no end a call gives way: it would hold the process, and no signal could be heard. So many,
 * and never in an array: what is published meanwhile comes before the rest.
 */
const eventsPerTurn = 1_000_000

/** What all events of the call have in common. */
interface Shared {
  readonly context: EventContext | undefined
  readonly around: Surroundings | undefined
  readonly waiter: Waiter
  /** Runs a task in a later turn. */
  readonly schedule: (task: () => void) => void
  /** Whether `giveUp` comes as soon as `run` has returned. */
  readonly isGivenUp: (() => boolean) | undefined
}

/** What an iterable threw. */
interface Thrown {
  readonly thrown: unknown
}

type Refusal = Admission & { readonly admitted: false }

/** What iterates over lists, sets and maps. */
const overLists: ReadonlySet<unknown> = new Set(
  [[].values(), new Set().values(), new Map().values()].map((one): unknown => Object.getPrototypeOf(one))
)

/** Whether all events are there already, and their list may be changed while the call waits. Generators are asked for an event when there is room for it. */
function isThere(events: Iterable<unknown>): boolean {
  return Array.isArray(events) || events instanceof Set || overLists.has(Object.getPrototypeOf(events))
}

export class PublishingAll<T> {
  /** Events admitted so far. */
  admitted = 0
  readonly #publisher: Publisher<T>
  readonly #given: Iterable<T>
  #events: Iterator<T>
  /** As it was at the call, once the call has waited. */
  #context: EventContext | undefined
  #isKept = false
  readonly #perTurn: number
  readonly #shared: Shared
  readonly #rejected: (index: number, told: Refusal, fault: string) => void
  #finished: ((thrown?: Thrown) => void) | undefined
  #index = 0
  #isPatient = true
  /** Nothing more of an iterable that may have no end is taken. */
  #isOver = false
  #wait: WaitForRoom | undefined

  constructor(
    publisher: Publisher<T>,
    events: Iterable<T>,
    shared: Shared,
    rejected: (index: number, told: Refusal, fault: string) => void
  ) {
    this.#publisher = publisher
    this.#given = events
    this.#events = events[Symbol.iterator]()
    this.#context = shared.context
    this.#perTurn = Array.isArray(events) ? Number.POSITIVE_INFINITY : eventsPerTurn
    this.#shared = shared
    this.#rejected = rejected
  }

  /** Offers all events; `finished` is called once, perhaps before this returns, and never after `giveUp`. */
  run(finished: (thrown?: Thrown) => void): void {
    this.#finished = finished
    this.#next()
  }

  /** Offers no more events. One that waits for room is rejected. */
  giveUp(): void {
    if (this.#finished === undefined) return
    this.#finished = undefined
    this.#wait?.giveUp()
    this.#closeEvents()
  }

  /** A generator that is making an event is closed once it has made it. */
  #closeEvents(): void {
    try {
      this.#events.return?.()
    } catch {
      // Nobody listens any more.
    }
  }

  #next(): void {
    if (this.#isOver) return this.#leave()
    const { around, waiter, isGivenUp } = this.#shared
    const turnEnd = this.#index + this.#perTurn
    try {
      for (let step = this.#step(); step.done !== true; step = this.#step()) {
        // Whoever makes the events may have given up meanwhile: what was told by then is to stay true.
        if (this.#finished === undefined || isGivenUp?.() === true) {
          this.#finished = undefined
          return this.#closeEvents()
        }
        const index = this.#index++
        const told = this.#publisher.offerOrWait(step.value, this.#context, around, waiter, this.#isPatient)
        if (told instanceof WaitForRoom) return this.#waitFor(told, index)
        this.#note(index, told, told.admitted ? "" : this.#publisher.fault)
        if (this.#finished === undefined) return
        if (this.#isOver) return this.#leave()
        if (this.#index === turnEnd) return this.#giveWay()
      }
    } catch (thrown) {
      return this.#end({ thrown })
    }
    this.#end()
  }

  /** As `for..of` takes it: what gives no object would give none for ever. */
  #step(): IteratorResult<T> {
    const step = this.#events.next()
    if (isObject(step)) return step
    const { stream } = this.#publisher.contract
    const detail = `publishAll: its iterator gave ${kindOf(step)} in place of { value, done }`
    throw new Rejected({ reason: "invalid", stream, detail })
  }

  #giveWay(): void {
    this.#keep()
    this.#shared.schedule(AsyncResource.bind(() => this.#finished && this.#next(), "leat.publishAll"))
  }

  /** Others go on before the rest is read. */
  #keep(): void {
    if (this.#isKept) return
    this.#isKept = true
    this.#context = keptContext(this.#context)
    if (isThere(this.#given)) this.#events = [...{ [Symbol.iterator]: () => this.#events }].values()
  }

  #waitFor(wait: WaitForRoom, index: number): void {
    try {
      this.#keep()
    } catch (thrown) {
      wait.giveUp()
      throw thrown
    }
    this.#wait = wait
    // In the caller's async context, which is not that of whoever makes room: an iterable may look whose request it is of.
    wait.told = AsyncResource.bind((told: Admission, fault: string) => {
      this.#wait = undefined
      this.#note(index, told, fault)
      if (this.#finished !== undefined) this.#next()
    }, "leat.publishAll")
  }

  #note(index: number, told: Admission, fault: string): void {
    if (told.admitted) this.admitted++
    else {
      if (told.reason === "timeout") this.#isPatient = false
      if (told.reason === "closed" && this.#perTurn < Number.POSITIVE_INFINITY) this.#isOver = true
      this.#rejected(index, told, fault)
    }
  }

  #leave(): void {
    this.#closeEvents()
    this.#end()
  }

  #end(thrown?: Thrown): void {
    const finished = this.#finished
    this.#finished = undefined
    finished?.(thrown)
  }
}
