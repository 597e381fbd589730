import { Clock, Effect, Exit, Scope } from "effect"
import { type EventStream, Leat, memoryDriver } from "leat"
import type { FaultPlan } from "leat/testing"
import { type Transport, TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { type Note, noteContract } from "../contracts/Note.js"
import { fallbackPlaces, isBack, inFallback, named, openFalling, stored, textsOf } from "./fallbackStory.js"
import { isAway, spillStory as story, until } from "./spillStory.js"
import { legRow, note } from "./stories.js"

const isFrozen: FaultPlan = { send: () => ({ kind: "cut" }), fence: () => "Timeout" }
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => String(from + index))
const sorted = (texts: ReadonlyArray<string>) => texts.toSorted((one, other) => Number(one) - Number(other))
const stay = { back: "stay" } as const

describe("a leg that falls back, and what is there stays", () => {
  for (const [name, faults] of [
    ["away", isAway],
    ["frozen", isFrozen]
  ] as const)
    it(`goes back when its cluster is not ${name} any more, and leaves there what is there`, () => {
      const places = fallbackPlaces()
      const warned = story(
        Effect.gen(function* () {
          const { leat, notes } = yield* openFalling(places, stay)
          yield* notes.publish(note("k", "0"))
          places.farFaults = faults
          for (const text of numbers(5, 1)) yield* notes.publish(note("k", text))
          yield* Effect.sleep(60_000)
          expect(leat.sinks()[0]?.fallback).toEqual({ partitions: [0], waiting: undefined })
          places.farFaults = {}
          yield* until("it is back", isBack(leat))
          yield* notes.publish(note("k", "6"))
          expect(inFallback(places)).toEqual(numbers(5, 1))
          expect(new Set(stored(places)).has("6")).toBe(true)
          expect(legRow(leat)).toMatchObject({ stored: 2, fellBack: 5, recovered: 0, balanced: true })
          yield* Effect.sleep(5000)
        })
      )
      expect(warned.filter((line) => line.includes("fallback"))).toEqual([
        expect.stringContaining("goes to the fallback far.notes.1.fallback until it is stored there again"),
        expect.stringMatching(/far\/notes stores again: .* in which 5 events went there; they stay there/)
      ])
    })

  it("asks less and less often whether its cluster is back", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const { notes } = yield* openFalling(places, stay)
        let asked = 0
        places.farFaults = {
          send: () => ({ kind: "fail", reason: "Unavailable" }),
          fence: () => {
            asked++
            return "Unavailable"
          }
        }
        yield* notes.publish(note("k", "0"))
        yield* Effect.sleep(300_000)
        expect(asked).toBeGreaterThan(50)
        expect(asked).toBeLessThan(75)
        expect(inFallback(places)).toEqual(["0"])
      })
    )
  })

  it("asks a cluster that cannot fence where it ends", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places, {
          ...stay,
          far: ({ capabilities, bounds }) => ({
            capabilities: { ...capabilities, fencing: "none", ordering: "exceptAfterInDoubt" },
            bounds: (...asked) => (places.farFaults.send === undefined ? bounds(...asked) : Effect.never)
          })
        })
        places.farFaults = { send: () => ({ kind: "fail", reason: "Unavailable" }) }
        yield* notes.publish(note("k", "0"))
        yield* Effect.sleep(60_000)
        expect(leat.sinks()[0]?.fallback?.partitions).toEqual([0])
        places.farFaults = {}
        yield* until("it is back", isBack(leat), 20_000)
        yield* notes.publish(note("k", "1"))
        expect(stored(places)).toEqual(["1"])
      })
    )
  })

  it.for(["15 seconds", "5 seconds"] as const)(
    "has publishers wait for a tenth of an outage at most whose cluster answers, and takes nothing within %s",
    (timeout) => {
      const places = fallbackPlaces()
      const waits: Array<number> = []
      const lines = story(
        Effect.gen(function* () {
          const { leat, notes } = yield* openFalling(places, { ...stay, leg: { timeout } })
          yield* notes.publish(note("k", "well"))
          // Its fences return.
          places.farFaults = { send: () => ({ kind: "silence" }) }
          const clock = yield* Clock.Clock
          for (let second = 0; second < 3600; second++) {
            const sinceMs = clock.currentTimeMillisUnsafe()
            const waited = Effect.sync(() => waits.push(clock.currentTimeMillisUnsafe() - sinceMs))
            yield* Effect.forkScoped(Effect.andThen(notes.publish(note("k", String(second))), waited))
            yield* Effect.sleep("1 second")
          }
          yield* Effect.sleep("1 minute")
          expect(waits).toHaveLength(3600)
          expect(waits.filter((ms) => ms > 1000).length).toBeLessThan(500)
          places.farFaults = {}
          yield* until("it is back", isBack(leat), 300_000)
          yield* notes.publish(note("k", "again"))
          yield* Effect.sleep("1 minute")
        })
      )
      const told = (words: string) => lines.filter((line) => line.includes(words)).length
      expect([
        told("until it is stored there again"),
        told("stores again: nothing goes"),
        told("has stored nothing")
      ]).toEqual([1, 1, 1])
    }
  )
})

