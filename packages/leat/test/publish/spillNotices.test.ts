import { Effect, Exit, Scope } from "effect"
import type { MemoryBroker } from "leat"
import { describe, expect, it } from "vitest"
import { auditedRecord } from "../../src/audit/auditedRecord.js"
import { markerOfEvent, CarriedDrops } from "../../src/publish/sendOn/CarriedDrops.js"
import { markerOwner, taggedStream } from "../../src/record/CompactHeader.js"
import { readMeta } from "../../src/record/Wire.js"
import { legRow, note, stored } from "./stories.js"
import { isAway, openSpilling, type SpillPlaces, spillPlaces, spillStory, until } from "./spillStory.js"

const passing = { on: ["passing"], then: "spill" }
const policyOf = (then: string) => [passing, { on: ["Rejected"], then }]

/** Refuses so many sends to the topic, and then takes what comes. */
const refuse = (places: SpillPlaces, count: number) => {
  let sends = 0
  places.faults = {
    send: ({ topic }) => (topic === "notes" && sends++ < count ? { kind: "fail", reason: "Rejected" } : undefined)
  }
}

/** What the topic says of drops: of whom, and which. */
const announced = (broker: MemoryBroker) => {
  const log = broker.topic("notes").partitions[0]
  return (log?.read(log.start, log.end)?.records ?? []).flatMap(({ headers }) => {
    const { incarnation, tag, dropped = [] } = auditedRecord(headers) ?? {}
    return dropped.map(({ from, to, reason }) => ({ incarnation, tag, from, to, reason }))
  })
}

/** Event 0 is stored, 1 is given up, and 2, which announces that, is in the spill. */
const inSpill = Effect.fnUntraced(function* (places: SpillPlaces, then: string) {
  const opened = yield* openSpilling(places, { policy: policyOf(then) })
  const { leat, notes } = opened
  const givenUp = () => Object.values({ ...legRow(leat)?.dropped, ...legRow(leat)?.deadLettered })
  yield* notes.publish(note("k", "0"))
  refuse(places, 1)
  notes.offer(note("k", "1"))
  yield* until("1 is given up", () => givenUp().length === 1)
  places.faults = isAway
  notes.offer(note("k", "2"))
  yield* until("2 is in the spill", () => legRow(leat)?.spilled === 1)
  return { ...opened, givenUp }
})

const tag = taggedStream("test.notes")

