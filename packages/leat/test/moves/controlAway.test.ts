import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { Gate } from "../../src/testing/story/Gate.ts"
import { noteContract } from "../contracts/Note.ts"
import { cuttable } from "./cuttable.ts"
import {
  away,
  documentAt,
  handledBy,
  ofKey,
  placedAndRead,
  type SpillingFleet,
  spillingStory
} from "./spillingFleet.ts"

type Process = Effect.Success<ReturnType<SpillingFleet["process"]>>

const keys = ["k0", "k1", "k2"]

const numbered = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix} ${index}`)

const published = ({ notes }: Process, prefix: string, count: number, level: "durable" | "stored") =>
  Effect.forEach(
    numbered(prefix, count).flatMap((text) => keys.map((key) => ({ key, text }))),
    (note) => notes.publish(note, { level }),
    { discard: true }
  )

/** Completes in time, whatever is away. */
const soon = <A, E>(effect: Effect.Effect<A, E>) => Effect.timeout(effect, "20 seconds")

/** Texts of a key that begin with this, first deliveries. */
const of = (texts: ReadonlyArray<string>, key: string, prefix: string) =>
  ofKey(texts, key).filter((text) => text.startsWith(prefix))

/** Each key has these, in this order. */
const inOrder = (texts: ReadonlyArray<string>, ...expected: ReadonlyArray<readonly [string, number]>) => {
  const all = expected.flatMap(([prefix, count]) => numbered(prefix, count))
  for (const key of keys) expect({ key, texts: ofKey(texts, key) }).toEqual({ key, texts: all })
}

/** How often each text stands in a place of those that begin with this. */
const copies = (fleet: SpillingFleet, at: "a" | "b" | "c", prefix: string) =>
  Effect.map(fleet.stored(at), (all) => {
    const texts = all.map(({ text }) => text).filter((text) => text.startsWith(prefix))
    return texts.length / keys.length
  })

/** The process that is there now can be cut off from the control stream. */
const cutOff = Effect.fnUntraced(function* (fleet: SpillingFleet) {
  const state = { isCut: false }
  const gate = new Gate()
  const drivers = fleet
    .drivers(gate, fleet.disk)
    .map((driver) => (driver.name === "control" ? cuttable(driver, () => state.isCut) : driver))
  return { state, kill: gate.close, process: yield* fleet.process({ drivers }) }
})

/** A placed stream, of which a process that has ended has left something in its spill; and who comes after it. */
const left = Effect.fnUntraced(function* (fleet: SpillingFleet) {
  const { one, reader, handled } = yield* placedAndRead(fleet)
  fleet.faults.near = away
  yield* published(one, "left", 20, "durable")
  yield* one.close
  return { reader, handled }
})

const troubles = ({ leat }: Process) => leat.sinks().map(({ trouble }) => trouble)

describe("what an earlier process has left in a spill, while the control stream is away", () => {
  it("is sent on, and what is published behind it: it is settled when that can be read, and said so", () => {
    const lines = spillingStory((fleet) =>
      Effect.gen(function* () {
        const { handled } = yield* left(fleet)
        const { state, process } = yield* cutOff(fleet)
        yield* published(process, "next", 1, "durable")
        yield* Effect.sleep("10 seconds")
        state.isCut = true
        fleet.faults.near = {}
        yield* soon(published(process, "more", 2, "stored"))
        yield* Effect.sleep("1 minute")
        inOrder(handled, ["left", 20], ["next", 1], ["more", 2])
        expect(yield* fleet.left("a")).toBeGreaterThanOrEqual(21 * keys.length)
        expect(troubles(process)).toEqual([
          expect.stringMatching(
            /^stores, and has waited for the control stream for \d+ seconds: the spill near\.a\.2\.spill keeps what an earlier process has left.*it is cut off/
          )
        ])
        // Nothing of it is sent again while that lasts.
        yield* Effect.sleep("10 minutes")
        yield* soon(published(process, "last", 1, "stored"))
        state.isCut = false
        yield* Effect.sleep("10 seconds")
        expect(yield* fleet.left("a")).toBe(0)
        expect(troubles(process)).toEqual([undefined])
        expect(yield* copies(fleet, "a", "")).toBe(20 + 1 + 2 + 1)
        expect(process.leat.ledger.snapshot().balanced).toBe(true)
      })
    )
    expect(lines.filter((line) => line.includes("control stream"))).toEqual([
      expect.stringMatching(
        /^Warn the spill near\.a\.2\.spill keeps what an earlier process has left, and was sent on, until the control stream can be read, which says whether it counts where it is now; it is sent once more if this process ends before: .*it is cut off/
      )
    ])
  })

  it("is settled while nothing can be written there", () => {
    spillingStory((fleet) =>
      Effect.gen(function* () {
        yield* left(fleet)
        const { process } = yield* cutOff(fleet)
        yield* published(process, "next", 1, "durable")
        yield* Effect.sleep("10 seconds")
        fleet.faults.control = { send: () => ({ kind: "fail", reason: "Unavailable" }) }
        yield* Effect.sleep("1 minute")
        fleet.faults.near = {}
        yield* Effect.sleep("20 seconds")
        expect(yield* fleet.left("a")).toBe(0)
      })
    )
  })

  it.each([
    ["closes", true],
    ["is killed", false]
  ])("is sent on once more by the next process where this one %s meanwhile", (_, closes) => {
    spillingStory((fleet) =>
      Effect.gen(function* () {
        const { handled } = yield* left(fleet)
        const { state, process, kill } = yield* cutOff(fleet)
        yield* published(process, "next", 1, "durable")
        yield* Effect.sleep("10 seconds")
        state.isCut = true
        fleet.faults.near = {}
        yield* soon(published(process, "more", 2, "stored"))
        yield* Effect.sleep("5 seconds")
        yield* closes ? process.close : kill
        expect(yield* fleet.left("a")).toBeGreaterThanOrEqual(21 * keys.length)
        const heir = yield* fleet.process()
        yield* published(heir, "heir", 1, "durable")
        yield* Effect.sleep("1 minute")
        inOrder(handled, ["left", 20], ["next", 1], ["more", 2], ["heir", 1])
        expect(yield* fleet.left("a")).toBe(0)
        expect(yield* copies(fleet, "a", "left")).toBe(40)
      })
    )
  })

  it("is carried to where the stream is, where that has left meanwhile without this process", () => {
    spillingStory((fleet) =>
      Effect.gen(function* () {
        const { handled } = yield* left(fleet)
        const { state, process } = yield* cutOff(fleet)
        yield* published(process, "next", 1, "durable")
        yield* Effect.sleep("10 seconds")
        state.isCut = true
        yield* fleet.apply(documentAt(2, "b"), "b")
        yield* Effect.sleep("3 minutes")
        expect((yield* fleet.phases).at(-1)).toBe("open")
        // All of this is behind the end of what is read here.
        fleet.faults.near = {}
        yield* soon(published(process, "more", 2, "stored"))
        yield* Effect.sleep("20 seconds")
        expect(yield* copies(fleet, "a", "left")).toBe(20)
        state.isCut = false
        yield* Effect.sleep("20 seconds")
        expect(yield* fleet.left("a")).toBe(0)
        yield* soon(published(process, "last", 1, "stored"))
        yield* Effect.sleep("10 seconds")
        for (const key of keys) {
          expect(of(handled, key, "left")).toEqual(numbered("left", 20))
          const own = ofKey(handled, key).filter((text) => !text.startsWith("left"))
          expect(own).toEqual([...numbered("next", 1), ...numbered("more", 2), ...numbered("last", 1)])
        }
        // What the process has published itself is swept, and not carried.
        expect(yield* copies(fleet, "b", "left")).toBe(20)
        expect(yield* copies(fleet, "b", "next")).toBe(1)
        expect(yield* copies(fleet, "b", "more")).toBe(2)
        expect(yield* fleet.left("a")).toBe(0)
        expect(process.leat.ledger.snapshot().balanced).toBe(true)
      })
    )
  })

  it.each([
    ["stays", false, false],
    ["goes on without this process", true, false],
    ["stays, and its process had the place open", false, true],
    ["goes on without this process, which had the place open", true, true]
  ])("is carried to where the stream was, and what is published goes behind it: it %s", (_, goesOn, wasOpen) => {
    spillingStory((fleet) =>
      Effect.gen(function* () {
        const { handled } = yield* left(fleet)
        const before = wasOpen ? yield* cutOff(fleet) : undefined
        if (before !== undefined) yield* published(before.process, "next", 1, "durable")
        fleet.faults.far = away
        yield* fleet.apply(documentAt(2, "b"), "b")
        yield* Effect.sleep("1 minute")
        const { state, process } = before ?? (yield* cutOff(fleet))
        yield* Effect.sleep("10 seconds")
        expect((yield* fleet.phases).at(-1)).toBe("open")
        const next = yield* Effect.forkScoped(
          wasOpen ? Effect.void : published(process, "next", 1, "stored").pipe(Effect.asVoid)
        )
        state.isCut = true
        if (goesOn) {
          yield* fleet.apply(documentAt(3, "c"), "c")
          yield* Effect.sleep("3 minutes")
        }
        fleet.faults.far = {}
        yield* Effect.sleep("20 seconds")
        expect(next.pollUnsafe()).toBeDefined()
        yield* soon(published(process, "more", 2, "stored"))
        expect(yield* fleet.left("a")).toBeGreaterThanOrEqual(20 * keys.length)
        // It looks again and again, and carries nothing twice.
        yield* Effect.sleep("20 minutes")
        expect(yield* copies(fleet, "b", "left")).toBe(20)
        state.isCut = false
        yield* Effect.sleep("6 minutes")
        for (const key of keys) {
          expect(of(handled, key, "left")).toEqual(numbered("left", 20))
          const own = ofKey(handled, key).filter((text) => !text.startsWith("left"))
          expect(own).toEqual([...numbered("next", 1), ...numbered("more", 2)])
        }
        expect(yield* copies(fleet, "c", "left")).toBe(goesOn ? 20 : 0)
        expect(yield* fleet.left("a")).toBe(0)
        const rows = process.leat.ledger.snapshot()
        expect(rows.balanced).toBe(true)
        const recovered = rows.legs.map((row) => [row.sink, row.recovered]).filter(([, count]) => count !== 0)
        expect(recovered).toEqual([[goesOn ? "far/c" : "far/b", 20 * keys.length]])
      })
    )
  })
})

describe("a stream whose writer has not joined when the control stream goes away", () => {
  it("says that it waits for that, and shows it", () => {
    const lines = spillingStory((fleet) =>
      Effect.gen(function* () {
        yield* cutOff(fleet)
        yield* Effect.sleep("6 seconds")
        yield* fleet.place
        yield* Effect.sleep("6 seconds")
        fleet.faults.control = { send: () => ({ kind: "fail", reason: "Unavailable" }) }
        const { state, process } = yield* cutOff(fleet)
        const one = yield* Effect.forkScoped(published(process, "one", 1, "stored"))
        yield* Effect.sleep("2 seconds")
        state.isCut = true
        yield* Effect.sleep("2 minutes")
        expect(one.pollUnsafe()).toBeUndefined()
        expect(troubles(process)).toEqual([
          expect.stringMatching(
            /^sends nothing of test\.notes, which has waited for the control stream for \d+ seconds: .*it is cut off/
          )
        ])
        state.isCut = false
        fleet.faults.control = {}
        yield* Effect.sleep("30 seconds")
        expect(one.pollUnsafe()).toBeDefined()
        expect(troubles(process)).toEqual([undefined])
      })
    )
    expect(lines.filter((line) => line.includes("waits for the control stream"))).toEqual([
      expect.stringMatching(
        /^Warn the move of test\.notes waits for the control stream, and what is published waits in its buffer: .*(it is cut off|injected)/
      )
    ])
  })
})

describe("a stream that has waited for the control stream, and goes on elsewhere", () => {
  it.each(["c", "a", "b"] as const)("leaves no trouble with the place that it waited for: it goes on in %s", (then) => {
    spillingStory((fleet) =>
      Effect.gen(function* () {
        const { state, process: one } = yield* cutOff(fleet)
        yield* handledBy(yield* fleet.process({ disk: fleet.otherDisk }), "group")
        yield* Effect.sleep("6 seconds")
        yield* fleet.place
        yield* Effect.sleep("6 seconds")
        yield* published(one, "stored", 2, "stored")
        fleet.faults.near = away
        yield* published(one, "spilled", 2, "durable")
        // Another stream keeps the place in use.
        yield* fleet.apply(documentAt(2, "b", { others: "b" }), "b")
        yield* Effect.sleep("8 seconds")
        const other = yield* one.leat.stream(noteContract({ stream: "test.other" }))
        yield* other.publish({ key: "k", text: "other" }, { level: "stored" })
        state.isCut = true
        for (const key of keys) one.notes.offer({ key, text: "gated" })
        yield* Effect.sleep("40 seconds")
        const ofPlace = () => one.leat.sinks().flatMap(({ sink, trouble }) => (sink === "far/b" ? (trouble ?? []) : []))
        expect(ofPlace()).toEqual([expect.stringContaining("has waited for the control stream")])
        if (then !== "b") yield* fleet.apply(documentAt(3, then, { others: "b" }), then)
        fleet.faults.near = {}
        yield* Effect.sleep("5 seconds")
        state.isCut = false
        yield* Effect.sleep("5 minutes")
        expect(ofPlace()).toEqual([])
      })
    )
  })
})
