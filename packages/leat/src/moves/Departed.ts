/**
 * Where records go that stand in a spill of a place which their stream has left, or is about to leave: by what the control stream says, and by what
 * the writer of the stream here has said in it.
 */
import { Effect, type Scheduler } from "effect"
import type { Epoch, Placement } from "../control/Placement.ts"
import { endsOf } from "../control/Placement.ts"
import { standingOf } from "../control/standing.ts"
import { Changes } from "../publish/Changes.ts"
import { type Departures, isOf, type SpillFate } from "../publish/spill/Departures.ts"
import type { Written } from "../publish/spill/Unproven.ts"
import { taggedStream } from "../record/CompactHeader.ts"
import { readMeta } from "../record/Wire.ts"
import type { ReceivedRecord } from "../transport/index.ts"
import { placeKey } from "./PlacedRoute.ts"
import type { SpillCarrier } from "./SpillCarrier.ts"

/** From one try to read the control stream to the next, in milliseconds. */
const lookMs = 500

/** Where an event of a spill goes: where it was to go, nowhere for the time being, or to another epoch. */
export type Spilled = "send" | "wait" | Epoch

/** What is asked of those who move streams. */
export interface DepartedHome {
  /** The incarnation. */
  readonly member: string
  readonly streams: () => ReadonlyMap<string, Placement>
  /** Reads the control stream to its end; says whether it could. */
  readonly look: Effect.Effect<boolean>
  /** Why it cannot be read or written; undefined: it can. */
  readonly trouble: () => string | undefined
  /** Of a stream that is open here and placed. */
  readonly writerOf: (stream: string) => { readonly spilled: (epoch: Epoch) => Spilled } | undefined
  /** Whether a document that is not in force any more had the stream read there. */
  readonly wasRead: (stream: string, sink: string) => boolean
  /** This process is to be a writer of a stream that is not open here. */
  readonly join: (stream: string) => void
  readonly carrierTo: (stream: string, epoch: Epoch) => SpillCarrier
}

export class Departed implements Departures {
  readonly changes: Changes
  isPlaced = false
  #home: DepartedHome | undefined
  /** Streams that are placed, by name and by what stands for it in the compact wire; as far as they were asked for. */
  readonly #names = new Map<string, string | undefined>()
  readonly #carriers = new Map<string, SpillCarrier>()

  constructor(scheduler: Scheduler.Scheduler) {
    this.changes = new Changes(scheduler)
  }

  connect(home: DepartedHome): void {
    this.#home = home
  }

