/** Who writes a topic without being a process of the fleet: nobody tells them that the stream moves. */
import { Effect, Stream } from "effect"
import type { Place } from "../control/ControlRecord.ts"
import { readMeta } from "../record/Wire.ts"
import type { Transport } from "../transport/index.ts"
import { answered, boundsIn, placeText } from "./Places.ts"
import type { Trouble } from "./Trouble.ts"

/** A writer that no process of the fleet is. */
export interface ForeignWriter {
  /** Its incarnation; empty: its records have no id, and leat has not written them. */
  readonly incarnation: string
  /** Of its records that were looked at. */
  readonly records: number
  /** When it wrote last, as its records say. */
  readonly lastMs: number
}

/** What is looked at: the end of each partition, as far as it is so young. */
const [recordsMax, ageMsMax] = [1000, 5 * 60_000]

/** Who has written the tail of a place within the last minutes. `isKnown`: it is, or was, a process of the fleet. */
export const foreignWriters = (
  transport: Pick<Transport, "bounds" | "read">,
  place: Place,
  stream: string,
  isKnown: (incarnation: string) => boolean,
  nowMs: number
): Effect.Effect<ReadonlyArray<ForeignWriter>, Trouble> =>
  Effect.gen(function* () {
    const found = new Map<string, ForeignWriter>()
    const rows = yield* boundsIn(transport, place)
    for (const [partition, { start, end }] of rows.entries()) {
      const range = { fromPosition: BigInt(Math.max(start, end - recordsMax)), toPosition: BigInt(end) }
      const reading = Effect.suspend(() =>
        Stream.runForEach(transport.read(place.topic, partition, range), ({ records }) =>
          Effect.sync(() => {
            for (const { headers, timeMs } of records) {
              if (nowMs - timeMs > ageMsMax) continue
              const { id, isMarker, isOtherStream } = readMeta(headers, stream)
              if (isMarker || isOtherStream === true) continue
              const incarnation = id?.incarnation ?? ""
              if (isKnown(incarnation)) continue
              const { records: before = 0, lastMs = 0 } = found.get(incarnation) ?? {}
              found.set(incarnation, { incarnation, records: before + 1, lastMs: Math.max(lastMs, timeMs) })
            }
          })
        )
      )
      yield* answered(reading, `${placeText(place)} cannot be read`)
    }
    return Array.from(found.values())
  })
