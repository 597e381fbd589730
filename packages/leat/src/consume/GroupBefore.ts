/**
 * Whether a group was known in the topic of its stream before this subscription joined it: that says where it begins in topics that the stream fell back
 * to. One that was is given all of them that it has not settled, wherever a new one begins, for they hold what did not come to the stream meanwhile.
 */
import { Cause, Clock, Effect, Exit } from "effect"
import { textOfThrown } from "../given/thrown.ts"
import { type From, type Transport, TransportError } from "../transport/index.ts"

/** How long an answer is waited for, in milliseconds: the stream is not read before. */
const answerMs = 30_000

export class GroupBefore {
  /** Why it is not known, as it was asked. */
  trouble: string | undefined
  #isAsked = false
  #isKnown = true
  #begunAtMs = 0

  /** Before the group is joined: a member that was given a partition makes it known. Where there is no answer it counts as known, so that nothing is passed over. */
  ask(transport: Transport, topic: string, group: string, from: From): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      if (this.#isAsked || from === "earliest") return
      this.#isAsked = true
      this.#begunAtMs = yield* Clock.currentTimeMillis
      const exit = yield* Effect.exit(Effect.timeout(isKnownIn(transport, topic, group), answerMs))
      if (Exit.isSuccess(exit)) return void (this.#isKnown = exit.value)
      const error = Cause.squash(exit.cause)
      this.#isKnown = !(error instanceof TransportError && error.reason === "UnknownTopic")
      if (this.#isKnown) this.trouble = error instanceof TransportError ? error.message : textOfThrown(error)
    })
  }

  /** Where it begins in a topic that its stream fell back to, in partitions in which it has settled nothing. A position is one of the stream. */
  beginOf(from: From): From {
    if (this.#isKnown || from === "earliest" || (typeof from === "object" && "position" in from)) return "earliest"
    // What fell back since it began is for it, however late the other cluster is found.
    return from === "latest" ? { timeMs: this.#begunAtMs } : from
  }
}

/** Whether a group was ever given a partition there. One that began where the topic begins, and has settled nothing, has no position that `bounds` would tell. */
export function isKnownIn(transport: Transport, topic: string, group: string): Effect.Effect<boolean, TransportError> {
  return Effect.flatMap(transport.bounds(topic, group), (rows) =>
    rows.some(({ settled }) => settled !== undefined) || transport.groups === undefined
      ? Effect.succeed(rows.some(({ settled }) => settled !== undefined))
      : Effect.map(transport.groups(topic), (names) => names.includes(group))
  )
}
