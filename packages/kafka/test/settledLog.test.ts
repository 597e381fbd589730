import { isOfOtherLog, settledNote, topicIdOf } from "@leat/kafka"
import { describe, expect, it } from "vitest"

describe("the note of a settled position", () => {
  const id = topicIdOf(1n, -1n)

  it("says of which topic it is, whatever sign the halves of the id have", () => {
    expect(id).toBe("0000000000000001ffffffffffffffff")
    expect(settledNote(id)).toBe("leat:topic=0000000000000001ffffffffffffffff\0")
    expect(isOfOtherLog(settledNote(id), id)).toBe(false)
    expect(isOfOtherLog(settledNote(topicIdOf(1n, 1n)), id)).toBe(true)
  })

  it("T44 is the same topic however it comes: with the NUL of librdkafka's addon, without it, and without the byte that the addon drops", () => {
    const text = `leat:topic=${id}`
    const other = "leat:topic=0000000000000001fffffffffffffff"
    for (const one of [`${text}\0`, text, `${text}\0\0`, text.slice(0, -1)]) expect(isOfOtherLog(one, id)).toBe(false)
    for (const one of [`${other}e\0`, `${other}e`, other.slice(0, -1), "leat:topic=", "leat:topic=\0"])
      expect(isOfOtherLog(one, id)).toBe(true)
  })

  it("is believed only where both are known: others commit what they like, and old brokers have no ids", () => {
    expect(topicIdOf(0n, 0n)).toBe(undefined)
    expect(settledNote(undefined)).toBe(undefined)
    for (const note of [undefined, null, "", "host-7", "topic=2"]) expect(isOfOtherLog(note, id)).toBe(false)
    expect(isOfOtherLog(settledNote(id), undefined)).toBe(false)
  })
})
