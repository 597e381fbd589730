/**
 * One process at the control stream: it follows what stands there, and says things and reads them back. Whether something counts is seen where
 * everybody sees it: in its own place in the stream.
 *
 * A cluster that is away stops nothing but this. The state stays as it was read last, and `trouble` says why.
 */
import { Clock, Duration, Effect, Result, type Scope, Semaphore, Stream, SubscriptionRef } from "effect"
import {
  batchOf,
  type OutgoingBatch,
  type Run,
  sendEffect,
  type Transport,
  type TransportError,
  type Writer
} from "../transport/index.ts"
import { unknownRun } from "../transport/Sending.ts"
import { idleSleep } from "../idleSleep.ts"
import * as Telemetry from "../Telemetry.ts"
import { monotonicMs } from "../Wake.ts"
import { partBytesMax, partsMax, recordBytesMax, refusedCharsMax } from "./bounds.ts"
import { type Control, refusalOf } from "./Control.ts"
import { writeControl, writeEntry } from "./controlCodec.ts"
import { ControlError } from "./ControlError.ts"
import { type ControlFold, type FoldedRecord, foldFrom, type StoredControl } from "./ControlFold.ts"
import type { ControlRecord } from "./ControlRecord.ts"

export interface ControlStreamOptions {
  readonly transport: Transport
  readonly topic: string
  /** Who writes: the incarnation of a process. It is a member of the streams that it joins. */
  readonly author: string
  /** The version of the table that the process has applied, for its beats; what it has read when absent. */
  readonly applied?: () => number
  /** Why the process refuses a later one, for its beats; empty: it refuses none. */
  readonly refused?: () => string
  /** It is no process of the fleet: it does not beat. */
  readonly isTool?: boolean
  /** Is given the stream, read to its end, before the first beat: what is applied then is said by that. */
  readonly begin?: (stream: ControlStream) => void
  /** From one beat to the next; 5 seconds when absent. */
  readonly beatEvery?: Duration.Input
  /** From one look at the stream to the next; a second when absent. */
  readonly lookEvery?: Duration.Input
  /** How long a process may be without a beat before the others forget it, if it writes no stream; 10 minutes when absent. */
  readonly forgetAfter?: Duration.Input
  /** How long something is tried to be written and read back; 10 seconds when absent. */
  readonly writeTimeout?: Duration.Input
  /** Records after which somebody writes a snapshot and trims what is before the one before it; 1024 when absent. */
  readonly snapshotEvery?: number
}

/** What became of a record that was read back. */
export interface WrittenControl {
  /** False: somebody else was first, or it says nothing new. */
  readonly counts: boolean
  /** The state when it was read back. */
  readonly control: Control
}

/** Pauses between tries, in milliseconds. */
const [againMs, againMsMax] = [50, 2000]
/** What was to be read next is gone. */
const trimmed = "trimmed" as const
/** One send, and all of a beat, in milliseconds: short, so that a write tries more than once, and waits for no beat that goes nowhere. */
const sendMsMax = 3000
/** Processes that are forgotten after one beat. */
const forgetsMax = 16
/** How often a process says that it is gone. */
const goodbyesMax = 3
/** How often it is read from its beginning, which may be trimmed meanwhile. */
const readsMax = 10
/** One look, in milliseconds; what it has read by then stays read. */
const lookMsMax = 30_000

/**
 * Opens the control stream, with all that it says read, and follows it until the scope closes; then it is forgotten.
 *
 * @example
 * ```ts
 * const stream = yield* openControlStream({ transport, topic: "leat-control", author: incarnation })
 * const { counts } = yield* stream.write({ kind: "sealing", stream: "risk.beacons", base }, "move 7")
 * ```
 */
