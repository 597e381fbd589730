/**
 * The spills of places that a stream has left: what they hold goes to where the stream is now, before anything that was offered since. Where the leg is
 * open here its own spill sends it there; what a process before this one has left is sent by this.
 */
import { type Context, Effect, Result } from "effect"
import { type Epoch, isSameTopic, type Placement } from "../control/Placement.ts"
import { idleSleep } from "../idleSleep.ts"
import { holdsOf } from "../publish/leaving.ts"
import type { OpenError } from "../publish/Sinks.ts"
import type { Sink } from "../publish/Sink.ts"
import type { Departures } from "../publish/spill/Departures.ts"
import { spilledPartitions, spillTopic } from "../publish/spill/openSpill.ts"
import { heldIn } from "../publish/spill/readSpill.ts"
import type { Leg } from "../routes/Routes.ts"
import { orphanCarried } from "./orphanSpill.ts"
import type { WriterHome } from "./PlacedWriter.ts"

/** From one look at what a spill of this process holds to the next one, in milliseconds. */
const lookMs = 100

/** From one look at what others have left to the next one, in milliseconds: the first, and the longest. */
const [lookAgainMs, lookAgainMsMax] = [5000, 300_000]

/** Pauses between two tries, in milliseconds. */
const [againMs, againMsMax] = [200, 5000]

/** What it asks of the leat. */
export interface LeftSpillsHome {
  /** Read legs that older documents of the fleet have, the newest first. */
  readonly pastLegs: (stream: string) => ReadonlyArray<Leg>
  /** Older documents of the fleet that may name a spill and are not understood here, and why. */
  readonly unreadPast: () => ReadonlyArray<string>
  /** A sink that is open, or is being closed. */
  readonly sinkNamed: (name: string) => Sink | undefined
  readonly departures: Departures & { readonly changed: () => void }
  readonly context: Context.Context<never>
}

/** The spill that a sink of this process has where a leg has one. */
function ownSpill(sink: Sink | undefined, leg: Leg): Sink["spill"] {
  return sink?.leg.spill?.cluster === leg.spill?.cluster ? sink?.spill : undefined
}

export class LeftSpills {
  readonly #home: WriterHome
  readonly #tell: (text: string) => Effect.Effect<void>
  /** The epoch to which all was carried that was there. */
  #done = 0
  /** What was told of it. */
  readonly #told = new Set<string>()
  /** By topic of a spill that processes before this one have left: records that were in it when it was looked at last. */
  readonly #orphaned = new Map<string, number>()

  constructor(home: WriterHome, tell: (text: string) => Effect.Effect<void>) {
    this.#home = home
    this.#tell = tell
  }

