/** One leat of a story: how it is opened and closed, and what its journal and its contracts tell the chronicle. */
import { Deferred, Duration, Effect, Exit, Scope } from "effect"
import type { Contract } from "../../contract/Contract.ts"
import type { Journal } from "../../ledger/Ledger.ts"
import { Leat } from "../../Leat.ts"
import type { OpenLeat } from "../../OpenLeat.ts"
import { formatEventId } from "../../record/EventId.ts"
import type { EventStream } from "../../Stream.ts"
import type { Driver } from "../../transport/index.ts"
import type { Chronicle } from "../judge/Chronicle.ts"
import type { Gate } from "./Gate.ts"
import { type StoryNote, storyNotes } from "./storyNotes.ts"
import type { WallClock } from "./WallClock.ts"
import type { World, WorldStream } from "./World.ts"
import type { SeenAtDrivers } from "./statesOf.ts"
import { sinkOf } from "./worldRoutes.ts"

/** How long a leat that closes waits for what is buffered. */
const drain = Duration.minutes(1)

interface TellerOptions {
  readonly index: number
  readonly world: World
  readonly chronicle: Chronicle
  readonly drivers: ReadonlyArray<Driver>
  readonly routes: unknown
  /** Between it and its drivers. */
  readonly gate: Gate
  /** What legs spill to. */
  readonly disk: number | undefined
  /** Number of the leat whose place it takes, the first of them; its own when it is one of the first. */
  readonly slot: number
  readonly wall: WallClock
  /** Kept by its drivers. */
  readonly seen: SeenAtDrivers
}

export class Teller {
  readonly leat: OpenLeat
  readonly index: number
  readonly chronicle: Chronicle
  readonly seen: SeenAtDrivers
  readonly wall: WallClock
  readonly disk: number | undefined
  readonly slot: number
  isClosed = false
  #isClosing = false
  readonly #gate: Gate
  readonly #scope: Scope.Closeable
  readonly #closed = Deferred.makeUnsafe<void>()
  readonly #contracts: ReadonlyArray<Contract<StoryNote>>

  private constructor(
    leat: OpenLeat,
    { index, chronicle, world, seen, wall, gate, disk, slot }: TellerOptions,
    scope: Scope.Closeable
  ) {
    this.leat = leat
    this.index = index
    this.seen = seen
    this.wall = wall
    this.disk = disk
    this.slot = slot
    this.#gate = gate
    this.chronicle = chronicle
    this.#scope = scope
    this.#contracts = world.streams.map((stream) => this.#contract(stream))
  }

  static readonly open = Effect.fnUntraced(function* (asked: TellerOptions) {
    const { index, world, chronicle, drivers, routes, gate, disk } = asked
    const scope = yield* Scope.make()
    const opened = { incarnation: "", gate }
    chronicle.processes.push({
      leat: index,
      disk,
      isShared: world.disk?.isShared ?? false,
      isCrashed: false,
      openedAt: chronicle.tick()
    })
    const journal = journalOf(index, world, chronicle, opened)
    const buffers = world.buffersBytes === undefined ? {} : { buffers: { bytes: world.buffersBytes } }
    const options = { source: `leat-${index}`, journal, drain, drivers, routes, ...buffers }
    const leat = yield* Leat.make(options).pipe(Scope.provide(scope))
    opened.incarnation = leat.incarnation
    return new Teller(leat, asked, scope)
  })

  /** The stream, opened by whoever is first to need it; undefined when the leat is closing. */
  stream(index: number): Effect.Effect<EventStream<StoryNote> | undefined> {
    const contract = this.#contracts[index]
    if (contract === undefined) return Effect.succeed(undefined)
    return this.leat.stream(contract).pipe(
      Effect.catch((error) => {
        if (!this.isClosing)
          this.chronicle.notice("toldWrongly", `stream ${contract.stream} does not open: ${error.message}`)
        return Effect.succeed(undefined)
      })
    )
  }

  /** Whether its process has crashed: nothing that it does is known to anybody any more. */
  get isCrashed(): boolean {
    return this.#gate.isDead
  }

  /** Whether it takes nothing new: it closes, or it is gone. */
  get isClosing(): boolean {
    return this.#isClosing || this.isCrashed
  }

