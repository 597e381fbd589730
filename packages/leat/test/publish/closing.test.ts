import { Clock, Effect, Exit, Fiber, Logger, References, Scope } from "effect"
import { type Journal, Leat, MemoryBroker, memoryDriver, readMeta, TransportError } from "leat"
import { faultDriver, simulate } from "leat/testing"
import type { Announcement, LedgerStore } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { dead, documentOf, legRow, note, openNotes, stored, story } from "./stories.js"

const drop = [{ on: ["*"], then: "drop" }]
const halt = [{ on: ["*"], then: "halt" }]

describe("a leat that closes", () => {
  it("announces what its policy drops meanwhile", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const faults = { send: ({ call }: { readonly call: number }) => (call === 0 ? fail("Rejected") : undefined) }
        const { broker, notes } = yield* openNotes({ policy: drop, faults }).pipe(Scope.provide(scope))
        notes.offer(note("k", "0"))
        yield* Effect.sleep("1 hour")
        const closingAtMs = yield* Clock.currentTimeMillis
        yield* Scope.close(scope, Exit.void)
        expect(yield* stored(broker)).toMatchObject([{ text: null, isMarker: true, dropped: [{ from: 0, to: 1 }] }])
        const [marker] = broker.topic("notes").partitions[0]?.read(0n, 1n)?.records ?? []
        expect(marker?.timeMs).toBeGreaterThanOrEqual(closingAtMs)
      })
    ))

  it("announces once: a marker that is dropped too is not made again", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const setting = { policy: drop, faults: { send: () => fail("Rejected") } }
        const { broker, leat, notes } = yield* openNotes(setting).pipe(Scope.provide(scope))
        notes.offer(note("k", "0"))
        yield* Scope.close(scope, Exit.void)
        expect(yield* stored(broker)).toEqual([])
        expect(legRow(leat)).toMatchObject({ dropped: { Rejected: 1 }, balanced: true })
      })
    ))

  it("announces the drops of a lane without records although the buffer has no room", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const broker = new MemoryBroker({ partitions: 2 })
        const slow = {
          ...faultDriver(memoryDriver(broker), { send: () => ({ kind: "delay", ms: 5000 }) }),
          name: "slow"
        }
        const copies = {
          cluster: "slow",
          topic: "notes",
          required: false,
          linger: "0 millis",
          batch: { bytes: 65_536 }
        }
        const routes = {
          version: 1,
          clusters: { main: { transport: "memory" }, slow: { transport: "slow" } },
          routes: [
            {
              match: { stream: "*" },
              to: [
                { cluster: "main", topic: "notes" },
                { ...copies, buffer: { bytes: 65_536, overflow: "reject" } }
              ]
            }
          ]
        }
        const leat = yield* Leat.make({ source: "test", routes, drivers: [slow] }).pipe(Scope.provide(scope))
        const notes = yield* leat.stream(noteContract())
        notes.offer(note("k", "x".repeat(60_000)))
        for (const key of ["k", "d", "f"]) notes.offer(note(key, "x".repeat(10_000)))
        yield* Effect.sleep(10)
        yield* Scope.close(scope, Exit.void)
        const [, copied] = leat.ledger.snapshot().legs
        expect(copied).toMatchObject({ stored: 1, dropped: { overflow: 3 }, balanced: true })
        const told = broker.topic("notes").partitions.map((log) => {
          const records = log.read(log.start, log.end)?.records ?? []
          return records.flatMap(({ headers }) => readMeta(headers, "test.notes").dropped)
        })
        expect(told.map((ranges) => ranges.length)).toEqual([1, 2])
      })
    ))

  it("says once that its ledger cannot be announced, and again when it comes back", () => {
    const warnings: Array<string> = []
    const logger = Logger.make(({ message }) => void warnings.push(String(message)))
    let isFull = true
    const full = new TransportError({ reason: "Full", transport: "books", operation: "announce", detail: "no space" })
    const store: LedgerStore = { save: () => Effect.suspend(() => (isFull ? Effect.fail(full) : Effect.void)) }
    const program = Effect.gen(function* () {
      yield* Leat.make({ source: "test", ledger: { store } })
      yield* Effect.sleep("1 minute")
      isFull = false
      yield* Effect.sleep("1 minute")
      isFull = true
      yield* Effect.sleep("1 minute")
    })
    simulate(1, program.pipe(Effect.scoped, Effect.provide(Logger.layer([logger]))))
    const once = "the ledger could not be announced: books announce: Full: no space"
    expect(warnings).toEqual([once, once])
  })

  it.each<[string, () => unknown, string]>([
    [
      "gives a promise",
      () => Promise.resolve(),
      "save of the ledger store gave a promise and no effect; give Effect.promise(() => ...)"
    ],
    ["interrupts itself", () => Effect.interrupt, "save of the ledger store interrupted itself"],
    [
      "gives no effect somewhere inside",
      () => Effect.flatMap(Effect.void, () => undefined as never),
      "Fiber.runLoop: Not a valid effect: undefined"
    ]
  ])("goes on announcing, and closes, where the store of its ledger once %s", (_, odd, why) => {
    for (const oddAt of ["the first", "a later one", "the last"]) {
      const warnings: Array<string> = []
      const logger = Logger.make(({ message }) => void warnings.push(String(message)))
      let saves = 0
      const save = ({ isClosed }: Announcement) => {
        saves++
        const isOdd = oddAt === "the last" ? isClosed : saves === (oddAt === "the first" ? 1 : 5)
        return isOdd ? odd() : Effect.void
      }
      const store = { save } as unknown as LedgerStore
      const program = Effect.andThen(Leat.make({ source: "test", ledger: { store } }), Effect.sleep("10.5 seconds"))
      const { exit } = simulate(1, program.pipe(Effect.scoped, Effect.provide(Logger.layer([logger]))))
      expect([oddAt, Exit.isSuccess(exit), saves]).toEqual([oddAt, true, 12])
      expect(warnings).toEqual([`the ledger could not be announced: ${why}`])
    }
  })

  it("announces plain data and nothing else of it, whatever its journal holds", () =>
    story(
      Effect.gen(function* () {
        const saved: Array<unknown> = []
        const store: LedgerStore = { save: (one) => Effect.sync(() => void saved.push(structuredClone(one))) }
        const journal = { moved: () => undefined, position: 5n }
        const { notes } = yield* openNotes({ store, journal })
        yield* notes.publish(note("k", "0"))
        yield* Effect.sleep("1 minute")
        const last: unknown = JSON.parse(JSON.stringify(saved.at(-1)))
        expect(last).toMatchObject({ isClosed: false, streams: [{ admitted: 1 }], legs: [{ stored: 1 }] })
        const names = ["announcedAtMs", "incarnation", "isClosed", "lanes", "legs", "source", "streams"]
        expect(Object.keys(Object(last)).toSorted()).toEqual(names)
      })
    ))

  it("has its books although the store of its ledger broke", () =>
    story(
      Effect.gen(function* () {
        let saves = 0
        const store = {
          save: () => {
            if (++saves % 2 === 1) throw new Error("the disk is gone")
            return Effect.void
          }
        }
        yield* Effect.scoped(
          Effect.andThen(Leat.make({ source: "test", ledger: { store } }), Effect.sleep("10.5 seconds"))
        )
        expect(saves).toBe(12)
      })
    ))

  it("neither opens nor closes for ever with a ledger store that gives no answer, and never saves twice at the same time", () =>
    story(
      Effect.gen(function* () {
        for (const mute of [0, 3]) {
          let [saves, atOnce, most] = [0, 0, 0]
          const store: LedgerStore = {
            save: () => {
              most = Math.max(most, ++atOnce)
              return saves++ === mute
                ? Effect.uninterruptible(
                    Effect.delay(
                      Effect.sync(() => atOnce--),
                      "1 hour"
                    )
                  )
                : Effect.sync(() => atOnce--)
            }
          }
          const startMs = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
          yield* Effect.scoped(
            Effect.andThen(Leat.make({ source: "test", ledger: { store } }), Effect.sleep("1 minute"))
          )
          const endMs = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
          expect(endMs - startMs).toBeLessThanOrEqual(80_000)
          expect(most).toBe(1)
        }
      })
    ))

  it("waits for its drain and no longer, whatever has no answer", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const setting = { faults: { send: () => ({ kind: "silence" }) as const }, drain: "2 seconds" as const }
        const { leat, notes } = yield* openNotes(setting).pipe(Scope.provide(scope))
        notes.offer(note("k", "0"))
        const startMs = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        yield* Scope.close(scope, Exit.void)
        const endMs = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        expect(endMs - startMs).toBe(2000)
        expect(legRow(leat)).toMatchObject({ dropped: { closed: 1 }, droppedMayBeStored: 1, balanced: true })
      })
    ))

  it.for([
    ["that halted before", 50],
    ["that halts meanwhile", 0]
  ] as const)("drops what a lane holds %s at once, counted", ([, beforeMs]) =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const setting = { policy: halt, faults: { send: () => fail("Unauthorized") } }
        const { leat, notes } = yield* openNotes(setting).pipe(Scope.provide(scope))
        notes.offer(note("k", "0"))
        yield* Effect.sleep(beforeMs)
        const startMs = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        yield* Scope.close(scope, Exit.void)
        const endMs = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        expect(endMs - startMs).toBeLessThan(100)
        expect(legRow(leat)).toMatchObject({ dropped: { closed: 1 }, balanced: true })
      })
    )
  )

  it.for([
    ["that may not go on", { policy: halt, faults: { send: () => fail("Unauthorized") } }, 3],
    ["that has no answer in time", { faults: { send: () => ({ kind: "silence" }) as const }, drain: "1 second" }, 3],
    ["that has stored everything", {}, undefined]
  ] as const)("says how many events it gives up of a sink %s", ([, setting, count]) => {
    const warnings: Array<string> = []
    const logger = Logger.make(({ message }) => void warnings.push(String(message)))
    return story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { leat, notes } = yield* openNotes(setting).pipe(Scope.provide(scope))
        for (const text of ["0", "1", "2"]) notes.offer(note("k", text))
        yield* Scope.close(scope, Exit.void)
        const told = `closing has given up ${count} of the events for ${legRow(leat)?.sink}, which has not stored them; they are counted as dropped`
        expect(warnings.filter((one) => one.startsWith("closing"))).toEqual(count === undefined ? [] : [told])
      }).pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(References.MinimumLogLevel, "All"))
    )
  })

  it("drops what stands behind a fence that its policy does not ask for again, at once", () =>
    story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const setting = {
          policy: [
            { on: ["Unavailable"], then: "halt" },
            { on: ["*"], retry: { base: "1 milli" }, then: "halt" }
          ],
          faults: { send: () => ({ kind: "cut" }) as const, fence: () => "Unavailable" as const }
        }
        const { leat, notes } = yield* openNotes(setting).pipe(Scope.provide(scope))
        notes.offer(note("k", "0"))
        yield* Effect.sleep(50)
        expect(leat.halted()).toMatchObject([{ tag: "Unavailable", partition: 0, stream: "test.notes" }])
        yield* Scope.close(scope, Exit.void)
        expect(legRow(leat)).toMatchObject({ dropped: { closed: 1 }, droppedMayBeStored: 1, balanced: true })
      })
    ))
})

