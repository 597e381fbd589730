/** Retry topics in worlds that are drawn: events that fail so and so often, members that come and go with other settings. What must hold in all of them. */
import { Clock, Effect, Exit, References } from "effect"
import fc from "fast-check"
import { Leat, MemoryBroker, memoryDriver } from "leat"
import { simulate } from "leat/testing"
import { readDeadLetter } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { failure, recordsIn } from "./RetryCalls.ts"
import { routes } from "./support.ts"

const second = 1000
const tiersMax = 8

/** Delays of 1 to 3 tiers, in seconds. */
const delaysDrawn = fc.constantFrom([1], [2, 5], [10, 60], [1, 2, 3], [5, 60, 600])
const worldDrawn = fc.record({
  partitions: fc.constantFrom(1, 2),
  /** Retries in each lane. */
  times: fc.constantFrom(0, 1),
  events: fc.array(fc.record({ key: fc.nat(3), failures: fc.constantFrom(0, 0, 0, 1, 2, 3, 9) }), {
    minLength: 1,
    maxLength: 12
  }),
  /** One after the other, or at the same time; each with its own list. The last one stays. */
  stays: fc.array(fc.record({ delays: delaysDrawn, seconds: fc.nat(20), isBeside: fc.boolean() }), { maxLength: 3 }),
  delays: delaysDrawn
})
type World = typeof worldDrawn extends fc.Arbitrary<infer A> ? A : never

interface Call {
  readonly number: number
  readonly attempt: number
  readonly topic: string
  readonly partition: number
  readonly position: bigint
  readonly atMs: number
  readonly isHandled: boolean
}