  /** Legs of places that the stream has left, or has come back to, which may have left something; `known`: those that were open here. */
  of(placement: Placement, to: Epoch, known: Iterable<Leg>): ReadonlyArray<Leg> {
    if (placement.epochs.length === 1) return []
    const found = new Map<string, Leg>()
    for (const leg of [...known, ...this.#home.spills.pastLegs(this.#home.stream)]) {
      const there = { ...leg, partitions: 0 }
      // Epochs that were retired long ago are forgotten.
      const isKnown =
        placement.epochs[0]?.phase === "retired" || placement.epochs.some(({ place }) => isSameTopic(place, there))
      const name = `${leg.spill?.cluster} ${leg.sink}`
      if (leg.spill !== undefined && isKnown && !found.has(name)) found.set(name, leg)
    }
    return [...found.values()]
  }

  /** Events in the spills of places that the stream is leaving, or has left: with those of other streams in the same spill. */
  held(placement: Placement, to: Epoch, known: Iterable<Leg>): number {
    let held = 0
    for (const leg of this.of(placement, to, known)) {
      const sink = this.#home.spills.sinkNamed(leg.sink)
      if (sink?.spilling === undefined || isSameTopic(to.place, { ...leg, partitions: 0 })) continue
      if (holdsOf(sink, this.#home.stream)) held += sink.spilling.records
    }
    for (const left of this.#orphaned.values()) held += left
    return held
  }

  /** Whether all that was there was carried to an epoch. */
  isDone({ epoch }: Epoch): boolean {
    return this.#done === epoch
  }

  /** Looks again, later and later: a process that was just ending may have put something there. Until it is interrupted. */
  again(legs: () => ReadonlyArray<Leg>, to: Epoch): Effect.Effect<never> {
    return Effect.gen({ self: this }, function* () {
      for (let pauseMs = lookAgainMs; ; pauseMs = Math.min(pauseMs * 2, lookAgainMsMax)) {
        yield* idleSleep(pauseMs)
        yield* this.carried(legs(), to)
      }
    })
  }

  /** Completes when nothing of the stream is left in them. */
  carried(legs: ReadonlyArray<Leg>, to: Epoch): Effect.Effect<void> {
    return Effect.forEach(legs, (leg) => this.#carriedOf(leg, to), { concurrency: "unbounded", discard: true }).pipe(
      Effect.andThen(this.#tellUnread),
      Effect.map(() => void (this.#done = to.epoch))
    )
  }

  /** It was refused by this build, and may have been in force in another one. */
  get #tellUnread(): Effect.Effect<void> {
    const { spills, stream } = this.#home
    return Effect.suspend(() =>
      Effect.forEach(
        spills.unreadPast(),
        (why) =>
          this.#tellOnce(
            `leaves what may stand in a spill that only an older document of the fleet names: ${why}; if ${stream} had a spill by it, start this process once with the build that wrote it`,
            "",
            0
          ),
        { discard: true }
      )
    )
  }

  #carriedOf(leg: Leg, { epoch, place }: Epoch): Effect.Effect<void> {
    const { isClosing, stream, spills } = this.#home
    return Effect.gen({ self: this }, function* () {
      for (let pauseMs = againMs; ;) {
        // Nothing of it is sent any more: the next process finds what is left.
        if (isClosing()) return yield* Effect.never
        const sink = spills.sinkNamed(leg.sink)
        const own = ownSpill(sink, leg)
        // What it holds for the place where the stream is written now goes there in its turn.
        if (sink !== undefined && own !== undefined && !isSameTopic(place, { ...leg, partitions: 0 })) {
          own.want()
          const held = own.spill.isReady ? `: ${own.spill.records} events` : undefined
          if (held !== undefined && holdsOf(sink, stream))
            yield* this.#tellOnce(`carries what the spill of ${leg.sink} holds`, held, epoch)
          if (held === undefined || holdsOf(sink, stream)) {
            yield* Effect.sleep(lookMs)
            continue
          }
        }
        const looked = Effect.as(this.#orphans(leg, epoch, own && sink?.partitions), true)
        const tried = yield* Effect.result(
          own === undefined ? Effect.raceFirst(looked, Effect.as(this.#opened(leg), false)) : looked
        )
        if (Result.isSuccess(tried)) {
          if (tried.success) return
          continue
        }
        if (pauseMs === againMs)
          yield* this.#tell(`waits: the spill of ${leg.sink} does not say what it holds: ${tried.failure.message}`)
        yield* Effect.sleep(pauseMs)
        pauseMs = Math.min(pauseMs * 2, againMsMax)
      }
    })
  }

  /**
   * Completes when this process has the leg open: its sink takes the spill then, and carries what it holds. Else the two would wait for each other, and the
   * stream that stays would go on without what it has left there.
   */
  #opened(leg: Leg): Effect.Effect<void> {
    return Effect.suspend(() =>
      ownSpill(this.#home.spills.sinkNamed(leg.sink), leg) === undefined
        ? Effect.andThen(Effect.sleep(lookMs), this.#opened(leg))
        : Effect.void
    )
  }

  /** A step of a writer begins anew with each change of where the stream lies. */
  #tellOnce(what: string, more: string, epoch: number): Effect.Effect<void> {
    const one = `${epoch} ${what}`
    if (this.#told.has(one)) return Effect.void
    this.#told.add(one)
    return this.#tell(what + more)
  }

  /** What processes before this one have left, with however many partitions the place had then; `own`: with as many a spill is open here. */
  #orphans(leg: Leg, epoch: number, own: number | undefined): Effect.Effect<void, OpenError> {
    const { transportOf, spills } = this.#home
    const cluster = leg.spill?.cluster ?? ""
    const looked = Effect.scoped(
      Effect.gen({ self: this }, function* () {
        const transport = yield* transportOf(cluster)
        const counts = new Set(yield* spilledPartitions(transport, leg))
        for (const partitions of counts) {
          const topic = spillTopic(leg, partitions)
          // Those of fewer are taken over by the sink itself.
          if (own !== undefined && partitions <= own) continue
          const left = yield* heldIn(transport, topic)
          this.#orphaned.set(topic, left)
          if (left === 0) continue
          const { departures, context } = spills
          const tell = (what: string, more: string) => this.#tellOnce(what, more, epoch)
          yield* orphanCarried({ transport, topic, partitions, sink: leg.sink, departures, context, tell })
          this.#orphaned.delete(topic)
        }
      })
    )
    // To wait for a document would hold up all that is published.
    return Effect.catchTag(looked, "RouteError", ({ faults }) =>
      this.#tellOnce(
        `leaves what may stand in the spill of ${leg.sink}: cluster ${cluster}, which has it, cannot be opened (${faults.map(({ message }) => message).join("; ")}); put it back and start this process again`,
        "",
        epoch
      )
    )
  }
}
