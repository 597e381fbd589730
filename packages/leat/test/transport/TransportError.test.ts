import { reasons, TransportError, type TransportReason } from "leat/transport"
import { describe, expect, it } from "vitest"

/** After which reasons records may be stored all the same; whoever changes this changes when leat fences. */
const open: ReadonlyArray<TransportReason> = ["Timeout", "Disconnected", "NotEnoughReplicasAfterAppend", "Unknown"]
/** What passes by itself. */
const passing: ReadonlyArray<TransportReason> = [
  ...open,
  "Unavailable",
  "Throttled",
  "NotEnoughReplicas",
  "UnknownTopic",
  "Full"
]

describe("the reasons of transports", () => {
  it.for(Object.keys(reasons) as ReadonlyArray<TransportReason>)("%s", (reason) => {
    const error = new TransportError({ reason, transport: "test", operation: "send", detail: "no" })
    expect([error.mayBeStored, error.isRetryable]).toEqual([open.includes(reason), passing.includes(reason)])
    expect(error.message).toBe(`test send: ${reason}: no`)
  })
})