describe("drops that a record of a spill was to announce", () => {
  for (const [then, reason] of [
    ["drop", "Rejected"],
    ["deadLetter", "deadLettered"]
  ] as const)
    it(`are announced by a later one when it is given up itself: ${then}`, () =>
      void spillStory(
        Effect.gen(function* () {
          const places = spillPlaces()
          const { leat, notes, givenUp } = yield* inSpill(places, then)
          refuse(places, 1)
          yield* until("2 is given up", () => givenUp()[0] === 2)
          yield* notes.publish(note("k", "3"))
          expect(announced(places.far)).toEqual([{ incarnation: leat.incarnation, tag, from: 1, to: 3, reason }])
          expect((yield* stored(places.far)).map(({ text }) => text)).toEqual(["0", "3"])
        })
      ))

  for (const then of ["drop", "deadLetter"])
    it(`are announced for an earlier process by a record of their own: ${then}`, () =>
      void spillStory(
        Effect.gen(function* () {
          const places = spillPlaces()
          const scope = yield* Scope.make()
          const { leat } = yield* Scope.provide(inSpill(places, "drop"), scope)
          yield* Scope.close(scope, Exit.void)
          refuse(places, 1)
          const next = yield* openSpilling(places, { policy: policyOf(then) })
          yield* next.notes.publish(note("k", "3"))
          const { incarnation } = leat
          // Neighbours with one reason are one range.
          const ranges =
            then === "drop"
              ? [{ from: 1, to: 3, reason: "Rejected" }]
              : [
                  { from: 1, to: 2, reason: "Rejected" },
                  { from: 2, to: 3, reason: "deadLettered" }
                ]
          expect(announced(places.far)).toEqual(ranges.map((range) => ({ incarnation, tag, ...range })))
          expect((yield* stored(places.far)).map(({ text }) => text)).toEqual(["0", null, "3"])
          expect(legRow(next.leat)).toMatchObject({ recovered: 1, stored: 1, balanced: true })
        })
      ))

  it("wait for the next marker while that is refused too", () =>
    void spillStory(
      Effect.gen(function* () {
        const places = spillPlaces()
        const scope = yield* Scope.make()
        const { leat } = yield* Scope.provide(inSpill(places, "drop"), scope)
        yield* Scope.close(scope, Exit.void)
        refuse(places, 3)
        const { leat: second, notes } = yield* openSpilling(places, { policy: policyOf("drop") })
        yield* until("2 is given up", () => legRow(second)?.dropped["Rejected"] === 1)
        yield* notes.publish(note("k", "3"))
        expect(announced(places.far)).toEqual([])
        places.faults = isAway
        notes.offer(note("k", "4"))
        yield* until("4 is in the spill", () => legRow(second)?.spilled === 1)
        places.faults = {}
        yield* until("4 is stored", () => legRow(second)?.stored === 2)
        yield* notes.publish(note("k", "5"))
        expect(announced(places.far)).toEqual([
          { incarnation: leat.incarnation, tag, from: 1, to: 3, reason: "Rejected" }
        ])
      })
    ))

  it("are told by the next process where a right is missing that the policy waits for: what was dropped stays until then", () =>
    void spillStory(
      Effect.gen(function* () {
        const places = spillPlaces()
        const policy = [...policyOf("drop"), { on: ["Unauthorized"], then: "spill" }]
        const [first, second] = [yield* Scope.make(), yield* Scope.make()]
        const { leat } = yield* Scope.provide(inSpill(places, "drop"), first)
        yield* Scope.close(first, Exit.void)
        let sends = 0
        places.faults = {
          send: ({ topic }) =>
            topic === "notes" ? { kind: "fail", reason: sends++ === 0 ? "Rejected" : "Unauthorized" } : undefined
        }
        const one = yield* Scope.provide(openSpilling(places, { policy }), second)
        yield* until("it is tried again", () => sends > 4)
        expect(legRow(one.leat)?.recovered ?? 0).toBe(0)
        yield* Scope.close(second, Exit.void)
        refuse(places, 1)
        const next = yield* openSpilling(places, { policy })
        yield* next.notes.publish(note("k", "3"))
        expect(announced(places.far)).toEqual([
          { incarnation: leat.incarnation, tag, from: 1, to: 3, reason: "Rejected" }
        ])
        expect(legRow(next.leat)).toMatchObject({ recovered: 1, dropped: { Rejected: 1 } })
      })
    ))

  it("are announced once where the spill is lost before that, and of a record that is stored when it is judged anew nothing is", () =>
    void spillStory(
      Effect.gen(function* () {
        const places = spillPlaces()
        const scope = yield* Scope.make()
        const { leat } = yield* Scope.provide(inSpill(places, "drop"), scope)
        yield* Scope.close(scope, Exit.void)
        let sends = 0
        places.faults = {
          send: () => ({ kind: "fail", reason: sends++ === 0 ? "Rejected" : "Unavailable" })
        }
        const { notes } = yield* openSpilling(places, { policy: policyOf("drop") })
        notes.offer(note("k", "3"))
        yield* until("its marker fails", () => sends > 2)
        yield* places.disk.losePower(0)
        refuse(places, 1)
        yield* notes.flush
        yield* notes.publish(note("k", "4"))
        yield* Effect.sleep("10 seconds")
        const told = announced(places.far).filter(({ incarnation }) => incarnation === leat.incarnation)
        // Its marker was refused in place of the record, which says itself what it was to announce.
        expect((yield* stored(places.far)).map(({ text }) => text)).toEqual(["0", "2", "3", "4"])
        expect(told).toEqual([{ incarnation: leat.incarnation, tag, from: 1, to: 2, reason: "Rejected" }])
      })
    ))

  for (const then of ["drop", "deadLetter", "halt"])
    it(`are not lost with a marker that is refused, which is no event: ${then}`, () => {
      const warnings = spillStory(
        Effect.gen(function* () {
          const places = spillPlaces()
          const scope = yield* Scope.make()
          const { leat, notes } = yield* Scope.provide(openSpilling(places, { policy: policyOf("drop") }), scope)
          yield* notes.publish(note("k", "0"))
          refuse(places, 1)
          notes.offer(note("k", "1"))
          yield* until("1 is given up", () => legRow(leat)?.dropped["Rejected"] === 1)
          places.faults = isAway
          yield* Scope.close(scope, Exit.void)
          const next = yield* openSpilling(places, { policy: policyOf(then) })
          next.notes.offer(note("k", "2"))
          yield* until("it is found", () => (next.leat.sinks()[0]?.spilled?.records ?? 0) > 0)
          expect(next.leat.sinks()[0]?.spilled?.records).toBe(1)
          // Both together, and then the marker alone.
          refuse(places, 2)
          yield* until("it is gone", () => next.leat.sinks()[0]?.spilled?.bytes === 0)
          expect(next.leat.halted()).toEqual([])
          expect(places.far.topic("notes.undelivered").partitions[0]?.end).toBe(0n)
          expect(announced(places.far)).toEqual([
            { incarnation: leat.incarnation, tag, from: 1, to: 2, reason: "Rejected" }
          ])
          expect(legRow(next.leat)).toMatchObject({ recovered: 0, dropped: {}, deadLettered: {}, balanced: true })
        })
      )
      expect(warnings.filter((text) => text.includes("events"))).toEqual([])
    })
})

describe("the notices of a spill", () => {
  const incarnation = "0190b2f0-7c1e-7abc-8def-0123456789ab"
  const id = { incarnation, stream: "a.b", bucket: 1, seq: 7 }

  it("are of the publisher and the stream of an event, by name or by what stands for it", () => {
    const marker = markerOfEvent(id)
    expect(markerOwner(marker[1])).toEqual({ incarnation, tag: taggedStream("a.b") })
    expect(markerOfEvent({ ...id, stream: taggedStream("a.b") })).toEqual(marker)
  })

  it("are as many as the bytes of the largest record ask for, in order", () => {
    const notices = new CarriedDrops()
    for (let seq = 0; seq < 100; seq++)
      notices.add(2, markerOfEvent(id), [{ bucket: 1, from: seq * 2, to: seq * 2 + 1, reason: "Rejected" }])
    const told: Array<number> = []
    for (let notice = notices.next(2, 200, 5); notice !== undefined; notice = notices.next(2, 200, 5)) {
      expect(notice.record).toMatchObject({ key: null, value: null, timeMs: 5 })
      const { dropped, isMarker } = readMeta(notice.record.headers ?? [], "a.b")
      expect(isMarker).toBe(true)
      expect(dropped.length).toBeLessThan(20)
      told.push(...dropped.map(({ from }) => from))
      notice.told()
    }
    expect(told).toEqual(Array.from({ length: 100 }, (_, index) => index * 2))
    expect(notices.next(3, 200, 5)).toBeUndefined()
  })
})
