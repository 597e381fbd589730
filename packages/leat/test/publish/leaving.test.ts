/** When nothing is left of the lanes of a leg where they wrote to. */
import { Effect, Exit, Fiber, Scope } from "effect"
import { MemoryBroker } from "leat"
import type { SendFault } from "leat/testing"
import { describe, expect, it } from "vitest"
import { hash } from "../../src/record/Key.js"
import { drained, isUnsettled, settled } from "../../src/publish/leaving.js"
import { openPlaces, type Place, type Side } from "./movePair.js"
import { note, story } from "./stories.js"

const keys = Array.from({ length: 10 }, (_, at) => `key ${at}`)
const viewOf = (text: string) => new DataView(new TextEncoder().encode(text).buffer)

const away: SendFault = { kind: "fail", reason: "Unavailable" }

const openOne = Effect.fnUntraced(function* (side: Partial<Side>, drainMs = 60_000) {
  const pair = yield* openPlaces([{ partitions: 1, epoch: 1, ...side }], { drainMs })
  const [place] = pair.places
  if (place === undefined) throw new Error("there is one")
  const offer = (text: string) => expect(pair.publisher.offer(note("k", text)).admitted).toBe(true)
  return { ...pair, place, offer }
})

/** Whether it has completed yet. */
const watched = Effect.fnUntraced(function* (what: Effect.Effect<void>) {
  const fiber = yield* Effect.forkChild(what)
  return { fiber, isOver: () => fiber.pollUnsafe() !== undefined }
})
const bothOf = ({ outlet }: Place) => Effect.all({ empty: watched(drained(outlet)), settled: watched(settled(outlet)) })

describe("the lanes of a leg", () => {
  it("are settled and drained where nothing was ever offered", () =>
    story(
      Effect.gen(function* () {
        const { place } = yield* openOne({})
        yield* Effect.timeout(Effect.all([settled(place.outlet), drained(place.outlet)]), 1)
        expect(isUnsettled(place.outlet)).toBe(false)
      })
    ))

  it("are settled while they wait, and drained when all is stored", () =>
    story(
      Effect.gen(function* () {
        let isAway = true
        const { place, offer } = yield* openOne({
          faults: { send: () => (isAway ? away : { kind: "delay", ms: 100 }) }
        })
        offer("1")
        yield* Effect.sleep(7)
        const { empty } = yield* bothOf(place)
        yield* Effect.timeout(settled(place.outlet), 1)
        yield* Effect.sleep("1 second")
        isAway = false
        yield* Effect.sleep(50)
        expect([isUnsettled(place.outlet), empty.isOver()]).toEqual([true, false])
        yield* Effect.timeout(Fiber.join(empty.fiber), 70)
        expect(place.texts).toEqual(["1"])
      })
    ))

  it("owe the fence of what was given up while nobody knew what became of it", () =>
    story(
      Effect.gen(function* () {
        let isShut = true
        const { place, offer } = yield* openOne({
          leg: { policy: [{ on: ["*"], then: "drop" }] },
          faults: { send: () => ({ kind: "lateWrite", ms: 5000 }), fence: () => (isShut ? "Unavailable" : undefined) }
        })
        offer("1")
        yield* Effect.sleep(1)
        expect(place.outlet.lanes.all.every((lane) => lane.isEmpty)).toBe(true)
        const both = yield* bothOf(place)
        yield* Effect.sleep("3 seconds")
        expect([both.empty.isOver(), both.settled.isOver()]).toEqual([false, false])
        isShut = false
        yield* Effect.sleep("2 seconds")
        expect([both.empty.isOver(), both.settled.isOver()]).toEqual([true, true])
        yield* Effect.sleep("1 minute")
        expect(place.log).toEqual([])
      })
    ))

  it("have a letter on its way, which is neither settled nor drained", () =>
    story(
      Effect.gen(function* () {
        let isAway = true
        const send = ({ topic }: { readonly topic: string }): SendFault | undefined =>
          topic === "notes" ? { kind: "fail", reason: "Rejected" } : isAway ? away : undefined
        const { place, offer } = yield* openOne({
          leg: { policy: [{ on: ["Rejected"], then: "deadLetter" }] },
          faults: { send }
        })
        offer("1")
        yield* Effect.sleep(1)
        const both = yield* bothOf(place)
        yield* Effect.sleep("1 minute")
        expect([both.empty.isOver(), both.settled.isOver()]).toEqual([false, false])
        isAway = false
        yield* Effect.sleep("1 minute")
        expect([both.empty.isOver(), both.settled.isOver()]).toEqual([true, true])
      })
    ))

  it("are drained when the spill has sent on what is theirs", () =>
    story(
      Effect.gen(function* () {
        let isAway = true
        const { place, offer, ledger } = yield* openOne({
          spill: new MemoryBroker({ partitions: 1 }),
          leg: { policy: [{ on: ["Unavailable"], then: "spill" }] },
          faults: { send: () => (isAway ? away : undefined) }
        })
        for (const text of ["1", "2"]) offer(text)
        yield* Effect.sleep("10 seconds")
        expect(ledger.snapshot().legs).toMatchObject([{ spilled: 2 }])
        const both = yield* bothOf(place)
        yield* Effect.sleep("1 minute")
        expect([both.empty.isOver(), both.settled.isOver()]).toEqual([false, true])
        isAway = false
        yield* Effect.timeout(Fiber.join(both.empty.fiber), "1 minute")
        expect(place.texts).toEqual(["1", "2"])
      })
    ))

  it("are drained while the spill holds what is another stream's, of another partition", () =>
    story(
      Effect.gen(function* () {
        const send = ({ partition }: { readonly partition: number }) => (partition === 1 ? away : undefined)
        const { place, publisher, another, ledger } = yield* openOne({
          partitions: 2,
          spill: new MemoryBroker({ partitions: 2 }),
          leg: { policy: [{ on: ["Unavailable"], then: "spill" }] },
          faults: { send }
        })
        const others = another(place)
        for (const key of keys) others.offer(note(key, "other"))
        yield* Effect.sleep("10 seconds")
        expect(ledger.snapshot().legs[1]?.spilled).toBeGreaterThan(0)
        const own = keys.find((one) => (hash(viewOf(one), one.length) % 12) % 2 === 0) ?? ""
        publisher.offer(note(own, "mine"))
        yield* Effect.timeout(drained(place.outlet), 100)
        expect(place.texts).toContain("mine")
        expect(place.texts.filter((text) => text === "other").length).toBeLessThan(10)
      })
    ))

  it("go into no spill from behind a gate when their sink closes", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { place, offer, ledger } = yield* Scope.provide(
          openOne({
            spill: new MemoryBroker({ partitions: 1 }),
            leg: { policy: [{ on: ["Unavailable"], then: "spill" }] }
          }),
          scope
        )
        place.outlet.lanes.gate(true)
        for (const text of ["1", "2"]) offer(text)
        yield* Effect.sleep("1 second")
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        const empty = yield* watched(drained(place.outlet))
        yield* Effect.sleep("55 seconds")
        expect(empty.isOver()).toBe(false)
        yield* Effect.timeout(Fiber.join(closing), "10 seconds")
        expect(ledger.snapshot().legs).toMatchObject([{ dropped: { closed: 2 }, spilled: 0, balanced: true }])
        yield* Effect.timeout(Fiber.join(empty.fiber), 2000)
      })
    ))
})
