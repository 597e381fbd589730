/**
 * A consumer whose results depend on what came before, in a group whose lanes may come and go, and whose process may die
 * anywhere. For each partition it keeps the state after exactly the events before one position. A batch that begins elsewhere
 * (the lane is new here, came back, or is tried again) has its state built from the log first, by observing what is before it
 * without publishing anything. A stream that is moved has the rest of it in other places.
 *
 * An event that is handled twice leads to the same result; what is stored already is not published again.
 */
import { Effect } from "effect"
import type { DeliveryInfo, EventStream, NotStored, Rejected, RouteError, StoredRange, TransportError } from "leat"
import { readBack } from "../streams/readBack.ts"
import { LineSet } from "../streams/LineSet.ts"
import { type Names, StoredNames } from "../streams/StoredNames.ts"

export interface FollowerOptions<Event, State, Result> {
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
  /** The range that the state stands in. */
  epoch: number
  place: string
  /** Position after the last event that the state has seen there. */
  next: bigint
  /** The lines that the events come from which the state has seen, in all epochs. */
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
    this.#stored = new StoredNames(options.results, options.resultName, options.resultNames)
  }

  /** Handles some events of one partition, in their order; they are done when all that follows from them is stored. */
  readonly handle = (
    deliveries: Deliveries<Event>
  ): Effect.Effect<void, TransportError | RouteError | NotStored | Rejected> =>
    Effect.gen({ self: this }, function* () {
      const [first] = deliveries
      if (first === undefined) return
      const lane = yield* this.#laneAt(first.info)
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

  /** The state of a partition before a position: it goes on with the keys of the partition wherever the stream moves, to as many partitions. */
  readonly #laneAt = Effect.fnUntraced(function* (
    this: Follower<Event, State, Result>,
    { cluster, topic, partition, position }: Pick<DeliveryInfo, "cluster" | "topic" | "partition" | "position">
  ) {
    const place = `${cluster}/${topic}`
    const found = this.#lanes.get(partition)
    if (found?.place === place && found.next === position) return found
    const { begin, observe, eventLine, events } = this.#options
    const ranges = (yield* events.stored()).filter((range) => range.partition === partition)
    // A place that comes again has a range for each time.
    const target = ranges.findLast((range) => placeOf(range) === place && range.from <= position)
    const isBehind = (lane: Lane<State>) => {
      const at = ranges.findIndex(({ epoch }) => epoch === lane.epoch)
      const to = target === undefined ? -1 : ranges.indexOf(target)
      return at >= 0 && (at < to || (at === to && lane.next <= position))
    }
    const fresh = (): Lane<State> => ({ state: begin(), epoch: -1, place: "", next: 0n, seen: new LineSet() })
    const lane = found !== undefined && isBehind(found) ? found : fresh()
    const begun = lane.epoch
    yield* readBack(
      events,
      (event) => {
        observe(lane.state, event)
        lane.seen.add(eventLine(event))
      },
      (range) => {
        if (range.partition !== partition || range.epoch < begun) return undefined
        if (target !== undefined && range.epoch > target.epoch) return undefined
        const from = range.epoch === begun ? lane.next : undefined
        return { from, to: range.epoch === target?.epoch ? position : undefined }
      }
    )
    lane.epoch = target?.epoch ?? -1
    lane.place = place
    lane.next = position
    // Whoever had the lane before may have published what follows from this very event, and died before settling.
    yield* this.#stored.refresh
    this.#lanes.set(partition, lane)
    return lane
  })

  readonly #handled = Effect.fnUntraced(function* (this: Follower<Event, State, Result>) {
    const { events, group, eventLine } = this.#options
    const lines = new LineSet()
    const ranges = yield* events.stored(group)
    const followed = new Set<number>()
    for (const [partition, lane] of this.#lanes) {
      const ahead = ranges.filter(
        (range) =>
          range.partition === partition &&
          (range.settled ?? range.from) > (range.epoch === lane.epoch ? lane.next : range.from) &&
          range.epoch >= lane.epoch
      )
      if (ahead.length > 0) continue
      followed.add(partition)
      lines.addAll(lane.seen)
    }
    const settledOf = (range: StoredRange) =>
      ranges.find(({ partition, epoch }) => partition === range.partition && epoch === range.epoch)?.settled
    yield* readBack(
      events,
      (event) => lines.add(eventLine(event)),
      (range) => {
        const to = followed.has(range.partition) ? undefined : settledOf(range)
        return to === undefined ? undefined : { to }
      }
    )
    return lines
  })
}

function placeOf({ cluster, topic }: Pick<StoredRange, "cluster" | "topic">): string {
  return `${cluster}/${topic}`
}
