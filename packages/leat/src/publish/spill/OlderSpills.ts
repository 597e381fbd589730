/**
 * Spills of the same destination that processes before this one had while its topic had another number of partitions. Nothing goes there any more: what
 * they hold is taken over into the spill of today, in order and before anything of this process, and goes on from there as if it had been left in that.
 */
import { Deferred, Effect, Option, Scope } from "effect"
import { readMeta } from "../../record/Wire.ts"
import { warn } from "../../Telemetry.ts"
import { type Forwarder, openForwarder } from "../../transport/Forwarder.ts"
import type { ReceivedRecord, TransportError } from "../../transport/index.ts"
import { standstillMs } from "../Standstills.ts"
import type { HaltedRecord, SendOnHome } from "../sendOn/SendOn.ts"
import { answered, asked } from "./answers.ts"
import { type Departures, fateOf } from "./Departures.ts"
import { OlderSender, type OlderSending } from "./OlderSender.ts"
import { spilledPartitions, spillTopic } from "./openSpill.ts"
import { heldIn, readSpill } from "./readSpill.ts"
import { unprovenText } from "./proving.ts"
import type { Spill, SpillPart } from "./Spill.ts"
import type { EndingsHome } from "./SpillEndings.ts"
import { type Portion, type SpillBounds, SpillLanes } from "./SpillLanes.ts"

/** Pause before it is tried again where neither the disk nor the destination takes anything, in milliseconds: the first, and the longest. */
const [roomMs, roomMsMax] = [200, 10_000]

/** How long a process that publishes nothing has a spill that its disk has no room to copy, in milliseconds. */
const turnMs = 60_000

/** What is asked of the sink. */
export interface OlderHome extends SendOnHome, EndingsHome {
  /** Undefined: no stream is ever moved. */
  readonly departures: Departures | undefined
}

/** What is asked of the drain. */
export interface OlderTurn {
  /** Whether the spill is to be given back: nothing is begun any more. */
  readonly isOver: () => boolean
  /** Whether this process publishes, and keeps it. */
  readonly isWanted: () => boolean
  /** Whether a partition of the destination answers. */
  readonly answers: (partition: number) => Effect.Effect<boolean>
}

interface Refused {
  readonly record: ReceivedRecord
  readonly error: TransportError
}

/** The disk takes nothing for now. */
interface Full {
  readonly full: TransportError
}

/** One that holds something. */
interface Older {
  readonly topic: string
  readonly partitions: number
}

/** One that this process has at the moment. */
interface Taking {
  readonly older: Spill
  readonly lanes: SpillLanes
  readonly forwarder: Forwarder
  readonly sender: OlderSender
  /** Sends on what was taken over until now. Undefined: what has no room stays for the next look. */
  readonly emptied: Effect.Effect<void> | undefined
}

export class OlderSpills {
  readonly #spill: Spill
  readonly #home: OlderHome
  readonly #pump: OlderSending["pump"]
  readonly #turn: OlderTurn
  /** Whether it was looked once: at first this process has as many partitions as the topic. */
  #isLater = false
  /** What was told of them. */
  readonly #told = new Set<string>()
  /** By topic, those that this process has had: how far it has got in them. */
  readonly #known = new Map<string, Spill>()
  #sender: OlderSender | undefined

  constructor(spill: Spill, home: OlderHome, pump: OlderSending["pump"], turn: OlderTurn) {
    this.#spill = spill
    this.#home = home
    this.#pump = pump
    this.#turn = turn
  }

