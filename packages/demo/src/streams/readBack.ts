import { Effect, Stream } from "effect"
import type { EventStream, RouteError, StoredRange, TransportError } from "leat"
import { LineSet } from "./LineSet.ts"

/** Which positions of a range: `undefined` for none, and absent ones for those of the range. */
export type Part = (
  range: StoredRange
) => { readonly from?: bigint | undefined; readonly to?: bigint | undefined } | undefined

/** Gives every event of a stream that is stored to `visit`, wherever it lies, read without a group and beside every consumer. */
export const readBack = Effect.fnUntraced(function* <T>(
  stream: EventStream<T>,
  visit: (event: T, range: StoredRange, position: bigint) => void,
  part: Part = () => ({})
): Effect.fn.Return<void, TransportError | RouteError> {
  for (const range of yield* stream.stored()) {
    const wanted = part(range)
    if (wanted === undefined) continue
    const { from = range.from, to = range.to } = wanted
    yield* Stream.runForEach(stream.read({ ...range, from, to }), ({ event, info: { position } }) =>
      Effect.sync(() => {
        if (event !== undefined) visit(event, range, position)
      })
    )
  }
})

/** The lines of input that the events of a stream, as far as it is stored, come from. */
export const storedLines = Effect.fnUntraced(function* <T>(stream: EventStream<T>, name: (event: T) => string) {
  const lines = new LineSet()
  yield* readBack(stream, (event) => lines.add(name(event)))
  return lines
})

/** One line of text for every event of a stream that is stored. */
export const storedTexts = Effect.fnUntraced(function* <T>(stream: EventStream<T>, text: (event: T) => string) {
  const found: Array<string> = []
  yield* readBack(stream, (event) => found.push(text(event)))
  return found
})
