/** What a fleet says, as it says it, for somebody who only looks. */
import { type Duration, Effect, Result, Stream } from "effect"
import type { Transport, TransportError } from "../transport/index.ts"
import { ControlError } from "./ControlError.ts"
import type { ControlFold } from "./ControlFold.ts"
import { readAll } from "./ControlStream.ts"
import { changesBetween, type FleetChange } from "./fleet.ts"

/** How `ControlTools.watch` looks at a control stream. */
export interface WatchOptions {
  readonly topic: string
  /** From one look at the stream to the next; half a second when absent. */
  readonly every?: Duration.Input | undefined
  /** The cluster does not answer, and is asked again; undefined: it does again. */
  readonly troubled?: ((why: string | undefined) => Effect.Effect<void>) | undefined
}

/** `ControlTools.watch`. */
export const watching = Effect.fnUntraced(function* (
  transport: Pick<Transport, "read" | "bounds">,
  { topic, every = "500 millis", troubled = () => Effect.void }: WatchOptions,
  see: (change: FleetChange) => Effect.Effect<void>
): Effect.fn.Return<never, ControlError> {
  let fold = yield* readAll(transport, topic)
  const { control } = fold
  const before = { ...control, version: Math.max(0, control.version - 1), history: [], members: new Map() }
  yield* Effect.forEach(changesBetween(before, control), see, { discard: true })
  let trouble: string | undefined
  for (;;) {
    yield* Effect.sleep(every)
    const read = yield* Effect.result(readOn(transport, topic, fold, see))
    if (Result.isSuccess(read)) fold = read.success
    else if (read.failure._tag === "ControlError" && read.failure.reason === "Lost") return yield* read.failure
    const why = Result.isSuccess(read) ? undefined : read.failure.message
    if (why === trouble) continue
    trouble = why
    yield* troubled(why)
  }
})

/** Reads on to the end; from the beginning again when what was to be read next was trimmed, which leaves a snapshot. */
const readOn = Effect.fnUntraced(function* (
  transport: Pick<Transport, "read" | "bounds">,
  topic: string,
  fold: ControlFold,
  see: (change: FleetChange) => Effect.Effect<void>
): Effect.fn.Return<ControlFold, ControlError | TransportError> {
  const [bounds] = yield* transport.bounds(topic)
  const { start = 0n, end = fold.next } = bounds ?? {}
  if (end < fold.next) {
    const detail = `topic ${topic} ends at position ${end}, and was read up to ${fold.next}: it was put back to an older state`
    return yield* new ControlError({ reason: "Lost", detail })
  }
  if (end === fold.next) return fold
  let isGap = start > fold.next
  const reading = Stream.takeUntil(transport.read(topic, 0, { fromPosition: fold.next }), ({ records, next }) => {
    // It may have been trimmed meanwhile.
    isGap = (records[0]?.position ?? next) > fold.next
    return isGap
  })
  if (!isGap)
    yield* Stream.runForEach(reading, ({ records, next }) =>
      Effect.gen(function* () {
        if (isGap) return
        for (const record of records) {
          const before = fold.control
          fold.read(record)
          yield* Effect.forEach(changesBetween(before, fold.control), see, { discard: true })
        }
        fold.passTo(next)
      })
    )
  if (!isGap) return fold
  const again = yield* readAll(transport, topic)
  yield* Effect.forEach(changesBetween(fold.control, again.control), see, { discard: true })
  return again
})
