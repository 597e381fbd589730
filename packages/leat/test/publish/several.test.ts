import { Effect, Exit, Result, Scope } from "effect"
import type { FaultPlan } from "leat/testing"
import type { Transport } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { isBack } from "./fallbackStory.js"
import { type Name, openSeveral, severalPlaces, severalRoutes, standsIn } from "./severalStory.js"
import { isAway, spillStory as story, until } from "./spillStory.js"
import { legRow, note } from "./stories.js"

/** Requests are written, and no answer comes: everything is in doubt, and no fence returns. */
const isFrozen: FaultPlan = { send: () => ({ kind: "cut" }), fence: () => "Timeout" }
const cannotBeRead: FaultPlan = { pull: () => "Unavailable" }

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => String(from + index))
const firsts = (texts: ReadonlyArray<string>) => [...new Set(texts)]

describe("a leg with several fallbacks, and what is there is sent on", () => {
  for (const [name, faults] of [
    ["away", isAway],
    ["frozen", isFrozen]
  ] as const)
    it(`goes on to the next place where one is ${name}, and has all sent on in order`, () => {
      const places = severalPlaces()
      const warned = story(
        Effect.gen(function* () {
          const { leat, notes } = yield* openSeveral(places, { names: ["first", "second", "third"] })
          yield* notes.publish(note("k", "0"))
          places.far.faults = faults
          for (const text of numbers(5, 1)) yield* notes.publish(note("k", text))
          places.first.faults = faults
          for (const text of numbers(5, 6)) yield* notes.publish(note("k", text))
          places.second.faults = faults
          for (const text of numbers(5, 11)) yield* notes.publish(note("k", text))
          expect(legRow(leat)).toMatchObject({ admitted: 16, stored: 1, fellBack: 15, balanced: true })
          expect(standsIn(places, "first")).toContain("5")
          expect(standsIn(places, "second")).toContain("10")
          expect(standsIn(places, "third")).toEqual(numbers(5, 11))
          // The last place is there, and the first one cannot be read.
          places.second.faults = {}
          places.first.faults = cannotBeRead
          places.far.faults = {}
          yield* Effect.sleep("2 minutes")
          // What had been read before goes on, and nothing of a later place does.
          expect(Math.max(...standsIn(places, "far").map(Number))).toBeLessThan(6)
          yield* notes.publish(note("k", "16"))
          expect(standsIn(places, "third")).toContain("16")
          places.first.faults = {}
          yield* until("it is back", isBack(leat), 130_000)
          yield* notes.publish(note("k", "17"))
          expect(firsts(standsIn(places, "far"))).toEqual(numbers(18))
          expect(legRow(leat)).toMatchObject({ admitted: 18, fellBack: 16, balanced: true })
          yield* Effect.sleep(5000)
        })
      )
      expect(warned.filter((line) => line.includes("goes to"))).toEqual([
        expect.stringContaining(
          "what is published to far/notes goes to the fallback first/far.notes.1.fallback until it is stored there again"
        ),
        expect.stringContaining(
          "the fallback first/far.notes.1.fallback does not take what is published to far/notes, which goes to the fallback second/far.notes.1.fallback: "
        ),
        expect.stringContaining(
          "the fallback second/far.notes.1.fallback does not take what is published to far/notes, which goes to the fallback third/far.notes.1.fallback: "
        ),
        expect.stringMatching(
          /far\/notes stores again: nothing goes to the fallbacks of far\/notes any more after \d+ seconds, in which 16 events went there/
        )
      ])
    })

  it("goes to the next place in order while its breaker is open, although no other rule falls back", () => {
    const places = severalPlaces()
    const policy = [
      { on: ["BreakerOpen"], then: "fallback" },
      { on: ["*"], retry: { base: "10 millis", factor: 2, maxDelay: "500 millis" }, then: "halt" }
    ]
    const breaker = { failureRate: 0.5, window: "5 seconds", minSends: 2, wait: "20 millis", maxWait: "500 millis" }
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSeveral(places, { policy, leg: { breaker } })
        places.far.faults = isAway
        places.first.faults = isAway
        for (const text of numbers(5)) yield* notes.publish(note("k", text))
        expect(leat.sinks()[0]?.breaker?.state).not.toBe("closed")
        expect(standsIn(places, "second")).toEqual(numbers(5))
        places.far.faults = {}
        places.first.faults = {}
        yield* until("it is back", isBack(leat), 60_000)
        yield* notes.publish(note("k", "5"))
        expect(standsIn(places, "far")).toEqual(numbers(6))
        expect(leat.sinks()[0]?.breaker?.state).toBe("closed")
      })
    )
  })

  it("shows what goes to each place, and what waits there", () => {
    const places = severalPlaces(2)
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSeveral(places)
        places.far.faults = isAway
        const keys = numbers(8)
        for (const key of keys) yield* notes.publish(note(key, key))
        places.first.faults = { ...isAway, send: ({ partition }) => (partition === 1 ? away : undefined) }
        for (const key of keys) yield* notes.publish(note(key, `${key} later`))
        yield* Effect.sleep(5000)
        const [first, second] = [standsIn(places, "first").length, standsIn(places, "second").length]
        expect(first + second).toBe(16)
        expect(leat.sinks()[0]?.fallback).toEqual({
          partitions: [0, 1],
          waiting: 16,
          places: [
            { cluster: "first", partitions: [0], waiting: first },
            { cluster: "second", partitions: [1], waiting: second }
          ]
        })
        places.far.faults = {}
        places.first.faults = {}
        yield* until("it is back", isBack(leat), 60_000)
      })
    )
  })

  it("has what a later place holds wait while an earlier one does not say how far it was sent on, and says so", () => {
    const places = severalPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSeveral(places)
        places.far.faults = isAway
        // Whoever reads it has it in hand at once.
        places.first.faults = cannotBeRead
        yield* notes.publish(note("k", "0"))
        places.first.faults = { ...isAway, ...cannotBeRead }
        places.first.isSilent = true
        yield* notes.publish(note("k", "1"))
        places.far.faults = {}
        yield* Effect.sleep("5 minutes")
        expect(standsIn(places, "far")).toEqual([])
        expect(leat.sinks()[0]?.trouble).toMatch(/fallback first\/far\.notes\.1\.fallback/)
        places.first.faults = {}
        places.first.isSilent = false
        yield* until("it is back", isBack(leat), 130_000)
        expect(standsIn(places, "far")).toEqual(["0", "1"])
      })
    )
  })

  it("waits for nothing that is stored in an earlier place later", () => {
    const places = severalPlaces()
    story(
      Effect.gen(function* () {
        const one = yield* openSeveral(places)
        const other = yield* openSeveral(places)
        places.far.faults = isAway
        places.first.faults = isAway
        yield* one.notes.publish(note("k", "in the second"))
        places.first.faults = {}
        // The other one keeps the first place busy, faster than it is sent on.
        yield* Effect.forkChild(
          Effect.forever(
            Effect.andThen(
              Effect.sync(() => other.notes.offer(note("k", "in the first"))),
              Effect.sleep(5)
            )
          )
        )
        yield* until("it is busy", () => standsIn(places, "first").length > 100, 10_000)
        places.far.faults = { send: () => ({ kind: "delay", ms: 200 }) }
        yield* until("it is sent on", () => standsIn(places, "far").includes("in the second"), 60_000)
        expect(standsIn(places, "first").length).toBeGreaterThan(100)
        places.far.faults = {}
      })
    )
  })

  it("is not left while an earlier place holds something, although the last one has nothing", () => {
    const places = severalPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSeveral(places)
        places.far.faults = isAway
        places.first.faults = cannotBeRead
        yield* notes.publish(note("k", "0"))
        places.first.faults = { ...isAway, ...cannotBeRead }
        // What has its partition go on is dropped there.
        places.second.faults = { send: () => ({ kind: "fail", reason: "Rejected" }) }
        notes.offer(note("k", "1"))
        yield* until("it is dropped", () => legRow(leat)?.dropped["Rejected"] === 1, 5000)
        places.far.faults = {}
        places.second.faults = {}
        yield* Effect.sleep("1 minute")
        yield* notes.publish(note("k", "2"))
        expect(standsIn(places, "far")).toEqual([])
        places.first.faults = {}
        yield* until("it is back", isBack(leat), 130_000)
        expect(standsIn(places, "far")).toEqual(["0", "2"])
      })
    )
  })

  it.each([
    ["need not be fenced for that", {}],
    ["cannot fence", { second: ({ capabilities }: Transport) => ({ capabilities: { ...capabilities, ...unfenced } }) }]
  ])("sends what one place does not know to the next one, which %s", (_, change) => {
    const places = severalPlaces()
    story(
      Effect.gen(function* () {
        const { notes } = yield* openSeveral(places, { change })
        places.far.faults = isAway
        places.first.faults = isFrozen
        places.second.faults = { fence: () => "Unavailable" }
        const publishing = notes.publish(note("k", "0"))
        expect(yield* Effect.timeoutOption(publishing, "10 seconds")).toMatchObject({ _tag: "Some" })
        expect(standsIn(places, "second")).toEqual(["0"])
        places.far.faults = {}
        places.first.faults = {}
        places.second.faults = {}
      })
    )
  })

  it("fences a place that can, and none that cannot", () => {
    const places = severalPlaces()
    story(
      Effect.gen(function* () {
        const change = { second: ({ capabilities }: Transport) => ({ capabilities: { ...capabilities, ...unfenced } }) }
        const { notes } = yield* openSeveral(places, { change })
        const fenced: Array<string> = []
        places.far.faults = isAway
        places.first.faults = isAway
        // Its answer is lost, and nothing can be fenced.
        let lost = 0
        places.second.faults = {
          send: () => (lost++ === 0 ? { kind: "loseResponse" } : undefined),
          fence: ({ topic }) => void fenced.push(topic)
        }
        yield* notes.publish(note("k", "0"))
        expect(fenced).toEqual([])
        expect(standsIn(places, "second")).toEqual(["0", "0"])
        places.far.faults = {}
        places.first.faults = {}
      })
    )
  })

  it("takes no record that one of its places does not", () => {
    const places = severalPlaces()
    story(
      Effect.gen(function* () {
        const change = {
          second: ({ capabilities }: Transport) => ({ capabilities: { ...capabilities, recordBytesMax: 500 } })
        }
        const { notes } = yield* openSeveral(places, { change })
        const exit = yield* Effect.exit(notes.publish(note("k", "x".repeat(600))))
        expect(Exit.isFailure(exit)).toBe(true)
        yield* notes.publish(note("k", "0"))
      })
    )
  })

  it("begins in the last place that holds something, and overtakes nothing", () => {
    const places = severalPlaces()
    const warned = story(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const before = yield* Scope.provide(openSeveral(places), scope)
        places.far.faults = isAway
        yield* before.notes.publish(note("k", "0"))
        places.first.faults = isAway
        yield* before.notes.publish(note("k", "1"))
        yield* Scope.close(scope, Exit.void)
        // All is there again, and nothing can be read yet.
        places.far.faults = {}
        places.first.faults = cannotBeRead
        places.second.faults = cannotBeRead
        const { leat, notes } = yield* openSeveral(places)
        yield* notes.publish(note("k", "2"))
        expect(standsIn(places, "second")).toEqual(["1", "2"])
        places.second.faults = {}
        yield* Effect.sleep("1 minute")
        expect(standsIn(places, "far")).toEqual([])
        places.first.faults = {}
        yield* until("it is back", isBack(leat), 130_000)
        expect(standsIn(places, "far")).toEqual(["0", "1", "2"])
        expect(legRow(leat)).toMatchObject({ admitted: 1, fellBack: 1, recovered: 3, balanced: true })
      })
    )
    expect(warned.join("\n")).toContain("the fallback first/far.notes.1.fallback holds events for 1 partitions")
  })

  it("returns to an earlier place where the last one takes nothing and has nothing", () => {
    const places = severalPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSeveral(places)
        places.far.faults = isAway
        yield* notes.publish(note("k", "0"))
        places.first.faults = isAway
        places.second.faults = isAway
        notes.offer(note("k", "1"))
        yield* Effect.sleep(10_000)
        places.first.faults = {}
        yield* until("it is kept", () => standsIn(places, "first").includes("1"), 5000)
        places.far.faults = {}
        yield* until("it is back", isBack(leat), 60_000)
        expect(standsIn(places, "far")).toEqual(["0", "1"])
      })
    )
  })

  it("stays in the last place while that holds something, whatever an earlier one would take", () => {
    const places = severalPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSeveral(places)
        places.far.faults = isAway
        yield* notes.publish(note("k", "0"))
        places.first.faults = isAway
        yield* notes.publish(note("k", "1"))
        places.first.faults = {}
        places.second.faults = isAway
        notes.offer(note("k", "2"))
        yield* Effect.sleep("1 minute")
        expect(standsIn(places, "first")).toEqual(["0"])
        expect(legRow(leat)).toMatchObject({ queued: 1 })
        places.second.faults = {}
        yield* until("it is kept", () => standsIn(places, "second").includes("2"), 5000)
        places.far.faults = {}
        yield* until("it is back", isBack(leat), 60_000)
        expect(standsIn(places, "far")).toEqual(["0", "1", "2"])
      })
    )
  })

  it("tries its cluster again while all places are away", () => {
    const places = severalPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSeveral(places)
        places.far.faults = isAway
        places.first.faults = isAway
        places.second.faults = isAway
        notes.offer(note("k", "0"))
        yield* Effect.sleep("1 minute")
        places.far.faults = {}
        yield* until("it is stored", () => standsIn(places, "far").includes("0"), 10_000)
        expect(legRow(leat)).toMatchObject({ stored: 1, fellBack: 0, balanced: true })
      })
    )
  })

  it("goes on with what one place refuses, which stands there until the partition goes on for another reason", () => {
    const places = severalPlaces()
    const refuses: FaultPlan = { send: () => ({ kind: "fail", reason: "TooLarge" }) }
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSeveral(places, { leg: { wire: "cloudevents" } })
        const others = yield* leat.stream(noteContract({ stream: "test.others" }))
        places.far.faults = isAway
        places.first.faults = refuses
        notes.offer(note("k", "0"))
        yield* Effect.sleep("1 minute")
        expect(leat.halted()).toMatchObject([{ tag: "TooLarge", stream: "test.notes" }])
        places.first.faults = isAway
        others.offer(note("k", "other"))
        yield* until("both are kept", () => standsIn(places, "second").length === 2, 10_000)
        expect(leat.halted()).toEqual([])
        places.far.faults = {}
        places.first.faults = {}
        yield* until("it is back", isBack(leat), 60_000)
      })
    )
  })

  it("stays open in all its places when it is removed, until nothing is left there", () => {
    const places = severalPlaces()
    const withCopies = (names: ReadonlyArray<Name>, version: number) => {
      const document = severalRoutes({ names })
      const [route] = document.routes
      const [leg] = route?.to ?? []
      const home = { cluster: "third", topic: "home" }
      return { ...document, version, routes: [{ ...route, to: version === 2 ? [home] : [home, leg] }] }
    }
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSeveral(places, { routes: withCopies(["first", "second"], 1) })
        places.far.faults = isAway
        // From the begin: what was read of it once would be sent on.
        places.first.faults = cannotBeRead
        yield* notes.publish(note("k", "0"))
        places.first.faults = { ...isAway, ...cannotBeRead }
        yield* notes.publish(note("k", "1"))
        yield* leat.swapRoutes(withCopies([], 2))
        places.far.faults = {}
        yield* Effect.sleep("1 minute")
        expect(leat.sinks().map(({ sink }) => sink)).toContain("far/notes")
        places.first.faults = {}
        const isClosed = () => leat.sinks().every(({ sink }) => sink !== "far/notes")
        yield* until("it is closed", isClosed, 130_000)
        expect(standsIn(places, "far")).toEqual(["0", "1"])
        // It comes back with its places in another order.
        yield* leat.swapRoutes(withCopies(["second", "first"], 3))
        places.far.faults = isAway
        yield* notes.publish(note("k", "2"))
        expect(standsIn(places, "second")).toContain("2")
        places.far.faults = {}
        yield* until(
          "it is back",
          () => leat.sinks().every(({ fallback }) => fallback?.partitions.length !== 1),
          60_000
        )
        expect(standsIn(places, "far")).toEqual(["0", "1", "2"])
      })
    )
  })

  it("is not sent on otherwise by a table that has other places, or another order", () => {
    const places = severalPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSeveral(places)
        for (const names of [["first"], ["second", "first"], ["first", "second", "third"]] as const) {
          const swapped = yield* Effect.result(leat.swapRoutes({ ...severalRoutes({ names }), version: 2 }))
          expect(Result.isFailure(swapped) ? swapped.failure.faults : []).toEqual([
            {
              path: "routes[0].to[0].fallback",
              message:
                "stream test.notes is open at far/notes with another fallback; what holds events of an open leg does not come, go or move in this version"
            }
          ])
        }
        yield* leat.swapRoutes({ ...severalRoutes(), version: 2 })
        // Nothing has been changed by the others.
        yield* notes.publish(note("k", "0"))
        expect(standsIn(places, "far")).toEqual(["0"])
      })
    )
  })
})

