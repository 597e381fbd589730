import { Clock, Effect } from "effect"
import type { RouteError, Subscription, TransportError } from "leat"
import type { Role } from "../arguments.ts"
import type { Expected } from "../check/Expected.ts"
import { groupsOf, lagOf } from "../consumers/consumers.ts"
import type { Streams } from "../streams/streams.ts"
import type { PublisherTurn } from "../publisher/PublisherTurn.ts"
import type { Report } from "../view/Report.ts"
import { isPublished } from "./found.ts"

export interface EndOptions {
  readonly streams: Streams
  readonly expected: Expected
  readonly role: Role | undefined
  readonly subscriptions: ReadonlyArray<Subscription>
  readonly report: Report
  readonly isStopped: () => boolean
  /** Absent: this process only consumes. */
  readonly publish:
    | {
        readonly turn: PublisherTurn
        /** Publishes what is missing; false when it had to stop before the end. */
        readonly run: (turn: PublisherTurn) => Effect.Effect<boolean, TransportError | RouteError>
      }
    | undefined
}

/** Time between two looks, in milliseconds. */
const lookEveryMs = 50

/** Looks for its turn after which a publisher says that it waits. */
const waitingLooks = 20

/** How long everything may stand still once all is published, in milliseconds. */
const standstillMsMax = 120_000

/** Publishes if that is this process's part, and waits for its consumers. False: it was stopped, or stands still. */
export const awaitEnd = Effect.fnUntraced(function* (options: EndOptions) {
  // A subscription ends by itself only with an error that trying again does not mend.
  const broken = options.subscriptions.map(({ ended }) => Effect.andThen(ended, Effect.never))
  return yield* Effect.raceAllFirst([work(options), ...broken])
})

const work = Effect.fnUntraced(function* (options: EndOptions) {
  const { publish, isStopped, role } = options
  const isDone = publish === undefined ? false : yield* published(options, publish)
  if (isStopped()) return false
  return role === "publisher" ? isDone : yield* caughtUp(options, isDone)
})

/** Publishes when it is this process's turn, until all is published by whomever. False: it was stopped. */
const published = Effect.fnUntraced(function* (
  { streams, expected, report, isStopped }: EndOptions,
  { turn, run }: NonNullable<EndOptions["publish"]>
) {
  for (let looks = 1; !isStopped(); looks++) {
    const isDone = turn.isMine ? yield* run(turn) : yield* isPublished(streams, expected)
    if (isDone) return true
    if (looks === waitingLooks)
      report.note("another process publishes, or has died just now: this one goes on when its turn comes")
    yield* Effect.sleep(lookEveryMs)
  }
  return false
})

/** Waits until all is published and the groups of the role, and those before them, have handled everything. */
const caughtUp = Effect.fnUntraced(function* (
  { streams, expected, role, subscriptions, report, isStopped }: EndOptions,
  isDone: boolean
) {
  const groups = groupsOf(streams).filter(({ group }) => role !== "positions" || group === "positions")
  const told = new Set<string>()
  let last = ""
  let movedAtMs = yield* Clock.currentTimeMillis
  for (;;) {
    if (isStopped()) return false
    for (const { group, halted } of subscriptions)
      for (const { partition, tag, detail } of halted()) {
        const sentence = `${group} stands still in partition ${partition}: ${tag}: ${detail}`
        if (!told.has(sentence)) report.trouble(sentence)
        told.add(sentence)
      }
    if (told.size > 0) return true
    if (isDone || (yield* isPublished(streams, expected))) {
      const lags: Array<number> = []
      for (const one of groups) lags.push(yield* lagOf(one))
      if (lags.every((lag) => lag === 0)) return true
      const nowMs = yield* Clock.currentTimeMillis
      if (lags.join() !== last) movedAtMs = nowMs
      last = lags.join()
      if (role === undefined && nowMs - movedAtMs > standstillMsMax) {
        report.trouble(`nothing has moved for ${standstillMsMax / 1000} seconds`)
        return true
      }
    }
    yield* Effect.sleep(lookEveryMs)
  }
})
