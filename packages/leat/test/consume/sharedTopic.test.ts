import { expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, References, Scope } from "effect"
import { Leat, MemoryBroker, memoryDriver, readMeta, RouteError } from "leat"
import { faultDriver, simulate, waitUntil } from "leat/testing"
import { noteContract } from "../contracts/Note.ts"

const routes = (wire: string) => ({
  version: 1,
  clusters: { local: { transport: "memory" } },
  routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "shared", wire, linger: "1 millis" }] }],
  subscriptions: [{ match: { stream: "*" }, settleEvery: "5 millis" }]
})
const contract = (stream: string) => noteContract({ stream, name: `test.${stream}` })

it.live.each(["compact", "cloudevents"])(
  "a reader passes over what another process publishes for another stream into its topic: %s",
  (wire) =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const open = (source: string) => Leat.make({ source, routes: routes(wire), drivers: [memoryDriver(broker)] })
      const leat = yield* open("shop")
      const orders = yield* leat.stream(contract("orders"))
      const refunds = yield* Effect.flatMap(open("bank"), (other) => other.stream(contract("refunds")))
      yield* orders.publish({ key: "k", text: "order" })
      yield* refunds.publish({ key: "k", text: "refund" })
      const seen: Array<string> = []
      const subscription = yield* orders.handle("g", ({ text }) => Effect.sync(() => void seen.push(text)))
      yield* waitUntil(
        "all settled",
        Effect.map(subscription.lag, (lag) => lag === 0n)
      )
      expect(seen).toEqual(["order"])
      expect(leat.ledger.snapshot().lanes).toMatchObject([{ done: 1, skipped: { otherStream: 1 }, balanced: true }])
    })
)

it.live("a reader knows the drops that another stream of the topic announces at its end from those of its own", () =>
  Effect.gen(function* () {
    const broker = new MemoryBroker({ partitions: 1 })
    const document = { ...routes("cloudevents"), policies: { once: [{ on: ["*"], then: "drop" }] } }
    const refusing = faultDriver(memoryDriver(broker), {
      send: ({ call }) => (call === 0 ? { kind: "fail", reason: "Unavailable" } : undefined)
    })
    document.routes = document.routes.map(({ match, to }) => ({
      match,
      to: to.map((leg) => ({ ...leg, policy: "once" }))
    }))
    yield* Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "bank", routes: document, drivers: [refusing] })
      const refunds = yield* leat.stream(contract("refunds"))
      yield* Effect.ignore(refunds.publish({ key: "k", text: "refund" }))
    }).pipe(Effect.scoped)
    const log = broker.topic("shared").partitions[0]
    const records = log?.read(log.start, log.end)?.records ?? []
    const read = (stream: string) => records.map(({ headers }) => readMeta(headers, stream))
    const dropped = [{ from: 0, to: 1, reason: "Unavailable" }]
    expect(read("orders")).toMatchObject([{ isMarker: true, isOtherStream: true, dropped }])
    expect(read("refunds")).toMatchObject([{ isMarker: true, dropped }])
    expect(read("refunds")[0]?.isOtherStream).toBeUndefined()
  })
)

it.live(
  "one group does not read two streams in one topic, where it has one position, until it has left the first",
  () =>
    Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "shop", routes: routes("cloudevents") })
      const orders = yield* leat.stream(contract("orders"))
      const refunds = yield* leat.stream(contract("refunds"))
      const reading = yield* Scope.make()
      const nothing = () => Effect.void
      yield* Scope.provide(orders.handle("g", nothing), reading)
      const error = yield* Effect.flip(refunds.handle("g", nothing))
      expect(error).toBeInstanceOf(RouteError)
      expect(error.message).toMatch(/^group: group g reads orders in topic local\/shared/)
      yield* refunds.handle("h", nothing)
      yield* orders.handle("g", nothing).pipe(Effect.scoped)
      yield* Scope.close(reading, Exit.void)
      yield* refunds.handle("g", nothing)
    })
)

it("whoever gives up subscribing, at whatever step, leaves no group behind that reads", () => {
  const leftBehind: Array<number> = []
  for (let seed = 0; seed < 240; seed++) {
    const program = Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "shop", routes: routes("cloudevents") })
      const orders = yield* leat.stream(contract("orders"))
      const refunds = yield* leat.stream(contract("refunds"))
      const fiber = yield* Effect.forkChild(Effect.scoped(orders.handle("g", () => Effect.void)))
      for (let turn = 0; turn < seed % 8; turn++) yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      const exit = yield* Effect.exit(refunds.handle("g", () => Effect.void))
      if (Exit.isFailure(exit)) leftBehind.push(seed)
    })
    const quiet = program.pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None"))
    expect(Exit.isSuccess(simulate(seed, quiet).exit)).toBe(true)
  }
  expect(leftBehind).toEqual([])
})
