/** A fleet whose one process coordinates, and drains as soon as it is asked: streams that move by themselves. */
import { Effect } from "effect"
import { ControlTools, MemoryBroker, memoryDriver, memoryTransport, MoveTools } from "leat"
import type { Driver, Transport } from "leat/transport"
import type { ControlStream } from "../../src/control/ControlStream.ts"
import { type Fleet, incarnation } from "./fleet.ts"

export const documentOf = (version: number, cluster: string): string => `version: ${version}
clusters: { a: { transport: one }, b: { transport: two } }
routes: [{ match: { stream: "*" }, to: [{ cluster: ${cluster}, topic: "{stream}" }] }]
`

/** `drains`: whether a stream is drained now. */
export const openDraining = Effect.fnUntraced(function* (
  fleet: Fleet,
  streams: ReadonlyArray<string>,
  drains: (stream: string) => boolean = () => true
) {
  const brokers = [new MemoryBroker({ partitions: 2 }), new MemoryBroker({ partitions: 4 })]
  const drivers: ReadonlyArray<Driver> = brokers.map((broker, index) => ({
    ...memoryDriver(broker),
    name: ["one", "two"][index] ?? ""
  }))
  const tool = { author: "tool", drivers, reason: "a test" }
  yield* ControlTools.apply(fleet.transport, { author: "deploy", document: documentOf(1, "a") })
  const [a, b] = brokers.map(memoryTransport) as [Transport, Transport]
  for (const topic of streams) yield* a.ensure({ topic, partitions: 2 })
  const one = yield* fleet.process(1)
  yield* Effect.sleep("6 seconds")
  yield* Effect.forkScoped(
    fleet.coordinator(one, { transportOf: (cluster) => Effect.succeed(cluster === "a" ? a : b) })
  )
  yield* Effect.forkScoped(draining(one, drains))
  const moving = { ...tool, document: documentOf(2, "b"), streams }
  return { a, one, tool, moving, start: MoveTools.start(fleet.transport, moving), transport: fleet.transport }
})

const draining = (control: ControlStream, drains: (stream: string) => boolean) =>
  Effect.forever(
    Effect.andThen(
      Effect.sleep(100),
      Effect.suspend(() =>
        Effect.forEach(control.control.streams, ([name, { epochs }]) => {
          const source = epochs.find(({ phase }) => phase === "sealing")
          if (source === undefined || source.drained.size > 0 || !drains(name)) return Effect.void
          const { epoch, attempt } = source
          const drained = { epoch, attempt, member: incarnation(1), upTo: [0, 0] }
          return Effect.ignore(control.write({ kind: "drained", stream: name, ...drained }))
        })
      )
    )
  )

export const phases = ({ control }: ControlStream, stream: string): ReadonlyArray<string> =>
  control.streams.get(stream)?.epochs.map(({ phase }) => phase) ?? []
