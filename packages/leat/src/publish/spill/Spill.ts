/**
 * The spill of a sink: a topic on a local disk that takes what the destination does not, partition by partition. While a partition is on, what
 * is sent there goes to the spill; the `SpillDrain` sends it on in order, and turns the partition off in the step in which nothing of it is
 * left. So an event never overtakes one before it, and what this process leaves behind the next one finds.
 */
import { type Context, Effect, Option } from "effect"
import { type Position, type Run, type Transport, TransportError, type Writer } from "../../transport/index.ts"
import type { OutgoingBatch } from "../../record/OutgoingBatch.ts"
import { answeredRuns } from "../../transport/answeredRuns.ts"
import { isUnplaced, placed } from "./placed.ts"
import { type Followed, SpillBook, type Spilled } from "./SpillBook.ts"

/** Where a sink spills to, open. */
export interface SpillPlace {
  readonly transport: Transport
  /** Of the topic there. */
  readonly topic: string
  /** Opened with as many partitions as the destination has. */
  readonly writer: Writer
  /** Of all its partitions. */
  readonly bytesMax: () => number
}

/** A record that the destination refuses, and that its policy neither drops nor sets aside, stands in front of all behind it. */
export interface SpillHalt {
  readonly tag: string
  readonly attempts: number
  readonly detail: string
  readonly stream: string
}

/** One partition of the destination, and of the spill. */
export class SpillPart {
  readonly book: SpillBook
  /** Whether what is sent there goes to the spill. */
  isOn = false
  /** Whether nothing more goes into the spill until what is in it is sent on. */
  isHeld = false
  /** Whether nothing has gone there since it is on. */
  isFresh = false
  /** Next position to send on; what is before it has ended. */
  at: Position = 0n
  /** Position behind the last record. */
  end: Position = 0n
  /** The first position of this leat's own. */
  ownFrom: Position = 0n
  /** Before this position everything that an earlier process had left is counted: what is sent on once more is not. */
  recoveredTo: Position = 0n
  /** Position behind the last record that this leat has noted. */
  notedEnd: Position = 0n
  /** Where the last fence of the spill found its end. */
  fencedEnd: Position = 0n
  /** Whether nothing was sent there since: what is sent next may stand there already. */
  isFenced = false
  /** Fences of the spill that were asked for. */
  fences = 0
  /** Bytes of what is in it, as records. */
  bytes = 0
  /** How many of these are no events: they only announce drops. */
  markers = 0
  /** Why nothing is sent on until `resume`. */
  halted: SpillHalt | undefined

  constructor(followed: Followed) {
    this.book = new SpillBook(followed)
  }
}

export class Spill {
  readonly place: SpillPlace
  readonly parts: ReadonlyArray<SpillPart>
  /** What the lanes of the sink write to: the destination, or the spill where a partition is on. */
  readonly writer: Writer
  /** Whether it is this process that the spill belongs to, and what an earlier one has left is known: before that nothing is sent. */
  isReady = false
  /** Whether its sink is being closed: what is on stays so, for the next process. */
  isClosing = false
  readonly #destination: Writer
  readonly #context: Context.Context<never>

  constructor(place: SpillPlace, destination: Writer, context: Context.Context<never>) {
    this.place = place
    this.#context = context
    this.#destination = destination
    const followed = { receipts: 0 }
    this.parts = Array.from({ length: destination.partitions }, () => new SpillPart(followed))
    this.writer = {
      partitions: destination.partitions,
      send: (partition, ...sent) => {
        const part = this.parts[partition]
        if (part?.isOn === true) this.#spill(partition, part, ...sent)
        else destination.send(partition, ...sent)
      },
      fence: (partition) => {
        const part = this.parts[partition]
        return part?.isOn === true ? this.#fence(partition, part) : destination.fence(partition)
      }
    }
  }

  /** What writes to the destination itself. */
  get destination(): Writer {
    return this.#destination
  }

  /** As warnings call it. */
  get name(): string {
    return `the spill ${this.place.topic}`
  }

  get bytes(): number {
    return this.parts.reduce((total, part) => total + part.bytes, 0)
  }

  /** Events in it that have not ended, those of earlier processes included. */
  get records(): number {
    return this.parts.reduce((total, { at, end, markers }) => total + Math.max(0, Number(end - at) - markers), 0)
  }

