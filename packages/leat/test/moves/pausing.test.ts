import { Effect, type Scope } from "effect"
import { type ControlError, MoveTools } from "leat"
import { describe, expect, it } from "vitest"
import type { ControlStream } from "../../src/control/ControlStream.ts"
import { openDraining, phases } from "./drainingFleet.ts"
import { type Fleet, story as told, stream, until } from "./fleet.ts"

const other = "test.second"

const refusal = (effect: Effect.Effect<unknown, ControlError>): Effect.Effect<string> =>
  Effect.match(effect, { onFailure: ({ reason, detail }) => `${reason}: ${detail}`, onSuccess: () => "done" })

const isOver = (one: ControlStream, name = stream) => phases(one, name).join() === "retired,open"

const story = (program: (fleet: Fleet) => Effect.Effect<void, unknown, Scope.Scope>) => void told(program)

describe("a stream that is paused", () => {
  it("begins no move, while others do, and goes on when it is resumed", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { one, tool, start, transport } = yield* openDraining(fleet, [stream, other])
        yield* MoveTools.place(transport, { ...tool, streams: [stream, other] })
        expect(yield* MoveTools.pause(transport, { ...tool, streams: [stream] })).toEqual([stream])
        yield* start
        yield* until("the other has moved", () => isOver(one, other))
        yield* Effect.sleep("60 seconds")
        expect(phases(one, stream)).toEqual(["open", "planned"])
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
        const { one, tool, start, transport } = yield* openDraining(fleet, [stream, other], () => !isHeld)
        yield* start
        yield* until("sealing", () => phases(one, stream).join() === "sealing,planned")
        yield* MoveTools.pause(transport, { ...tool, streams: [stream] })
        isHeld = false
        yield* until("open", () => phases(one, stream).join() === "sealed,open")
        yield* Effect.sleep("60 seconds")
        expect(phases(one, stream)).toEqual(["sealed", "open"])
        yield* MoveTools.resume(transport, { ...tool, streams: [stream] })
        yield* until("retired", () => isOver(one))
      })
    )
  })

  it("is named in one sentence where it is none", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, transport } = yield* openDraining(fleet, [stream, other])
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
