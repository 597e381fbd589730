import { Effect } from "effect"
import { memory, memoryDriver, MemoryBroker } from "leat"
import { open, RouteError } from "leat/promise"
import { expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { note } from "../publish/stories.ts"

async function openNotes() {
  const leat = await open({ source: "test", drivers: [memoryDriver(new MemoryBroker({ partitions: 1 }))] })
  return { leat, notes: await leat.stream(noteContract()), [Symbol.asyncDispose]: () => leat.close() }
}

const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "it resolved",
    (error: unknown) => error
  )

function revoked<A extends object>(like: A): A {
  const { proxy, revoke } = Proxy.revocable(like, {})
  revoke()
  return proxy
}

const throwing = (name: string): object =>
  Object.defineProperty({}, name, {
    enumerable: true,
    get: () => {
      throw new Error("out of order")
    }
  })

const names = [
  "concurrency",
  "policy",
  "from",
  "inbox",
  "dedupe",
  "retryTopics",
  "onTombstone",
  "signal",
  "records",
  "waitMs"
]

it.for(names)("a getter of the option %s that throws is a fault that a promise rejects with", async (name) => {
  await using opened = await openNotes()
  const options = throwing(name)
  const { notes } = opened
  const told = [
    notes.handle("one", () => undefined, options),
    notes.handleBatch("batches", () => undefined, options),
    notes.subscribe("loop", options).next(),
    Effect.runPromise(
      Effect.scoped(
        Effect.flatMap(opened.leat.effect.stream(noteContract()), (stream) =>
          stream.handle("effect", () => Effect.void, options)
        )
      )
    )
  ]
  for (const error of await Promise.all(told.map(caught))) {
    expect(error).toBeInstanceOf(RouteError)
    expect(String(error)).toContain(`${name}: cannot be read: Error: out of order`)
  }
})

it("options that are a revoked proxy are a fault that a promise rejects with, and so is a document", async () => {
  await using opened = await openNotes()
  const { leat, notes } = opened
  const told = [
    notes.handle("one", () => undefined, revoked({})),
    notes.handleBatch("batches", () => undefined, revoked({})),
    notes.subscribe("loop", revoked({})).next(),
    leat.flush(revoked({})),
    leat.swapRoutes(revoked({})),
    open(revoked({ source: "test" })),
    open({ source: "test", routes: revoked({}) })
  ]
  for (const error of await Promise.all(told.map(caught))) {
    expect(error).toBeInstanceOf(RouteError)
    expect(String(error)).toMatch(/(options|routes): cannot be read: TypeError: /)
  }
})

it("a policy is the one that was given, whatever its caller makes of it afterwards", async () => {
  await using opened = await openNotes()
  const rule = { on: ["Odd"], then: "drop" as "drop" | "halt" }
  const subscription = await opened.notes.handle(
    "one",
    () => {
      throw Object.assign(new Error("odd"), { name: "Odd" })
    },
    { policy: [rule] }
  )
  rule.then = "halt"
  rule.on.length = 0
  await opened.notes.publish(note("k", "1"))
  await subscription.caughtUp()
  expect(opened.leat.ledger.snapshot().lanes).toMatchObject([{ dropped: { Odd: 1 } }])
})

it("swapRoutes puts the document in force that it was given, whatever its caller makes of it meanwhile", async () => {
  const slow = {
    ...memory,
    name: "slow",
    open: (...given: Parameters<typeof memory.open>) => Effect.delay(memory.open(...given), 50)
  }
  const leg = (cluster: string, topic: string) => ({ cluster, topic })
  const document = {
    version: 1,
    clusters: { one: { transport: "memory" }, two: { transport: "slow" } },
    routes: [{ match: { stream: "*" }, to: [leg("one", "notes")] }]
  }
  const leat = await open({ source: "test", routes: document, drivers: [slow] })
  await leat.stream(noteContract())
  document.version = 2
  document.routes[0]?.to.push(leg("two", "copies"))
  const swapping = leat.swapRoutes(document)
  document.version = 9
  document.routes[0]?.to.pop()
  await swapping
  expect(leat.effect.routes().version).toBe(2)
  expect(leat.sinks().map(({ sink }) => sink)).toEqual(["one/notes", "two/copies"])
  await leat.close()
})