  /** Whether nothing is sent to the partition for the time being. */
  isHeldBack(partition: number): boolean {
    return !this.isReady || this.parts[partition]?.isHeld === true
  }

  isOn(partition: number): boolean {
    return this.parts[partition]?.isOn === true
  }

  /** From now on what is sent to the partition goes to the spill. */
  trip(partition: number): void {
    const part = this.parts[partition]
    if (part === undefined || part.isOn) return
    part.isOn = true
    part.isFresh = true
  }

  /** Records of this leat are in the spill, one behind the other. */
  add(partition: number, spilled: Spilled, base: Position): void {
    const part = this.parts[partition]
    if (part === undefined) return
    const count = BigInt(spilled.to - spilled.from)
    part.book.add(spilled, base)
    const end = base + count
    part.isFresh = false
    if (spilled.batch.isMarker(spilled.from)) part.markers++
    part.notedEnd = end
    if (end > part.end) part.end = end
    for (let index = spilled.from; index < spilled.to; index++) part.bytes += spilled.batch.recordBytes(index)
  }

  /** Before it goes there again it is looked for: what stands there needs no room, nor a disk that takes anything. */
  #spill(partition: number, part: SpillPart, ...sent: SendRest): void {
    const isUnseen = part.isFenced && unseenFrom(part) < part.fencedEnd
    part.isFenced = false
    if (!isUnseen) return this.#write(partition, part, ...sent)
    const [batch, from, to, timeoutMs, answer] = sent
    const { fences } = part
    this.#place(partition, part, batch, [{ from, to, fate: "stored" }], timeoutMs, (runs) => {
      // Its answer is not waited for any more: nothing may land behind the fence.
      if (part.fences !== fences) return answer([])
      if (runs.length === 1 && runs.every(isUnplaced)) return this.#write(partition, part, ...sent)
      answer(runs.map((run) => (isUnplaced(run) ? { ...run, fate: "notStored" } : run)))
    })
  }

  #write(partition: number, part: SpillPart, ...[batch, from, to, timeoutMs, answer]: SendRest): void {
    const { bytesMax, transport } = this.place
    const room = bytesMax() - this.bytes
    let fits = to
    while (fits > from && batch.rangeBytes(from, fits) + batch.noticeBytes > room) fits = from + ((fits - from) >> 1)
    if (fits === to) return this.#append(partition, part, batch, from, to, timeoutMs, answer)
    const detail = `${this.name} has ${this.bytes} of ${bytesMax()} bytes, and more do not fit`
    const error = new TransportError({ reason: "Full", transport: transport.name, operation: "send", detail })
    const rest: Run = { from: fits, to, fate: "notStored", error }
    if (fits === from) return answer([rest])
    this.#append(partition, part, batch, from, fits, timeoutMs, (runs) => answer([...runs, rest]))
  }

  /** What the spill has and does not say where is looked for there: a position that is guessed is that of another record. */
  #append(partition: number, part: SpillPart, ...[batch, from, to, timeoutMs, answer]: SendRest): void {
    this.place.writer.send(partition, batch, from, to, timeoutMs, (told) => {
      const runs = answeredRuns(told, from, to)
      if (!runs.some(isUnplaced)) return answer(runs)
      this.#place(partition, part, batch, runs, timeoutMs, answer)
    })
  }

  #place(
    partition: number,
    part: SpillPart,
    batch: OutgoingBatch,
    runs: ReadonlyArray<Run>,
    timeoutMs: number,
    answer: (runs: ReadonlyArray<Run>) => void
  ): void {
    const places = placed(this.place, partition, unseenFrom(part), batch, runs)
    Effect.runForkWith(this.#context)(
      Effect.map(Effect.timeoutOption(places, timeoutMs), (found) => answer(Option.getOrElse(found, () => [])))
    )
  }

  #fence(partition: number, part: SpillPart) {
    const fence = Effect.suspend(() => {
      part.fences++
      return this.place.writer.fence(partition)
    })
    return Effect.tap(fence, (end) =>
      Effect.sync(() => {
        part.fencedEnd = end
        part.isFenced = true
      })
    )
  }
}

/** From here on there may be what nobody has noted. */
function unseenFrom({ at, ownFrom, notedEnd }: SpillPart): Position {
  return [at, ownFrom, notedEnd].reduce((one, other) => (one > other ? one : other))
}

type SendRest = Parameters<Writer["send"]> extends [number, ...infer R] ? R : never
