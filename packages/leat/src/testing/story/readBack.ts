/** Raw reads of everything that a world holds, once its leats have gone; and whether they have really gone. */
import { Effect, Option, Stream } from "effect"
import { formatEventId } from "../../record/EventId.ts"
import { readMeta } from "../../record/Wire.ts"
import type { ReceivedRecord, Transport } from "../../transport/index.ts"
import type { Chronicle, Copy } from "../judge/Chronicle.ts"
import { fallbackPlaces } from "./fallbackPlaces.ts"
import { storyNotes } from "./storyNotes.ts"
import { serialOf, textOf } from "./Teller.ts"
import type { World, WorldLeg } from "./World.ts"
import { isMirror, sinkOf } from "./worldRoutes.ts"

/** How long a new member may take to get lanes that nobody holds, in milliseconds. */
const lanesWithinMs = 10_000

/** Reads each topic into the chronicle. */
export const readBack = Effect.fnUntraced(function* (
  chronicle: Chronicle,
  { streams }: World,
  transports: ReadonlyArray<Transport>
) {
  for (const stream of streams)
    for (const leg of stream.legs) {
      const own = { stream: stream.stream, sink: sinkOf(leg) }
      if (!wasOpen(chronicle, leg)) continue
      const transport = transports[leg.cluster]
      if (transport !== undefined)
        yield* readPlace(chronicle, chronicle.copies, { ...own, topic: leg.topic, transport })
      for (const { cluster, topic } of yield* fallbackPlaces(leg, transports)) {
        const other = transports[cluster]
        if (other !== undefined)
          yield* readPlace(chronicle, chronicle.fallen, { ...own, topic, transport: other, cluster })
      }
    }
})

/** A topic that holds events of a stream for a sink. */
interface Place {
  readonly stream: string
  readonly sink: string
  readonly topic: string
  readonly transport: Transport
  /** Index of the cluster of a fallback. */
  readonly cluster?: number | undefined
}

const readPlace = Effect.fnUntraced(function* (
  chronicle: Chronicle,
  into: Array<Copy>,
  { stream, sink, topic, transport, cluster }: Place
) {
  const isThere = Array.from(chronicle.legs.values()).some((one) => one.sink === sink)
  if (!isThere) return
  for (const { partition, start, end } of yield* transport.bounds(topic)) {
    const range = { fromPosition: start, toPosition: end }
    yield* Stream.runForEach(transport.read(topic, partition, range), ({ records }) =>
      Effect.sync(() => {
        for (const record of records) keep(into, { sink, partition, stream, cluster }, record)
      })
    )
  }
})

/** Whether there can be a topic: a leg that comes and goes, or takes a share, may never have been open. */
export function wasOpen({ legs }: Chronicle, leg: WorldLeg): boolean {
  if (!isMirror(leg)) return true
  const sink = sinkOf(leg)
  return Array.from(legs.values()).some((one) => one.sink === sink && (one.attempts > 0 || one.place !== "dropped"))
}

function keep(
  into: Array<Copy>,
  { sink, partition, stream, cluster }: Pick<Copy, "sink" | "partition" | "cluster"> & { readonly stream: string },
  record: ReceivedRecord
): void {
  const { id, isMarker, correlationId } = readMeta(record.headers, stream)
  if (isMarker) return
  const { position, key, value, headers } = record
  into.push({
    sink,
    partition,
    cluster,
    position,
    id: id === undefined ? undefined : formatEventId(id),
    lane: id === undefined ? "" : `${id.incarnation}/${id.stream}/${id.bucket}`,
    seq: id?.seq ?? 0,
    serial: serialIn(value, correlationId),
    key,
    value,
    headers
  })
}

/** The serial that a record's bytes say. */
export function serialIn(value: Uint8Array | null, correlationId: string | undefined): number | undefined {
  if (value === null) return correlationId === undefined ? undefined : serialOf(correlationId)
  try {
    const { text } = storyNotes.decode(value)
    const serial = serialOf(text)
    return serial !== undefined && text === textOf(serial, text.length) ? serial : undefined
  } catch {
    return undefined
  }
}

/** A member that joins when everybody has left gets every lane, soon, and nobody is taken to have crashed. */
export const joinAfterwards = Effect.fnUntraced(function* (
  chronicle: Chronicle,
  group: string,
  topic: string,
  transport: Transport,
  mayBeAbandoned: boolean
) {
  // Nothing may ever have been replayed.
  const { length } = yield* Effect.orElseSucceed(transport.bounds(topic), () => [])
  if (length === 0) return
  const joined = yield* transport.subscribe({ topic, group, from: "earliest", drainMs: 1000 }).pipe(
    Stream.take(length),
    Stream.mapEffect((lane) => Effect.as(lane.release, lane)),
    Stream.runCollect,
    Effect.timeoutOption(lanesWithinMs),
    Effect.scoped
  )
  if (Option.isNone(joined))
    return chronicle.notice("leaked", `lanes of group ${group} are held although all have left`)
  const lane = joined.value.find(({ abandoned }) => abandoned > 0)
  if (lane !== undefined && !mayBeAbandoned)
    chronicle.notice("leaked", `${lane.id} of group ${group} counts ${lane.abandoned} crashes, and nobody has crashed`)
})
