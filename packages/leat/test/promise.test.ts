import { Effect, Stream } from "effect"
import { memory, MemoryBroker, memoryDriver } from "leat"
import { open, RouteError, TransportError } from "leat/promise"
import type { Driver } from "leat/transport"
import { describe, expect, it, vi } from "vitest"
import { bent, routes } from "./consume/support.ts"
import { noteContract } from "./contracts/Note.ts"

const settled = async (lag: () => Promise<bigint>): Promise<void> => {
  while ((await lag()) > 0n) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe("leat/promise", () => {
  it("publishes, handles and closes", async () => {
    await using leat = await open({ source: "test" })
    const notes = await leat.stream(noteContract())
    const seen: Array<string> = []
    const subscription = await notes.handle("readers", (event, { key, attempt }) => {
      seen.push(`${key} ${event.text} ${attempt}`)
    })
    const { id, outcome } = await notes.publish({ key: "a", text: "1" })
    expect(id).toMatchObject({ stream: "test.notes", seq: 0 })
    expect(await outcome()).toMatchObject({ stored: 1 })
    const all = await notes.publishAll([
      { key: "a", text: "2" },
      { key: "", text: "3" }
    ])
    expect(all.admitted).toBe(1)
    expect(all.rejected[0]?.error.message).toContain("emptyKey")
    await settled(subscription.lag)
    expect(seen).toEqual(["a 1 1", "a 2 1"])
    await subscription.stop()
    expect(leat.ledger.snapshot().balanced).toBe(true)
  })

  it("settles by asking for the next: what the loop broke off at comes again", async () => {
    await using leat = await open({ source: "test" })
    const notes = await leat.stream(noteContract())
    await notes.publishAll(["1", "2", "3"].map((text) => ({ key: "a", text })))
    const first: Array<string> = []
    for await (const { event } of notes.subscribe("readers")) {
      first.push(event.text)
      if (event.text === "2") break
    }
    const second: Array<string> = []
    for await (const { event } of notes.subscribe("readers")) {
      second.push(event.text)
      if (event.text === "3") break
    }
    expect(first).toEqual(["1", "2"])
    expect(second).toEqual(["2", "3"])
  })

  it("gives what a handler publishes its cause", async () => {
    await using leat = await open({ source: "test" })
    const notes = await leat.stream(noteContract())
    const echoes = await leat.stream(noteContract({ name: "test.Echo", stream: "test.echoes" }))
    const causes: Array<string | undefined> = []
    await notes.handle("echo", async (event) => {
      await echoes.publish(event)
    })
    const subscription = await echoes.handle("readers", (_, { causationId, correlationId, traceparent }) => {
      causes.push(causationId, correlationId, traceparent)
    })
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await notes.publish({ key: "a", text: "1" }, { correlationId: "order-7", traceparent })
    while (causes.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(causes[0]).toMatch(/^[0-9a-f-]{36}\/test\.notes\/\d+\/0$/)
    expect(causes.slice(1, 2)).toEqual(["order-7"])
    expect(causes[2]).toContain("0af7651916cd43dd8448eb211c80319c")
    await settled(subscription.lag)
  })

  it("rejects a handler's event by its policy, and names the tag", async () => {
    await using leat = await open({ source: "test" })
    const notes = await leat.stream(noteContract())
    const attempts: Array<number> = []
    const subscription = await notes.handle(
      "readers",
      (_, { attempt }) => {
        attempts.push(attempt)
        throw new RangeError("too far")
      },
      { policy: [{ on: ["RangeError"], retry: { times: 2, baseMs: 1 }, then: "drop" }] }
    )
    await notes.publish({ key: "a", text: "1" })
    await settled(subscription.lag)
    expect(attempts).toEqual([1, 2, 3])
    await subscription.stop()
    expect(leat.ledger.snapshot().lanes.reduce((sum, { dropped }) => sum + (dropped["RangeError"] ?? 0), 0)).toBe(1)
  })

  it("warns on standard error: standard output is the program's", async () => {
    const said: Array<string> = []
    const printed: Array<unknown> = []
    vi.spyOn(console, "error").mockImplementation((...parts: ReadonlyArray<unknown>) => void said.push(parts.join(" ")))
    vi.spyOn(console, "log").mockImplementation((...parts: ReadonlyArray<unknown>) => void printed.push(parts))
    const leat = await open({ source: "test" })
    const notes = await leat.stream(noteContract())
    const subscription = await notes.handle("readers", () => Promise.reject(new TypeError("cannot bill")), {
      policy: []
    })
    await notes.publish({ key: "k", text: "1" })
    while (said.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    await subscription.stop()
    await leat.close()
    vi.restoreAllMocks()
    expect(said.join("\n")).toContain("stands on partition")
    expect(printed).toEqual([])
  })

  it("ends a loop when the leat closes, and throws into it what ended the subscription", async () => {
    const denied = new TransportError({ reason: "Unauthorized", transport: "m", operation: "subscribe", detail: "no" })
    const refusing = bent((one) => ({ ...one, subscribe: () => Stream.fail(denied) }))
    for (const [driver, told] of [
      [memory, "ended"],
      [refusing, denied]
    ] as const) {
      const leat = await open({ source: "test", drivers: [driver] })
      const notes = await leat.stream(noteContract())
      await notes.publish({ key: "a", text: "1" })
      const seen: Array<string> = []
      const loop = (async () => {
        for await (const { event } of notes.subscribe("readers")) seen.push(event.text)
        return "ended"
      })().catch((error: unknown) => error)
      if (driver === memory) {
        while (seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
        await leat.close()
      }
      expect(await loop).toBe(told)
      await leat.close()
    }
  })

  it("tells a handler that it must end, and waits until it has", async () => {
    await using leat = await open({ source: "test", routes: routes({ drain: "50 millis" }) })
    const notes = await leat.stream(noteContract())
    const told: Array<string> = []
    const subscription = await notes.handle(
      "readers",
      async (_, { signal }) => {
        told.push("begun")
        await new Promise((resolve) => signal.addEventListener("abort", resolve))
        told.push("aborted")
        await new Promise((resolve) => setTimeout(resolve, 50))
        told.push("ended")
        throw signal.reason
      },
      { policy: [{ on: ["*"], then: "drop" }] }
    )
    await notes.publish({ key: "a", text: "1" })
    while (told.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    await subscription.stop()
    expect(told).toEqual(["begun", "aborted", "ended"])
    // What an aborted handler throws is no failure: the event comes again.
    expect(await subscription.lag()).toBe(1n)
  })

  it("refuses options that are no numbers", async () => {
    await using leat = await open({ source: "test" })
    const notes = await leat.stream(noteContract())
    await expect(notes.handle("readers", () => undefined, { concurrency: Number.NaN })).rejects.toThrow(RouteError)
    // @ts-expect-error JavaScript gives no handler.
    await expect(notes.handle("readers")).rejects.toThrow("handler: is no function")
    // @ts-expect-error JavaScript gives no handler.
    await expect(notes.handleBatch("readers", 5)).rejects.toThrow("handler: is no function")
    await expect(notes.subscribe("readers", { concurrency: 0 }).next()).rejects.toThrow("concurrency: 0")
  })

  it("leaves nothing open where its own routes have a fault: the cluster of the fleet was open by then", async () => {
    const inner = memoryDriver(new MemoryBroker({ partitions: 1 }))
    let [opened, closed] = [0, 0]
    const counted: Driver = {
      ...inner,
      name: "own",
      open: (...asked) =>
        Effect.andThen(
          Effect.acquireRelease(
            Effect.sync(() => void opened++),
            () => Effect.sync(() => void closed++)
          ),
          inner.open(...asked)
        )
    }
    const document = {
      version: 1,
      clusters: { a: { transport: "other" } },
      routes: [{ match: { stream: "*" }, to: [{ cluster: "a", topic: "t" }] }]
    }
    const control = { cluster: { transport: "own" } }
    const opening = open({ source: "test", drivers: [counted], control, routes: document })
    await expect(opening).rejects.toThrow("no driver named other")
    expect([opened, closed]).toEqual([1, 1])
  })
})
