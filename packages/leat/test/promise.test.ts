import { open } from "leat/promise"
import { describe, expect, it } from "vitest"
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
})