describe("a subscription of a stream that fell back", () => {
  it("reads both topics in one group, with one handler", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places, stay)
        const seen: Array<string> = []
        const subscription = yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)))
        yield* notes.publish(note("k", "0"))
        places.farFaults = isAway
        for (const text of numbers(5, 1)) yield* notes.publish(note("k", text))
        // Its cluster is away, and what is there is handled all the same.
        yield* until("it is handled", () => seen.length === 6, 60_000)
        expect(seen).toEqual(numbers(6))
        places.farFaults = {}
        yield* until("it is back", isBack(leat))
        yield* notes.publish(note("k", "6"))
        yield* until("all is handled", () => seen.length === 7)
        yield* subscription.stop
        const { lanes, balanced } = leat.ledger.snapshot()
        expect(balanced).toBe(true)
        expect(Object.fromEntries(lanes.map(({ lane, done }) => [lane, done]))).toEqual({
          "notes/0": 2,
          "far.notes.1.fallback/0": 5
        })
        // The group knows what it has done there.
        yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)))
        yield* Effect.sleep(60_000)
        expect(seen).toEqual(numbers(7))
      })
    )
  })

  it("sets aside, replays and halts what it reads there as everywhere", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openFalling(places, stay)
        let isBroken = true
        const seen: Array<string> = []
        const handler = ({ text }: { readonly text: string }) =>
          Effect.suspend(() => {
            if (isBroken) return Effect.fail({ _tag: "Bug" })
            seen.push(text)
            return Effect.void
          })
        const subscription = yield* notes.handle("g", handler, { policy: [{ on: ["*"], then: "halt" }] })
        places.farFaults = isAway
        yield* notes.publish(note("k", "0"))
        yield* until("it halts", () => subscription.halted().length > 0, 60_000)
        expect(subscription.halted()).toMatchObject([{ topic: "far.notes.1.fallback", partition: 0, tag: "Bug" }])
        isBroken = false
        yield* subscription.resume
        yield* until("it is handled", () => seen.length === 1)
        yield* subscription.stop
        isBroken = true
        yield* notes.handle("g", handler, { policy: [{ on: ["*"], then: "deadLetter" }] })
        yield* notes.publish(note("k", "1"))
        yield* until("it is set aside", () => textsOf(places.near, "far.notes.1.fallback.g.dlq").length === 1, 60_000)
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    )
  })

  it.for([0, 1])(
    "reads what fell back while nobody read, and begins with what is new where it says so: %s looks fail",
    (fails) => {
      const places = fallbackPlaces()
      let asked = 0
      const error = new TransportError({
        reason: "Unavailable",
        transport: "near",
        operation: "topics",
        detail: "not now"
      })
      /** Of each of two groups the first so many looks have no answer. */
      const near = ({ topics = Effect.succeed([]) }: Transport): Partial<Transport> => ({
        topics: Effect.suspend(() => (asked++ < fails * 2 ? Effect.fail(error) : topics))
      })
      story(
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const first = yield* Scope.provide(openFalling(places, stay), scope)
          places.farFaults = isAway
          for (const text of numbers(3)) yield* first.notes.publish(note("k", text))
          yield* Scope.close(scope, Exit.void)
          places.farFaults = {}
          const { notes } = yield* openFalling(places, { ...stay, near })
          asked = 0
          const [all, late]: [Array<string>, Array<string>] = [[], []]
          yield* notes.handle("all", ({ text }) => Effect.sync(() => void all.push(text)))
          yield* notes.handle("late", ({ text }) => Effect.sync(() => void late.push(text)), { from: "latest" })
          yield* Effect.sleep(60_000)
          yield* notes.publish(note("k", "3"))
          places.farFaults = isAway
          yield* notes.publish(note("k", "4"))
          yield* until("all is handled", () => all.length >= 5 && late.length >= 2, 60_000)
          yield* Effect.sleep("1 minute")
          expect(sorted(all)).toEqual(numbers(5))
          expect(sorted(late)).toEqual(["3", "4"])
        })
      )
    }
  )

  for (const [name, knows, expected] of [
    ["was there before is given all of it", true, ["1", "2", "3", "4", "5"]],
    ["is new is given what falls back from then on", false, ["5"]],
    ["was there when the stream was empty is given all of it", "empty", ["2", "3", "4", "5"]]
  ] as const)
    it(`comes to be while no consumer runs: a group that begins with what is new and ${name}`, () => {
      const places = fallbackPlaces(2)
      const seen: Array<string> = []
      const group = (notes: EventStream<Note>) =>
        notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)), { from: "latest" })
      story(
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const policy = [{ on: ["Rejected"], then: "drop" }]
          const { notes: before } = yield* Scope.provide(openFalling(places, { policy, back: "none" }), scope)
          if (knows !== "empty") yield* before.publish(note("k", "0"))
          if (knows !== false) yield* group(before)
          yield* Effect.sleep("1 second")
          if (knows !== "empty") yield* before.publish(note("k", "1"))
          yield* Effect.sleep("1 second")
          yield* Scope.close(scope, Exit.void)
          const { notes } = yield* openFalling(places, stay)
          places.farFaults = isAway
          for (const text of ["2", "3", "4"]) yield* notes.publish(note(text, text))
          yield* Effect.sleep("1 second")
          yield* group(notes)
          yield* Effect.sleep("1 second")
          yield* notes.publish(note("k", "5"))
          yield* Effect.sleep("2 minutes")
          expect(sorted(seen)).toEqual(expected)
        })
      )
    })

  it("is asked for by nobody where nothing falls back", () => {
    const places = fallbackPlaces()
    const asked: Array<string> = []
    const far = ({ bounds }: Transport): Partial<Transport> => ({
      bounds: (topic, asker) => {
        if (asker !== undefined) asked.push(asker)
        return bounds(topic, asker)
      }
    })
    story(
      Effect.gen(function* () {
        const policy = [{ on: ["Rejected"], then: "drop" }]
        const { notes } = yield* openFalling(places, { policy, back: "none", far })
        yield* notes.publish(note("k", "0"))
        yield* notes.handle("g", () => Effect.void, { from: "latest" })
        yield* Effect.sleep("2 minutes")
        expect(asked).toEqual([])
      })
    )
  })

  it("is given to a new group from where it began, however late the other cluster is found", () => {
    const places = fallbackPlaces()
    const error = new TransportError({
      reason: "Unavailable",
      transport: "near",
      operation: "topics",
      detail: "not now"
    })
    let isHidden = false
    const near = ({ topics = Effect.succeed([]) }: Transport): Partial<Transport> => ({
      topics: Effect.suspend(() => (isHidden ? Effect.fail(error) : topics))
    })
    story(
      Effect.gen(function* () {
        const { notes } = yield* openFalling(places, { ...stay, near })
        places.farFaults = isAway
        yield* notes.publish(note("k", "0"))
        yield* Effect.sleep("1 second")
        isHidden = true
        const seen: Array<string> = []
        yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)), { from: "latest" })
        yield* Effect.sleep("1 second")
        for (const text of ["1", "2"]) yield* notes.publish(note("k", text))
        yield* Effect.sleep("40 seconds")
        expect(seen).toEqual([])
        isHidden = false
        yield* Effect.sleep("1 minute")
        expect(seen).toEqual(["1", "2"])
      })
    )
  })

  it.each([
    ["UnknownTopic", [], undefined],
    ["Unavailable", ["0"], "it is not known whether the group g of test.notes has read notes before"]
  ] as const)("is given to a group of which nobody says whether it is new: %s", (reason, expected, line) => {
    const places = fallbackPlaces()
    const unanswered = new TransportError({ reason, transport: "far", operation: "bounds", detail: "not now" })
    let isAsked = false
    const far = ({ bounds }: Transport): Partial<Transport> => ({
      bounds: (topic, asker) =>
        Effect.suspend(() => {
          if (asker !== "g" || isAsked) return bounds(topic, asker)
          isAsked = true
          return Effect.fail(unanswered)
        })
    })
    const seen: Array<string> = []
    const warned = story(
      Effect.gen(function* () {
        const { notes } = yield* openFalling(places, { ...stay, far })
        places.farFaults = isAway
        yield* notes.publish(note("k", "0"))
        yield* Effect.sleep("1 second")
        yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)), { from: "latest" })
        yield* Effect.sleep("1 minute")
      })
    )
    expect([isAsked, seen]).toEqual([true, expected])
    expect(warned.map((one) => /it is not known whether .* has read notes before/.exec(one)?.[0]).find(Boolean)).toBe(
      line
    )
  })

  it("does not read what is sent on", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const { notes } = yield* openFalling(places, { back: "redrive" })
        const seen: Array<string> = []
        yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)))
        places.farFaults = isAway
        for (const text of numbers(3)) yield* notes.publish(note("k", text))
        yield* Effect.sleep(60_000)
        expect(seen).toEqual([])
        places.farFaults = {}
        yield* until("all is handled", () => seen.length === 3)
        yield* Effect.sleep(60_000)
        expect(seen).toEqual(numbers(3))
      })
    )
  })

  it("finds the topic of a cluster that cannot list its topics", () => {
    const places = fallbackPlaces(2)
    story(
      Effect.gen(function* () {
        const { notes } = yield* openFalling(places, {
          ...stay,
          near: () => ({ topics: undefined as never })
        })
        const seen: Array<string> = []
        yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)))
        places.farFaults = isAway
        for (const text of numbers(4)) yield* notes.publish(note(`k${text}`, text))
        yield* until("it is handled", () => seen.length === 4, 60_000)
        expect(sorted(seen)).toEqual(numbers(4))
      })
    )
  })
})

describe("a document that says stay", () => {
  it("is not swapped for one that says redrive while its stream is open", () => {
    const places = fallbackPlaces()
    story(
      Effect.gen(function* () {
        const routes = (version: number, back: string) => ({
          version,
          clusters: { far: { transport: "memory" }, near: { transport: "near" } },
          policies: { leg: [{ on: ["passing"], then: "fallback" }] },
          routes: [
            {
              match: { stream: "*" },
              to: [{ cluster: "far", topic: "notes", policy: "leg", fallback: { cluster: "near", back } }]
            }
          ]
        })
        const drivers = [memoryDriver(places.far), named("near", memoryDriver(places.near))]
        const leat = yield* Leat.make({ source: "test", routes: routes(1, "stay"), drivers })
        yield* leat.stream(noteContract())
        const exit = yield* Effect.exit(leat.swapRoutes(routes(2, "redrive")))
        expect(Exit.isFailure(exit)).toBe(true)
        yield* leat.swapRoutes(routes(3, "stay"))
      })
    )
  })
})
