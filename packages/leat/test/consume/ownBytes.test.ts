import { Effect, Stream } from "effect"
import { DeadLetters, MemoryBroker, memoryDriver, memoryTransport } from "leat"
import { type DeliveryInfo, open } from "leat/promise"
import { expect, it } from "vitest"
import { type Note, noteContract } from "../contracts/Note.ts"

const texts = Array.from({ length: 50 }, (_, index) => `${index}`)
const policy = [{ on: ["*"], retry: { times: 1, baseMs: 1 }, then: "deadLetter" }] as const

/** Fifty events with a header, read in batches of many. */
async function openNotes() {
  const broker = new MemoryBroker({ partitions: 1 })
  const leat = await open({ source: "test", drivers: [memoryDriver(broker)] })
  const notes = await leat.stream(noteContract())
  const own = ["own", Buffer.from("as it was")] as const
  await notes.publishAll(
    texts.map((text) => ({ key: `k${text}`, text })),
    { headers: [own] }
  )
  return { broker, leat, notes, [Symbol.asyncDispose]: () => leat.close() }
}

const bytesIn = (info: DeliveryInfo) => [info.keyBytes, info.headers?.[0]?.[1]]

/** As a list of a transfer does. */
function giveAway(bytes: Uint8Array | null | undefined): void {
  const { buffer } = bytes ?? new Uint8Array()
  if (buffer instanceof ArrayBuffer) structuredClone(buffer, { transfer: [buffer] })
}

it.for([
  ["key", 0],
  ["header", 1]
] as const)("a handler that gives the bytes of a %s away harms no other event", async ([, which]) => {
  await using opened = await openNotes()
  const handled: Array<string> = []
  const one = (event: Note, info: DeliveryInfo) => {
    handled.push(`${event.text} ${info.key}`)
    if (event.text === "5") giveAway(bytesIn(info)[which])
  }
  const expected = texts.map((text) => `${text} k${text}`)
  const single = await opened.notes.handle("one", one)
  await single.caughtUp()
  expect(handled.splice(0)).toEqual(expected)
  const batches = await opened.notes.handleBatch(
    "batches",
    (deliveries) => {
      for (const { event, info } of deliveries) one(event, info)
    },
    { records: 10 }
  )
  await batches.caughtUp()
  expect(handled.splice(0)).toEqual(expected)
  for await (const { event, info } of opened.notes.subscribe("loop")) {
    one(event, info)
    if (event.text === "49") break
  }
  expect(handled).toEqual(expected)
})

it("what a handler writes into bytes of a delivery is in no retry and in no dead letter", async () => {
  await using opened = await openNotes()
  const seen = new Set<string>()
  const spoil = (event: Note, info: DeliveryInfo) => {
    const [key, header] = bytesIn(info).map((bytes) => Buffer.from(bytes ?? []).toString())
    const which = info.attempt === 1 ? "first" : "again"
    seen.add(key === `k${event.text}` && info.key === key ? `${header}, ${which}` : `the key ${key}`)
    for (const bytes of bytesIn(info)) bytes?.fill(90)
    // Within an attempt they are the handler's.
    expect(bytesIn(info).every((bytes) => bytes?.[0] === 90)).toBe(true)
  }
  const fail = () => {
    throw new Error("spoilt")
  }
  const single = await opened.notes.handle(
    "one",
    (event, info) => {
      spoil(event, info)
      if (event.text === "5") fail()
    },
    { policy }
  )
  await single.caughtUp()
  const batches = await opened.notes.handleBatch(
    "batches",
    (deliveries) => {
      for (const { event, info } of deliveries) spoil(event, info)
      if (deliveries.some(({ event }) => event.text === "5")) fail()
    },
    { policy, records: 2 }
  )
  await batches.caughtUp()
  expect(seen).toEqual(new Set(["as it was, first", "as it was, again"]))
  const transport = memoryTransport(opened.broker)
  for (const group of ["one", "batches"]) {
    const letters = await Effect.runPromise(
      Stream.runCollect(DeadLetters.list(transport, { topic: "test.notes", group }))
    )
    const told = letters.map(({ key, headers }) => [
      Buffer.from(key ?? []).toString(),
      ...headers.filter(([name]) => name === "own").map(([, value]) => Buffer.from(value).toString())
    ])
    expect(told).toContainEqual(["k5", "as it was"])
    expect(told.every(([key, header]) => key?.startsWith("k") === true && header === "as it was")).toBe(true)
  }
})

it.for(["constructor", "__proto__", "toString"])(
  "a dead letter of a failure %s says that its handler failed",
  async (tag) => {
    await using opened = await openNotes()
    const failing = await opened.notes.handle(
      "one",
      ({ text }) => {
        if (text === "5") throw Object.assign(new Error("odd"), { _tag: tag })
      },
      { policy }
    )
    await failing.caughtUp()
    const listed = DeadLetters.list(memoryTransport(opened.broker), { topic: "test.notes", group: "one" })
    expect(await Effect.runPromise(Stream.runCollect(listed))).toMatchObject([{ letter: { stage: "handle", tag } }])
  }
)
