/** Which open letters are meant, and in which pages they are taken. */
import { Effect, type Scope, Stream } from "effect"
import type { Transport, TransportError } from "../transport/index.ts"
import { copyOf, list, type ListedLetter, type OwnLetters } from "./listLetters.ts"

/** Which open letters are meant, and by whom. */
export interface ChosenLetters {
  /** Only letters that this is true of; all, when absent. */
  readonly where?: ((letter: ListedLetter) => boolean) | undefined
  /** Only this partition of the dead letters. */
  readonly partition?: number | undefined
  /** At most so many, 1 or more; all, when absent. */
  readonly limit?: number | undefined
  /** Counts, and writes nothing. */
  readonly isDryRun?: boolean | undefined
  /** Who does it; stands in the resolution. */
  readonly by?: string | undefined
}

/** The names of these. */
export const choosing = ["where", "partition", "limit", "isDryRun", "by"] as const

/** Letters of one partition that are taken together: what a kill may replay twice. */
export const pageLettersMax = 100
const pageBytesMax = 1024 * 1024

interface Choosing {
  readonly transport: Transport
  readonly which: OwnLetters
  readonly chosen: ChosenLetters
  readonly lettersMax: number
}

/** Takes the open letters that are meant, page by page, and counts those that `take` says are done; all of them, in a dry run. */
export const eachPage = Effect.fnUntraced(function* (
  { transport, which, chosen, lettersMax }: Choosing,
  isTaken: (letter: ListedLetter) => boolean,
  take: (letters: ReadonlyArray<ListedLetter>, partition: number) => Effect.Effect<number, TransportError, Scope.Scope>
) {
  const { where, partition, limit = Number.POSITIVE_INFINITY, isDryRun = false } = chosen
  let page: Array<ListedLetter> = []
  let bytes = 0
  let done = 0
  const flush = Effect.suspend(() => {
    const letters = page
    const [first] = letters
    page = []
    bytes = 0
    if (first === undefined) return Effect.void
    const counted = isDryRun ? Effect.succeed(letters.length) : take(letters, first.partition)
    return Effect.map(counted, (count) => void (done += count))
  })
  yield* list(transport, which, partition === undefined ? {} : { partition }).pipe(
    Stream.filter((letter) => (where === undefined || where(copyOf(letter))) && isTaken(letter)),
    Stream.take(limit),
    Stream.runForEach(
      Effect.fnUntraced(function* (letter) {
        if (page[0] !== undefined && page[0].partition !== letter.partition) yield* flush
        page.push(letter)
        bytes += (letter.key?.length ?? 0) + (letter.value?.length ?? 0)
        if (page.length >= lettersMax || bytes >= pageBytesMax) yield* flush
      })
    )
  )
  yield* flush
  return done
})
