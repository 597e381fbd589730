import { Deferred, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { Leat, MemoryBroker, memoryDriver, type OpenLeat } from "leat"
import { PowerLossBroker, powerLossDriver, simulate } from "leat/testing"
import type { ClusterConfig, Driver } from "leat/transport"
import { describe, expect, it } from "vitest"
import { References } from "../src/routes/References.js"
import { noteContract } from "./contracts/Note.js"
import { kept, note, stepsMax } from "./publish/stories.js"

/** Something that may be given up at any step, and how it shows that it works when it is asked for once more. */
interface Begun {
  /** Of so many steps one is tried, from a step on that is drawn. */
  readonly stride: number
  readonly leg?: object
  readonly begin: (leat: OpenLeat, drivers: ReadonlyArray<Driver>) => Effect.Effect<unknown, unknown, Scope.Scope>
  readonly works: (leat: OpenLeat, drivers: ReadonlyArray<Driver>) => Effect.Effect<unknown, unknown, Scope.Scope>
}

const published = Effect.fnUntraced(function* (leat: OpenLeat) {
  const notes = yield* leat.stream(noteContract())
  yield* notes.publish(note("k", "again"))
})

const aStream = (stride: number, leg: object): Begun => ({
  stride,
  leg,
  begin: (leat) => leat.stream(noteContract()),
  works: published
})

const aSubscription = (stride: number, leg: object = {}): Begun => ({
  stride,
  leg,
  begin: Effect.fnUntraced(function* (leat) {
    const notes = yield* leat.stream(noteContract())
    yield* Effect.timeoutOption(Stream.runDrain(notes.subscribe("readers")), "10 millis")
  }),
  works: Effect.fnUntraced(function* (leat) {
    yield* published(leat)
    const notes = yield* leat.stream(noteContract())
    yield* Stream.runHead(notes.subscribe("readers"))
  })
})

/** Two clusters have another section, and both are open. */
const anotherSection: Begun = {
  stride: 3,
  begin: Effect.fnUntraced(function* (leat) {
    yield* leat.stream(noteContract())
    yield* leat.swapRoutes({ ...routesOf({}, "two"), version: 2 })
  }),
  works: Effect.fnUntraced(function* (leat) {
    yield* published(leat)
    yield* leat.swapRoutes({ ...routesOf({}, "three"), version: 3 })
    yield* published(leat)
    yield* Effect.sleep("1 second")
    // Of each cluster one client is open, and all others were closed.
    const open = yield* Effect.sync(() => clientsOpen)
    if (open["far"] !== 1 || open["near"] !== 1)
      yield* Effect.fail(new Error(`clients are open: ${JSON.stringify(open)}`))
  })
}

/** Clients that are open, of the story that runs. */
let clientsOpen: Record<string, number> = {}

/** Sections of it say a user, which is nothing to it; its clients are counted. */
function counted(driver: Driver): Driver {
  const { name, inspect, open } = driver
  const without = (config: ClusterConfig): ClusterConfig =>
    Object.fromEntries(Object.entries(config).filter(([field]) => field !== "user"))
  const noted = (by: number) => () => Effect.sync(() => void (clientsOpen[name] = (clientsOpen[name] ?? 0) + by))
  return {
    name,
    inspect: (config) => inspect(without(config)),
    open: (cluster, config, reread) =>
      Effect.andThen(Effect.acquireRelease(noted(1)(), noted(-1)), open(cluster, without(config), reread))
  }
}

const controlled = (drivers: ReadonlyArray<Driver>) =>
  Leat.make({ source: "test", control: { cluster: { transport: "powerLoss" } }, routes: routesOf({}), drivers })

/** Its section has a reference, so it looks again and again at what that stands for. */
const renewing = (drivers: ReadonlyArray<Driver>) => {
  const renewed = Leat.make({ source: "test", routes: routesOf({}, "${env:USER}"), drivers })
  return Effect.provideService(renewed, References, { variable: () => "one", file: () => Effect.fail("is not there") })
}

const things: Readonly<Record<string, Begun>> = {
  "a stream": aStream(1, {}),
  "a stream with a best-effort leg": aStream(3, { required: false }),
  "a stream with a spill": aStream(2, { policy: "spilling", spill: { cluster: "disk" } }),
  "a stream with a fallback": aStream(3, { policy: "falling", fallback: { cluster: "near", back: "redrive" } }),
  "a subscription": aSubscription(5),
  "a subscription of a fallback": aSubscription(7, { policy: "falling", fallback: { cluster: "near", back: "stay" } }),
  "another section of two clusters": anotherSection,
  "a leat with references": {
    stride: 3,
    begin: (_, drivers) => Effect.flatMap(renewing(drivers), (leat) => leat.stream(noteContract())),
    works: (_, drivers) => Effect.flatMap(renewing(drivers), published)
  },
  "a leat with a control stream": {
    stride: 3,
    begin: (_, drivers) => controlled(drivers),
    works: Effect.fnUntraced(function* (_, drivers) {
      const leat = yield* controlled(drivers)
      yield* leat.control?.apply({ ...routesOf({}), version: 2 }) ?? Effect.fail("no control")
      yield* published(leat)
    })
  }
}

const routesOf = (leg: object, user = "one") => ({
  version: 1,
  clusters: { far: { transport: "far", user }, near: { transport: "near", user }, disk: { transport: "powerLoss" } },
  policies: {
    spilling: [{ on: ["passing"], then: "spill" }],
    falling: [{ on: ["passing"], then: "fallback" }]
  },
  routes: [
    {
      match: { stream: "*" },
      to: [
        { cluster: "far", topic: "notes", ...leg },
        { cluster: "near", topic: "second" }
      ]
    }
  ]
})

/**
 * Begins something with an open leat, gives it up before a step of its fibers, and asks for it once more. `steps`: how many were made; `timers`: that
 * nobody has taken back when all is closed.
 */
function givenUpAt(
  step: number,
  { leg = {}, begin, works }: Begun
): { readonly steps: number; readonly timers: number } {
  const [far, near] = [new MemoryBroker({ partitions: 1 }), new MemoryBroker({ partitions: 1 })]
  clientsOpen = {}
  const drivers = [
    counted({ ...memoryDriver(far), name: "far" }),
    counted(kept(near, "near")),
    powerLossDriver(new PowerLossBroker({ partitions: 1 }))
  ]
  const reached = Deferred.makeUnsafe<void>()
  let steps = 0
  let giver: number | undefined
  let isCounting = false
  const story = Effect.gen(function* () {
    const leat = yield* Leat.make({ source: "test", drain: "1 second", routes: routesOf(leg), drivers })
    const scope = yield* Scope.make()
    giver = yield* Effect.fiberId
    isCounting = true
    const fiber = yield* Effect.forkDetach(Scope.provide(begin(leat, drivers), scope), { startImmediately: true })
    fiber.addObserver(() => Deferred.doneUnsafe(reached, Exit.void))
    yield* Deferred.await(reached)
    isCounting = false
    yield* Fiber.interrupt(fiber)
    yield* Scope.close(scope, Exit.void)
    const late = new Error(`given up at step ${step}, it does not work any more`)
    yield* Effect.timeoutOrElse(Effect.scoped(works(leat, drivers)), {
      duration: "20 seconds",
      orElse: () => Effect.fail(late)
    })
  })
  const { exit, timers } = simulate(1, Effect.scoped(story), {
    stepsMax,
    // Whoever gives it up goes on, and nobody else.
    givesWay: ({ id, currentDispatcher }) => {
      if (!isCounting || id === giver) return false
      if (steps > step) return true
      if (++steps > step) currentDispatcher.scheduleTask(() => Deferred.doneUnsafe(reached, Exit.void), 0)
      return steps > step
    }
  })
  if (Exit.isFailure(exit)) throw new Error(`given up at step ${step}`, { cause: exit.cause })
  return { steps, timers }
}

/** All steps of all of them take a minute of a processor: `LEAT_RUNS` asks for that, and each run without it begins at another step. */
const isWhole = process.env["LEAT_RUNS"] !== undefined
const firstStep = isWhole ? 0 : Number(process.env["LEAT_SEED"] ?? Math.floor(Math.random() * 1000))

describe("what is given up while it begins", () => {
  it.for(Object.keys(things))("leaves nothing behind, whatever the step: %s", (name) => {
    const begun = things[name]
    if (begun === undefined) throw new Error(`there is no ${name}`)
    let step = firstStep % begun.stride
    for (let isThere = true; isThere; step += isWhole ? 1 : begun.stride) {
      const { steps, timers } = givenUpAt(step, begun)
      expect({ step, timers }).toEqual({ step, timers: 0 })
      isThere = steps > step
    }
    expect(step).toBeGreaterThan(100)
  })
})