const unfenced = { fencing: "none" } as const
const away = { kind: "fail", reason: "Unavailable" } as const

describe("a leg with several fallbacks, and what is there stays", () => {
  const stay = { back: "stay" } as const

  it("goes on to the next place, begins anew behind the last, and waits for none of them when its cluster is back", () => {
    const places = severalPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSeveral(places, stay)
        places.far.faults = isAway
        yield* notes.publish(note("k", "0"))
        places.first.faults = isAway
        yield* notes.publish(note("k", "1"))
        places.first.faults = {}
        places.second.faults = isAway
        yield* notes.publish(note("k", "2"))
        expect(standsIn(places, "first")).toEqual(["0", "2"])
        expect(standsIn(places, "second")).toEqual(["1"])
        expect(leat.sinks()[0]?.fallback).toMatchObject({ partitions: [0], waiting: undefined })
        places.first.faults = isAway
        places.far.faults = {}
        yield* until("it is back", isBack(leat), 60_000)
        yield* notes.publish(note("k", "3"))
        expect(standsIn(places, "far")).toEqual(["3"])
        expect(legRow(leat)).toMatchObject({ fellBack: 3, stored: 1, recovered: 0, balanced: true })
      })
    )
  })

  it("is read in all of them by each group", () => {
    const places = severalPlaces()
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openSeveral(places, stay)
        const handled: Array<string> = []
        const handle = (group: string) =>
          notes.handle(group, ({ text }, { topic }) => Effect.sync(() => handled.push(`${group} ${text} ${topic}`)))
        yield* handle("a")
        places.far.faults = isAway
        yield* notes.publish(note("k", "0"))
        places.first.faults = isAway
        yield* notes.publish(note("k", "1"))
        places.far.faults = {}
        yield* until("it is back", isBack(leat), 60_000)
        yield* notes.publish(note("k", "2"))
        yield* handle("b")
        const all = (group: string) => [
          `${group} 0 far.notes.1.fallback`,
          `${group} 1 far.notes.1.fallback`,
          `${group} 2 notes`
        ]
        yield* until("all is handled", () => handled.length >= 6, 120_000)
        expect(handled.toSorted()).toEqual([...all("a"), ...all("b")])
      })
    )
  })
})
