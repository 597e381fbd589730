import { Effect, type Scope } from "effect"
import { type ControlError, MoveTools } from "leat"
import { batchOf, sendEffect } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { documentOf, openDraining, phases } from "./drainingFleet.ts"
import { type Fleet, incarnation, story as told, until } from "./fleet.ts"

const streams = ["s1", "s2", "s3", "s4", "s5"]

const refusal = (effect: Effect.Effect<unknown, ControlError>): Effect.Effect<string> =>
  Effect.match(effect, { onFailure: ({ reason, detail }) => `${reason}: ${detail}`, onSuccess: () => "done" })

const story = (program: (fleet: Fleet) => Effect.Effect<void, unknown, Scope.Scope>) => void told(program)

const places = (one: Parameters<typeof phases>[0]) => streams.map((name) => phases(one, name).join())

describe("streams that move in waves", () => {
  it("go a few at a time, the next ones when the ones before are written and read to their end", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { one, moving, transport } = yield* openDraining(fleet, streams)
        const ended: Array<MoveTools.EndedWave> = []
        const onWave = (wave: MoveTools.EndedWave) => void ended.push(wave)
        const { version, waves } = yield* MoveTools.start(transport, {
          ...moving,
          waves: { streams: 2, pauseMax: "5 seconds", onWave }
        })
        expect(version).toBe(2)
        expect(waves?.moved.map(({ stream }) => stream)).toEqual(streams)
        expect([waves?.left, waves?.stopped]).toEqual([[], undefined])
        expect(
          ended.map(({ wave, waves: all, streams: those }) => [wave, all, those.map(({ stream }) => stream)])
        ).toEqual([
          [1, 3, ["s1", "s2"]],
          [2, 3, ["s3", "s4"]],
          [3, 3, ["s5"]]
        ])
        for (const { pauseMs } of waves?.moved ?? [])
          expect([pauseMs > 0, pauseMs < 5000, pauseMs]).toEqual([true, true, pauseMs])
        // How many are on their way at once.
        let [now, most] = [0, 0]
        for (const { kind } of yield* fleet.records) {
          if (kind === "sealing") most = Math.max(most, ++now)
          if (kind === "opened") now--
        }
        expect(most).toBe(2)
        yield* one.look
        expect(places(one).every((all) => all.endsWith("open"))).toBe(true)
        expect((yield* MoveTools.status(transport)).map(({ isPaused }) => isPaused)).toEqual(streams.map(() => false))
      })
    )
  })

  it.each([
    [
      "a pause over the bound",
      { pauseMax: "2 seconds" },
      3,
      /^nothing of stream s3 was sent for [34]\d\d\d ms, and 2000 ms are allowed$/
    ],
    [
      "a wave that takes too long",
      { within: "20 seconds" },
      30,
      /^after 20 seconds stream s3 is not written in its new place$/
    ]
  ] as const)(
    "stop after %s: the others stay where they are, and go on when they are told to",
    (_, rule, seconds, why) => {
      story((fleet) =>
        Effect.gen(function* () {
          let [isAsked, isSlow] = [false, true]
          const drains = (stream: string): boolean => {
            if (stream !== "s3" || !isSlow) return true
            isAsked = true
            return false
          }
          const { one, tool, moving, transport } = yield* openDraining(fleet, streams, drains)
          yield* Effect.forkScoped(
            Effect.andThen(
              until("asked", () => isAsked),
              Effect.andThen(
                Effect.sleep(`${seconds} seconds`),
                Effect.sync(() => void (isSlow = false))
              )
            )
          )
          const { waves } = yield* MoveTools.start(transport, { ...moving, waves: { streams: 2, ...rule } })
          expect(waves?.stopped).toMatch(why)
          expect(waves?.left).toEqual(["s5"])
          yield* Effect.sleep("60 seconds")
          expect(places(one)).toEqual([...Array.from({ length: 4 }, () => "retired,open"), "open,planned"])
          expect((yield* fleet.records).findLast(({ kind }) => kind === "paused")).toMatchObject({ stream: "s5" })
          const dry = yield* MoveTools.resumeInWaves(transport, { ...tool, waves: { streams: 2 }, isDryRun: true })
          expect(dry).toEqual({ moved: [], left: ["s5"] })
          const rest = yield* MoveTools.resumeInWaves(transport, { ...tool, waves: { streams: 2, ...rule } })
          expect([rest.moved.map(({ stream }) => stream), rest.left, rest.stopped]).toEqual([["s5"], [], undefined])
        })
      )
    }
  )

  it("leave out whom a person has paused before", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { one, tool, moving, transport } = yield* openDraining(fleet, streams)
        yield* MoveTools.place(transport, { ...tool, streams })
        yield* MoveTools.pause(transport, { ...tool, streams: ["s2"] })
        const { waves } = yield* MoveTools.start(transport, { ...moving, waves: { streams: 3 } })
        expect([waves?.moved.map(({ stream }) => stream), waves?.left]).toEqual([["s1", "s3", "s4", "s5"], ["s2"]])
        yield* one.look
        expect(phases(one, "s2")).toEqual(["open", "planned"])
      })
    )
  })

  it("stop where a process is passed over, and where a group does not come to its end", () => {
    for (const fault of ["process", "group"] as const)
      story((fleet) =>
        Effect.gen(function* () {
          const { a, one, moving, transport } = yield* openDraining(fleet, streams)
          if (fault === "process") yield* fleet.process(2, { beatEvery: "10 hours" })
          yield* Effect.sleep("1 second")
          yield* MoveTools.place(transport, { ...moving, streams })
          if (fault === "group") {
            yield* one.write({ kind: "reads", stream: "s2", group: "weekend" })
            const writer = yield* a.openWriter("s2")
            yield* sendEffect(writer, 1, batchOf([{ key: "k", value: "x", timeMs: 1 }]), 0, 1, 1000)
          }
          yield* Effect.sleep("1 second")
          const { waves } = yield* MoveTools.start(transport, { ...moving, waves: { streams: 2, within: "2 minutes" } })
          expect(waves?.stopped).toBe(
            fault === "process"
              ? `stream s1 has passed over ${incarnation(2)}`
              : "after 120 seconds stream s2 is not read to its end in its old place by weekend"
          )
          expect(waves?.left).toEqual(["s3", "s4", "s5"])
        })
      )
  })

  it("are refused in one sentence where they are none, and nothing is written", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { one, moving, transport } = yield* openDraining(fleet, streams)
        for (const [waves, why] of [
          [7, "waves is { streams, pauseMax, within }, and not a number"],
          [{ streams: 0 }, "waves.streams is a whole number from 1 on"],
          [{ streams: 1, pauseMax: "soon" }, 'waves.pauseMax is a duration, as "5 seconds"'],
          [{ streams: 1, within: "soon" }, 'waves.within is a duration, as "5 seconds"'],
          [{ streams: 1, onWave: 1 }, "waves.onWave is a function, and not a number"]
        ] as const) {
          expect(yield* refusal(MoveTools.start(transport, { ...moving, waves: waves as never }))).toBe(
            `Refused: ${why}`
          )
          expect(yield* refusal(MoveTools.resumeInWaves(transport, { ...moving, waves: waves as never }))).toBe(
            `Refused: ${why}`
          )
        }
        yield* one.look
        expect([one.control.version, one.control.streams.size]).toEqual([1, 0])
      })
    )
  })

  it("are named by a star where contracts are known", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { moving, transport } = yield* openDraining(fleet, streams)
        const contracts = [...streams, "other"].map((stream) => ({ ...noteContract(), stream }))
        const named = (...names: ReadonlyArray<string>) =>
          MoveTools.plan(transport, { ...moving, document: documentOf(2, "b"), streams: names, contracts })
        expect((yield* named("s*")).moves.map(({ stream }) => stream)).toEqual(streams)
        expect((yield* named("x*", "s1")).refused).toEqual([
          "no stream that is known matches x*; known are those that were placed, that routes have without a star, and those of contracts"
        ])
      })
    )
  })
})
