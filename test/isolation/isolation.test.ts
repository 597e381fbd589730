/** A cluster that is dead changes nothing for a stream that goes to another: what `publish` takes there is the same, on virtual time. */
import { Clock, Effect, Exit, References } from "effect"
import { Leat } from "leat"
import { simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { noteContract } from "../../packages/leat/test/contracts/Note.ts"
import { SickDriver, sicknesses, type Sickness } from "../memory/SickDriver.ts"

const seconds = 20
const stepMs = 10
/** Events that the other stream is offered in a step: its buffer is full after a few. */
const offeredPerStep = 50

const again = [
  { on: ["Rejected"], then: "deadLetter" },
  { on: ["*"], retry: { base: "100 millis", factor: 2, maxDelay: "5 seconds" }, then: "halt" }
]

const documentOf = (sickness: Sickness) => ({
  version: 1,
  clusters: { near: { transport: "none" }, far: { transport: sickness === "none" ? "none" : sickness } },
  policies: { again },
  routes: [
    { match: { stream: "test.near" }, to: [{ cluster: "near", topic: "{stream}" }] },
    {
      match: { stream: "*" },
      to: [{ cluster: "far", topic: "{stream}", policy: "again", timeout: "2 seconds", buffer: { bytes: 262_144 } }]
    }
  ]
})

const noted = (index: number) => ({ key: `k${index % 50}`, text: "x".repeat(200) })

/** How long the stream took to open, and each of its publishes, in virtual milliseconds. */
const neighbourOf = Effect.fnUntraced(function* (sickness: Sickness) {
  const near = new SickDriver("none")
  const far = new SickDriver(sickness)
  const drivers = sickness === "none" ? [near.driver] : [near.driver, far.driver]
  const leat = yield* Leat.make({ source: "test", routes: documentOf(sickness), drivers, drain: "1 second" })
  const other = leat.stream(noteContract({ stream: "test.far" }))
  const publishers = Effect.flatMap(other, (stream) => {
    const offers = Effect.gen(function* () {
      for (let turn = 0; ; turn++) {
        for (let index = 0; index < offeredPerStep; index++) stream.offer(noted(turn * offeredPerStep + index))
        yield* Effect.sleep(stepMs)
      }
    })
    // They wait for room where there is none.
    const waiting = Effect.forever(Effect.ignore(stream.publish(noted(0))))
    return Effect.all([offers, waiting, waiting, waiting], { concurrency: "unbounded" })
  })
  yield* Effect.forkScoped(publishers)
  const beganMs = yield* Clock.currentTimeMillis
  const stream = yield* leat.stream(noteContract({ stream: "test.near" }))
  const openMs = (yield* Clock.currentTimeMillis) - beganMs
  const tookMs: Array<number> = []
  for (let index = 0; index < (seconds * 1000) / stepMs; index++) {
    const startMs = yield* Clock.currentTimeMillis
    yield* stream.publish(noted(index))
    tookMs.push((yield* Clock.currentTimeMillis) - startMs)
    yield* Effect.sleep(stepMs)
  }
  const rows = leat.ledger.snapshot().legs
  return { openMs, tookMs, rows, farStored: far.stored }
}, Effect.scoped)

/** What there is beside a cluster that is well, of each seed: all others are compared with it. */
const wellOf = new Map<number, ReturnType<typeof told>>()

function toldWell(seed: number) {
  const well = wellOf.get(seed) ?? told("none", seed)
  wellOf.set(seed, well)
  return well
}

function told(sickness: Sickness, seed: number) {
  const quiet = Effect.provideService(neighbourOf(sickness), References.MinimumLogLevel, "None")
  const { exit } = simulate(seed, quiet)
  if (Exit.isFailure(exit)) throw new Error("the program failed", { cause: exit.cause })
  return exit.value
}

describe.for(sicknesses.filter((sickness) => sickness !== "none"))("beside a cluster that is %s", (sickness) => {
  it.for([1, 2])("a stream of another opens and publishes as beside one that is well (seed %i)", (seed) => {
    const beside = told(sickness, seed)
    const well = toldWell(seed)
    expect(beside.openMs - well.openMs).toBeLessThanOrEqual(5)
    // It lingers.
    expect(Math.min(...well.tookMs)).toBeGreaterThanOrEqual(5)
    expect(beside.tookMs).toHaveLength(well.tookMs.length)
    expect(Math.max(...beside.tookMs)).toBeLessThanOrEqual(Math.max(...well.tookMs) + 5)
    // The other is dead, and was given more than it has room for.
    expect(beside.farStored).toBe(0)
    const pending = beside.rows
      .filter((row) => row.stream === "test.far")
      .map(({ queued, inFlight, inDoubt, deadLettering }) => queued + inFlight + inDoubt + deadLettering)
    // What cannot be opened has no leg yet.
    expect(pending.map((count) => count > 200)).toEqual(sickness === "closed" ? [] : [true])
  })
})
