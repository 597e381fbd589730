import { Clock, Effect, type Scope } from "effect"
import type { PlainRecord } from "../record/batchOf.ts"
import { replayHeader } from "../record/DeadLetter.ts"
import type { Transport, TransportError } from "../transport/index.ts"
import { checked } from "./givenArguments.ts"
import type { ListedLetter, OwnLetters } from "./listLetters.ts"
import { Pace } from "../transport/Pace.ts"
import { monotonicMs } from "../Wake.ts"
import { type ChosenLetters, choosing, eachPage, pageLettersMax } from "./pages.ts"
import { openBoth, resolve } from "./resolve.ts"
import { storePage } from "./storePage.ts"

/** Which letters are replayed, and how fast. */
export interface ReplayOptions extends ChosenLetters {
  /** Events per second at most, above 0; as fast as they are stored, when absent. */
  readonly rate?: number | undefined
  /** Letters that were replayed so often already are left; 3 when absent. */
  readonly replaysMax?: number | undefined
}

/** What became of the letters that were meant. */
export interface ReplayReport {
  /** Letters that were replayed; in a dry run, those that would be. */
  readonly replayed: number
  /** Letters that are left because they were replayed too often already. */
  readonly guarded: number
  /** Letters that are left because the backend will never take their replay: too large, say. */
  readonly refused: number
  /** Why the first of them was refused. */
  readonly refusal?: TransportError
}

const replaysMaxDefault = 3

/**
 * Replays open letters to their group, in order within each partition, or what publishers could not store to the topic that it was meant for. Each is
 * written with its key, value and headers as they were to the topic from which the group takes replays; when that is stored, a record beside the letter says so. After a kill at any point a second
 * call goes on; what was on its way, at most a hundred letters, is replayed again. Fails with the transport's error when nothing can be
 * stored for 90 seconds.
 *
 * @example
 * ```ts
 * const { replayed, guarded } = yield* DeadLetters.replay(transport, { topic: "shop.orders", group: "billing" }, {
 *   where: ({ letter }) => letter.tag === "CardDeclined",
 *   rate: 100
 * })
 * ```
 */
export const replay = Effect.fnUntraced(function* (
  transport: Transport,
  which: OwnLetters,
  options: ReplayOptions = {}
): Effect.fn.Return<ReplayReport, TransportError, Scope.Scope> {
  yield* checked("replay", [...choosing, "rate", "replaysMax"], { transport, which, options })
  const { rate, replaysMax = replaysMaxDefault } = options
  const clock = yield* Clock.Clock
  const pace = new Pace(
    () => monotonicMs(clock),
    () => rate
  )
  const left: Left = { guarded: 0, refused: 0, refusal: undefined }
  const isTaken = ({ letter }: ListedLetter): boolean => {
    if (letter.replays < replaysMax) return true
    left.guarded++
    return false
  }
  const lettersMax = pace.pageMax(pageLettersMax)
  const { take } = yield* replaying({ transport, which, by: options.by, pace, left })
  const replayed = yield* eachPage({ transport, which, chosen: options, lettersMax }, isTaken, take)
  const { refusal, ...counts } = left
  return { replayed, ...counts, ...(refusal === undefined ? {} : { refusal }) }
}, Effect.scoped)

/** Letters that were meant and not replayed. */
interface Left {
  guarded: number
  refused: number
  refusal: TransportError | undefined
}

interface Replaying {
  readonly transport: Transport
  readonly which: OwnLetters
  readonly by: string | undefined
  readonly pace: Pace
  readonly left: Left
}

/** How a page is replayed. Opens its topics with the first page: where there is nothing to replay no topic is made. */
const replaying = Effect.fnUntraced(function* ({ transport, which, by, pace, left }: Replaying) {
  const targets = yield* Effect.cached(openBoth(transport, which))
  const take = Effect.fnUntraced(function* (letters: ReadonlyArray<ListedLetter>, partition: number) {
    const { deadLetters, replays } = yield* targets
    yield* pace.wait(letters.length)
    const timeMs = yield* Clock.currentTimeMillis
    const records = letters.map((letter) => replayOf(letter, timeMs))
    const answers = yield* storePage(replays, partition, records)
    const stored = letters.filter((_, index) => answers[index] === undefined)
    left.refused += letters.length - stored.length
    left.refusal ??= answers.find((error) => error !== undefined)
    yield* resolve(deadLetters, partition, stored, { how: "replayed", by })
    return stored.length
  })
  return { take }
})

/** With the time of now: under its own one, retention could delete it before anybody reads it. */
function replayOf({ key, value, headers, letter }: ListedLetter, timeMs: number): PlainRecord {
  return { key, value, headers: [replayHeader(letter.replays + 1), ...headers], timeMs }
}
