import { readMeta } from "leat"
import { deadLetterHeaders, type Header, replayHeader, retryTopic } from "leat/transport"
import { describe, expect, it } from "vitest"
import { readMoved } from "../../src/record/movedRecord.ts"

const own: ReadonlyArray<Header> = [
  ["traceparent", new TextEncoder().encode("t")],
  ["x", Uint8Array.of(1)],
  // A dead letter that somebody publishes as an event keeps what it says.
  ["__dlq.errors.topic", new TextEncoder().encode("other")]
]
const letter = { by: "leat", topic: "t", partition: 3, position: 7n, group: "g", attempts: 6, replays: 0 } as const
const headersOf = (more: object, rest = own) => [...deadLetterHeaders({ ...letter, ...more }), ...rest]

describe("a record in a retry topic", () => {
  it("says when it is due, how often it was moved, and what it was before", () => {
    expect(readMoved(headersOf({ moves: 2, atMs: 10, dueMs: 70 }))).toMatchObject({
      letter,
      moves: 2,
      dueMs: 70,
      headers: own
    })
  })

  it.each([
    ["a dead letter", headersOf({ moves: 2, atMs: 10 })],
    ["a replay", [replayHeader(1), ...own]],
    ["an event", own],
    ["nothing", []],
    ["what says so behind another header", [["x", Uint8Array.of(1)] as const, ...headersOf({ moves: 1, dueMs: 70 })]],
    ["a due time that is none", [["leat-dlq", new TextEncoder().encode('{"dueMs":-5}')] as const]],
    ["a header that is no JSON", [["leat-dlq", Uint8Array.of(255)] as const]]
  ])("is not %s", (_, headers) => {
    expect(readMoved(headers)).toBeUndefined()
  })

  it("is read as the event that it is, with what was made of it so far", () => {
    const meta = readMeta(headersOf({ moves: 2, atMs: 10, dueMs: 70 }), "s")
    expect(meta).toMatchObject({ moves: 2, attemptsBefore: 6, traceparent: "t", headers: own.slice(1) })
    expect(meta).not.toHaveProperty("replays")
    expect(readMeta(headersOf({ moves: 1, dueMs: 70, replays: 3 }), "s")).toMatchObject({ moves: 1, replays: 3 })
    expect(readMeta(own, "s")).not.toHaveProperty("moves")
  })

  it("lies in a topic of its group, whose name no other group's comes to", () => {
    expect(retryTopic("shop.orders", "billing", 2)).toBe("shop.orders.billing.retry.2")
    expect(retryTopic("t", "a b", 1)).not.toBe(retryTopic("t", "a_20b", 1))
    expect(retryTopic("t", "a.b", 1)).toBe("t.a_2eb.retry.1")
  })
})
