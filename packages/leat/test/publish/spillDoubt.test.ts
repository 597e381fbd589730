/** What becomes of records that a spill may have: its answer was lost, and it does not say where they stand. */
import { type Duration, Effect, Exit, Scope } from "effect"
import { Leat, MemoryBroker, memoryDriver } from "leat"
import { type FaultPlan, faultDriver, PowerLossBroker, powerLossDriver } from "leat/testing"
import type { Capabilities, Driver, Transport } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { knowingIds, KnownIds } from "./knownIds.js"
import { legRow, note, stored, story } from "./stories.js"

const placeOf = () => {
  const disk = new PowerLossBroker({ partitions: 1 })
  return {
    broker: new MemoryBroker({ partitions: 1 }),
    disk,
    known: new KnownIds(disk.disk),
    faults: {} as FaultPlan,
    diskFaults: {} as FaultPlan,
    wrapDisk: (driver: Driver) => driver
  }
}
type Place = ReturnType<typeof placeOf>

const away: FaultPlan = { send: () => ({ kind: "fail", reason: "Unavailable" }), fence: () => "Unavailable" }
const live = (plan: () => FaultPlan): FaultPlan => ({
  send: (call) => plan().send?.(call),
  fence: (call) => plan().fence?.(call)
})
/** The answers to the first sends are lost; `skipped` of them come before. */
const losing = (count: number, skipped = 0): FaultPlan => {
  let sends = -skipped
  return {
    send: () => {
      const send = sends++
      return send >= 0 && send < count ? { kind: "loseResponse" } : undefined
    }
  }
}

/** A driver that declares other capabilities. */
const declaring = (driver: Driver, over: Partial<Capabilities>): Driver => ({
  ...driver,
  inspect: (config) => {
    const told = driver.inspect(config)
    return "capabilities" in told ? { ...told, capabilities: { ...told.capabilities, ...over } } : told
  },
  open: (...asked) =>
    Effect.map(driver.open(...asked), (inner): Transport => ({
      ...inner,
      capabilities: { ...inner.capabilities, ...over }
    }))
})

interface Setting {
  readonly far?: Partial<Capabilities>
  readonly policy?: ReadonlyArray<object>
  readonly leg?: object
  readonly drain?: Duration.Input
}

const open = Effect.fnUntraced(function* (place: Place, { far = {}, policy, leg = {}, drain }: Setting = {}) {
  const leat = yield* Leat.make({
    source: "test",
    routes: {
      version: 1,
      clusters: { local: { transport: "memory" }, disk: { transport: "powerLoss" } },
      policies: { leg: policy ?? [{ on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "spill" }] },
      routes: [
        {
          match: { stream: "*" },
          to: [
            {
              cluster: "local",
              topic: "notes",
              policy: "leg",
              linger: "1 milli",
              timeout: "500 millis",
              spill: { cluster: "disk" },
              ...leg
            }
          ]
        }
      ]
    },
    drain: drain ?? "10 seconds",
    drivers: [
      declaring(
        faultDriver(
          memoryDriver(place.broker),
          live(() => place.faults)
        ),
        far
      ),
      place.wrapDisk(
        faultDriver(
          knowingIds(powerLossDriver(place.disk), place.known),
          live(() => place.diskFaults)
        )
      )
    ]
  })
  return { leat, notes: yield* leat.stream(noteContract()) }
})

const texts = (place: Place) => Effect.map(stored(place.broker), (all) => all.map(({ text }) => text))

describe("a spill whose answer is lost", () => {
  it.for(["hard", "none"] as const)(
    "is fenced, and sent on in order, beside a destination that fences: %s",
    (fencing) =>
      story(
        Effect.gen(function* () {
          const place = placeOf()
          const first = yield* Scope.make()
          const { leat, notes } = yield* Scope.provide(open(place, { far: { fencing } }), first)
          yield* notes.publish(note("k", "0"))
          place.faults = away
          place.diskFaults = losing(1)
          const receipt = yield* notes.publish(note("k", "1"), { level: "durable" })
          place.faults = {}
          yield* Effect.timeout(notes.publish(note("k", "2"), { level: "stored" }), "10 seconds")
          expect(yield* receipt.outcome).toMatchObject({ stored: 1 })
          expect(legRow(leat)).toMatchObject({ stored: 3, spilled: 0, balanced: true })
          // What is settled in the spill is behind that.
          yield* Effect.sleep(1000)
          yield* Scope.close(first, Exit.void)
          const next = yield* open(place, { far: { fencing } })
          yield* next.notes.publish(note("k", "3"), { level: "stored" })
          expect(yield* texts(place)).toEqual(["0", "1", "2", "3"])
        })
      )
  )
})
