/**
 * Judges whole histories, as Jepsen's Kafka checker does: what was admitted and told, what the broker holds, what consumers
 * got. It is a `Journal`, so it sees every move of every leg by id, and it trusts no counter.
 */
import { Effect, Stream } from "effect"
import { type EventId, formatEventId } from "../record/EventId.ts"
import type { Journal, Place, WriteAccount } from "../ledger/Ledger.ts"
import type { Transport, TransportError } from "../transport/index.ts"
import { readMeta } from "../record/Wire.ts"

/** What can be wrong with a history. */
export type ViolationKind =
  /** Told stored, and the broker does not have it. */
  | "lost"
  /** The broker holds it although nothing that was sent could have put it there. */
  | "unexplained"
  /** A first delivery came after a later one of its key or bucket. */
  | "reordered"
  /** More copies than attempts. */
  | "duplicated"
  /** Stored, and a group that settled past it never got it. */
  | "skipped"
  /** A leg left a place where it was not, or one that is final. */
  | "inconsistent"

/** One thing that is wrong with a history. */
export interface Violation {
  readonly kind: ViolationKind
  /** One sentence with the ids. */
  readonly detail: string
}

interface Leg {
  place: Place
  attempts: number
  mayBeStored: boolean
}

interface Sink {
  readonly legs: Map<string, Leg>
  /** Copies that the broker holds, by leg. */
  readonly observed: Map<string, number>
}

/**
 * A journal that remembers, and judges what it has seen.
 *
 * @example
 * ```ts
 * const history = new History()
 * const leat = yield* Leat.make({ source: "test", drivers: [memoryDriver(broker)], journal: history })
 * // ... publish, crash, consume ...
 * const [stream, sink] = ["risk.beacons.sighting", "memory/risk.beacons.sighting"]
 * yield* history.readBack(memoryTransport(broker), stream, sink, stream)
 * history.checkGroup("positions", sink, leat.incarnation)
 * history.verdict() // []
 * ```
 */
export class History implements Journal {
  /** Everything that is wrong so far, in the order it was noticed. */
  readonly violations: Array<Violation> = []
  readonly #sinks = new Map<string, Sink>()
  readonly #handled = new Map<string, { readonly seen: Set<string>; readonly lastByKey: Map<string, number> }>()
  #rejected = 0

  /** Events that were not admitted. */
  get rejectedCount(): number {
    return this.#rejected
  }

  /** A leg moved; `leat` calls it. */
  readonly moved = (account: WriteAccount, bucket: number, seq: number, from: Place | undefined, to: Place): void => {
    const { legs } = this.#sink(account.sink)
    const key = legKey(account.stream, bucket, seq)
    const leg = legs.get(key)
    if (leg === undefined) {
      if (from !== undefined) this.#violate("inconsistent", `${key} left ${from} before it was admitted`)
      legs.set(key, { place: to, attempts: 0, mayBeStored: false })
      return
    }
    if (leg.place !== from)
      this.#violate("inconsistent", `${key} moved from ${from ?? "nowhere"} to ${to}, but was ${leg.place}`)
    if (to === "inFlight") leg.attempts++
    // Whatever was on its way and is not told stored may have landed.
    if (from === "inFlight" && to !== "stored") leg.mayBeStored = true
    leg.place = to
  }

  /** An event was not admitted; `leat` calls it. */
  readonly rejected = (): void => {
    this.#rejected++
  }