/** What became of everything, when nothing moves any more. */
const lived = ({ partitions, times, events, stays, delays }: World) =>
  Effect.gen(function* () {
    const broker = new MemoryBroker({ partitions })
    const document = { ...routes(), clusters: { local: { transport: "memory", partitions } } }
    const leat = yield* Leat.make({ source: "test", routes: document, drivers: [memoryDriver(broker)] })
    const notes = yield* leat.stream(noteContract())
    const calls: Array<Call> = []
    const failed = new Map<number, number>()
    const policy = [{ on: ["Bug"], retry: { times, baseMs: 20, jitter: 0 }, then: "deadLetter" as const }]
    const join = (list: ReadonlyArray<number>) =>
      notes.handle(
        "g",
        ({ text }, { attempt, topic, partition, position }) =>
          Effect.gen(function* () {
            const number = Number(text)
            const before = failed.get(number) ?? 0
            const isHandled = before >= (events[number]?.failures ?? 0)
            calls.push({ number, attempt, topic, partition, position, atMs: yield* Clock.currentTimeMillis, isHandled })
            if (isHandled) return
            failed.set(number, before + 1)
            return yield* Effect.fail(failure("Bug"))
          }),
        { policy, retryTopics: { delaysMs: list.map((one) => one * second) } }
      )
    yield* notes.publishAll(events.map(({ key }, number) => ({ key: `k${key}`, text: `${number}` })))
    for (const stay of stays) {
      const member = yield* join(stay.delays)
      const leaving = Effect.andThen(Effect.sleep(stay.seconds * second), member.stop)
      yield* stay.isBeside ? Effect.forkScoped(leaving) : leaving
    }
    const last = yield* join(delays)
    yield* Effect.sleep(4000 * second)
    const topics = ["notes.g.dlq", ...Array.from({ length: tiersMax }, (_, index) => `notes.g.retry.${index + 1}`)]
    const stored = yield* Effect.forEach(topics, (topic) =>
      Effect.forEach(Array.from({ length: partitions }).keys(), (partition) =>
        Effect.map(recordsIn(broker, topic, partition), (records) =>
          records.map(({ position, headers }) => ({
            topic,
            partition,
            position,
            letter: readDeadLetter(headers)?.letter
          }))
        )
      )
    )
    const originals = yield* Effect.forEach(Array.from({ length: partitions }).keys(), (partition) =>
      Effect.map(recordsIn(broker, "notes", partition), (records) =>
        records.map(({ position, value }) => ({
          partition,
          position,
          number: Number(noteContract().decode(value ?? new Uint8Array()).text)
        }))
      )
    )
    const { lanes, balanced } = leat.ledger.snapshot()
    return { calls, stored: stored.flat(2), originals: originals.flat(), lanes, balanced, halted: last.halted() }
  }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None"))

const resultOf = (world: World, seed: number) => {
  const { exit } = simulate(seed, lived(world))
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
  return exit.value
}

/** What ended nowhere: neither handled, nor a dead letter of the place where it was published. */
const lostIn = ({ events }: World, { calls, stored, originals }: ReturnType<typeof resultOf>) => {
  const letters = stored.filter(({ topic }) => topic.endsWith(".dlq"))
  const isThere = (number: number) => {
    const place = originals.find((one) => one.number === number)
    return letters.some(
      ({ letter }) =>
        letter?.topic === "notes" && letter.partition === place?.partition && letter.position === place?.position
    )
  }
  return events.flatMap((_, number) =>
    calls.some((call) => call.number === number && call.isHandled) || isThere(number) ? [] : [number]
  )
}

/** Calls for a record of a retry topic before it was due, by the delays of whoever may have read it. */
const earlyIn = ({ stays, delays }: World, { calls, stored }: ReturnType<typeof resultOf>) =>
  calls.filter(({ topic, partition, position, atMs }) => {
    const tier = Number(/retry\.(\d)$/.exec(topic)?.[1] ?? 0)
    if (tier === 0) return false
    const record = stored.find((one) => one.topic === topic && one.partition === partition && one.position === position)
    const { atMs: movedAtMs = Number.NaN, dueMs = Number.NaN } = record?.letter ?? {}
    const listed = [...stays.map((stay) => stay.delays), delays].map((list) => list[tier - 1] ?? Infinity)
    const leastMs = Math.min(dueMs - movedAtMs, ...listed.map((one) => one * second))
    return !(atMs >= movedAtMs + leastMs)
  })

describe("whatever fails, and whoever comes and goes", () => {
  it("every event is handled or dead-lettered where it stood, none before it is due, and the ledger balances", () => {
    let moved = 0
    fc.assert(
      fc.property(worldDrawn, fc.integer(), (world, seed) => {
        const result = resultOf(world, seed)
        moved += result.stored.length
        expect({ lost: lostIn(world, result), early: earlyIn(world, result) }).toEqual({ lost: [], early: [] })
        expect([result.balanced, result.halted]).toEqual([true, []])
        expect(result.lanes.every(({ parked, inFlight, unread }) => parked + inFlight + unread === 0)).toBe(true)
      }),
      { numRuns: Number(process.env["LEAT_RUNS"] ?? 60) }
    )
    expect(moved).toBeGreaterThan(0)
  })

  it("one member alone makes as many attempts as there are tiers, one by one, and moves each event once to each", () => {
    fc.assert(
      fc.property(worldDrawn, fc.integer(), (drawn, seed) => {
        const world = { ...drawn, stays: [] }
        const { calls, stored } = resultOf(world, seed)
        const { events, times, delays } = world
        const most = (times + 1) * (delays.length + 1)
        for (const [number, { failures }] of events.entries()) {
          const own = calls.filter((call) => call.number === number)
          const count = Math.min(failures + 1, most)
          expect(own.map(({ attempt }) => attempt)).toEqual(Array.from({ length: count }, (_, index) => index + 1))
          const expected = own.map((_, index) => Math.floor(index / (times + 1)))
          expect(own.map(({ topic }) => Number(/retry\.(\d)$/.exec(topic)?.[1] ?? 0))).toEqual(expected)
        }
        const ended = events.filter(({ failures }) => failures >= most).length
        const letters = stored.filter(({ topic }) => topic.endsWith(".dlq"))
        expect(letters.map(({ letter }) => [letter?.attempts, letter?.moves])).toEqual(
          Array.from({ length: ended }, () => [most, delays.length])
        )
      }),
      { numRuns: Number(process.env["LEAT_RUNS"] ?? 60) }
    )
  })
})