  /** The control stream has said something, or a writer here has. */
  changed(): void {
    this.#names.clear()
    this.isPlaced = false
    for (const { epochs } of this.#home?.streams().values() ?? []) this.isPlaced ||= epochs.length > 0
    this.changes.signal()
  }

  fateOf(name: string, sink: string, epoch: number | undefined): SpillFate {
    if (!this.isPlaced) return "send"
    const stream = this.#streamOf(name)
    const placement = stream === undefined ? undefined : this.#home?.streams().get(stream)
    const found = stream === undefined ? undefined : placement && this.#epochAt(stream, placement, sink, epoch)
    if (stream === undefined || placement === undefined || found === undefined) return "send"
    const to = this.#home?.writerOf(stream)?.spilled(found) ?? this.#unopened(stream, placement, found)
    return typeof to === "string" ? to : this.#carrier(stream, to)
  }

  partitionsOf(name: string, sink: string, epoch: number | undefined): number | undefined {
    const stream = this.#streamOf(name)
    const placement = stream === undefined ? undefined : this.#home?.streams().get(stream)
    return stream === undefined
      ? undefined
      : placement && this.#epochAt(stream, placement, sink, epoch)?.place.partitions
  }

  mayCount(records: ReadonlyArray<ReceivedRecord>, sink: string): boolean {
    return this.leftIn(records, sink).every(({ stream, epoch }) => this.mayWrite(stream, epoch))
  }

  readonly mayStillCount = (written: Written): boolean =>
    this.counts(written) || this.mayWrite(written.stream, written.epoch)

  /** This process has said that it had drained, and was not passed over: the epoch ends behind all that it has stored there. */
  readonly counts = ({ stream, epoch }: Written): boolean => {
    const member = this.#home?.member ?? ""
    const found = this.#home
      ?.streams()
      .get(stream)
      ?.epochs.find((one) => one.epoch === epoch)
    return found?.drained.has(member) === true && !found.over.has(member)
  }

  readonly isOwn = (record: ReceivedRecord): boolean => isOf(record, this.#home?.member ?? "")

  get trouble(): string | undefined {
    return this.#home?.trouble()
  }

  leftIn(records: ReadonlyArray<ReceivedRecord>, sink: string): ReadonlyArray<Written> {
    const asked = new Map<string, Written>()
    const home = this.#home
    if (home === undefined) return []
    for (const { headers } of records) {
      const { id, epoch, isMarker } = readMeta(headers, "")
      if (id === undefined || isMarker || id.incarnation === home.member) continue
      const stream = this.#streamOf(id.stream)
      const placement = stream === undefined ? undefined : home.streams().get(stream)
      const found = stream === undefined ? undefined : placement && this.#epochAt(stream, placement, sink, epoch)
      if (stream !== undefined && found !== undefined)
        asked.set(`${found.epoch} ${stream}`, { stream, epoch: found.epoch })
    }
    return [...asked.values()]
  }

  /** Completes when the control stream was read to its end. */
  get looked(): Effect.Effect<void> {
    const looked: Effect.Effect<void> = Effect.suspend(() =>
      Effect.flatMap(this.#home?.look ?? Effect.succeed(true), (isRead) =>
        isRead ? Effect.void : Effect.andThen(Effect.sleep(lookMs), looked)
      )
    )
    return looked
  }

  /** Whether this process may still write an epoch: none has passed it over. */
  mayWrite(stream: string, epoch: number): boolean {
    const placement = this.#home?.streams().get(stream)
    if (placement === undefined) return true
    const standing = standingOf(placement, this.#home?.member ?? "")
    if (standing.does === "send" || standing.does === "drain") return standing.epoch === epoch
    const { newest, source } = endsOf(placement)
    return standing.does === "wait" && source === undefined && newest?.epoch === epoch && newest.phase === "open"
  }

  /** Of a stream that nobody has open here, which shares its topic with one that is. Who is no writer of it may send it nowhere else, and becomes one. */
  #unopened(stream: string, placement: Placement, { epoch }: Epoch): Spilled {
    const standing = standingOf(placement, this.#home?.member ?? "")
    const { newest, source } = endsOf(placement)
    if (standing.does === "wait") {
      if (source === undefined && newest?.epoch === epoch && newest.phase === "open") return "send"
      this.#home?.join(stream)
      return "wait"
    }
    if (standing.does !== "send") return "wait"
    return standing.epoch === epoch ? "send" : (placement.epochs.find((one) => one.epoch === standing.epoch) ?? "wait")
  }

  /** The epoch that a record of a place is of; undefined: it is of a mirror there. */
  #epochAt(stream: string, { epochs }: Placement, sink: string, epoch: number | undefined): Epoch | undefined {
    const [first] = epochs
    const here = epochs.filter(({ place }) => placeKey(place) === sink)
    if (first === undefined || epoch === undefined) return here.at(-1)
    if (epoch >= first.epoch) return here.find((one) => one.epoch === epoch)
    if (here.includes(first)) return first
    // It was retired so long ago that nobody knows its place any more.
    const isForgotten = first.phase === "retired" && this.#home?.wasRead(stream, sink) === true
    return isForgotten ? { ...first, epoch } : undefined
  }

  #carrier(stream: string, to: Epoch): SpillFate {
    const found = this.#carriers.get(stream)
    if (found?.to.epoch === to.epoch) return found
    const made = this.#home?.carrierTo(stream, to)
    if (made === undefined) return "wait"
    this.#carriers.set(stream, made)
    return made
  }

  #streamOf(name: string): string | undefined {
    if (this.#names.has(name)) return this.#names.get(name)
    let found: string | undefined
    for (const stream of this.#home?.streams().keys() ?? [])
      if (stream === name || taggedStream(stream) === name) found = stream
    this.#names.set(name, found)
    return found
  }
}
