import { Deferred, Effect, Exit, Stream } from "effect"
import fc from "fast-check"
import { DeadLetters, MemoryBroker, memoryTransport } from "leat"
import type { Transport } from "leat/transport"
import { faultTransport, randomFaults, seededRandom, simulate } from "leat/testing"
import { expect, it } from "vitest"
import { readAll, replays, textOf, which, writeLetters } from "./letters.ts"

/** A number that a key begins with says the order in which the letters were written. */
type Key = string

/** What happens to a topic of dead letters. `killAt`: the command is killed at this send. */
type Step =
  | { readonly is: "write"; readonly partition: number; readonly count: number; readonly repeat: number }
  | { readonly is: "replay"; readonly killAt: number; readonly every: number; readonly limit: number }
  | { readonly is: "drop"; readonly killAt: number; readonly every: number }

const killAt = fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 1, max: 4 }))
const every = fc.integer({ min: 1, max: 3 })
const steps: fc.Arbitrary<ReadonlyArray<Step>> = fc.array(
  fc.oneof(
    fc.record({
      is: fc.constant("write" as const),
      partition: fc.nat(1),
      count: fc.integer({ min: 1, max: 150 }),
      repeat: fc.nat(5)
    }),
    fc.record({ is: fc.constant("replay" as const), killAt, every, limit: fc.constantFrom(1, 7, 1000) }),
    fc.record({ is: fc.constant("drop" as const), killAt, every })
  ),
  { minLength: 1, maxLength: 10 }
)

const noKeys = (): [Array<Key>, Array<Key>] => [[], []]

/** The keys of the replays that came since the last look. */
const replayed = (transport: Transport, before: ReadonlyArray<number>) =>
  readAll(transport, replays).pipe(
    Effect.map((all) => all.map((records, at) => records.slice(before[at] ?? 0).map(({ key }) => textOf(key) ?? ""))),
    Effect.orElseSucceed(noKeys)
  )

const isRising = (keys: ReadonlyArray<Key>): boolean =>
  keys.every((key, at) => at === 0 || Number(keys[at - 1]) < Number(key))

const inNumber = (left: Key, right: Key): number => Number(left) - Number(right)

/** Without repeats: each where it stands first. */
const first = (keys: ReadonlyArray<Key>): ReadonlyArray<Key> => [...new Set(keys)]
/** Each where it stands last. */
const last = (keys: ReadonlyArray<Key>): ReadonlyArray<Key> => first(keys.toReversed()).toReversed()

/** Does the steps one after another, behind faults, and judges what is there in the end. */
const story = Effect.fnUntraced(function* (all: ReadonlyArray<Step>, seed: number) {
  const transport = memoryTransport(new MemoryBroker())
  const written = noKeys()
  const dropped = new Set<Key>()
  let seen: ReadonlyArray<number> = [0, 0]
  const faults = randomFaults(seededRandom(seed), {
    fail: 0.1,
    loseResponse: 0.1,
    cut: 0.05,
    lateWrite: 0.05,
    fence: 0.1
  })

  /** Runs a command that may be killed at a send, which may be stored all the same. */
  const killable = <A>(at: number, command: (faulty: Transport) => Effect.Effect<A, unknown>) =>
    Effect.suspend(() => {
      const killed = Deferred.makeUnsafe<void>()
      let sends = 0
      const faulty = faultTransport(transport, {
        ...faults,
        send: (call) => {
          if (++sends !== at) return faults.send?.(call)
          Deferred.doneUnsafe(killed, Effect.void)
          return { kind: call.call % 2 === 0 ? "silence" : "loseResponse" }
        }
      })
      return Effect.raceFirst(Effect.asVoid(command(faulty)), Deferred.await(killed))
    })

  let count = 0
  for (const step of all) {
    if (step.is === "write") {
      const { partition } = step
      const keys = Array.from({ length: step.count }, () => String(count++))
      written[partition]?.push(...keys)
      const letters = keys.map((key) => ({ key, position: BigInt(key) }))
      // In doubt, a consumer writes what it had written again.
      yield* writeLetters(transport, partition, [...letters, ...letters.slice(0, step.repeat)])
      continue
    }
    if (count === 0) continue
    const where = ({ key }: DeadLetters.ListedLetter) => Number(textOf(key)) % step.every === 0
    if (step.is === "drop") {
      const chosen = yield* Stream.runCollect(Stream.filter(DeadLetters.list(transport, which), where))
      for (const { key } of chosen) dropped.add(textOf(key) ?? "")
      yield* killable(step.killAt, (faulty) => DeadLetters.drop(faulty, which, { where, reason: "a test" }))
      continue
    }
    yield* killable(step.killAt, (faulty) => DeadLetters.replay(faulty, which, { where, limit: step.limit }))
    const now = yield* replayed(transport, seen)
    for (const keys of now) expect([isRising(first(keys)), isRising(last(keys))]).toEqual([true, true])
    seen = seen.map((before, at) => before + (now[at]?.length ?? 0))
  }
  if (count === 0) return
  const states = yield* Stream.runCollect(DeadLetters.list(transport, which, { state: "all" }))
  const stored = new Set((yield* replayed(transport, [0, 0])).flat())
  expect(states.map(({ key }) => textOf(key) ?? "").toSorted(inNumber)).toEqual(written.flat().toSorted(inNumber))
  for (const { key, resolution } of states) {
    if (resolution?.how === "replayed") expect(stored).toContain(textOf(key))
    if (resolution?.how === "dropped") expect(dropped).toContain(textOf(key))
  }
  // Whoever goes on when the faults are over leaves nothing.
  yield* DeadLetters.replay(transport, which)
  const gone = new Set((yield* replayed(transport, [0, 0])).flat())
  expect(written.flat().filter((key) => !gone.has(key) && !dropped.has(key))).toEqual([])
  expect(yield* Stream.runCount(DeadLetters.list(transport, which))).toBe(0)
})

it("whatever is written, replayed, dropped and killed: no letter is lost or made up, and order is kept", () => {
  fc.assert(
    fc.property(steps, fc.nat(), (all, seed) => {
      expect(simulate(seed, story(all, seed)).exit).toEqual(Exit.void)
    }),
    { numRuns: 60 }
  )
})
