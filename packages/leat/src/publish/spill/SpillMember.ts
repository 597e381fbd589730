/**
 * A member of the group that holds the lanes of a spill, or of the topic of its owner. It joins again when it has failed, and where a lane that is
 * waited for does not come: a call of the driver may never come back, or the group has forgotten it. Later each time, for another process may
 * hold the lane.
 */
import { Deferred, Effect, Exit, Scope, Stream } from "effect"
import type { Lane, Subscription } from "../../transport/index.ts"
import { ofPartition } from "../sendOn/ofPartition.ts"
import { againMs, answerMs, textOf } from "./answers.ts"
import type { SpillPlace } from "./Spill.ts"

/** The group that holds the lanes of spills, and whose settled positions say what was sent on. */
export const spillGroup = "leat.spill"

/** How often the wait for a lane gets twice as long, at most: it begins with that for an answer. */
const longerMax = 5

export class SpillMember {
  /** Why it has failed, where no lane has come since. */
  trouble: string | undefined
  readonly #place: SpillPlace
  readonly #topic: string
  readonly #taken: (lane: Lane) => Effect.Effect<void>
  /** Completed, and made anew, when it has to join again. */
  #broken = Deferred.makeUnsafe<void>()

  constructor(place: SpillPlace, topic: string, taken: (lane: Lane) => Effect.Effect<void>) {
    this.#place = place
    this.#topic = topic
    this.#taken = taken
  }

  /** Joins, again and again, until it is interrupted. */
  get run(): Effect.Effect<never> {
    const subscription: Subscription = { topic: this.#topic, group: spillGroup, from: "earliest", drainMs: 0 }
    const { transport } = this.#place
    const taken = (given: Lane) =>
      Effect.flatMap(ofPartition(given, transport), (lane) => {
        this.trouble = undefined
        return this.#taken(lane)
      })
    // Asked for anew each time: a stream of lanes is of one member.
    const once = Effect.suspend(() => Stream.runForEach(transport.subscribe(subscription), taken))
    // Which `broken` is that of this member is asked before it begins: its first lane may break at once.
    const begun = Effect.suspend(() => Effect.raceFirst(once, Deferred.await(this.#broken)))
    // A driver that does not let go of what a member had is waited for by its cluster, and not for ever.
    const member = Effect.acquireUseRelease(
      Effect.sync(() => Scope.makeUnsafe()),
      (scope) => Scope.provide(begun, scope),
      (scope, exit) => Scope.close(scope, exit)
    )
    const ended = Effect.map(Effect.exit(member), (exit) => {
      if (Exit.isFailure(exit)) this.trouble = textOf(exit.cause)
    })
    return Effect.forever(Effect.andThen(ended, Effect.sleep(againMs)))
  }

  /** Leaves the group, and joins it again. */
  readonly joinAnew: Effect.Effect<void> = Effect.suspend(() => {
    const broken = this.#broken
    this.#broken = Deferred.makeUnsafe<void>()
    return Effect.asVoid(Deferred.succeed(broken, undefined))
  })

  /** Waits for a lane. Where it does not come the member is to join anew; not where another wait has just had it do so. */
  until<A>(came: Effect.Effect<A>, late: (isToJoin: boolean) => Effect.Effect<void>): Effect.Effect<A> {
    const waiting = Effect.gen({ self: this }, function* () {
      for (let longer = 0; ; longer = Math.min(longer + 1, longerMax)) {
        const broken = this.#broken
        yield* Effect.sleep(answerMs * 2 ** longer)
        yield* late(this.#broken === broken)
      }
    })
    return Effect.raceFirst(came, waiting)
  }
}
