/**
 * A consumer whose results depend on what came before, in a group whose lanes may come and go, and whose process may die
 * anywhere. For each partition it keeps the state after exactly the events before one position. A batch that begins elsewhere
 * (the lane is new here, came back, or is tried again) has its state built from the log first, by observing what is before it
 * without publishing anything.
 *
 * An event that is handled twice leads to the same result; what is stored already is not published again.
 */
import { Effect } from "effect"
import type { DeliveryInfo, EventStream, NotStored, OpenLeat, Rejected, RouteError, TransportError } from "leat"
import { readBack } from "../streams/readBack.ts"
import { LineSet } from "../streams/LineSet.ts"
import { type Names, StoredNames } from "../streams/StoredNames.ts"

export interface FollowerOptions<Event, State, Result> {
  readonly leat: OpenLeat
  readonly group: string
  readonly events: EventStream<Event>
  readonly results: EventStream<Result>
  /** The state before the first event of a partition. */
  readonly begin: () => State
  readonly observe: (state: State, event: Event) => ReadonlyArray<Result>
  /** The line of input that an event comes from. */
  readonly eventLine: (event: Event) => string
  /** A name of a result, and where names are kept: by it is known what is stored already. */
  readonly resultName: (result: Result) => string
  readonly resultNames: Names
  /** Sees every event that this process handles. */
  readonly watch?: (event: Event) => void
}

interface Lane<State> {
  readonly state: State
  /** Position after the last event that the state has seen. */
  next: bigint
  /** The lines that the events come from which the state has seen. */
  readonly seen: LineSet
}

type Deliveries<Event> = ReadonlyArray<{ readonly event: Event; readonly info: DeliveryInfo }>

export class Follower<Event, State, Result> {
  readonly #options: FollowerOptions<Event, State, Result>
  readonly #lanes = new Map<number, Lane<State>>()
  readonly #stored: StoredNames<Result>
  /** Events handled by this process so far. */
  consumed = 0

  constructor(options: FollowerOptions<Event, State, Result>) {
    this.#options = options
    this.#stored = new StoredNames(options.leat, options.results, options.resultName, options.resultNames)
  }

  /** Handles some events of one partition, in their order; they are done when all that follows from them is stored. */
  readonly handle = (
    deliveries: Deliveries<Event>
  ): Effect.Effect<void, TransportError | RouteError | NotStored | Rejected> =>
    Effect.gen({ self: this }, function* () {
      const [first] = deliveries
      if (first === undefined) return
      const { partition, position } = first.info
      const lane = yield* this.#laneAt(partition, position)
      const { observe, eventLine, results, watch } = this.#options
      const fresh: Array<Result> = []
      for (const { event, info } of deliveries) {
        for (const result of observe(lane.state, event)) if (!this.#stored.has(result)) fresh.push(result)
        lane.seen.add(eventLine(event))
        lane.next = info.position + 1n
        watch?.(event)
      }
      if (fresh.length > 0) {
        const { rejected } = yield* results.publishAll(fresh, { level: "stored" })
        const [refused] = rejected
        if (refused !== undefined) return yield* refused.error
      }
      this.consumed += deliveries.length
    })

  /**
   * The lines of what the group has handled: in the lanes that this process has followed to their end, what it has seen; in the
   * others what lies before the settled position.
   */
  readonly handled = Effect.suspend(() => this.#handled())

  /** The state of a partition before a position. */
  readonly #laneAt = Effect.fnUntraced(function* (
    this: Follower<Event, State, Result>,
    partition: number,
    position: bigint
  ) {
    const found = this.#lanes.get(partition)
    if (found?.next === position) return found
    const { begin, observe, eventLine, leat, events } = this.#options
    const lane: Lane<State> =
      found !== undefined && found.next < position ? found : { state: begin(), next: 0n, seen: new LineSet() }
    yield* readBack(
      leat,
      events,
      (event, _, at) => {
        observe(lane.state, event)
        lane.seen.add(eventLine(event))
        lane.next = at + 1n
      },
      (one) => (one === partition ? { from: lane.seen.size === 0 ? undefined : lane.next, to: position } : undefined)
    )
    // Whoever had the lane before may have published what follows from this very event, and died before settling.
    yield* this.#stored.refresh
    this.#lanes.set(partition, lane)
    return lane
  })

  readonly #handled = Effect.fnUntraced(function* (this: Follower<Event, State, Result>) {
    const { events, group, leat, eventLine } = this.#options
    const lines = new LineSet()
    const elsewhere = new Map<number, bigint>()
    for (const { partition, settled } of yield* events.bounds(group)) {
      const lane = this.#lanes.get(partition)
      if (lane !== undefined && lane.next >= (settled ?? 0n)) lines.addAll(lane.seen)
      else if (settled !== undefined) elsewhere.set(partition, settled)
    }
    yield* readBack(
      leat,
      events,
      (event) => lines.add(eventLine(event)),
      (partition) => {
        const to = elsewhere.get(partition)
        return to === undefined ? undefined : { to }
      }
    )
    return lines
  })
}