  /** Its process crashes, now. Its books are as they are at that moment. */
  readonly crash: Effect.Effect<void> = Effect.suspend(() => {
    const { chronicle, index } = this
    for (const fact of chronicle.processes) if (fact.leat === index) fact.isCrashed = true
    this.#keepLegs()
    // In the same step: its callers run on until they are interrupted.
    this.#gate.isDead = true
    this.endCalls()
    return Effect.andThen(this.#gate.close, Effect.forkDetach(this.close))
  })

  /** Nobody hears any more what became of the calls that have no answer. */
  endCalls(): void {
    for (const call of this.chronicle.calls.values())
      if (call.leat === this.index && call.endedAt === undefined) this.chronicle.end(call, "gone")
  }

  /** Waits until it is closed, whoever began that. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    if (this.#isClosing) return Deferred.await(this.#closed)
    this.#isClosing = true
    const closed = Effect.suspend(() => {
      this.isClosed = true
      return Deferred.succeed(this.#closed, undefined)
    })
    return Effect.ensuring(Scope.close(this.#scope, Exit.void), closed)
  })

  /** Copies what the ledger says at the end; of one that has crashed that is known already. */
  keepBooks(): void {
    if (this.isCrashed) return
    const { streams } = this.leat.ledger.snapshot()
    const leat = this.index
    this.#keepLegs()
    for (const { stream, offered, admitted, rejected, waiting } of streams)
      this.chronicle.streamBooks.push({ leat, stream, offered, admitted, rejected, waiting })
  }

  #keepLegs(): void {
    const { legs, balanced } = this.leat.ledger.snapshot()
    const leat = this.index
    if (!balanced) this.chronicle.notice("unbalanced", `the ledger of leat ${leat} does not balance`)
    for (const { stream, sink, admitted, stored, fellBack, spilled, recovered, ...counts } of legs) {
      const ended = { stored, fellBack, deadLettered: sumOf(counts.deadLettered), dropped: sumOf(counts.dropped) }
      this.chronicle.legBooks.push({ leat, stream, sink, admitted, spilled, recovered, ...ended })
    }
  }

  #contract({ stream, isCompacted, isOrdered }: WorldStream): Contract<StoryNote> {
    return {
      ...storyNotes,
      name: `test.${stream}`,
      stream,
      compacted: isCompacted,
      unordered: !isOrdered,
      key: ({ key }) => key,
      encodeInto: (note, writer) => {
        const call = this.chronicle.calls.get(serialOf(note.text) ?? -1)
        if (call !== undefined) {
          // A publish that finds no room tries once more as it takes its place: its fiber may have given way in between, for as long as the scheduler likes.
          call.attemptedAt = this.chronicle.tick()
          call.attempts++
        }
        if (note.text.endsWith("invalid")) throw new Error("this text cannot be encoded")
        storyNotes.encodeInto(note, writer)
      }
    }
  }
}

function journalOf(
  index: number,
  { streams }: World,
  chronicle: Chronicle,
  opened: { readonly incarnation: string; readonly gate: Gate }
): Journal {
  const sinks = new Set(streams.flatMap(({ legs }) => legs.map(sinkOf)))
  return {
    moved: ({ stream, sink }, bucket, seq, from, to) => {
      if (opened.gate.isDead) return
      if (!sinks.has(sink)) chronicle.notice("unbalanced", `a leg moved in ${sink}, which is no sink of the story`)
      const id = formatEventId({ incarnation: opened.incarnation, stream, bucket, seq })
      chronicle.move({ leat: index, sink, stream, id, bucket, seq }, from, to)
    },
    rejected: (stream, reason) => {
      if (!opened.gate.isDead) chronicle.reject(index, stream, reason)
    }
  }
}

/** The serial that a text begins with; undefined when it begins with none. */
export function serialOf(text: string): number | undefined {
  const [, digits] = /^([0-9a-z]+)(\.|$)/.exec(text) ?? []
  return digits === undefined ? undefined : Number.parseInt(digits, 36)
}

/** The text of an event: its serial, and then what no other event has. */
export function textOf(serial: number, bytes: number): string {
  const digits = serial.toString(36)
  return digits.length >= bytes ? digits : `${digits}.`.repeat(Math.ceil(bytes / (digits.length + 1))).slice(0, bytes)
}

/** What all reasons make. */
export function sumOf(reasons: Readonly<Record<string, number>>): number {
  return Object.values(reasons).reduce((sum, count) => sum + count, 0)
}
