/** Why an event finds no room: the buffer of its destination is full, or those of all destinations together are. */
import type { Sink } from "./Sink.ts"

type Full = Pick<Sink, "leg" | "waiting" | "fullBytesMax" | "bufferedBytes" | "shareBytes">

/** As it is rejected, or dropped on a best-effort leg. */
export function reasonOfFull({ fullBytesMax }: Pick<Sink, "fullBytesMax">): "overflow" | "buffersFull" {
  return fullBytesMax === undefined ? "overflow" : "buffersFull"
}

/** For a person. */
export function whyFull(sink: Full): string {
  const { leg, waiting } = sink
  const why = waiting.length > 0 ? "others wait for room in it" : "is full"
  return whyAllFull(sink) ?? `the buffer of ${leg.sink} (${leg.bufferBytesMax} bytes) ${why}`
}

/** Of a publish that has waited for room as long as it may. */
export function whyExpired(sink: Full): string {
  const { sink: name, timeoutMs } = sink.leg
  const why = whyAllFull(sink)
  return `${name} had no room for it within ${timeoutMs} ms${why === undefined ? "" : `: ${why}`}`
}

function whyAllFull({ leg, fullBytesMax, bufferedBytes, shareBytes = 0 }: Full): string | undefined {
  if (fullBytesMax === undefined) return undefined
  return `the buffers of all destinations together are full (buffers.bytes: ${fullBytesMax} bytes), of which ${leg.sink} has ${bufferedBytes}; its own share is ${shareBytes}`
}
