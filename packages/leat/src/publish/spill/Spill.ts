/**
 * The spill of a sink: a topic on a local disk that takes what the destination does not, partition by partition. While a partition is on, what
 * is sent there goes to the spill; the `SpillDrain` sends it on in order, and turns the partition off in the step in which nothing of it is
 * left. So an event never overtakes one before it, and what this process leaves behind the next one finds.
 */
import { type Context, Effect, Option } from "effect"
import {
  type Position,
  type ReceivedRecord,
  type Run,
  type Transport,
  TransportError,
  type Writer
} from "../../transport/index.ts"
import type { OutgoingBatch } from "../../record/OutgoingBatch.ts"
import { answeredRuns } from "../../transport/answeredRuns.ts"
import type { Departures } from "./Departures.ts"
import { isUnplaced, placed } from "./placed.ts"
import { Followed, SpillBook, type Spilled } from "./SpillBook.ts"
import { SpillRoom } from "./SpillRoom.ts"
import { Unnoted } from "./Unnoted.ts"
import { Unproven } from "./Unproven.ts"

/** From one look whether no partition is on to the next, in milliseconds. */
const offMs = 100

/** Where a sink spills to, open. */
export interface SpillPlace {
  readonly transport: Transport
  /** Of the topic there. */
  readonly topic: string
  /** Opened with as many partitions as the destination has. */
  readonly writer: Writer
  /** Of all its partitions. */
  readonly bytesMax: () => number
  /** Undefined: no stream is ever moved. */
  readonly departures?: Departures | undefined
}

/** One partition of the destination, and of the spill. */
export class SpillPart {
  readonly book: SpillBook
  room = new SpillRoom()
  /** What this leat has put there without an answer that said so. */
  unnoted = new Unnoted()
  /** What an earlier process had left, and is not settled before it is known to count where it is now. */
  unproven = new Unproven()
  /** What this leat has put before this position has ended, and is not sent again where that of an earlier process is. */
  ownEnd: Position = 0n
  /** Whether what is sent there goes to the spill. */
  isOn = false
  /** Whether nothing more goes into the spill until what is in it is sent on. */
  isHeld = false
  /** Whether the destination was fenced since it is on. */
  isFenced = false
  /** What is being sent to the destination. */
  sending: ReadonlyArray<ReceivedRecord> = []
  /** Whether nothing has gone there since it is on. */
  isFresh = false
  /** Next position to send on; what is before it has ended. */
  at: Position = 0n
  /** What stands before this position is settled there: a process that comes does not send it on. */
  settled: Position = 0n
  /** What stands before this position may be stored in the destination: a send of it had no answer. */
  doubtEnd: Position = 0n
  /** Position behind the last record. */
  end: Position = 0n
  /** Position behind what was there when this leat got the spill, and behind the last record that it has noted. */
  seenEnd: Position = 0n
  /** Where the last fence of the spill found its end. */
  fencedEnd: Position = 0n
  /** How many records of it are no events: they only announce drops. */
  markers = 0

  constructor(followed: Followed) {
    this.book = new SpillBook(followed)
  }

  /** Its topic was made anew: of what stood there nothing does. */
  renew(): void {
    this.room = new SpillRoom()
    this.unnoted = new Unnoted()
    this.unproven = new Unproven()
    this.ownEnd = 0n
    this.markers = 0
    this.at = 0n
    this.end = 0n
    this.settled = 0n
    this.seenEnd = 0n
    this.fencedEnd = 0n
    this.doubtEnd = 0n
  }

  /** Position of the first record that is to be sent on. */
  get left(): Position {
    const { at, unproven } = this
    const { from = at, isLost } = unproven
    return isLost && from < at ? from : at
  }

  /** Some of what has ended does not count where it was stored: all from there on is looked at anew. */
  goBack(): void {
    if (this.at > this.ownEnd) this.ownEnd = this.at
    this.at = this.left
    this.unproven.clear()
  }

  /** Records that have ended, and that a process that comes sends on once more. */
  get unsettled(): number {
    return this.at > this.settled ? Number(this.at - this.settled) : 0
  }
}

export class Spill {
  readonly place: SpillPlace
  readonly parts: ReadonlyArray<SpillPart>
  /** What the lanes of the sink write to: the destination, or the spill where a partition is on. */
  readonly writer: Writer
  /** Whether it is this process that the spill belongs to, and what an earlier one has left is known: before that nothing is sent. */
  isReady = false
  /** Since when this process waits for it, in milliseconds of the monotonic clock; undefined: it has it. */
  waitsSinceMs: number | undefined
  /** Why, in words that follow its name; undefined: nobody knows. */
  why: (() => string) | undefined
  /** What stands in front of all that is in it, in such words; undefined: nothing is known to. */
  waitsFor: (() => string) | undefined
  /** Whether it was told that something of it cannot be settled before the control stream is read. */
  isUnprovenTold = false
  /** Whether its sink is being closed: what is on stays so, for the next process. */
  isClosing = false
  readonly #destination: Writer
  readonly #isOwing: (partition: number) => boolean
  readonly #context: Context.Context<never>

