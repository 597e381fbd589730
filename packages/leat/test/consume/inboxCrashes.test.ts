import { Effect, Exit, Logger, Random, Scope } from "effect"
import { DeadLetters, Leat, MemoryBroker, memoryTransport } from "leat"
import { simulate } from "leat/testing"
import { TransportError } from "leat/transport"
import { expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { effectsIn, idsIn, opened, storeAgain, write } from "./inboxes.ts"
import { open, routes, withLanes } from "./support.ts"

const failure = (tag: string) => Object.assign(new Error(`planted ${tag}`), { _tag: tag })
const quiet = Effect.provide(Logger.layer([]))
const partitions = 2
const count = 30

const lost = new TransportError({ reason: "Timeout", transport: "memory", operation: "settle", detail: "planted" })

/** Handles for a while, in one member or two, with settles that are lost, handlers that fail anywhere, and an end in their midst. */
const tenure = Effect.fnUntraced(function* (broker: MemoryBroker, database: Effect.Success<ReturnType<typeof opened>>) {
  const { sql, inbox } = database
  const random = yield* Random.Random
  const chance = (part: number) => random.nextDoubleUnsafe() < part
  const isLost = chance(0.6)
  const driver = withLanes(
    (lane) => ({ ...lane, settle: (position) => (isLost || chance(0.3) ? Effect.fail(lost) : lane.settle(position)) }),
    broker
  )
  const document = routes({ drain: chance(0.5) ? "1 milli" : "200 millis" })
  const leat = yield* Leat.make({ source: "test", routes: document, drivers: [driver] })
  const notes = yield* leat.stream(noteContract())
  const effect = (text: string) =>
    Effect.gen(function* () {
      if (chance(0.1)) yield* Effect.sleep(random.nextDoubleUnsafe() * 30)
      if (chance(0.1)) return yield* Effect.fail(failure("Before"))
      yield* write(sql, text)
      if (chance(0.2)) yield* Effect.sleep(7)
      if (chance(0.1)) return yield* Effect.fail(failure("Behind"))
      if (chance(0.05)) return yield* Effect.die(new Error("a bug"))
      if (chance(0.05)) return yield* Effect.interrupt
    })
  const policy = [
    { on: ["Behind"], retry: { times: 1, baseMs: 2 }, then: "deadLetter" as const },
    { on: ["*"], retry: { baseMs: 3, times: 50 }, then: "deadLetter" as const }
  ]
  const members = chance(0.3) ? 2 : 1
  for (let member = 0; member < members; member++) {
    if (chance(0.5)) yield* notes.handle("g", ({ text }) => effect(text), { inbox, policy })
    else {
      const records = 1 + Math.floor(random.nextDoubleUnsafe() * 6)
      yield* notes.handleBatch(
        "g",
        (deliveries) => Effect.forEach(deliveries, ({ event }) => effect(event.text), { discard: true }),
        { inbox, policy, records }
      )
    }
  }
  yield* Effect.sleep(5 + Math.floor(random.nextDoubleUnsafe() * 80))
})

const story = Effect.gen(function* () {
  const random = yield* Random.Random
  const broker = new MemoryBroker({ partitions })
  const database = yield* opened()
  const { sql, inbox } = database
  const leat = yield* open(routes(), broker)
  const notes = yield* leat.stream(noteContract())
  const replay = DeadLetters.replay(memoryTransport(broker), { topic: "notes", group: "g" }, { replaysMax: 100 }).pipe(
    Effect.catch((error) => (error.reason === "UnknownTopic" ? Effect.void : Effect.fail(error)))
  )
  for (let turn = 0; turn < 5; turn++) {
    for (let at = 0; at < count / 5; at++) yield* notes.publish({ key: `k${at}`, text: `${turn}/${at}` })
    const scope = yield* Scope.make()
    yield* Scope.provide(tenure(broker, database), scope)
    yield* Scope.close(scope, Exit.void)
    if (random.nextDoubleUnsafe() < 0.3) yield* storeAgain(broker, turn % partitions)
    if (random.nextDoubleUnsafe() < 0.3) yield* replay
  }
  // At last everything that is left, and what was set aside.
  const last = yield* notes.handle("g", ({ text }) => write(sql, text), { inbox })
  yield* last.caughtUp
  yield* replay
  yield* Effect.sleep(60_000)
  const copies = leat.ledger.snapshot().lanes.reduce((sum, { duplicate }) => sum + duplicate, 0)
  expect(leat.ledger.snapshot().lanes.every(({ balanced }) => balanced)).toBe(true)
  expect(yield* idsIn(sql)).toBe(count)
  return { effects: yield* effectsIn(sql), copies }
})

it("an effect is there exactly once, wherever its handler fails, dies or is interrupted, and whatever comes again", () => {
  let copies = 0
  for (let seed = 1; seed <= 25; seed++) {
    const { exit } = simulate(seed, quiet(Effect.scoped(story)))
    if (Exit.isFailure(exit)) throw new Error(`seed ${seed}: ${String(exit.cause)}`)
    const { effects } = exit.value
    expect({ seed, effects: effects.toSorted() }).toEqual({ seed, effects: [...new Set(effects)].toSorted() })
    expect(effects).toHaveLength(count)
    copies += exit.value.copies
  }
  // Otherwise nothing came again, and nothing was looked at.
  expect(copies).toBeGreaterThan(20)
})
