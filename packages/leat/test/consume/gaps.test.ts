import { Cause, Effect, Exit, Logger, type Scope } from "effect"
import { Leat, MemoryBroker, memoryDriver } from "leat"
import { simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { type Note, noteContract } from "../contracts/Note.ts"

/** Runs a story on virtual time, and returns what was warned of. */
function warned(tell: Effect.Effect<void, unknown, Scope.Scope>): ReadonlyArray<string> {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void (logLevel === "Warn" && lines.push(String(message))))
  const { exit } = simulate(1, tell.pipe(Effect.scoped, Effect.provide(Logger.layer([logger]))))
  if (Exit.isFailure(exit)) throw new Error(`the story failed: ${Cause.pretty(exit.cause)}`)
  return lines
}

const routes = {
  version: 1,
  clusters: { local: { transport: "memory" } },
  routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "notes" }] }],
  subscriptions: [{ match: { stream: "*" }, buffer: { bytes: 1 }, concurrency: 1, from: "earliest" }]
}

const opened = Effect.gen(function* () {
  const broker = new MemoryBroker({ partitions: 1, retentionBytes: 20_000 })
  const leat = yield* Leat.make({ source: "test", routes, drivers: [memoryDriver(broker)] })
  const notes = yield* leat.stream(noteContract())
  const publish = (count: number) =>
    Effect.forEach(
      Array.from({ length: count }, (_, index) => index),
      (index) => notes.publish({ key: "k", text: `${index} ${"x".repeat(100)}` }, { level: "stored" }),
      { discard: true }
    )
  return { leat, notes, publish }
})

describe("a group that is behind by more than its topic keeps", () => {
  it("is told of once a minute, with how many it has not had", () => {
    let missed = 0
    const lines = warned(
      Effect.gen(function* () {
        const { leat, notes, publish } = yield* opened
        const pace = { isSlow: true }
        const handled: Array<string> = []
        const subscription = yield* notes.handle("slow", ({ text }: Note) =>
          Effect.gen(function* () {
            handled.push(text)
            while (pace.isSlow) yield* Effect.sleep("1 second")
          })
        )
        yield* publish(1000)
        pace.isSlow = false
        yield* subscription.caughtUp
        missed = 1000 - handled.length
        for (let round = 0; round < 2; round++) {
          pace.isSlow = true
          yield* publish(1000)
          pace.isSlow = false
          yield* subscription.caughtUp
        }
        yield* Effect.sleep("2 minutes")
        yield* publish(1)
        yield* Effect.sleep("1 second")
        const [lane] = leat.ledger.snapshot().lanes
        expect(lane?.skipped).toEqual({ expired: 3001 - handled.length })
        missed = 3001 - handled.length - missed
      })
    )
    expect(missed).toBeGreaterThan(100)
    const counts = lines.map((line) => {
      const [, count] =
        /^the group slow of test\.notes has not had (\d+) records of partition 0 of topic notes: retention has deleted them before the group had read them: its topic keeps less than the group was behind, or than came at once$/.exec(
          line
        ) ?? []
      return Number(count)
    })
    expect(counts).toHaveLength(2)
    expect(counts[1]).toBe(missed)
  })

  it("is not told of where it begins after that", () => {
    const lines = warned(
      Effect.gen(function* () {
        const { notes, publish } = yield* opened
        yield* publish(1000)
        const handled: Array<string> = []
        const subscription = yield* notes.handle("new", ({ text }: Note) => Effect.sync(() => void handled.push(text)))
        yield* subscription.caughtUp
        expect(handled.length).toBeGreaterThan(10)
        expect(handled.length).toBeLessThan(900)
      })
    )
    expect(lines).toEqual([])
  })
})
