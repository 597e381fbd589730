import { Clock, Effect } from "effect"
import type { InputSource, TimedLine } from "./source.ts"

/** Time that the default pace takes for each input, in milliseconds. */
const minuteMs = 60_000

/** Times real time; `max` without any pause; `minute`: each input scaled to a minute. */
export type Speed = number | "max" | "minute"

/** What is read but not handed on yet. */
interface Cursor {
  readonly iterator: AsyncIterator<TimedLine>
  readonly scale: number
  next: TimedLine | undefined
}

/** A source, and how many microseconds its input spans. */
export interface Span {
  readonly source: InputSource
  readonly spanUs: number
}

/** Reads every source once to learn how long it is: the pace of a lively minute needs to know. */
export const measure = (sources: ReadonlyArray<InputSource>): Effect.Effect<ReadonlyArray<Span>> =>
  Effect.promise(async () => {
    const spans: Array<Span> = []
    for (const source of sources) {
      let spanUs = 0
      for await (const { offsetUs } of source.lines()) spanUs = offsetUs
      spans.push({ source, spanUs })
    }
    return spans
  })

/**
 * Plays all sources, which start together, in the order of their scaled times. Lines of one source stay in their order.
 * `max` takes the order of `minute`, so that a run may be begun at one of them and go on at the other.
 *
 * `play` says whether there was anything to do for the line; the pace begins with the first for which there was.
 */
export const replay = Effect.fnUntraced(function* <E, R>(
  spans: ReadonlyArray<Span>,
  speed: Speed,
  isStopped: () => boolean,
  play: (line: TimedLine) => Effect.Effect<"played" | "skipped", E, R>
) {
  const cursors: Array<Cursor> = []
  for (const { source, spanUs } of spans) {
    const scale = typeof speed === "number" ? 1 / 1000 / speed : minuteMs / Math.max(1, spanUs)
    const iterator = source.lines()[Symbol.asyncIterator]()
    cursors.push({ iterator, scale, next: yield* advance(iterator) })
  }
  let startMs: number | undefined
  for (;;) {
    if (isStopped()) break
    const cursor = earliest(cursors)
    if (cursor?.next === undefined) break
    const { next, scale, iterator } = cursor
    if (speed !== "max" && startMs !== undefined) {
      const waitMs = startMs + next.offsetUs * scale - (yield* Clock.currentTimeMillis)
      // In short sleeps, so that an interrupt is heard.
      if (waitMs > 1) {
        yield* Effect.sleep(Math.min(waitMs, 200))
        continue
      }
    }
    const told = yield* play(next)
    if (told === "played") startMs ??= (yield* Clock.currentTimeMillis) - next.offsetUs * scale
    cursor.next = yield* advance(iterator)
  }
})

function advance(iterator: AsyncIterator<TimedLine>): Effect.Effect<TimedLine | undefined> {
  return Effect.promise(async () => {
    const step = await iterator.next()
    return step.done === true ? undefined : step.value
  })
}

function earliest(cursors: ReadonlyArray<Cursor>): Cursor | undefined {
  let first: Cursor | undefined
  for (const cursor of cursors) {
    if (cursor.next === undefined) continue
    if (first?.next === undefined || cursor.next.offsetUs * cursor.scale < first.next.offsetUs * first.scale)
      first = cursor
  }
  return first
}
