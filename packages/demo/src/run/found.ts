import { Effect } from "effect"
import type { Expected } from "../check/Expected.ts"
import { readBack } from "../streams/readBack.ts"
import { groupsOf, lagOf } from "../consumers/consumers.ts"
import { allStreams, storedCount, type Streams } from "../streams/streams.ts"

/** Whether all lines of the input are stored, whoever published them. */
export const isPublished = Effect.fnUntraced(function* ({ sightings, logs }: Streams, expected: Expected) {
  const stored = [yield* storedCount(sightings), yield* storedCount(logs)]
  return (stored[0] ?? 0) >= expected.sightings.size && (stored[1] ?? 0) >= expected.lines.size
})

/** Whether anything of a run is stored. */
export const isBegun = Effect.fnUntraced(function* (streams: Streams) {
  const stored = yield* Effect.forEach(allStreams(streams), storedCount)
  return stored.some((count) => count > 0)
})

/** Whether there is nothing left to do: all is published, and every group has handled everything. */
export const isFinished = Effect.fnUntraced(function* (streams: Streams, expected: Expected) {
  if (!(yield* isPublished(streams, expected))) return false
  // Where the input holds no event at all, an empty log is no run.
  if (!(yield* isBegun(streams))) return false
  for (const group of groupsOf(streams)) if ((yield* lagOf(group)) > 0) return false
  return true
})

/** The name of a file that has lines stored but is not in the input; undefined when there is none. */
export const foreignFile = Effect.fnUntraced(function* (streams: Streams, expected: Expected) {
  let found: string | undefined
  const look = ({ inputRef }: { readonly inputRef: string }) => {
    const file = fileOf(inputRef)
    if (!expected.sightings.hasFile(file) && !expected.lines.hasFile(file)) found ??= file
  }
  yield* readBack(streams.sightings, look)
  yield* readBack(streams.logs, look)
  return found
})

/** `walk.mbd:17` is of `walk.mbd`. */
function fileOf(ref: string): string {
  return ref.slice(0, ref.lastIndexOf(":"))
}
