import { Effect, Exit, Scope } from "effect"
import type { FaultPlan } from "leat/testing"
import { describe, expect, it } from "vitest"
import { fallbackPlaces, isBack, inFallback, openFalling, stored } from "./fallbackStory.js"
import { isAway, spillStory as story, until } from "./spillStory.js"
import { legRow, note } from "./stories.js"

/** Requests are written, and no answer comes: everything is in doubt, and no fence returns. */
const isFrozen: FaultPlan = { send: () => ({ kind: "cut" }), fence: () => "Timeout" }

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => String(from + index))
const firsts = (texts: ReadonlyArray<string>) => [...new Set(texts)]

describe("a leg that falls back, and what is there is sent on", () => {
  for (const [name, faults] of [
    ["away", isAway],
    ["frozen", isFrozen]
  ] as const)
    it(`ends what is published while its cluster is ${name} in the fallback, and sends it on in order`, () => {
      const places = fallbackPlaces()
      const warned = story(
        Effect.gen(function* () {
          const { leat, notes } = yield* openFalling(places)
          yield* notes.publish(note("k", "0"))
          places.farFaults = faults
          for (const text of numbers(20, 1)) {
            const { outcome } = yield* notes.publish(note("k", text))
            expect(yield* outcome).toMatchObject({ stored: 0, fellBack: 1, spilled: 0 })
          }
          expect(legRow(leat)).toMatchObject({ admitted: 21, stored: 1, fellBack: 20, balanced: true })
          expect(inFallback(places)).toEqual(numbers(20, 1))
          yield* Effect.sleep(3000)
          expect(leat.sinks()).toMatchObject([{ fallback: { partitions: [0], waiting: 20 } }])
          places.farFaults = {}
          yield* until("all is there", () => legRow(leat)?.recovered === 20)
          expect(firsts(stored(places))).toEqual(numbers(21))
          yield* until("it is back", isBack(leat))
          yield* notes.publish(note("k", "21"))
          expect(firsts(stored(places))).toEqual(numbers(22))
          expect(legRow(leat)).toMatchObject({ stored: 22, fellBack: 20, recovered: 20, balanced: true })
          yield* Effect.sleep(5000)
        })
      )
      expect(warned.filter((line) => line.includes("fallback"))).toEqual([
        expect.stringContaining(
          "what is published to far/notes goes to the fallback far.notes.1.fallback until it is stored there again"
        ),
        expect.stringMatching(
          /far\/notes stores again: .* in which 20 events went there; they were sent on, or ended as its policy says/
        )
      ])
    })

  it("begins with the fallback where that holds what was not sent on yet", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        places.farFaults = isAway
        const scope = yield* Scope.make()
        const first = yield* Scope.provide(openFalling(places), scope)
        for (const text of numbers(5)) yield* first.notes.publish(note("k", text))
        yield* Scope.close(scope, Exit.void)
        // Its cluster is back, and what is in the fallback cannot be read yet.
        places.farFaults = {}
        places.nearFaults = { pull: () => "Unavailable" }
        const second = yield* openFalling(places)
        yield* second.notes.publish(note("k", "5"))
        expect(legRow(second.leat)).toMatchObject({ fellBack: 1, stored: 0 })
        places.nearFaults = {}
        yield* until("all is there", () => stored(places).length === 6)
        expect(stored(places)).toEqual(numbers(6))
        expect(legRow(second.leat)).toMatchObject({ admitted: 1, fellBack: 1, recovered: 6, stored: 6, balanced: true })
      })
    )
  })

  it("is not left before the last of it is sent on", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places)
        // Its cluster is back, and the one event in the fallback cannot be read.
        places.nearFaults = { pull: () => "Unavailable" }
        places.farFaults = isAway
        yield* notes.publish(note("k", "0"))
        places.farFaults = {}
        yield* Effect.sleep("1 minute")
        yield* notes.publish(note("k", "1"))
        expect(legRow(leat)).toMatchObject({ fellBack: 2, stored: 0 })
        places.nearFaults = {}
        // The next look is a minute away at most.
        yield* until("it is back", isBack(leat), 65_000)
        expect(stored(places)).toEqual(["0", "1"])
      })
    )
  })

  it("is left by a busy publisher, whose later events come behind", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places)
        places.farFaults = isAway
        let count = 0
        const publishing = yield* Effect.forkChild(
          Effect.forever(
            Effect.andThen(
              Effect.sync(() => notes.offer(note("k", String(count++)))),
              Effect.sleep(5)
            )
          )
        )
        yield* Effect.sleep(3000)
        // While it takes something, more is published.
        places.farFaults = { send: () => ({ kind: "delay", ms: 50 }) }
        yield* until("it is back", isBack(leat))
        const fellBack = legRow(leat)?.fellBack ?? 0
        yield* Effect.sleep(1000)
        expect(legRow(leat)?.fellBack).toBe(fellBack)
        publishing.interruptUnsafe()
        yield* leat.flush
        expect(stored(places)).toEqual(numbers(count))
      })
    )
  })

  it("drops what its cluster refuses when it is sent on, as the policy says, and tells consumers", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places, {
          far: (transport) => ({
            openWriter: (topic) =>
              Effect.map(transport.openWriter(topic), (writer) => ({
                ...writer,
                send: (partition, batch, from, to, ms, answer) => {
                  const holds = (index: number) => Buffer.from(batch.value(index) ?? []).includes("poison")
                  const isPoisoned = Array.from({ length: to - from }, (_, at) => from + at).some(holds)
                  if (!isPoisoned || places.farFaults.send !== undefined)
                    return writer.send(partition, batch, from, to, ms, answer)
                  const error = { reason: "Rejected", detail: "poison", isRetryable: false } as never
                  answer([{ from, to, fate: "notStored", error }])
                }
              }))
          })
        })
        places.farFaults = isAway
        for (const text of ["a", "poison", "b"]) yield* notes.publish(note("k", text))
        places.farFaults = {}
        yield* until("all has ended", () => legRow(leat)?.recovered === 3)
        yield* Effect.sleep(2000)
        expect(stored(places)).toEqual(["a", "b"])
        expect(legRow(leat)).toMatchObject({ stored: 2, dropped: { Rejected: 1 }, fellBack: 3, balanced: true })
        // The second of the topic is the marker: it is stored before the drop is settled.
        const headers = places.far.topic("notes").partitions[0]?.read(1n, 2n)?.records[0]?.headers ?? []
        expect(headers.map(([name]) => name)).toContain("leat-dropped")
      })
    )
  })

  it("waits where both are away, and goes where it is taken first", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places)
        places.farFaults = isAway
        places.nearFaults = isAway
        for (const text of numbers(5)) notes.offer(note("k", text))
        yield* Effect.sleep(5000)
        expect(legRow(leat)).toMatchObject({ stored: 0, fellBack: 0, dropped: {}, balanced: true })
        places.farFaults = {}
        yield* until("all is there", () => legRow(leat)?.stored === 5)
        expect(legRow(leat)).toMatchObject({ fellBack: 0, recovered: 0 })
        expect(stored(places)).toEqual(numbers(5))
      })
    )
  })

  it("has the policy judge what the fallback refuses, and waits for what passes there", () => {
    const places = fallbackPlaces()
    const told: Array<string> = []
    story(
      Effect.gen(function* () {
        const journal = {
          moved: (_: unknown, _bucket: number, _seq: number, from: string | undefined, to: string, why?: string) =>
            void told.push([from, to, ...(why === undefined ? [] : [why])].join(" "))
        }
        const { leat, notes } = yield* openFalling(places, { journal, leg: { batch: { records: 3 } } })
        places.farFaults = isAway
        places.nearFaults = { send: () => ({ kind: "fail", reason: "Unavailable" }) }
        notes.offer(note("k", "a"))
        yield* Effect.sleep(1000)
        expect(legRow(leat)).toMatchObject({ dropped: {}, balanced: true })
        places.nearFaults = { send: () => ({ kind: "fail", reason: "Rejected" }) }
        yield* until("it is given up", () => legRow(leat)?.dropped["Rejected"] === 1)
        places.nearFaults = {}
        notes.offer(note("k", "b"))
        yield* until("it has fallen back", () => legRow(leat)?.fellBack === 1)
        expect(told.slice(-1)).toEqual(["inFlight fellBack"])
        expect(told).toContain("inFlight dropped Rejected")
      })
    )
  })

  for (const fate of ["cut", "loseResponse"] as const)
    it(`sends once more what the fallback did not answer (${fate}), and keeps the order`, () => {
      const places = fallbackPlaces()
      story(
        Effect.gen(function* () {
          const { leat, notes } = yield* openFalling(places, { leg: { batch: { records: 1 } } })
          places.farFaults = isAway
          let sends = 0
          places.nearFaults = { send: () => (sends++ < 3 ? { kind: fate } : undefined) }
          for (const text of numbers(10)) notes.offer(note("k", text))
          yield* until("all has fallen back", () => legRow(leat)?.fellBack === 10)
          expect(legRow(leat)).toMatchObject({ dropped: {}, balanced: true })
          expect(firsts(inFallback(places))).toEqual(numbers(10))
          places.farFaults = {}
          yield* until("it is back", isBack(leat))
          expect(firsts(stored(places))).toEqual(numbers(10))
        })
      )
    })

  it("is where what waits goes when a process closes while its cluster is away", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const patient = [{ on: ["passing"], retry: { times: 1000, base: "1 minute" }, then: "fallback" }]
        const scope = yield* Scope.make()
        const { leat, notes } = yield* Scope.provide(openFalling(places, { policy: patient }), scope)
        places.farFaults = isAway
        for (const text of numbers(5)) notes.offer(note("k", text))
        yield* Effect.sleep(100)
        yield* Scope.close(scope, Exit.void)
        expect(legRow(leat)).toMatchObject({ fellBack: 5, dropped: {}, balanced: true })
        expect(inFallback(places)).toEqual(numbers(5))
      })
    )
  })

  it("halts where its cluster refuses what the policy does not know, until it is resumed", () => {
    const places = fallbackPlaces()
    const warned = story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places, { policy: [{ on: ["passing"], then: "fallback" }] })
        places.farFaults = isAway
        for (const text of numbers(3)) yield* notes.publish(note("k", text))
        places.farFaults = { send: () => ({ kind: "fail", reason: "Unauthorized" }) }
        yield* until("it stands", () => leat.halted().length > 0)
        expect(leat.halted()).toMatchObject([
          { sink: "far/notes", partition: 0, stream: "test.notes", tag: "Unauthorized" }
        ])
        places.farFaults = {}
        yield* Effect.sleep(60_000)
        expect(stored(places)).toEqual([])
        yield* leat.resume
        yield* until("all is there", () => stored(places).length === 3)
        expect(leat.halted()).toEqual([])
      })
    )
    expect(warned).toContainEqual(expect.stringContaining("stands until it is resumed: Unauthorized"))
  })

  it("is sent on by whoever is there, also when the one that published is gone", () => {
    const places = fallbackPlaces(2)
    story(
      Effect.gen(function* () {
        places.farFaults = isAway
        const scope = yield* Scope.make()
        const one = yield* Scope.provide(openFalling(places), scope)
        const other = yield* openFalling(places)
        for (const text of numbers(20)) {
          yield* one.notes.publish(note(`k${Number(text) % 4}`, text))
          yield* other.notes.publish(note(`l${Number(text) % 4}`, `other ${text}`))
        }
        yield* Scope.close(scope, Exit.void)
        places.farFaults = {}
        yield* until("all is there", () => legRow(other.leat)?.recovered === 40, 60_000)
        yield* until("it is back", isBack(other.leat))
        expect(stored(places)).toHaveLength(40)
        expect(legRow(one.leat)).toMatchObject({ admitted: 20, fellBack: 20, recovered: 0, balanced: true })
        expect(legRow(other.leat)).toMatchObject({ admitted: 20, fellBack: 20, stored: 40, balanced: true })
      })
    )
  })

  it("does not go back before its cluster is fenced, of what had no answer there", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places)
        places.farFaults = { send: () => ({ kind: "lateWrite", ms: 60_000 }), fence: () => "Timeout" }
        yield* notes.publish(note("k", "0"))
        expect(legRow(leat)).toMatchObject({ fellBack: 1 })
        // Whoever sends it on fences twice: itself, and the publisher. What is missing is the fence before it goes back.
        let fences = 0
        places.farFaults = { fence: () => (fences++ < 2 ? undefined : "Timeout") }
        yield* until("it is sent on", () => legRow(leat)?.recovered === 1)
        yield* Effect.sleep(2000)
        notes.offer(note("k", "1"))
        yield* until("it falls back", () => legRow(leat)?.fellBack === 2)
        expect(stored(places)).not.toContain("1")
        places.farFaults = {}
        yield* until("it is back", isBack(leat))
        yield* notes.publish(note("k", "2"))
        expect(legRow(leat)).toMatchObject({ fellBack: 2, stored: 3, recovered: 2 })
        expect(firsts(stored(places))).toEqual(["0", "1", "2"])
      })
    )
  })

  it("holds as many events as fall back, and takes no memory for them", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places, { leg: { buffer: { bytes: 65_536 } } })
        places.farFaults = isAway
        for (let at = 0; at < 300; at++) yield* notes.publish(note("k", `${at}`.padEnd(2000, ".")))
        expect(legRow(leat)).toMatchObject({ fellBack: 300, queued: 0 })
        expect(leat.sinks()[0]?.bufferedBytes).toBe(0)
        expect(yield* leat.flush).toMatchObject({ fellBack: 0, spilled: 0 })
      })
    )
  })
})
