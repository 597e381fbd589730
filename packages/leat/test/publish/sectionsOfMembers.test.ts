import { Deferred, Effect, Exit, Logger, Stream } from "effect"
import { Leat, MemoryBroker, type OpenLeat, TransportError } from "leat"
import { type FaultPlan, faultDriver, PowerLossBroker, powerLossDriver, simulate } from "leat/testing"
import type { ClusterConfig, Driver } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { kept, note, stepsMax, stored, story } from "./stories.js"

/** Fails the members that are there. */
interface Failing {
  next: Deferred.Deferred<never, TransportError>
}

/** A driver whose sections say a user, who is noted with what opens, joins and closes by it. */
function noted(driver: Driver, calls: Array<string>, failing: Failing): Driver {
  const without = (config: ClusterConfig): ClusterConfig =>
    Object.fromEntries(Object.entries(config).filter(([field]) => field !== "user"))
  return {
    ...driver,
    inspect: (config) => driver.inspect(without(config)),
    open: (cluster, config, reread) =>
      Effect.gen(function* () {
        const by = `by ${String(config["user"])}`
        yield* Effect.addFinalizer(() => Effect.sync(() => void calls.push(`close ${by}`)))
        const transport = yield* driver.open(cluster, without(config), reread)
        return {
          ...transport,
          subscribe: (asked) => {
            calls.push(`join ${asked.topic} ${by}`)
            return Stream.merge(transport.subscribe(asked), Stream.fromEffect(Deferred.await(failing.next)))
          }
        }
      })
  }
}

const begin = Effect.fnUntraced(function* (leg: object, name: "disk" | "near") {
  const calls: Array<string> = []
  const failing: Failing = { next: Deferred.makeUnsafe() }
  const fail = () => {
    const { next } = failing
    failing.next = Deferred.makeUnsafe()
    const detail = "away today"
    const error = new TransportError({ reason: "Disconnected", transport: name, operation: "subscribe", detail })
    Deferred.doneUnsafe(next, Exit.fail(error))
  }
  const far = { broker: new MemoryBroker({ partitions: 1 }), faults: {} as FaultPlan }
  const faulty = faultDriver(kept(far.broker, "far"), {
    send: (call) => far.faults.send?.(call),
    fence: (call) => far.faults.fence?.(call)
  })
  const other =
    name === "disk"
      ? powerLossDriver(new PowerLossBroker({ partitions: 1 }))
      : kept(new MemoryBroker({ partitions: 1 }), name)
  const document = (version: number, user: string) => ({
    version,
    clusters: { far: { transport: "far" }, [name]: { transport: other.name, user } },
    policies: {
      spilling: [{ on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "spill" }],
      falling: [{ on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "fallback" }]
    },
    routes: [
      {
        match: { stream: "*" },
        to: [{ cluster: "far", topic: "notes", linger: "1 milli", timeout: "1 second", ...leg }]
      }
    ]
  })
  const drivers = [faulty, noted(other, calls, failing)]
  const leat = yield* Leat.make({ source: "test", routes: document(1, "one"), drivers, drain: "1 minute" })
  return { calls, fail, far, leat, notes: yield* leat.stream(noteContract()), document }
})

const members = {
  "of a spill": { leg: { policy: "spilling", spill: { cluster: "disk" } }, name: "disk" },
  "of a fallback that is sent on": {
    leg: { policy: "falling", fallback: { cluster: "near", back: "redrive" } },
    name: "near"
  },
  "of a fallback that is read": {
    leg: { policy: "falling", fallback: { cluster: "near", back: "stay" } },
    name: "near"
  },
  "of a stream that is read": { leg: { cluster: "near" }, name: "near" }
} as const

const seenBy = Effect.fnUntraced(function* (leat: OpenLeat) {
  const seen: Array<string> = []
  const notes = yield* leat.stream(noteContract())
  yield* notes.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)))
  return seen
})

/** Whether words are those of somebody who leaves a group. */
const isOfLeaving = (line: string) => /joins again|cannot be read|another section/.test(line)

describe("another section of the cluster", () => {
  it.each(Object.keys(members) as ReadonlyArray<keyof typeof members>)(
    "%s is told once, and nobody is warned of it, as of a member that fails",
    (of) => {
      const told: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void told.push(`${logLevel} ${String(message)}`))
      const program = Effect.gen(function* () {
        const { leg, name } = members[of]
        const { calls, far, leat, notes, document, fail } = yield* begin(leg, name)
        yield* seenBy(leat)
        far.faults = { send: () => ({ kind: "fail", reason: "Unavailable" }), fence: () => "Unavailable" }
        yield* notes.publish(note("k", "1"), { level: "queued" })
        yield* Effect.sleep("1 minute")
        told.splice(0)
        yield* leat.swapRoutes(document(2, "two"))
        yield* Effect.sleep("2 minutes")
        expect(calls.some((call) => call.startsWith("join") && call.endsWith("by two"))).toBe(true)
        expect(told.filter(isOfLeaving)).toEqual([
          `Info cluster ${name} has another client, because it has another section now`
        ])
        told.splice(0)
        fail()
        yield* Effect.sleep("1 minute")
        return told.filter(isOfLeaving).map((line) => /^Warn .*(joins again|cannot be read).*away today/.test(line))
      })
      const { exit } = simulate(1, program.pipe(Effect.scoped, Effect.provide(Logger.layer([logger]))), { stepsMax })
      // A spill tells when a lane that it waits for does not come.
      expect(exit).toEqual(Exit.succeed(of === "of a spill" ? [] : [true]))
    }
  )

  it.each(["of a spill", "of a fallback that is sent on", "of a fallback that is read"] as const)(
    "%s has its members join by the new client, and the old one is closed",
    (of) =>
      story(
        Effect.gen(function* () {
          const { leg, name } = members[of]
          const { calls, far, leat, notes, document } = yield* begin(leg, name)
          const seen = yield* seenBy(leat)
          far.faults = { send: () => ({ kind: "fail", reason: "Unavailable" }), fence: () => "Unavailable" }
          yield* notes.publish(note("k", "1"), { level: "queued" })
          yield* Effect.sleep("10 seconds")
          yield* leat.swapRoutes(document(2, "two"))
          yield* notes.publish(note("k", "2"), { level: "queued" })
          yield* Effect.sleep("2 minutes")
          expect(calls).toContain("close by one")
          expect(calls.some((call) => call.startsWith("join") && call.endsWith("by two"))).toBe(true)
          far.faults = {}
          yield* Effect.sleep("2 minutes")
          yield* notes.publish(note("k", "3"))
          yield* Effect.sleep("1 minute")
          expect([...new Set(seen)]).toEqual(["1", "2", "3"])
          if (!of.endsWith("read")) expect((yield* stored(far.broker)).map(({ text }) => text)).toEqual(["1", "2", "3"])
          expect(calls).not.toContain("close by two")
        })
      )
  )
})