export const openControlStream = Effect.fnUntraced(function* (
  options: ControlStreamOptions
): Effect.fn.Return<ControlStream, ControlError, Scope.Scope> {
  const { transport, topic, beatEvery = "5 seconds", lookEvery = "1 second" } = options
  yield* fits(transport, topic)
  const writer = yield* Effect.mapError(transport.openWriter(topic), unreachable)
  const fold = yield* readAll(transport, topic)
  const state = yield* SubscriptionRef.make(fold.control)
  const stream = new ControlStream(options, writer, fold, state, yield* Clock.Clock)
  options.begin?.(stream)
  if (options.isTool === true) return stream
  yield* Effect.addFinalizer(() => stream.goodbye)
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(idleSleep(Duration.toMillis(lookEvery)), stream.look)))
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(stream.beat, idleSleep(Duration.toMillis(beatEvery)))))
  return stream
})

/** Creates the topic where it is not there, and keeps what is written in it: what is trimmed is trimmed by who has a snapshot. */
const fits = Effect.fnUntraced(function* (transport: Transport, topic: string): Effect.fn.Return<void, ControlError> {
  const { ordering, replay } = transport.capabilities
  if (ordering === "none" || !replay.offset)
    return yield* unfit(`${transport.name} does not keep the order of a partition, or cannot read it from a position`)
  const retention = { timeMs: Infinity, bytes: Infinity }
  const status = yield* Effect.mapError(transport.ensure({ topic, partitions: 1, retention }), unreachable)
  if (status.partitions !== 1)
    return yield* unfit(`topic ${topic} has ${status.partitions} partitions, and a control stream has one`)
  if (status.status !== "differs") return
  const differences = status.differences.map(
    ({ property, asked, found }) => `${property} is ${found} instead of ${asked}`
  )
  yield* Telemetry.warn(
    `the control stream in topic ${topic} may lose what nobody has read: ${differences.join(", ")}; correct the topic`
  )
})

const refused = (detail: string): ControlError => new ControlError({ reason: "Refused", detail })
const unfit = (detail: string): ControlError => new ControlError({ reason: "Unfit", detail })
const unreachable = ({ message }: TransportError): ControlError =>
  new ControlError({ reason: "Unreachable", detail: message })

/** All that the topic holds now, folded. */
export const readAll = Effect.fnUntraced(function* (
  transport: Pick<Transport, "read" | "bounds">,
  topic: string,
  see?: (record: FoldedRecord) => void
): Effect.fn.Return<ControlFold, ControlError> {
  const startOf = Effect.map(Effect.mapError(transport.bounds(topic), unreachable), ([bounds]) => bounds?.start ?? 0n)
  let start = yield* startOf
  const stored: Array<StoredControl> = []
  for (let tries = 1; ; tries++) {
    stored.length = 0
    const reading = Stream.runForEach(transport.read(topic, 0, { fromPosition: start }), ({ records }) =>
      Effect.sync(() => {
        for (const record of records) stored.push(record)
      })
    )
    yield* Effect.mapError(reading, unreachable)
    // Trimmed meanwhile: what is gone was not read, and a snapshot behind it has it.
    const now = yield* startOf
    if (now <= start) break
    if (tries === readsMax)
      return yield* new ControlError({
        reason: "Unreachable",
        detail: `topic ${topic} was trimmed each of the ${readsMax} times that it was read`
      })
    start = now
  }
  return yield* Effect.mapError(
    Effect.fromResult(foldFrom(start, stored, see)),
    (detail) => new ControlError({ reason: "Lost", detail: `topic ${topic}: ${detail}` })
  )
})

export class ControlStream {
  readonly #options: ControlStreamOptions
  readonly #writer: Writer
  readonly #state: SubscriptionRef.SubscriptionRef<Control>
  readonly #clock: Clock.Clock
  /** One reads at a time, and one writes at a time. */
  readonly #reading = Semaphore.makeUnsafe(1)
  readonly #writing = Semaphore.makeUnsafe(1)
  #fold: ControlFold
  #number = 0
  /** What was written last by this process, once it is read back. */
  #back: FoldedRecord | undefined
  #trouble: string | undefined
  /** Why the last beat was not written: it may be followed all the same, and the others take this process for gone. */
  #beatTrouble: string | undefined
  /** The last beats of the others, and since when there was no other one. */
  readonly #heard = new Map<string, { readonly beats: number; readonly sinceMs: number }>()
  /** Set for good. */
  #lost: ControlError | undefined
  /** Whether something that was sent may land yet: before anything else is sent, it is fenced. */
  #isUnfenced = false

