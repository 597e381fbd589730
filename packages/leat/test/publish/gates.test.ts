/** A gate before the lanes of a leg: they fill, and nothing is sent before it opens. */
import { Effect, Exit, Fiber, Scope } from "effect"
import { describe, expect, it } from "vitest"
import { Waiter } from "../../src/ledger/Waiter.js"
import { whenEnded } from "../../src/publish/flushed.js"
import { destinationsOf, openPlaces, type Pair, type Place } from "./movePair.js"
import { note, story } from "./stories.js"

const keys = Array.from({ length: 24 }, (_, at) => `k${at}`)
const row = ({ ledger }: Pair, at = 0) => ledger.snapshot().legs[at]

function placed({ places }: Pair): readonly [Place, Place] {
  const [first, second] = places
  if (first === undefined || second === undefined) throw new Error("there are two")
  return [first, second]
}
const offer = ({ publisher }: Pair, key: string, text: string) => publisher.offer(note(key, text))

describe("the gate of a leg", () => {
  it("keeps what is offered, also to lanes that are made behind it, until it opens", () =>
    story(
      Effect.gen(function* () {
        const pair = yield* openPlaces([{ partitions: 4, epoch: 1 }])
        const [place] = pair.places
        if (place === undefined) return
        offer(pair, "k0", "before")
        yield* Effect.sleep(1)
        place.outlet.lanes.gate(true)
        for (const key of keys) offer(pair, key, `of ${key}`)
        yield* Effect.sleep("1 hour")
        expect(place.texts).toEqual(["before"])
        expect(place.outlet.lanes.all.length).toBeGreaterThan(2)
        expect(row(pair)).toMatchObject({ admitted: 25, stored: 1, queued: 24, balanced: true })
        place.outlet.lanes.gate(false)
        expect(place.texts).toEqual(["before"])
        yield* Effect.sleep(1)
        expect(place.texts.toSorted()).toEqual(["before", ...keys.map((key) => `of ${key}`)].toSorted())
        expect(row(pair)).toMatchObject({ stored: 25, balanced: true })
      })
    ))

  it("has its answer for what was on its way, and sends a range that failed when it opens", () =>
    story(
      Effect.gen(function* () {
        const send = ({ call }: { readonly call: number }) =>
          call === 0 ? ({ kind: "loseResponse" } as const) : undefined
        const pair = yield* openPlaces([{ partitions: 1, epoch: 1, faults: { send } }])
        const [place] = pair.places
        if (place === undefined) return
        offer(pair, "k", "1")
        yield* Effect.sleep(0)
        place.outlet.lanes.gate(true)
        yield* Effect.sleep("1 minute")
        expect(row(pair)).toMatchObject({ queued: 1, inFlight: 0, inDoubt: 0, stored: 0 })
        place.outlet.lanes.gate(false)
        yield* Effect.sleep(1)
        expect(row(pair)).toMatchObject({ stored: 1, queued: 0 })
        expect(place.texts).toEqual(["1", "1"])
      })
    ))

  it("counts no time of a policy, and lets publishers wait for room as ever", () =>
    story(
      Effect.gen(function* () {
        const policy = [{ on: ["*"], retry: { deadlineMs: 1000, baseMs: 10, jitter: 0 }, then: "drop" as const }]
        let isAway = true
        const send = () => (isAway ? ({ kind: "fail", reason: "Unavailable" } as const) : undefined)
        const leg = { policy, bufferBytesMax: 4096, batchBytes: 1024 }
        const pair = yield* openPlaces([{ partitions: 1, epoch: 1, leg, faults: { send } }])
        const [place] = pair.places
        if (place === undefined) return
        place.outlet.lanes.gate(true)
        let admitted = 0
        while (offer(pair, "k", "x".repeat(200)).admitted) admitted++
        expect(admitted).toBeGreaterThan(10)
        yield* Effect.sleep("1 hour")
        place.outlet.lanes.gate(false)
        yield* Effect.sleep(500)
        isAway = false
        yield* Effect.sleep("1 minute")
        expect(row(pair)).toMatchObject({ stored: admitted, dropped: {}, balanced: true })
      })
    ))

  it("is waited for by a flush", () =>
    story(
      Effect.gen(function* () {
        const pair = yield* openPlaces([{ partitions: 2, epoch: 1, leg: { lingerMs: 60_000 } }])
        const [place] = pair.places
        if (place === undefined) return
        place.outlet.lanes.gate(true)
        for (const key of keys) offer(pair, key, key)
        const waiter = new Waiter()
        pair.publisher.flush(waiter)
        const flushing = yield* Effect.forkChild(whenEnded(waiter, (task) => task()))
        yield* Effect.sleep("1 hour")
        expect(flushing.pollUnsafe()).toBeUndefined()
        place.outlet.lanes.gate(false)
        expect(yield* Effect.timeout(Fiber.join(flushing), 10)).toMatchObject({ stored: 24 })
      })
    ))

  it("keeps closing no longer than its drain: what is behind it is given up then, and counted", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const pair = yield* Scope.provide(
          openPlaces(
            [
              { partitions: 2, epoch: 1 },
              { partitions: 1, epoch: 2 }
            ],
            { drainMs: 5000 }
          ),
          scope
        )
        const [first, second] = placed(pair)
        first.outlet.lanes.gate(true)
        const waiter = new Waiter()
        for (const key of keys) pair.publisher.offerNow(note(key, key), undefined, undefined, waiter)
        pair.publisher.swap(destinationsOf(second))
        offer(pair, "k", "other")
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* Effect.sleep(4900)
        expect(row(pair)).toMatchObject({ queued: 24 })
        expect(closing.pollUnsafe()).toBeUndefined()
        yield* Effect.sleep(200)
        expect(closing.pollUnsafe()).toBeDefined()
        expect(row(pair)).toMatchObject({ admitted: 24, dropped: { closed: 24 }, queued: 0, balanced: true })
        expect(waiter).toMatchObject({ pending: 0, dropped: { closed: 24 } })
        expect([first.texts, second.texts]).toEqual([[], ["other"]])
        expect(first.sink.bufferedBytes).toBe(0)
      })
    ))

  it("lets what is behind it go where it opens while its sink closes", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const pair = yield* Scope.provide(openPlaces([{ partitions: 2, epoch: 1 }]), scope)
        const [place] = pair.places
        place?.outlet.lanes.gate(true)
        for (const key of keys) offer(pair, key, key)
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
        yield* Effect.sleep("10 seconds")
        place?.outlet.lanes.gate(false)
        yield* Effect.timeout(Fiber.join(closing), 100)
        expect(place?.texts.toSorted()).toEqual(keys.toSorted())
      })
    ))
})
