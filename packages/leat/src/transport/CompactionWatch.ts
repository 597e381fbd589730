/**
 * Tells of topics that are compacted although the contract that is published or read there is not: of all events of a key they keep the latest, perhaps one of
 * another stream, so events that were told stored are superseded before a group has read them. Within one process the routes refuse that; who else uses a
 * topic its cluster alone knows.
 *
 * One fiber asks for one topic after the other, once for each that has answered, and ends when nothing is left to ask. Nobody waits for it: to open a stream takes no
 * longer. It runs in the scope of the leat and ends with that.
 */
import { Cause, Effect, Option, type Scope } from "effect"
import { idleSleep } from "../idleSleep.ts"
import * as Telemetry from "../Telemetry.ts"
import type { Transport, TransportError } from "./index.ts"
import { isFoundCompacted } from "./madeCompacted.ts"

/** Time for one answer, in milliseconds. */
const answerMs = 10_000

/** Pauses before topics that gave no answer are asked again: the first, and the longest, in milliseconds. */
const againMs = 1000
const againMsMax = 60_000

/** A topic that an ordinary contract uses. */
export interface OrdinaryTopic {
  /** `cluster/topic`. */
  readonly sink: string
  readonly topic: string
  /** Of those that use it, the one that came first. */
  readonly stream: string
  readonly transport: Pick<Transport, "bounds" | "ensure">
}

/** Whether another process can have made a topic compacted. What is in the memory of one process is shared with no other. */
export function mayBeCompacted({ capabilities }: Pick<Transport, "capabilities">): boolean {
  return capabilities.compaction && !capabilities.ephemeral
}

export class CompactionWatch {
  readonly #scope: Scope.Scope
  /** By sink: what is asked, or has answered. */
  readonly #known = new Set<string>()
  readonly #waiting = new Set<OrdinaryTopic>()
  #isRunning = false

  /** The fiber ends with the scope. */
  constructor(scope: Scope.Scope) {
    this.#scope = scope
  }

  /** Asks for a topic of a cluster where it may be compacted, soon, unless it has answered before. */
  look(one: OrdinaryTopic): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#known.has(one.sink)) return Effect.void
      this.#known.add(one.sink)
      this.#waiting.add(one)
      if (this.#isRunning) return Effect.void
      this.#isRunning = true
      return Effect.asVoid(Effect.forkIn(Effect.interruptible(this.#run), this.#scope))
    }).pipe(Effect.uninterruptible)
  }

  readonly #run: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    for (let pauseMs = againMs; this.#waiting.size > 0; pauseMs = Math.min(pauseMs * 2, againMsMax)) {
      for (const one of this.#waiting) if (yield* this.#ask(one)) this.#waiting.delete(one)
      if (this.#waiting.size > 0) yield* idleSleep(pauseMs)
    }
    this.#isRunning = false
  })

  /** False: it gave no answer, and may give one later. */
  #ask(one: OrdinaryTopic): Effect.Effect<boolean> {
    const { sink, stream, topic, transport } = one
    const asked = Effect.flatMap(isFoundCompacted(transport, topic), (isCompacted) =>
      Effect.as(isCompacted ? Telemetry.warn(sentenceOf(sink, stream)) : Effect.void, true)
    )
    // A program that has nothing else to do ends.
    const late = Effect.as(idleSleep(answerMs), Option.none<boolean>())
    return Effect.catchCause(Effect.map(Effect.raceFirst(Effect.asSome(asked), late), Option.isSome), (cause) => {
      const isLater = isRetryable(cause)
      // Whoever opens it when it is there, or may be asked about it, asks again.
      if (!isLater) this.#known.delete(sink)
      return Effect.succeed(!isLater)
    })
  }
}

function isRetryable(cause: Cause.Cause<TransportError>): boolean {
  return Option.match(Cause.findErrorOption(cause), { onNone: () => false, onSome: (error) => error.isRetryable })
}

function sentenceOf(sink: string, stream: string): string {
  return `${sink} is compacted, and the contract of ${stream} is not: of all events of a key, whichever stream they are of, it keeps the latest, and a group that is behind never gets the others. Say \`compacted\` in the contract if that is meant; else name a topic of its own, or make this one an ordinary one (on Kafka \`cleanup.policy=delete\`)`
}