describe("a lane that halts", () => {
  it.for([
    [
      "by its policy",
      { policy: halt, faults: { send: () => fail("Unauthorized") } },
      "publishing test.notes to local/notes",
      "Unauthorized"
    ],
    [
      "by its fence",
      {
        policy: [
          { on: ["Unavailable"], then: "halt" },
          { on: ["*"], retry: { base: "1 milli" }, then: "halt" }
        ],
        faults: { send: () => ({ kind: "cut" }) as const, fence: () => "Unavailable" as const }
      },
      "publishing everything to local/notes",
      "Unavailable"
    ]
  ] as const)("%s says so once, and again after a resume", ([, setting, what, tag]) => {
    const warnings: Array<string> = []
    const logger = Logger.make(({ message }) => void warnings.push(String(message)))
    return story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes(setting)
        for (let times = 1; times <= 2; times++) {
          notes.offer(note("k", "0"))
          yield* Effect.sleep("1 minute")
          const told = warnings.filter((one) => one.startsWith(what))
          expect(told).toHaveLength(times)
          expect(told.at(-1)).toContain(`stands on partition 0 until it is resumed: ${tag}`)
          yield* leat.resume
        }
      }).pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(References.MinimumLogLevel, "All"))
    )
  })
})

describe("a partition whose pump broke down", () => {
  it("says so although nothing more is offered", () => {
    const warnings: Array<string> = []
    const logger = Logger.make(({ message }) => void warnings.push(String(message)))
    const journal = {
      moved: (...[, , , , into]: Parameters<Journal["moved"]>) => {
        if (into === "inFlight") throw new Error("a bug")
      }
    }
    return story(
      Effect.gen(function* () {
        const { notes } = yield* openNotes({ journal, drain: "1 second" })
        notes.offer(note("k", "0"))
        yield* Effect.sleep("1 minute")
        expect(warnings.filter((one) => one.includes("Defect after 0 attempts: Error: a bug"))).toHaveLength(1)
      }).pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(References.MinimumLogLevel, "All"))
    )
  })
})

