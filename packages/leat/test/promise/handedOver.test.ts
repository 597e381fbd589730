import { MemoryBroker, memoryDriver } from "leat"
import { open, Rejected } from "leat/promise"
import { faultDriver } from "leat/testing"
import type { ReceivedBatch, ReceivedRecord } from "leat/transport"
import { expect, it } from "vitest"
import { type Note, noteContract } from "../contracts/Note.ts"
import { big, documentOf, narrow } from "../publish/stories.ts"

/** A stream whose buffer takes about twenty of the big notes, on a broker that takes its time. */
async function openNarrow() {
  const broker = new MemoryBroker({ partitions: 1 })
  const drivers = [faultDriver(memoryDriver(broker), { send: () => ({ kind: "delay", ms: 2 }) })]
  const leat = await open({ source: "test", routes: documentOf(narrow("block")), drivers })
  const stored = (): ReadonlyArray<{ readonly text: string; readonly headers: ReadonlyArray<string> }> => {
    const log = broker.topic("notes").partitions[0]
    const first = (): ReceivedBatch | undefined => log?.read(log.start, log.end)
    const records: Array<ReceivedRecord> = []
    for (let batch = first(); batch !== undefined; batch = log?.read(batch.next, log.end))
      records.push(...batch.records)
    return records.map(({ value, headers }) => ({
      text: value === null ? "" : noteContract().decode(value).text.replaceAll(".", ""),
      headers: headers
        .filter(([name]) => name !== "leat")
        .map(([name, bytes]) => `${name} ${Buffer.from(bytes).toString()}`)
    }))
  }
  const notes = await leat.stream(noteContract())
  return { leat, notes, stored, [Symbol.asyncDispose]: () => leat.close() }
}

const numbers = Array.from({ length: 100 }, (_, index) => `${index}`)
const collected = () => numbers.map((text) => big(text))

const changes: Readonly<Record<string, (events: Array<Note>) => void>> = {
  emptied: (events) => void (events.length = 0),
  "filled anew": (events) => void events.fill(big("other")),
  "added to": (events) => void events.push(big("other"))
}

it.for(Object.entries(changes))(
  "publishAll publishes what was in its array when it was called, though it is %s while it waits",
  async ([, change]) => {
    await using opened = await openNarrow()
    const events = collected()
    const publishing = opened.notes.publishAll(events)
    expect(opened.leat.ledger.snapshot().streams).toMatchObject([{ waiting: 1 }])
    change(events)
    expect(await publishing).toMatchObject({ admitted: 100, rejected: [] })
    expect(opened.stored().map(({ text }) => text)).toEqual(numbers)
  }
)

const emptied = {
  "a set": () => {
    const events = new Set(collected())
    return { events, empty: () => events.clear() }
  },
  "the values of a set": () => {
    const events = new Set(collected())
    return { events: events.values(), empty: () => events.clear() }
  },
  "the values of a map": () => {
    const events = new Map(collected().map((event, index) => [index, event]))
    return { events: events.values(), empty: () => events.clear() }
  },
  "the values of an array": () => {
    const events = collected()
    return { events: events.values(), empty: () => void (events.length = 0) }
  }
}

it.for(Object.entries(emptied))("publishAll publishes %s, though they are gone while it waits", async ([, given]) => {
  await using opened = await openNarrow()
  const { events, empty } = given()
  const publishing = opened.notes.publishAll(events)
  empty()
  expect(await publishing).toMatchObject({ admitted: 100, rejected: [] })
  expect(opened.stored().map(({ text }) => text)).toEqual(numbers)
})

it("publishAll gives all of its events the context that it was called with", async () => {
  await using opened = await openNarrow()
  const value = Buffer.from("as it was")
  const headers: Array<readonly [string, Uint8Array]> = [["own", value]]
  const options = { headers, correlationId: "one" }
  const publishing = opened.notes.publishAll(collected(), options)
  value.fill("x")
  headers.push(["other", value])
  options.correlationId = "two"
  await publishing
  const seen = new Set(opened.stored().map((record) => record.headers.join()))
  expect([...seen]).toEqual(["ce_correlationid one,own as it was"])
})

it("publishAll asks a generator for its next event when there is room for it, and not before", async () => {
  await using opened = await openNarrow()
  let made = 0
  function* events() {
    for (const text of numbers) {
      made++
      yield big(text)
    }
  }
  const publishing = opened.notes.publishAll(events())
  expect(made).toBeLessThan(50)
  expect(await publishing).toMatchObject({ admitted: 100 })
})

it.for([
  ["a number", 1],
  ["undefined", undefined],
  ["null", null]
])("publishAll of an iterator that gives %s in place of a result ends with a sentence", async ([kind, given]) => {
  await using opened = await openNarrow()
  const events = { [Symbol.iterator]: () => ({ next: () => given }) }
  // @ts-expect-error It is what JavaScript may give.
  const error: unknown = await opened.notes.publishAll(events).then(undefined, (thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(Rejected)
  expect(String(error)).toContain(`its iterator gave ${kind} in place of { value, done }`)
  expect(opened.leat.ledger.snapshot().streams).toMatchObject([{ offered: 0, balanced: true }])
})

it("publishAll of a list that cannot be read to its end rejects with what it threw, and nobody waits any more", async () => {
  await using opened = await openNarrow()
  const thrown = new Error("no more")
  const events = new Proxy(collected(), {
    get: (list, name, receiver) => {
      if (name === "99") throw thrown
      return Reflect.get(list, name, receiver)
    }
  })
  await expect(opened.notes.publishAll(events)).rejects.toBe(thrown)
  expect(opened.leat.ledger.snapshot().streams).toMatchObject([
    { waiting: 0, rejected: { interrupted: 1 }, balanced: true }
  ])
})