  constructor(
    options: ControlStreamOptions,
    writer: Writer,
    fold: ControlFold,
    state: SubscriptionRef.SubscriptionRef<Control>,
    clock: Clock.Clock
  ) {
    this.#options = options
    this.#writer = writer
    this.#fold = fold
    this.#state = state
    this.#clock = clock
  }

  /** Who writes. */
  get author(): string {
    return this.#options.author
  }

  /** What was read, folded. */
  get control(): Control {
    return this.#fold.control
  }

  /** The state as it is, and each one that follows. */
  get changes(): Stream.Stream<Control> {
    return SubscriptionRef.changes(this.#state)
  }

  /** Things that stood there and were no records. */
  get unreadable(): number {
    return this.#fold.unreadable
  }

  /** Why the stream is not followed at the moment, or nothing can be written there; undefined: all is well. */
  get trouble(): string | undefined {
    return this.#trouble ?? this.#beatTrouble
  }

  /** Whether the last look has read the stream to its end, whatever can be written. */
  get isFollowed(): boolean {
    return this.#trouble === undefined
  }

  /** Reads on to the end. Never fails: `trouble` says why not. */
  readonly look: Effect.Effect<void> = Effect.suspend(() =>
    Effect.match(this.#refresh(lookMsMax), {
      onFailure: ({ message }) => void (this.#trouble = message),
      onSuccess: () => void (this.#trouble = undefined)
    })
  )

  /**
   * Writes a record and reads it back. Fails with `Refused` without writing, with `Unreachable` when it was not stored, and with `InDoubt` when
   * nobody can tell. What was interrupted may be written.
   */
  readonly write = (record: ControlRecord, reason = ""): Effect.Effect<WrittenControl, ControlError> =>
    this.#write(record, reason, Duration.toMillis(this.#options.writeTimeout ?? "10 seconds"))

  #write(record: ControlRecord, reason: string, timeoutMs: number): Effect.Effect<WrittenControl, ControlError> {
    return this.#writing.withPermits(1)(
      Effect.suspend(() => {
        if (this.#lost !== undefined) return Effect.fail(this.#lost)
        const refusal = refusalOf(this.control, record)
        if (refusal !== undefined) return Effect.fail(refused(refusal))
        const { author } = this.#options
        const value = writeEntry({ author, number: ++this.#number, reason, record })
        const bytesMax = Math.min(recordBytesMax, this.#options.transport.capabilities.recordBytesMax)
        if (value.length + author.length * 3 > bytesMax)
          return Effect.fail(
            refused(`a control record has at most ${bytesMax} bytes, and this one has ${value.length}`)
          )
        this.#back = undefined
        const batch = batchOf([{ key: author, value, timeMs: this.#clock.currentTimeMillisUnsafe() }])
        return this.#writeBack(batch, monotonicMs(this.#clock) + timeoutMs)
      })
    )
  }

  /** Becomes a writer of a stream; nothing may be sent before. Once more does no harm. */
  readonly join = (stream: string): Effect.Effect<WrittenControl, ControlError> => {
    const member = this.#options.author
    return Effect.flatMap(this.write({ kind: "joined", stream, member }), (written) => {
      const how = written.control.streams.get(stream)?.writers.get(member)
      if (how === "joined") return Effect.succeed(written)
      const detail =
        how === undefined
          ? `no table says where stream ${stream} lies`
          : `${member} is no writer of ${stream} any more, and takes another name to be one`
      return Effect.fail(refused(detail))
    })
  }

  /** Run before each beat: whoever waits for one knows what this has written. Never fails, and is bounded. */
  beforeBeat: Effect.Effect<void> = Effect.void

  /** By stream: events in spills of this process for places that the stream is leaving, or has left. For people, said with each beat. */
  spilled: () => ReadonlyMap<string, number> = () => new Map()

  /** Says that this process lives; and writes a snapshot when it is time for one. What goes wrong is `trouble`. */
  readonly beat: Effect.Effect<void> = Effect.suspend(() => {
    const {
      author,
      applied = () => this.control.version,
      refused: why = () => "",
      snapshotEvery = 1024
    } = this.#options
    const said = { version: applied(), refused: shortened(why()) }
    const beaten = Effect.andThen(
      this.beforeBeat,
      Effect.suspend(() => {
        const spilled = this.spilled()
        const more = spilled.size === 0 ? {} : { spilled }
        return this.#write({ kind: "beat", member: author, ...said, ...more }, "", sendMsMax)
      })
    )
    const forgotten = Effect.suspend(() =>
      Effect.forEach(this.#silent(), (record) => this.#write(record, "", sendMsMax))
    )
    const next = Effect.suspend(() => (this.#fold.sinceSnapshot < snapshotEvery ? Effect.void : this.snapshot))
    const all = Effect.andThen(Effect.andThen(beaten, forgotten), next)
    return Effect.match(all, {
      onFailure: ({ message }) => void (this.#beatTrouble = message),
      onSuccess: () => void (this.#beatTrouble = undefined)
    })
  })

  /** Whether this process was passed over, and has not said yet up to where it wrote. */
  get isOwing(): boolean {
    const { author } = this.#options
    return [...this.control.streams.values()].some(({ epochs }) =>
      epochs.some(({ over }) => over.has(author) && over.get(author) === undefined)
    )
  }

  /**
   * Says that this process is gone, and writes no stream any more: all that it sent has its answer. Bounded, and never fails. One that owes is as one that has
   * crashed.
   */
  readonly goodbye: Effect.Effect<void> = Effect.suspend(() => {
    const member = this.#options.author
    const joined = () =>
      [...this.control.streams].flatMap(([stream, { writers }]) => (writers.get(member) === "joined" ? [stream] : []))
    const left = Effect.suspend(() =>
      Effect.forEach(joined(), (stream) => this.#write({ kind: "left", stream, member, upTo: [] }, "", sendMsMax))
    )
    const gone = (again: number): Effect.Effect<void, ControlError> =>
      Effect.suspend(() => {
        const beats = this.control.members.get(member)?.beats
        if (beats === undefined || this.isOwing) return Effect.void
        const forgotten = Effect.andThen(left, this.#write({ kind: "forgotten", member, beats }, "", sendMsMax))
        // It has become a writer meanwhile: a stream was placed.
        return Effect.flatMap(forgotten, ({ counts }) => (counts || again === 0 ? Effect.void : gone(again - 1)))
      })
    // Its first beat may have been interrupted behind its write, and is not read back yet.
    const seen = this.control.members.has(member) ? Effect.void : Effect.timeoutOption(this.look, sendMsMax)
    return Effect.ignore(Effect.andThen(seen, gone(goodbyesMax)))
  })

  /** Others that have not beaten for so long, by the clock of this process, and write no stream. */
  #silent(): ReadonlyArray<ControlRecord> {
    const nowMs = monotonicMs(this.#clock)
    const forgetMs = Duration.toMillis(this.#options.forgetAfter ?? "10 minutes")
    const { members, streams } = this.control
    const records: Array<ControlRecord> = []
    for (const member of this.#heard.keys()) if (!members.has(member)) this.#heard.delete(member)
    for (const [member, { beats }] of members) {
      const heard = this.#heard.get(member)
      if (heard?.beats !== beats) this.#heard.set(member, { beats, sinceMs: nowMs })
      else if (nowMs - heard.sinceMs >= forgetMs && member !== this.#options.author) {
        const isWriting = [...streams.values()].some(({ writers }) => writers.get(member) === "joined")
        if (!isWriting && records.length < forgetsMax) records.push({ kind: "forgotten", member, beats })
      }
    }
    return records
  }

  /** Writes what was read as a snapshot, and trims what is before the one before it. */
  readonly snapshot: Effect.Effect<void, ControlError> = Effect.suspend(() => {
    const { transport, topic } = this.#options
    const { control, next, covered } = this.#fold
    const all = writeControl(control)
    const parts = Math.max(1, Math.ceil(all.length / partBytesMax))
    if (parts > partsMax) return Effect.void
    const records = Array.from({ length: parts }, (_, part): ControlRecord => {
      const bytes = all.subarray(part * partBytesMax, (part + 1) * partBytesMax)
      return { kind: "snapshot", upTo: Number(next), part, parts, bytes }
    })
    const trimming = Effect.suspend(() =>
      // Only behind a snapshot that was read back whole.
      this.#fold.covered >= next && transport.trim !== undefined ? transport.trim(topic, 0, covered) : Effect.void
    )
    const written = Effect.forEach(records, (record) => this.write(record), { discard: true })
    return Effect.andThen(written, Effect.mapError(trimming, unreachable))
  })

  /** Reads what is new; from the beginning again when it was trimmed before it was read, which leaves a snapshot. */
  #refresh(timeoutMs: number): Effect.Effect<void, ControlError> {
    return this.#reading.withPermits(1)(Effect.suspend(() => this.#readToEnd(timeoutMs)))
  }

  #readToEnd(timeoutMs: number): Effect.Effect<void, ControlError> {
    const before = this.#fold.control
    const read = this.#readOn.pipe(
      Effect.catch((error) => {
        if (error === trimmed) return this.#readAgain
        return Effect.fail(error._tag === "ControlError" ? error : unreachable(error))
      })
    )
    const told = Effect.suspend(() =>
      this.#fold.control === before ? Effect.void : SubscriptionRef.set(this.#state, this.#fold.control)
    )
    const detail = `no answer within ${timeoutMs} ms`
    const late = Effect.fail(new ControlError({ reason: "Unreachable", detail }))
    return Effect.ensuring(Effect.timeoutOrElse(read, { duration: timeoutMs, orElse: () => late }), told)
  }

  readonly #readOn: Effect.Effect<void, TransportError | ControlError | typeof trimmed> = Effect.gen(
    { self: this },
    function* () {
      const { transport, topic } = this.#options
      const start = yield* this.#start
      if (start > this.#fold.next) return yield* Effect.fail<typeof trimmed>(trimmed)
      const { last, next: behind } = this.#fold
      // What was read last is read once more: others may have written past the end since the stream was put back.
      const from = { fromPosition: last === undefined || last.position < start ? behind : last.position }
      yield* Stream.runForEach(transport.read(topic, 0, from), ({ records, next }) =>
        Effect.gen({ self: this }, function* () {
          const isGap = (records[0]?.position ?? next) > this.#fold.next
          if (isGap && (yield* this.#start) > this.#fold.next) return yield* Effect.fail<typeof trimmed>(trimmed)
          for (const record of records) {
            if (this.#fold.isAnother(record))
              return yield* this.#lose(`has another record at position ${record.position} than was read there`)
            this.#see(this.#fold.read(record))
          }
          this.#fold.passTo(next)
        })
      )
    }
  )

  /** Where the stream begins now. Fails for good when it ends before what was read. */
  readonly #start: Effect.Effect<bigint, TransportError | ControlError> = Effect.suspend(() => {
    const { transport, topic } = this.#options
    if (this.#lost !== undefined) return Effect.fail(this.#lost)
    return Effect.flatMap(transport.bounds(topic), ([bounds]) => {
      const { next } = this.#fold
      if (bounds === undefined || bounds.end >= next) return Effect.succeed(bounds?.start ?? 0n)
      return this.#lose(`ends at position ${bounds.end}, and was read up to ${next}`)
    })
  })

  /** It was put back to an older state, and what is written in it from now on was not based on what this process knows. Fails for good. */
  #lose(what: string): Effect.Effect<never, ControlError> {
    const detail = `topic ${this.#options.topic} ${what}: it was put back to an older state; start this process again`
    this.#lost = new ControlError({ reason: "Lost", detail })
    const warned = `the control stream is followed no more, and the places of streams stay as they are known here: ${detail}`
    return Effect.andThen(Telemetry.warn(warned), Effect.fail(this.#lost))
  }

  readonly #readAgain: Effect.Effect<void, ControlError> = Effect.suspend(() => {
    const { transport, topic } = this.#options
    return Effect.map(
      readAll(transport, topic, (record) => this.#see(record)),
      (fold) => void (this.#fold = fold)
    )
  })

  /** The first copy of what was written last is the one that counts, or does not. */
  #see(record: FoldedRecord | undefined): void {
    const { author, number } = record?.entry ?? {}
    if (author === this.#options.author && number === this.#number) this.#back ??= record
  }

  #writeBack(batch: OutgoingBatch, endMs: number): Effect.Effect<WrittenControl, ControlError> {
    return Effect.gen({ self: this }, function* () {
      let why = "no answer"
      let mayBeStored = false
      for (let pauseMs = againMs; ; pauseMs = Math.min(pauseMs * 2, againMsMax)) {
        const leftMs = endMs - monotonicMs(this.#clock)
        if (leftMs <= 0)
          return yield* new ControlError({ reason: mayBeStored ? "InDoubt" : "Unreachable", detail: why })
        if (this.#isUnfenced && !(yield* this.#fenced(Math.min(leftMs, sendMsMax)))) {
          why = "what was sent before has no answer, and its fence has none either"
          yield* Effect.sleep(pauseMs)
          continue
        }
        const run = yield* this.#send(batch, Math.min(leftMs, sendMsMax))
        if (run.fate === "stored") return yield* this.#readBack(endMs)
        why = run.error?.message ?? why
        if (run.fate === "unknown") {
          this.#isUnfenced = this.#options.transport.capabilities.fencing !== "none"
          // Until a fence has returned, it may land at any time.
          const isFenced = yield* this.#fenced(Math.min(leftMs, sendMsMax))
          const read = yield* Effect.result(this.#refresh(Math.min(leftMs, sendMsMax)))
          if (this.#back !== undefined) return yield* this.#readBack(endMs)
          mayBeStored = !isFenced || Result.isFailure(read)
        } else if (run.error?.isRetryable === false)
          return yield* new ControlError({ reason: mayBeStored ? "InDoubt" : "Unreachable", detail: why })
        yield* Effect.sleep(pauseMs)
      }
    })
  }

  #send(batch: OutgoingBatch, timeoutMs: number): Effect.Effect<Run> {
    const none = (): Run =>
      unknownRun(this.#options.transport.name, 0, 1, `no answer within ${timeoutMs} ms`, "Timeout")
    return sendEffect(this.#writer, 0, batch, 0, 1, timeoutMs).pipe(
      Effect.timeoutOrElse({ duration: timeoutMs + sendMsMax, orElse: () => Effect.succeed([none()]) }),
      Effect.map(([run]) => run ?? none())
    )
  }

  /** Whether nothing that was sent earlier can land any more. */
  #fenced(timeoutMs: number): Effect.Effect<boolean> {
    if (this.#options.transport.capabilities.fencing === "none") return Effect.succeed(false)
    const fence = Effect.map(this.#writer.fence(0), () => {
      this.#isUnfenced = false
      return true
    })
    return fence.pipe(
      Effect.timeoutOrElse({ duration: timeoutMs, orElse: () => Effect.succeed(false) }),
      Effect.catchCause(() => Effect.succeed(false))
    )
  }

  /** It is stored: it stands in the stream, and is read as soon as that can be read. */
  #readBack(endMs: number): Effect.Effect<WrittenControl, ControlError> {
    return Effect.gen({ self: this }, function* () {
      for (let pauseMs = againMs; ; pauseMs = Math.min(pauseMs * 2, againMsMax)) {
        const back = this.#back
        if (back !== undefined) return { counts: back.counts, control: this.control }
        const read = yield* Effect.result(this.#refresh(sendMsMax))
        if (this.#back !== undefined) continue
        const why = Result.isFailure(read) ? read.failure.message : "it is not there yet"
        if (monotonicMs(this.#clock) >= endMs)
          return yield* new ControlError({
            reason: "InDoubt",
            detail: `it was stored and could not be read back: ${why}`
          })
        yield* Effect.sleep(pauseMs)
      }
    })
  }
}

/** As much as a beat has room for, in whole characters. */
function shortened(text: string): string {
  if (text.length <= refusedCharsMax) return text.toWellFormed()
  return `${text.slice(0, refusedCharsMax - 3).toWellFormed()}...`
}
