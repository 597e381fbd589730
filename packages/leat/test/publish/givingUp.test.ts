import { Effect, Fiber } from "effect"
import { type EventStream, MemoryBroker } from "leat"
import { open, type PromiseStream } from "leat/promise"
import { faultDriver } from "leat/testing"
import { afterEach, describe, expect, it, vi } from "vitest"
import { Waiter } from "../../src/ledger/Waiter.js"
import { type Note, noteContract } from "../contracts/Note.ts"
import { documentOf, kept, note } from "./stories.ts"

/** Everybody who waited for legs, as long as the test runs. */
function watchWaiters(): Set<Waiter> {
  const seen = new Set<Waiter>()
  for (const name of ["whenDone", "whenDurable"] as const) {
    const asked = Waiter.prototype[name]
    vi.spyOn(Waiter.prototype, name).mockImplementation(function (this: Waiter, done) {
      seen.add(this)
      asked.call(this, done)
    })
  }
  return seen
}

type Level = "durable" | "stored"

/** The stream, seen from each door. */
interface Doors {
  readonly notes: PromiseStream<Note>
  readonly stream: EventStream<Note>
}

/** Begins a call of a door, and returns how it is given up; the returned promise ends then. */
const calls: ReadonlyArray<readonly [string, (doors: Doors, level: Level) => () => Promise<unknown>]> = [
  [
    "publish with a signal",
    ({ notes }, level) => {
      const giving = new AbortController()
      const call = notes.publish(note("k", "1"), { level, signal: giving.signal }).catch(() => undefined)
      return () => (giving.abort(), call)
    }
  ],
  [
    "publishAll with a signal",
    ({ notes }, level) => {
      const giving = new AbortController()
      const call = notes
        .publishAll([note("k", "1"), note("k", "2")], { level, signal: giving.signal })
        .catch(() => undefined)
      return () => (giving.abort(), call)
    }
  ],
  [
    "publish in a fiber that is interrupted",
    ({ stream }, level) => {
      const fiber = Effect.runFork(stream.publish(note("k", "1"), { level }))
      return () => Effect.runPromise(Fiber.interrupt(fiber))
    }
  ],
  [
    "publishAll in a fiber that is interrupted",
    ({ stream }, level) => {
      const fiber = Effect.runFork(stream.publishAll([note("k", "1"), note("k", "2")], { level }))
      return () => Effect.runPromise(Fiber.interrupt(fiber))
    }
  ]
]

afterEach(() => vi.restoreAllMocks())

describe.each(["durable", "stored"] as const)("whoever gives up waiting at the level %s", (level) => {
  it.each(calls)("is waited for by nobody: %s", async (_, begin) => {
    const waiters = watchWaiters()
    const broker = new MemoryBroker({ partitions: 1 })
    const leat = await open({
      source: "test",
      routes: documentOf({}),
      drain: "50 millis",
      drivers: [faultDriver(kept(broker), { send: () => ({ kind: "delay", ms: 10_000_000 }) })]
    })
    const notes = await leat.stream(noteContract())
    const giveUp = begin({ notes, stream: await Effect.runPromise(leat.effect.stream(noteContract())) }, level)
    await new Promise((resolve) => setTimeout(resolve, 5))
    const asked = [...waiters]
    expect(asked.map(({ isAwaited }) => isAwaited)).toEqual([true])
    await giveUp()
    expect(asked.map(({ isAwaited }) => isAwaited)).toEqual([false])
    await leat.close()
  })
})