describe("a lane that stands", () => {
  it("behind its fence goes on after resume", () =>
    story(
      Effect.gen(function* () {
        let isDown = true
        const setting = {
          policy: [
            { on: ["Unavailable"], then: "halt" },
            { on: ["*"], retry: { base: "1 milli" }, then: "halt" }
          ],
          faults: {
            send: ({ call }: { readonly call: number }) => (call === 0 ? ({ kind: "cut" } as const) : undefined),
            fence: () => (isDown ? ("Unavailable" as const) : undefined)
          }
        }
        const { leat, notes } = yield* openNotes(setting)
        const publishing = yield* Effect.forkChild(notes.publish(note("k", "0")))
        yield* Effect.sleep(50)
        expect(leat.halted()).toHaveLength(1)
        isDown = false
        yield* leat.resume
        yield* Fiber.join(publishing)
        expect(leat.halted()).toEqual([])
      })
    ))
})

describe("a larger buffer", () => {
  it("lets in those who wait for room, although nothing is given back", () =>
    story(
      Effect.gen(function* () {
        const setting = dead({ buffer: { bytes: 65_536, overflow: "block" }, timeout: "1 minute" })
        const { leat, notes } = yield* openNotes(setting)
        while (notes.offer(note("k", "x".repeat(3000))).admitted);
        const waiting = yield* Effect.forkChild(notes.publish(note("k", "y"), { level: "queued" }))
        yield* Effect.sleep(10)
        const wider = documentOf({ leg: { ...setting.leg, buffer: { bytes: 1_000_000, overflow: "block" } } })
        yield* leat.swapRoutes({ ...wider, version: 2 })
        yield* Effect.sleep(10)
        expect(waiting.pollUnsafe()).toMatchObject({ _tag: "Success" })
      })
    ))
})

function fail(reason: "Rejected" | "Unauthorized") {
  return { kind: "fail", reason } as const
}
