/** All that a process reads of its stream, range by range, and what stands in those ranges by raw reads. */
import { Effect, Stream } from "effect"
import type { EventStream, RouteError } from "leat"
import type { Transport, TransportError } from "leat/transport"
import { readMeta } from "../../src/record/Wire.ts"
import type { Note } from "../contracts/Note.ts"

interface Read {
  /** Cluster, topic, partition and epoch of each range. */
  readonly ranges: ReadonlyArray<string>
  /** Place and position of each event, and whose it is. */
  readonly read: ReadonlyArray<string>
  readonly raw: ReadonlyArray<string>
  readonly texts: ReadonlyArray<string>
}

export const readAll = Effect.fnUntraced(function* (
  notes: EventStream<Note>,
  transportAt: (cluster: string) => Transport
): Effect.fn.Return<Read, RouteError | TransportError> {
  const found = { ranges: [], read: [], raw: [], texts: [] } as {
    [Key in keyof Read]: Array<string>
  }
  for (const range of yield* notes.stored()) {
    const { cluster, topic, partition, epoch, from, to } = range
    const where = `${cluster}/${topic}/${partition}`
    found.ranges.push(`${where} ${epoch}`)
    const batches =
      from < to
        ? yield* Stream.runCollect(transportAt(cluster).read(topic, partition, { fromPosition: from, toPosition: to }))
        : []
    for (const { position, headers } of batches.flatMap(({ records }) => [...records])) {
      const meta = readMeta(headers, notes.contract.stream)
      if (meta.id?.stream === notes.contract.stream && meta.epoch === epoch)
        found.raw.push(`${where}/${position} ${meta.id.seq}`)
    }
    for (const { event, info } of yield* Stream.runCollect(notes.read(range))) {
      found.read.push(`${info.cluster}/${info.topic}/${info.partition}/${info.position} ${info.id?.seq}`)
      found.texts.push(event?.text ?? "nothing")
    }
  }
  return found
})
