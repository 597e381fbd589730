/** Raw reads of what legs have set aside because it could not be published. */
import { Effect, Stream } from "effect"
import { readDeadLetter, undeliveredTopic } from "../../record/DeadLetter.ts"
import { formatEventId } from "../../record/EventId.ts"
import { readMeta } from "../../record/Wire.ts"
import type { ReceivedRecord, Transport } from "../../transport/index.ts"
import type { Chronicle } from "../judge/Chronicle.ts"
import { serialIn } from "./readBack.ts"
import type { World } from "./World.ts"
import { sinkOf } from "./worldRoutes.ts"

/** Reads the topic of each leg, where it is there. */
export const readUndelivered = Effect.fnUntraced(function* (
  chronicle: Chronicle,
  { streams }: World,
  transports: ReadonlyArray<Transport>
) {
  for (const { stream, legs } of streams)
    for (const leg of legs) {
      const transport = transports[leg.cluster]
      if (transport === undefined) continue
      const topic = undeliveredTopic(leg.topic)
      for (const { partition, start, end } of yield* Effect.orElseSucceed(transport.bounds(topic), () => []))
        yield* Stream.runForEach(
          transport.read(topic, partition, { fromPosition: start, toPosition: end }),
          ({ records }) =>
            Effect.sync(() => {
              for (const record of records) keep(chronicle, { sink: sinkOf(leg), stream, partition }, record)
            })
        )
    }
})

interface Place {
  readonly sink: string
  readonly stream: string
  readonly partition: number
}

function keep(chronicle: Chronicle, { sink, stream, partition }: Place, record: ReceivedRecord): void {
  const { position, key, value } = record
  const found = readDeadLetter(record.headers)
  const { topic, partition: meant, stage, tag } = found?.letter ?? {}
  const { headers = record.headers } = found ?? {}
  const { id, correlationId } = readMeta(headers, stream)
  chronicle.undelivered.push({
    sink,
    partition,
    position,
    id: id === undefined ? undefined : formatEventId(id),
    serial: serialIn(value, correlationId),
    key,
    value,
    headers,
    meantFor: { topic, partition: meant },
    stage,
    tag
  })
}
