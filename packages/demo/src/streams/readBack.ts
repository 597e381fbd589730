import { Effect, Stream } from "effect"
import type { EventStream, OpenLeat, TransportError, RouteError } from "leat"
import { LineSet } from "./LineSet.ts"

/** Which positions of a partition: `undefined` for all that are stored. */
export type Part = (
  partition: number
) => { readonly from?: bigint | undefined; readonly to?: bigint | undefined } | undefined

/** Gives every event of a stream that is stored to `visit`, read without a group and beside every consumer. */
export const readBack = Effect.fnUntraced(function* <T>(
  leat: OpenLeat,
  stream: EventStream<T>,
  visit: (event: T, partition: number, position: bigint) => void,
  part: Part = () => ({})
): Effect.fn.Return<void, TransportError | RouteError> {
  const leg = leat.routes().lookup(stream.contract.stream, leat.source)?.readLeg
  if (leg === undefined) return
  const transport = yield* leat.transport(leg.cluster)
  for (const { partition, start, end } of yield* transport.bounds(leg.topic)) {
    const wanted = part(partition)
    if (wanted === undefined) continue
    const { from = start, to = end } = wanted
    if (from >= to) continue
    yield* Stream.runForEach(transport.read(leg.topic, partition, { fromPosition: from, toPosition: to }), (batch) =>
      Effect.sync(() => {
        for (const { value, position } of batch.records)
          if (value !== null) visit(stream.contract.decode(value), partition, position)
      })
    )
  }
})

/** The lines of input that the events of a stream, as far as it is stored, come from. */
export const storedLines = Effect.fnUntraced(function* <T>(
  leat: OpenLeat,
  stream: EventStream<T>,
  name: (event: T) => string
) {
  const lines = new LineSet()
  yield* readBack(leat, stream, (event) => lines.add(name(event)))
  return lines
})

/** One line of text for every event of a stream that is stored. */
export const storedTexts = Effect.fnUntraced(function* <T>(
  leat: OpenLeat,
  stream: EventStream<T>,
  text: (event: T) => string
) {
  const found: Array<string> = []
  yield* readBack(leat, stream, (event) => found.push(text(event)))
  return found
})
