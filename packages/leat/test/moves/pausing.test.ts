import { Effect, type Scope } from "effect"
import { type ControlError, ControlTools, MemoryBroker, memoryDriver, memoryTransport, MoveTools } from "leat"
import type { Driver, Transport } from "leat/transport"
import { describe, expect, it } from "vitest"
import type { ControlStream } from "../../src/control/ControlStream.ts"
import { type Fleet, incarnation, story as told, stream, until } from "./fleet.ts"

const other = "test.second"

const documentOf = (version: number, cluster: string): string => `version: ${version}
clusters: { a: { transport: one }, b: { transport: two } }
routes: [{ match: { stream: "*" }, to: [{ cluster: ${cluster}, topic: "{stream}" }] }]
`

const refusal = (effect: Effect.Effect<unknown, ControlError>): Effect.Effect<string> =>
  Effect.match(effect, { onFailure: ({ reason, detail }) => `${reason}: ${detail}`, onSuccess: () => "done" })

/** Two streams in one cluster, and processes that coordinate and drain as soon as they are asked; `drains`: who does. */
const opened = Effect.fnUntraced(function* (fleet: Fleet, drains: (stream: string) => boolean = () => true) {
  const brokers = [new MemoryBroker({ partitions: 2 }), new MemoryBroker({ partitions: 4 })]
  const drivers: ReadonlyArray<Driver> = brokers.map((broker, index) => ({
    ...memoryDriver(broker),
    name: ["one", "two"][index] ?? ""
  }))
  const tool = { author: "tool", drivers, reason: "a test" }
  yield* ControlTools.apply(fleet.transport, { author: "deploy", document: documentOf(1, "a") })
  const [a, b] = brokers.map(memoryTransport) as [Transport, Transport]
  for (const topic of [stream, other]) yield* a.ensure({ topic, partitions: 2 })
  const one = yield* fleet.process(1)
  yield* Effect.sleep("6 seconds")
  yield* Effect.forkScoped(
    fleet.coordinator(one, { transportOf: (cluster) => Effect.succeed(cluster === "a" ? a : b) })
  )
  yield* Effect.forkScoped(draining(one, drains))
  const start = MoveTools.start(fleet.transport, { ...tool, document: documentOf(2, "b"), streams: [stream, other] })
  return { one, tool, start, transport: fleet.transport }
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

const phases = ({ control }: ControlStream, name = stream): ReadonlyArray<string> =>
  control.streams.get(name)?.epochs.map(({ phase }) => phase) ?? []

const isOver = (one: ControlStream, name = stream) => phases(one, name).join() === "retired,open"

const story = (program: (fleet: Fleet) => Effect.Effect<void, unknown, Scope.Scope>) => void told(program)

describe("a stream that is paused", () => {
  it("begins no move, while others do, and goes on when it is resumed", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { one, tool, start, transport } = yield* opened(fleet)
        yield* MoveTools.place(transport, { ...tool, streams: [stream, other] })
        expect(yield* MoveTools.pause(transport, { ...tool, streams: [stream] })).toEqual([stream])
        yield* start
        yield* until("the other has moved", () => isOver(one, other))
        yield* Effect.sleep("60 seconds")
        expect(phases(one)).toEqual(["open", "planned"])
        const status = yield* MoveTools.status(transport)
        expect(status.map(({ stream: name, isPaused }) => [name, isPaused])).toEqual([
          [stream, true],
          [other, false]
        ])
        expect(yield* MoveTools.resume(transport, tool)).toEqual([stream])
        yield* until("it has moved", () => isOver(one))
      })
    )
  })

  it("goes on until it is written in its new place where it was sealed already, and keeps its old place", () => {
    story((fleet) =>
      Effect.gen(function* () {
        let isHeld = true
        const { one, tool, start, transport } = yield* opened(fleet, () => !isHeld)
        yield* start
        yield* until("sealing", () => phases(one).join() === "sealing,planned")
        yield* MoveTools.pause(transport, { ...tool, streams: [stream] })
        isHeld = false
        yield* until("open", () => phases(one).join() === "sealed,open")
        yield* Effect.sleep("60 seconds")
        expect(phases(one)).toEqual(["sealed", "open"])
        yield* MoveTools.resume(transport, { ...tool, streams: [stream] })
        yield* until("retired", () => isOver(one))
      })
    )
  })

  it("is named in one sentence where it is none", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, transport } = yield* opened(fleet)
        const pause = (streams?: ReadonlyArray<string>) => refusal(MoveTools.pause(transport, { ...tool, streams }))
        const resume = (streams?: ReadonlyArray<string>) => refusal(MoveTools.resume(transport, { ...tool, streams }))
        expect(yield* pause()).toBe("Refused: no stream is placed that is not paused")
        expect(yield* pause([stream])).toBe(`Refused: stream ${stream} is not placed; none is`)
        yield* MoveTools.place(transport, { ...tool, streams: [stream] })
        expect(yield* resume()).toBe("Refused: no stream is paused")
        expect(yield* resume([stream])).toBe(`Refused: ${stream} is not paused`)
        yield* MoveTools.pause(transport, tool)
        expect(yield* pause([stream])).toBe(`Refused: ${stream} is paused already`)
        expect(yield* pause([other])).toBe(`Refused: stream ${other} is not placed; there is ${stream}`)
        expect(yield* pause(7 as never)).toBe("Refused: streams is a list of names of streams")
        const written = (yield* fleet.records).filter(({ kind }) => kind === "paused" || kind === "resumed")
        expect(yield* MoveTools.resume(transport, { ...tool, isDryRun: true })).toEqual([stream])
        expect((yield* fleet.records).filter(({ kind }) => kind === "paused" || kind === "resumed")).toEqual(written)
      })
    )
  })
})
