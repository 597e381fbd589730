/** A fleet in memory, with streams that move: processes of one control stream, who coordinates, and what stands in the topics at the end. */
import { Effect, Stream } from "effect"
import { type Driver, Leat, type LeatOptions, MemoryBroker, memoryDriver } from "leat"
import type { Transport } from "leat/transport"
import type { Place } from "../../src/control/ControlRecord.ts"
import { type ControlStream, openControlStream } from "../../src/control/ControlStream.ts"
import { dutiesOf } from "../../src/control/duties.ts"
import { readMeta } from "../../src/record/Wire.ts"

export const topicOf = (place: string): string => `notes-${place}`

/** The stream of notes, read in one place. */
export const documentAt = (version: number, place: string, more = ""): string => `version: ${version}
clusters: { local: { transport: memory } }
routes:
  - match: { stream: "*" }
    to: [{ cluster: local, topic: "${topicOf(place)}"${more} }]
`

export interface Fleet {
  readonly broker: MemoryBroker
  readonly driver: Driver
  readonly transport: Transport
  readonly tool: ControlStream
}

export const fleetOf = Effect.gen(function* () {
  const broker = new MemoryBroker()
  const driver = memoryDriver(broker)
  const transport = yield* driver.open("local", {})
  const tool = yield* openControlStream({ transport, topic: "leat-control", author: "tool", isTool: true })
  return { broker, driver, transport, tool } satisfies Fleet
})

export const processOf = ({ driver }: Fleet, options: Partial<LeatOptions> = {}) =>
  Leat.make({ source: "test", drivers: [driver], control: { cluster: { transport: "memory" } }, ...options })

export const apply = ({ tool, transport }: Fleet, document: string, places: Readonly<Record<string, Place>> = {}) =>
  Effect.andThen(
    Effect.andThen(
      tool.look,
      Effect.forEach(Object.values(places), ({ topic, partitions }) => transport.ensure({ topic, partitions }))
    ),
    Effect.suspend(() =>
      tool.write({ kind: "table", base: tool.control.version, document, places: new Map(Object.entries(places)) })
    )
  )

export const place = ({ tool }: Fleet, stream: string, at: Place, epoch = 1) =>
  Effect.andThen(
    tool.look,
    Effect.suspend(() => tool.write({ kind: "placed", stream, base: tool.control.version, place: at, epoch }))
  )

const endsOf = (transport: Transport, { topic }: Place) =>
  Effect.map(transport.bounds(topic), (rows) => rows.map(({ end }) => Number(end)))

/** Who coordinates by hand, in fair weather: nobody is passed over. Until it is interrupted. */
export const coordinate = ({ tool, transport }: Fleet, stream: string): Effect.Effect<never, unknown> =>
  Effect.gen(function* () {
    for (;;) {
      yield* Effect.sleep(50)
      yield* tool.look
      const placement = tool.control.streams.get(stream)
      if (placement === undefined) continue
      const base = placement.step
      for (const duty of dutiesOf(placement)) {
        if (duty.does === "startSealing") yield* tool.write({ kind: "sealing", stream, base })
        if (duty.does === "seal" && duty.missing.length === 0)
          yield* tool.write({
            kind: "sealed",
            stream,
            base,
            end: yield* endsOf(transport, duty.place),
            over: new Map()
          })
        if (duty.does === "open") {
          yield* transport.ensure({ topic: duty.place.topic, partitions: duty.place.partitions })
          yield* tool.write({ kind: "opened", stream, base, begin: yield* endsOf(transport, duty.place) })
        }
      }
    }
  })

/** What stands in a topic: bucket, sequence, epoch and text, by partition. */
export const stored = (transport: Transport, topic: string, stream: string) =>
  Effect.map(
    Effect.flatMap(transport.bounds(topic), (rows) =>
      Effect.forEach(rows, ({ partition, start }) =>
        Stream.runCollect(transport.read(topic, partition, { fromPosition: start }))
      )
    ),
    (all) =>
      all.flatMap((batches, partition) =>
        Array.from(batches).flatMap(({ records }) =>
          records.map(({ headers, position }) => {
            const { id, epoch } = readMeta(headers, stream)
            return {
              partition,
              position: Number(position),
              bucket: id?.bucket,
              seq: id?.seq,
              incarnation: id?.incarnation,
              epoch
            }
          })
        )
      )
  )