  /** Whether any of them holds something; asked once. */
  get isHolding(): Effect.Effect<boolean, TransportError> {
    return Effect.map(this.#holding, (found) => found.length > 0)
  }

  /** Of what is sent on from where it is. */
  get halted(): ReadonlyArray<HaltedRecord> {
    return this.#sender?.halted ?? []
  }

  resume(): void {
    this.#sender?.resume()
  }

  /** Begins nothing any more, and waits for what is on its way; not for long. */
  get leave(): Effect.Effect<void> {
    return Effect.suspend(() => this.#sender?.leave ?? Effect.void)
  }

  /** Completes when who publishes nothing is to keep nobody waiting any longer. */
  get over(): Effect.Effect<void> {
    return Effect.andThen(Effect.sleep(turnMs), () => (this.#turn.isWanted() ? Effect.never : Effect.void))
  }

  /** Waits for the answers to what is on its way, so long at most. */
  quietAll(mostMs: number): Effect.Effect<void> {
    return Effect.suspend(() => this.#sender?.quietAll(mostMs) ?? Effect.void)
  }

  /**
   * Takes over what they hold. Who is dead gives a spill back within its lease; one that another process still has after `waitMs` stays as it is.
   * `emptied`: sends on all that was taken over until now. With it, what the disk has no room for is sent on from where it is.
   */
  taken(waitMs: number, emptied?: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const holding = yield* asked(answered(this.#holding, this.#spill.place, "bounds"), this.#spill)
      for (const one of holding) yield* Effect.scoped(this.#takenFrom(one, waitMs, emptied))
      this.#isLater = true
      this.#spill.waitsFor = undefined
    })
  }

  /** Those of fewer partitions first: a topic gets more. */
  get #holding(): Effect.Effect<ReadonlyArray<Older>, TransportError> {
    const { transport } = this.#spill.place
    const { leg } = this.#home
    return Effect.gen({ self: this }, function* () {
      const found: Array<Older> = []
      const counts = (yield* spilledPartitions(transport, leg)).toSorted((a, b) => a - b)
      for (const partitions of counts) {
        const own = this.#spill.parts.length
        // Later the topic may have got more, and those are of processes that know it.
        if (partitions === own || (this.#isLater && partitions > own)) continue
        const topic = spillTopic(leg, partitions)
        if ((yield* heldIn(transport, topic)) > 0) found.push({ topic, partitions })
      }
      return found
    })
  }

  #takenFrom(
    { topic, partitions }: Older,
    waitMs: number,
    emptied: Effect.Effect<void> | undefined
  ): Effect.Effect<void, never, Scope.Scope> {
    const { sink } = this.#home.leg
    const older =
      this.#known.get(topic) ?? readSpill(this.#spill.place.transport, topic, partitions, this.#pump.context)
    return Effect.gen({ self: this }, function* () {
      this.#waits(older, () => `which ${older.why?.() ?? "is read"}`)
      const opened = yield* Effect.timeoutOption(SpillLanes.open(older, sink), waitMs)
      if (Option.isSome(opened)) {
        const lanes = opened.value
        this.#known.set(topic, older)
        return yield* Effect.raceFirst(this.#copied(older, lanes, emptied), lanes.lost)
      }
      yield* this.#tellOnce(
        older.name,
        `${older.name}, which is of ${partitions} partitions where ${sink} has ${this.#spill.parts.length} now, belongs to another process still: what it holds is sent once that has ended`
      )
    })
  }

  #copied(
    older: Spill,
    lanes: SpillLanes,
    emptied: Effect.Effect<void> | undefined
  ): Effect.Effect<void, never, Scope.Scope> {
    const { place, parts, name, destination } = this.#spill
    const { transport, topic } = place
    return Effect.gen({ self: this }, function* () {
      const scope = yield* Effect.scope
      const opening = Scope.provide(openForwarder(transport, { topic, partitions: parts.length }), scope)
      const forwarder = yield* asked(answered(opening, place, "openWriter"), this.#spill)
      const sender = new OlderSender({
        older,
        lanes,
        home: this.#home,
        pump: this.#pump,
        turn: this.#turn,
        destination,
        partitionOf: (record, partition) => this.#partitionOf(record, partition)
      })
      this.#sender = sender
      yield* sender.proving
      const taking = { older, lanes, forwarder, sender, emptied }
      const last = Effect.andThen(
        Effect.andThen(sender.provenSoon, this.#tellUnproven(older)),
        Effect.forEach(older.parts, ({ at }, partition) => lanes.last(partition, at), {
          concurrency: "unbounded",
          discard: true
        })
      )
      const all = Effect.gen({ self: this }, function* () {
        let taken = 0
        for (const bounds of yield* lanes.bounds) taken += yield* this.#copiedOf(taking, bounds)
        return taken
      })
      const taken = yield* Effect.onExit(all, () => {
        this.#sender = undefined
        return last
      })
      if (taken === 0) return
      yield* warn(
        `${taken} records of ${older.name} are taken over into ${name}: ${this.#home.leg.sink} had ${older.parts.length} partitions then, and has ${parts.length} now`
      )
    })
  }

  /** Gives how many were taken over. What is not there any more is told, and what the disk refuses stays, with all behind it. */
  #copiedOf(taking: Taking, { partition, start, settled, end }: SpillBounds): Effect.Effect<number> {
    const { older, lanes, emptied } = taking
    const part = older.parts[partition]
    return Effect.gen({ self: this }, function* () {
      if (part === undefined) return 0
      if (part.at > end) part.renew()
      if (part.unproven.isLost) part.goBack()
      if (settled > part.at) part.at = settled
      part.settled = settled
      part.end = end
      let taken = 0
      let sent = 0
      let pauseMs = roomMs
      let missing = start > part.at ? Number(start - part.at) : 0
      if (start > part.at) part.at = start
      while (part.at < end) {
        const { at } = part
        const portion = yield* lanes.read(partition, at, end)
        const { records, next } = portion
        const refused = yield* this.#appended(taking, partition, records)
        if (refused !== undefined && "full" in refused) {
          if (emptied === undefined) break
          yield* this.#tellFull(older, refused.full)
          if (yield* this.#sentOn(taking, emptied, partition, part, portion)) pauseMs = roomMs
          else {
            yield* Effect.sleep(pauseMs)
            pauseMs = Math.min(pauseMs * 2, roomMsMax)
          }
          sent += Math.max(0, Number(part.at - at))
          continue
        }
        const stays = refused === undefined ? records.length : records.indexOf(refused.record)
        const to = refused?.record.position ?? next
        missing += Number(to - at) - stays
        taken += stays
        part.at = to
        yield* lanes.settle(partition, to)
        if (refused === undefined) continue
        yield* warn(
          `${older.name} keeps what it holds of partition ${partition} from position ${to} on: ${this.#spill.name} refuses it: ${refused.error.message}`
        )
        break
      }
      if (missing > 0)
        yield* warn(
          `${missing} records of partition ${partition} of ${older.name} cannot be read: events for ${this.#home.leg.sink} that stood there are lost`
        )
      if (sent > 0)
        yield* warn(
          `${sent} records of partition ${partition} of ${older.name} were sent on from where they stood: the disk had no room for them in ${this.#spill.name}`
        )
      return taken
    })
  }

  /** Behind all that was taken over before, and once the destination answers: until then there may be room again. Says whether it does. */
  #sentOn(
    { lanes, sender }: Taking,
    emptied: Effect.Effect<void>,
    partition: number,
    part: SpillPart,
    portion: Portion
  ): Effect.Effect<boolean> {
    const { departures, leg } = this.#home
    const [first] = portion.records
    return Effect.gen({ self: this }, function* () {
      const isLeft = departures !== undefined && first !== undefined && fateOf(first, leg.sink, departures) !== "send"
      const to = first === undefined ? 0 : this.#partitionOf(first, partition)
      if (!isLeft && !(yield* this.#turn.answers(to))) return false
      yield* emptied
      yield* sender.send(partition, part, portion)
      if (part.unproven.isLost) {
        part.goBack()
        yield* lanes.again
      }
      return true
    })
  }

  /**
   * Says which is the first that is refused for good, or that the disk has no room. The first of all goes alone: behind one that is refused nothing is
   * copied, again with each look.
   */
  #appended(
    { older, forwarder }: Taking,
    partition: number,
    records: ReadonlyArray<ReceivedRecord>
  ): Effect.Effect<Refused | Full | undefined> {
    const rest = Map.groupBy(records.slice(1), (record) => this.#partitionOf(record, partition))
    const runs = [
      ...records.slice(0, 1).map((record) => [this.#partitionOf(record, partition), [record]] as const),
      ...rest
    ]
    const full = Deferred.makeUnsafe<Full>()
    let waiting: TransportError | undefined
    const onWaiting = (error: TransportError) => {
      waiting = error
      this.#waits(older, () => `which cannot be taken over: ${error.message}`)
      if (error.reason === "Full") Deferred.doneUnsafe(full, Effect.succeed({ full: error }))
    }
    const telling = Effect.andThen(Effect.sleep(standstillMs), () =>
      waiting === undefined
        ? Effect.void
        : this.#tellOnce(
            `${older.name} waits`,
            `${older.name} cannot be taken over into ${this.#spill.name}, and is tried again; nothing is sent to ${this.#home.leg.sink} until it can: ${waiting.message}`
          )
    )
    const appended = Effect.gen(function* () {
      let first: Refused | undefined
      for (const [to, some] of runs) {
        const fates = yield* forwarder.appendUntilRefused(to, some, onWaiting)
        for (const [index, error] of fates.entries()) {
          const record = some[index]
          if (typeof error === "string" || record === undefined) continue
          if (first === undefined || record.position < first.record.position) first = { record, error }
        }
        if (first?.record === records[0]) break
      }
      return first
    })
    return Effect.raceAllFirst([appended, Deferred.await(full), Effect.forever(telling)])
  }

  /** What all that is published waits for. */
  #waits(older: Spill, why: () => string): void {
    this.#spill.waitsFor = () => `waits for ${older.name}, ${why()}`
  }

  #tellFull(older: Spill, { message }: TransportError): Effect.Effect<void> {
    const { sink } = this.#home.leg
    this.#waits(older, () => `which is sent on to ${sink} from where it stands, for the disk has no room: ${message}`)
    return this.#tellOnce(
      `${older.name} has no room`,
      `${older.name} cannot be taken over into ${this.#spill.name}, whose disk has no room: ${message}; what it holds is sent to ${sink} from where it stands, as soon as that takes it, and nothing else is before`
    )
  }

  /** It is looked at again with each look, and not sent again. */
  #tellUnproven(older: Spill): Effect.Effect<void> {
    return Effect.suspend(() =>
      older.parts.some(({ unproven }) => unproven.sinceMs !== undefined)
        ? this.#tellOnce(`${older.name} is not proven`, `${older.name} ${unprovenText(this.#home.departures?.trouble)}`)
        : Effect.void
    )
  }

  #tellOnce(what: string, sentence: string): Effect.Effect<void> {
    if (this.#told.has(what)) return Effect.void
    this.#told.add(what)
    return warn(sentence)
  }

  /** As whoever publishes it: a stream that is placed goes to as many partitions as the place had when it was placed there. */
  #partitionOf({ headers }: ReceivedRecord, partition: number): number {
    const { parts } = this.#spill
    const { leg, departures } = this.#home
    const { id, dropped, epoch } = readMeta(headers, "")
    // What says no bucket only announces drops that nobody can place.
    const bucket = id?.bucket ?? dropped[0]?.bucket ?? partition
    const written = id === undefined ? undefined : departures?.partitionsOf(id.stream, leg.sink, epoch)
    return bucket % Math.min(written ?? parts.length, parts.length)
  }
}