  /** `isOwing`: whether what goes there may stand there already. */
  constructor(
    place: SpillPlace,
    destination: Writer,
    isOwing: (partition: number) => boolean,
    context: Context.Context<never>
  ) {
    this.place = place
    this.#isOwing = isOwing
    this.#context = context
    this.#destination = destination
    const followed = new Followed()
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

  /** Bytes of what has not ended. */
  get bytes(): number {
    return this.parts.reduce((total, { room }) => total + room.waiting, 0)
  }

  /** Events in it that have not ended, those of earlier processes included. */
  get records(): number {
    return this.parts.reduce((total, { left, end, markers }) => total + Math.max(0, Number(end - left) - markers), 0)
  }

  /** Another process has sent on what was left when this one had it last. */
  forget(): void {
    for (const part of this.parts) {
      part.isOn = false
      // Whoever held it back for the last of the spill was interrupted in that.
      part.isHeld = false
      part.isFresh = false
      part.at = part.end
      part.settled = part.end
      part.unproven.clear()
      part.room.waiting = 0
      part.markers = 0
      part.book.empty()
    }
  }

  /** Whether nothing is sent to the partition for the time being. */
  isHeldBack(partition: number): boolean {
    return !this.isReady || this.parts[partition]?.isHeld === true
  }

  /** Completes when no partition is on. */
  readonly off: Effect.Effect<void> = Effect.suspend(() =>
    this.parts.some(({ isOn }) => isOn) ? Effect.andThen(Effect.sleep(offMs), this.off) : Effect.void
  )

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
    const end = base + BigInt(spilled.to - spilled.from)
    part.book.add(spilled, base)
    part.isFresh = false
    if (spilled.batch.isMarker(spilled.from)) part.markers++
    if (end > part.seenEnd) part.seenEnd = end
    if (end > part.end) part.end = end
    part.room.waiting += bytesOf(spilled.batch, spilled.from, spilled.to)
  }

  /**
   * What may stand there is looked for, which needs no room, nor a disk that takes anything. What does not stand there goes there in its turn:
   * something before it may not stand there either.
   */
  #spill(partition: number, part: SpillPart, ...sent: SendRest): void {
    const [batch, from, to, , answer] = sent
    if (this.#isOwing(partition)) answer(part.unnoted.take(batch, from, to, part.at))
    else this.#write(partition, part, ...sent)
  }

  #write(partition: number, part: SpillPart, ...[batch, from, to, timeoutMs, answer]: SendRest): void {
    const { bytesMax, transport } = this.place
    const used = this.parts.reduce((total, { room }) => total + room.used, 0)
    let fits = to
    while (fits > from && batch.rangeBytes(from, fits) + batch.noticeBytes > bytesMax() - used)
      fits = from + ((fits - from) >> 1)
    if (fits === to) return this.#append(partition, part, batch, from, to, timeoutMs, answer)
    const untrimmed = this.parts.reduce((total, { room }) => total + room.untrimmed, 0)
    const ended = untrimmed === 0 ? "" : `, ${untrimmed} of them of what was sent on and is not given back yet`
    const detail = `${this.name} has ${used} of ${bytesMax()} bytes${ended}, and more do not fit`
    const error = new TransportError({ reason: "Full", transport: transport.name, operation: "send", detail })
    const rest: Run = { from: fits, to, fate: "notStored", error }
    if (fits === from) return answer([rest])
    this.#append(partition, part, batch, from, fits, timeoutMs, (runs) => answer([...runs, rest]))
  }

  /** What the spill has and does not say where is looked for there: a position that is guessed is that of another record. */
  #append(partition: number, part: SpillPart, ...[batch, from, to, timeoutMs, answer]: SendRest): void {
    const begun = part.seenEnd
    const bytes = bytesOf(batch, from, to)
    part.room.sent(bytes)
    const sending = part.unnoted.send(begun, () => part.room.answered(bytes))
    this.place.writer.send(partition, batch, from, to, timeoutMs, (told) => {
      // Its answer is not waited for any more: nothing may land behind the fence.
      if (!sending.isOpen) return answer([])
      // A position before the end that was there cannot be that of these records.
      const runs = answeredRuns(told, from, to).map((run) =>
        run.base !== undefined && run.base < begun ? { from: run.from, to: run.to, fate: run.fate } : run
      )
      if (!runs.some(isUnplaced)) {
        sending.answered(runs)
        return answer(runs)
      }
      const places = placed(this.place, partition, begun, batch, runs)
      Effect.runForkWith(this.#context)(
        Effect.map(Effect.timeoutOption(places, timeoutMs), (found) => {
          const known = sending.isOpen ? Option.getOrElse(found, () => []) : []
          sending.answered(known)
          answer(known)
        })
      )
    })
  }

  /** Before anything goes there again, what stands there and nobody has noted is looked for. */
  #fence(partition: number, part: SpillPart) {
    const { place } = this
    return Effect.gen(function* () {
      part.unnoted.fence()
      const end = yield* place.writer.fence(partition)
      yield* part.unnoted.look(place, partition, part, end)
      part.fencedEnd = end
      return end
    })
  }
}

function bytesOf(batch: OutgoingBatch, from: number, to: number): number {
  let bytes = 0
  for (let index = from; index < to; index++) bytes += batch.recordBytes(index)
  return bytes
}

type SendRest = Parameters<Writer["send"]> extends [number, ...infer R] ? R : never