  /**
   * The ids of a sink that are in a place now, as text `stream/bucket/seq`. A sink is `cluster/topic`.
   *
   * @example
   * ```ts
   * history.ids("memory/risk.beacons.sighting", "stored") // ["risk.beacons.sighting/2031/0"]
   * ```
   */
  ids(sink: string, place: Place): ReadonlyArray<string> {
    return [...this.#sink(sink).legs].filter(([, leg]) => leg.place === place).map(([key]) => key)
  }

  /** The ids that the broker held when it was last read back, as text `stream/bucket/seq`. */
  observed(sink: string): ReadonlyArray<string> {
    return [...this.#sink(sink).observed.keys()]
  }

  /**
   * A handler of a group got an event: to be called by the handler. Only the first call for an id counts.
   *
   * @example
   * ```ts
   * yield* sightings.handle("positions", (_, { id, key }) =>
   *   Effect.sync(() => {
   *     if (id !== undefined) history.handled("positions", id, key)
   *   })
   * )
   * ```
   */
  handled(group: string, id: EventId, key: string): void {
    const group_ = this.#group(group)
    const text = formatEventId(id)
    if (group_.seen.has(text)) return
    group_.seen.add(text)
    const keyText = `${id.incarnation} ${id.stream} ${key}`
    const last = group_.lastByKey.get(keyText) ?? -1
    if (id.seq < last) this.#violate("reordered", `group ${group} first got ${text} after seq ${last} of key ${key}`)
    group_.lastByKey.set(keyText, Math.max(last, id.seq))
  }

  /**
   * Reads a topic of one stream back and compares it with what was told of the sink. Fails with the transport's error; what
   * is wrong is in `violations`.
   */
  readBack(transport: Transport, topic: string, sink: string, stream: string): Effect.Effect<void, TransportError> {
    return Effect.gen({ self: this }, function* () {
      const { observed, legs } = this.#sink(sink)
      observed.clear()
      for (const { partition, start, end } of yield* transport.bounds(topic)) {
        const last = new Map<string, number>()
        const seen = new Set<string>()
        const range = { fromPosition: start, toPosition: end }
        yield* Stream.runForEach(transport.read(topic, partition, range), ({ records }) =>
          Effect.sync(() => {
            for (const { headers, position } of records) {
              const { id, isMarker } = readMeta(headers, stream)
              if (isMarker) continue
              if (id === undefined)
                this.#violate("unexplained", `position ${position} of ${topic}/${partition} has no id`)
              else this.#observe(sink, id, observed, seen, last)
            }
          })
        )
      }
      for (const [key, leg] of legs)
        if (leg.place === "stored" && !observed.has(key)) this.#violate("lost", `${key} was acknowledged by ${sink}`)
    })
  }

  /** What a group has not got although it is stored; call it after `readBack`, once the group has settled everything. */
  checkGroup(group: string, sink: string, incarnation: string): void {
    const { seen } = this.#group(group)
    for (const key of this.#sink(sink).observed.keys()) {
      if (!seen.has(`${incarnation}/${key}`)) this.#violate("skipped", `group ${group} never got ${key}`)
    }
  }

  /** Everything that is wrong, as text; empty when nothing is. */
  verdict(): ReadonlyArray<string> {
    return this.violations.map(({ kind, detail }) => `${kind}: ${detail}`)
  }

  #observe(
    sink: string,
    id: EventId,
    observed: Map<string, number>,
    seen: Set<string>,
    last: Map<string, number>
  ): void {
    const key = legKey(id.stream, id.bucket, id.seq)
    const copies = (observed.get(key) ?? 0) + 1
    observed.set(key, copies)
    const leg = this.#sink(sink).legs.get(key)
    if (leg === undefined || (leg.place !== "stored" && !leg.mayBeStored && leg.place !== "inFlight")) {
      this.#violate("unexplained", `${sink} holds ${key}, which is ${leg?.place ?? "unknown"}`)
    } else if (copies > leg.attempts)
      this.#violate("duplicated", `${sink} holds ${copies} copies of ${key} after ${leg.attempts} attempts`)
    if (seen.has(key)) return
    seen.add(key)
    const lane = `${id.incarnation} ${id.stream} ${id.bucket}`
    const highest = last.get(lane) ?? -1
    if (id.seq < highest) this.#violate("reordered", `${sink} holds ${key} first after seq ${highest} of its bucket`)
    last.set(lane, Math.max(highest, id.seq))
  }

  #violate(kind: ViolationKind, detail: string): void {
    this.violations.push({ kind, detail })
  }

  #sink(name: string): Sink {
    let sink = this.#sinks.get(name)
    if (sink === undefined) {
      sink = { legs: new Map(), observed: new Map() }
      this.#sinks.set(name, sink)
    }
    return sink
  }

  #group(name: string) {
    let group = this.#handled.get(name)
    if (group === undefined) {
      group = { seen: new Set<string>(), lastByKey: new Map<string, number>() }
      this.#handled.set(name, group)
    }
    return group
  }
}

function legKey(stream: string, bucket: number, seq: number): string {
  return `${stream}/${bucket}/${seq}`
}
