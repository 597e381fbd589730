import { isOfOtherLog, settledNote, topicIdOf } from "@leat/kafka"
import { describe, expect, it } from "vitest"

describe("the note of a settled position", () => {
  const id = topicIdOf(1n, -1n)

  it("says of which topic it is, whatever sign the halves of the id have", () => {
    expect(id).toBe("0000000000000001ffffffffffffffff")
    expect(settledNote(id)).toBe("leat:topic=0000000000000001ffffffffffffffff")
    expect(isOfOtherLog(settledNote(id), id)).toBe(false)
    expect(isOfOtherLog(settledNote(topicIdOf(1n, 1n)), id)).toBe(true)
  })

  it("is believed only where both are known: others commit what they like, and old brokers have no ids", () => {
    expect(topicIdOf(0n, 0n)).toBe(undefined)
    expect(settledNote(undefined)).toBe("")
    for (const note of [undefined, null, "", "host-7", "topic=2"]) expect(isOfOtherLog(note, id)).toBe(false)
    expect(isOfOtherLog(settledNote(id), undefined)).toBe(false)
  })
})
