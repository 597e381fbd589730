/**
 * Watches the number of partitions of the topics that are open for writing. A sink keeps those that its topic had when it was opened,
 * because a key that changes its partition loses its order; a process that is opened later has another number. Only people can bring the two
 * together, so it is told: once for each change.
 *
 * One fiber for all topics. It asks for one after the other, and begins with the first topic whose number can grow.
 */
import { Effect, type Scope } from "effect"
import { idleSleep } from "../idleSleep.ts"
import type { RouteFault } from "../routes/Routes.ts"
import * as Telemetry from "../Telemetry.ts"
import type { Transport } from "../transport/index.ts"

/** Pause between two rounds, and between two topics of one, in milliseconds. */
const roundMs = 3000
const betweenMs = 20
/** Time for one answer, in milliseconds. */
const answerMs = 10_000

/** A topic that is open for writing. */
export interface WatchedTopic {
  /** `cluster/topic`. */
  readonly sink: string
  readonly topic: string
  readonly transport: Pick<Transport, "partitionsOf" | "bounds" | "capabilities">
  /** Those that it had when it was opened. */
  readonly partitions: number
  /** Why a topic of so many partitions could not be opened. */
  readonly wrong: (partitions: number) => RouteFault | undefined
}

export class PartitionWatch {
  readonly #scope: Scope.Scope
  /** With the number that was told last. */
  readonly #watched = new Map<WatchedTopic, number>()
  #isRunning = false

  /** The fiber ends with the scope. */
  constructor(scope: Scope.Scope) {
    this.#scope = scope
  }

  /** Watches the topic until the caller's scope closes. */
  watch(topic: WatchedTopic): Effect.Effect<void, never, Scope.Scope> {
    if (topic.transport.capabilities.partitions === "fixed") return Effect.void
    const entered = Effect.acquireRelease(
      Effect.sync(() => this.#watched.set(topic, topic.partitions)),
      () => Effect.sync(() => this.#watched.delete(topic))
    )
    return Effect.andThen(entered, this.#begin)
  }

  readonly #begin: Effect.Effect<void> = Effect.uninterruptible(
    Effect.suspend(() => {
      if (this.#isRunning) return Effect.void
      this.#isRunning = true
      return Effect.asVoid(Effect.forkIn(Effect.interruptible(this.#run), this.#scope))
    })
  )

  readonly #run: Effect.Effect<never> = Effect.gen({ self: this }, function* () {
    for (;;) {
      yield* idleSleep(roundMs)
      for (const topic of this.#watched.keys()) {
        yield* idleSleep(betweenMs)
        yield* this.#look(topic)
      }
    }
  })

  #look(watched: WatchedTopic): Effect.Effect<void> {
    const { transport, topic } = watched
    const isNews = (count: number) => (this.#watched.get(watched) ?? count) !== count
    const counted = Effect.gen({ self: this }, function* () {
      if (!isNews(yield* transport.partitionsOf(topic))) return
      // Of a topic that is not there the first answer is what it would be created with. The bounds are those of one that is.
      const { length: now } = yield* transport.bounds(topic)
      if (!isNews(now)) return
      this.#watched.set(watched, now)
      if (now !== watched.partitions) yield* Telemetry.warn(sentenceOf(watched, now))
    })
    // Without an answer the next round tells.
    return Effect.catchCause(Effect.asVoid(Effect.timeoutOption(counted, answerMs)), () => Effect.void)
  }
}

function sentenceOf({ sink, partitions, wrong }: WatchedTopic, now: number): string {
  const begun = `${sink} has ${now} partitions now, and had ${partitions} when this process opened it`
  const fault = wrong(now)
  const next =
    fault === undefined
      ? `Processes that open it now publish to ${now}, so events of one key stand in two partitions and may be handled out of order: stop all that publish there, then start them again`
      : `A process that opens it now is refused: ${fault.message}`
  const own =
    now < partitions ? "events for the others cannot be stored" : `it goes on publishing to the first ${partitions}`
  return `${begun}: ${own}. ${next}. Consumers read all ${now}`
}
