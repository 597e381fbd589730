import { Cause, Effect, Exit, Logger, type Scope } from "effect"
import { type FaultPlan, faultDriver, simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import type { OpenLeat } from "leat"
import { noteContract } from "../contracts/Note.ts"
import { type Fleet, apply, coordinate, documentAt, fleetOf, place, processOf, stored, topicOf } from "./moveKit.ts"

const stream = "test.notes"
const at = (name: string, partitions = 4) => ({ cluster: "local", topic: topicOf(name), partitions })

/** Runs a story on virtual time, and fails as it does. Returns what the log was told. */
function story(tell: Effect.Effect<void, unknown, Scope.Scope>): ReadonlyArray<string> {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
  const { exit, timers } = simulate(1, tell.pipe(Effect.scoped, Effect.provide(Logger.layer([logger]))))
  if (Exit.isFailure(exit)) throw new Error(`the story failed: ${Cause.pretty(exit.cause)}\n${lines.join("\n")}`)
  expect(timers).toBe(0)
  return lines
}

/** A fleet that has the stream in place a, and is coordinated. */
const begun = Effect.gen(function* () {
  const fleet = yield* fleetOf
  yield* apply(fleet, documentAt(1, "a"))
  yield* fleet.transport.ensure({ topic: topicOf("a"), partitions: 4 })
  yield* Effect.forkScoped(coordinate(fleet, stream))
  return fleet
})

const publishing = (leat: OpenLeat, count: number, everyMs = 20) =>
  Effect.gen(function* () {
    const notes = yield* leat.stream(noteContract())
    for (let text = 0; text < count; text++) {
      yield* notes.publish({ key: `k${text % 7}`, text: String(text) }, { level: "queued" })
      yield* Effect.sleep(everyMs)
    }
    yield* leat.flush
    expect(leat.ledger.snapshot().balanced).toBe(true)
  })

/** What stands in places, one after the other: of each writer all of each bucket, once and in order, each place with its own epoch. */
const inOrder = (fleet: Fleet, places: ReadonlyArray<readonly [name: string, epoch: number]>, count: number) =>
  Effect.gen(function* () {
    yield* fleet.tool.look
    const epochs = fleet.tool.control.streams.get(stream)?.epochs ?? []
    const all = yield* Effect.forEach(places, ([name, epoch]) => {
      const { begin = [], end } = epochs.find((one) => one.epoch === epoch) ?? {}
      const isIn = (one: { readonly partition: number; readonly position: number }): boolean =>
        one.position >= (begin[one.partition] ?? 0) && one.position < (end?.[one.partition] ?? Infinity)
      return Effect.map(stored(fleet.transport, topicOf(name), stream), (rows) =>
        rows.filter((one) => one.epoch === epoch && isIn(one))
      )
    })
    const seqs = new Map<string, Array<number>>()
    for (const { incarnation, bucket, seq } of all.flat()) {
      const key = `${incarnation}/${bucket}`
      seqs.set(key, [...(seqs.get(key) ?? []), seq ?? -1])
    }
    for (const [key, found] of seqs) expect({ key, found }).toEqual({ key, found: found.map((_, index) => index) })
    expect(all.map(({ length }) => length).reduce((sum, one) => sum + one)).toBe(count)
    return all.map(({ length }) => length)
  })

describe("a stream that moves", () => {
  it.each([4, 1, 2, 8])(
    "goes on in the new place of %i partitions while it is published, in order, with nothing lost",
    (partitions) => {
      const lines = story(
        Effect.gen(function* () {
          const fleet = yield* begun
          const leats = [yield* processOf(fleet), yield* processOf(fleet)]
          const moving = Effect.gen(function* () {
            yield* Effect.sleep("1 second")
            yield* place(fleet, stream, at("a"))
            yield* Effect.sleep("1 second")
            yield* apply(fleet, documentAt(2, "b"), { [stream]: at("b", partitions) })
          })
          yield* Effect.all([...leats.map((leat) => publishing(leat, 400)), moving], { concurrency: "unbounded" })
          const [a = 0, b = 0] = yield* inOrder(
            fleet,
            [
              ["a", 1],
              ["b", 2]
            ],
            800
          )
          expect(Math.min(a, b)).toBeGreaterThan(100)
        })
      )
      expect(new Set(lines)).toEqual(
        new Set(["Info version 2 of the routes, which was applied to the fleet, is in force"])
      )
    }
  )

  it("goes back, and to a third place: each is a range of its own", () => {
    story(
      Effect.gen(function* () {
        const fleet = yield* begun
        const leat = yield* processOf(fleet)
        const moving = Effect.gen(function* () {
          yield* place(fleet, stream, at("a"), 1)
          for (const [index, name] of ["b", "a", "c"].entries()) {
            yield* Effect.sleep("2 seconds")
            yield* apply(fleet, documentAt(index + 2, name), { [stream]: at(name) })
          }
        })
        yield* Effect.all([publishing(leat, 400), moving], { concurrency: "unbounded" })
        const found = yield* inOrder(
          fleet,
          [
            ["a", 1],
            ["b", 2],
            ["a", 3],
            ["c", 4]
          ],
          400
        )
        expect(Math.min(...found)).toBeGreaterThan(30)
      })
    )
  })

  it("is written by processes that begin and end while it moves", () => {
    story(
      Effect.gen(function* () {
        const fleet = yield* begun
        const life = (afterMs: number, count: number) =>
          Effect.delay(Effect.scoped(Effect.flatMap(processOf(fleet), (leat) => publishing(leat, count))), afterMs)
        const moving = Effect.gen(function* () {
          yield* Effect.sleep("1 second")
          yield* place(fleet, stream, at("a"))
          for (const [index, name] of ["b", "c", "d", "e"].entries()) {
            yield* Effect.sleep("2 seconds")
            yield* apply(fleet, documentAt(index + 2, name), { [stream]: at(name, 2) })
          }
        })
        const lives = Array.from({ length: 20 }, (_, index) => life(index * 437, 50 + index))
        yield* Effect.all([...lives, moving], { concurrency: "unbounded" })
        const count = Array.from({ length: 20 }, (_, index) => 50 + index).reduce((sum, one) => sum + one)
        const found = yield* inOrder(
          fleet,
          [
            ["a", 1],
            ["b", 2],
            ["c", 3],
            ["d", 4],
            ["e", 5]
          ],
          count
        )
        expect(found).toHaveLength(5)
      })
    )
  })

  const slowly = (fleet: Fleet, plan: FaultPlan) => processOf(fleet, { drivers: [faultDriver(fleet.driver, plan)] })

  it("goes back when it is called off: what was gated comes behind what the old place still has", () => {
    story(
      Effect.gen(function* () {
        const fleet = yield* begun
        const slow: { ms: number } = { ms: 0 }
        const plan: FaultPlan = {
          send: ({ topic }) => (topic === topicOf("a") && slow.ms > 0 ? { kind: "delay", ms: slow.ms } : undefined)
        }
        const leats = [yield* slowly(fleet, plan), yield* slowly(fleet, plan)]
        const moving = Effect.gen(function* () {
          yield* Effect.sleep("1 second")
          yield* place(fleet, stream, at("a"))
          slow.ms = 4000
          yield* apply(fleet, documentAt(2, "b"), { [stream]: at("b") })
          yield* Effect.sleep("2 seconds")
          expect(fleet.tool.control.streams.get(stream)?.epochs[0]?.phase).toBe("sealing")
          yield* apply(fleet, documentAt(3, "a"), { [stream]: at("a") })
          slow.ms = 0
        })
        yield* Effect.all([...leats.map((leat) => publishing(leat, 300)), moving], { concurrency: "unbounded" })
        expect(yield* inOrder(fleet, [["a", 1]], 600)).toEqual([600])
      })
    )
  })

  it("takes along what its old place does not store in time, in front of what was offered since", () => {
    const lines = story(
      Effect.gen(function* () {
        const fleet = yield* begun
        let isAway = false
        const plan: FaultPlan = {
          send: ({ topic }) => (topic === topicOf("a") && isAway ? { kind: "fail", reason: "Unavailable" } : undefined)
        }
        const leat = yield* slowly(fleet, plan)
        const moving = Effect.gen(function* () {
          yield* Effect.sleep("1 second")
          yield* place(fleet, stream, at("a"))
          isAway = true
          yield* Effect.sleep("1 second")
          yield* apply(fleet, documentAt(2, "b"), { [stream]: at("b", 2) })
        })
        yield* Effect.all([publishing(leat, 700), moving], { concurrency: "unbounded" })
        const [a = 0, b = 0] = yield* inOrder(
          fleet,
          [
            ["a", 1],
            ["b", 2]
          ],
          700
        )
        expect([a > 30, a < 100, b > 600]).toEqual([true, true, true])
      })
    )
    expect(lines.filter((line) => line.includes("takes along"))).toHaveLength(1)
  })

  it("sends nothing before its join was read back, where it is opened while the stream is placed", () => {
    story(
      Effect.gen(function* () {
        const fleet = yield* begun
        yield* place(fleet, stream, at("a"))
        let isCut = false
        const cut: FaultPlan = {
          send: ({ topic }) => (isCut && topic === "leat-control" ? { kind: "fail", reason: "Unavailable" } : undefined)
        }
        const leat = yield* slowly(fleet, cut)
        isCut = true
        const notes = yield* leat.stream(noteContract())
        notes.offer({ key: "k", text: "1" })
        yield* Effect.sleep("10 seconds")
        expect(yield* stored(fleet.transport, topicOf("a"), stream)).toEqual([])
        isCut = false
        yield* Effect.sleep("10 seconds")
        expect(yield* stored(fleet.transport, topicOf("a"), stream)).toHaveLength(1)
      })
    )
  })

  it.each([true, false])(
    "is mirrored where nobody reads it, and not in the places of its epochs: retired %s",
    (isRetired) => {
      story(
        Effect.gen(function* () {
          const fleet = yield* begun
          const mirrored = (version: number, name: string, mirror: string) =>
            documentAt(version, name).replace("}]", `}, { cluster: local, topic: "${topicOf(mirror)}" }]`)
          yield* apply(fleet, mirrored(2, "a", "b"))
          const leat = yield* processOf(fleet)
          const moving = Effect.gen(function* () {
            yield* Effect.sleep("1 second")
            yield* place(fleet, stream, at("a"))
            // A group that never comes to its end there.
            if (!isRetired) yield* fleet.tool.write({ kind: "reads", stream, group: "weekend" })
            yield* Effect.sleep("1 second")
            yield* apply(fleet, mirrored(3, "b", "a"), { [stream]: at("b", 4) })
          })
          yield* Effect.all([publishing(leat, 400), moving], { concurrency: "unbounded" })
          const of = (name: string, epoch: number) =>
            Effect.map(
              stored(fleet.transport, topicOf(name), stream),
              (rows) => rows.filter((one) => one.epoch === epoch).length
            )
          const [sent, copies, moved, back] = [
            yield* of("a", 1),
            yield* of("b", 1),
            yield* of("b", 2),
            yield* of("a", 2)
          ]
          expect(sent + moved).toBe(400)
          expect(copies).toBeLessThanOrEqual(sent)
          expect(moved).toBeGreaterThan(100)
          // Once nobody reads the old place it is a mirror, in an epoch that is none of the stream.
          expect([back > 100, back <= moved]).toEqual([isRetired, true])
        })
      )
    }
  )
})
