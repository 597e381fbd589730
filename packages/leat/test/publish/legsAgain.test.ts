import { Effect, Exit, Fiber, Scope } from "effect"
import { Leat } from "leat"
import { PowerLossBroker, powerLossDriver } from "leat/testing"
import type { Driver } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { Cluster, documentOf, main, mirror, openMirrored } from "./mirrors.js"
import { note, stored, story } from "./stories.js"

/** The cluster takes nothing until it is let. */
function cut(cluster: Cluster): () => void {
  let isAway = true
  cluster.faults = { send: () => (isAway ? { kind: "fail", reason: "Unavailable" } : undefined) }
  return () => {
    isAway = false
  }
}

const spills = { ...mirror, policy: "spilling", spill: { cluster: "disk" } }
const withDisk = {
  clusters: { main: { transport: "main" }, far: { transport: "far" }, disk: { transport: "powerLoss" } },
  policies: {
    again: [{ on: ["*"], retry: { base: "10 millis", factor: 2, maxDelay: "1 second" }, then: "halt" }],
    spilling: [{ on: ["passing"], then: "spill" }]
  }
}

const textsOf = (cluster: Cluster) =>
  Effect.map(stored(cluster.broker, "copies"), (records) => records.map(({ text }) => text))

describe("a leg that is added again while it drains", () => {
  it.for([
    { name: "a spill", was: mirror, is: spills, path: "spill", told: "far/copies is still open without it" },
    { name: "no spill", was: spills, is: mirror, path: "spill", told: "far/copies is still open with another one" },
    {
      name: "another epoch",
      was: mirror,
      is: { ...mirror, epoch: 2 },
      path: "epoch",
      told: "far/copies still has events of stream test.notes in epoch 1"
    }
  ])(
    "is refused with $name until all that it had is sent: nothing overtakes, and nothing halts",
    ({ was, is, path, told }) =>
      story(
        Effect.gen(function* () {
          const clusters = { main: new Cluster("main"), far: new Cluster("far") }
          const drivers: ReadonlyArray<Driver> = [
            clusters.main.driver,
            clusters.far.driver,
            powerLossDriver(new PowerLossBroker({ partitions: 1 }))
          ]
          const leat = yield* Leat.make({ source: "test", routes: documentOf(1, [main, was], withDisk), drivers })
          const notes = yield* leat.stream(noteContract())
          const heal = cut(clusters.far)
          for (const text of ["1", "2"]) notes.offer(note("k", text))
          yield* Effect.sleep("2 seconds")
          yield* leat.swapRoutes(documentOf(2, [main], withDisk))
          const again = documentOf(3, [main, is], withDisk)
          expect(yield* Effect.flip(leat.swapRoutes(again))).toMatchObject({
            faults: [{ path: `routes[0].to[1].${path}`, message: expect.stringContaining(told) }]
          })
          heal()
          yield* Effect.sleep("30 seconds")
          yield* leat.swapRoutes(again)
          for (const text of ["3", "4"]) yield* notes.publish(note("k", text), { level: "queued" })
          yield* leat.flush
          expect(yield* textsOf(clusters.far)).toEqual(["1", "2", "3", "4"])
        })
      )
  )

  it("may have the epoch that it likes where others keep its sink open", () =>
    story(
      Effect.gen(function* () {
        const [first, second] = [main, mirror].map((leg) => ({ ...leg, wire: "cloudevents" }))
        const { leat, notes, far } = yield* openMirrored([first ?? main, second ?? mirror])
        yield* leat.stream(noteContract({ stream: "test.others", name: "test.Other" }))
        yield* notes.publish(note("k", "1"))
        const others = { match: { stream: "test.others" }, to: [first, second] }
        const only = (version: number, to: ReadonlyArray<object>) =>
          documentOf(version, to, { routes: [others, { match: { stream: "*" }, to }] })
        yield* leat.swapRoutes(only(2, [first ?? main]))
        yield* leat.swapRoutes(only(3, [first ?? main, { ...second, epoch: 2 }]))
        yield* notes.publish(note("k", "2"))
        expect(yield* textsOf(far)).toEqual(["1", "2"])
      })
    ))
})

describe("a leg that a table removes while its cluster is away", () => {
  it("is flushed with its stream", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, far } = yield* openMirrored([main, mirror])
        const heal = cut(far)
        notes.offer(note("k", "1"))
        yield* Effect.sleep("1 second")
        yield* leat.swapRoutes(documentOf(2, [main]))
        const flushing = yield* Effect.forkChild(notes.flush)
        yield* Effect.sleep("1 minute")
        expect(flushing.pollUnsafe()).toBeUndefined()
        heal()
        yield* Fiber.join(flushing)
        expect(yield* textsOf(far)).toEqual(["1"])
      })
    ))

  it("sends on what its spill holds also where its section is gone, and it was away since the start", () =>
    story(
      Effect.gen(function* () {
        const clusters = { main: new Cluster("main"), far: new Cluster("far") }
        let isGone = false
        const away: Driver = {
          ...clusters.far.driver,
          open: (...asked) => Effect.suspend(() => (isGone ? Effect.never : clusters.far.driver.open(...asked)))
        }
        const drivers = [clusters.main.driver, away, powerLossDriver(new PowerLossBroker({ partitions: 1 }))]
        const open = (version: number) =>
          Leat.make({ source: "test", routes: documentOf(version, [main, spills], withDisk), drivers })
        const heal = cut(clusters.far)
        const first = yield* Scope.make()
        const before = yield* Scope.provide(
          Effect.flatMap(open(1), (leat) => leat.stream(noteContract())),
          first
        )
        before.offer(note("k", "1"))
        yield* Effect.sleep("2 seconds")
        yield* Scope.close(first, Exit.void)
        isGone = true
        heal()
        const leat = yield* open(1)
        const notes = yield* leat.stream(noteContract())
        notes.offer(note("k", "2"))
        yield* Effect.sleep("10 seconds")
        const { main: kept } = withDisk.clusters
        yield* leat.swapRoutes(documentOf(2, [main], { clusters: { main: kept } }))
        yield* Effect.sleep("1 minute")
        isGone = false
        yield* Effect.sleep("5 minutes")
        expect(yield* textsOf(clusters.far)).toEqual(["1", "2"])
        expect(leat.sinks().map(({ sink }) => sink)).toEqual(["main/notes"])
      })
    ))
})
