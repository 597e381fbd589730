import { begunWithIn, isOfOtherLog, settledNote, topicIdOf } from "@leat/kafka"
import { describe, expect, it } from "vitest"

describe("the note of a settled position", () => {
  const id = topicIdOf(1n, -1n)

  it("says of which topic it is, whatever sign the halves of the id have", () => {
    expect(id).toBe("0000000000000001ffffffffffffffff")
    expect(settledNote({ topicId: id })).toBe("leat:topic=0000000000000001ffffffffffffffff\0")
    expect(isOfOtherLog(settledNote({ topicId: id }), id)).toBe(false)
    expect(isOfOtherLog(settledNote({ topicId: topicIdOf(1n, 1n) }), id)).toBe(true)
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
    expect(settledNote({})).toBe(undefined)
    for (const note of [undefined, null, "", "host-7", "topic=2"]) expect(isOfOtherLog(note, id)).toBe(false)
    expect(isOfOtherLog(settledNote({ topicId: id }), undefined)).toBe(false)
  })

  it("says with how many partitions the group began, beside the topic or alone", () => {
    const note = `leat:partitions=12;topic=${id}\0`
    expect(settledNote({ topicId: id, begunWith: 12 })).toBe(note)
    for (const one of [note, note.slice(0, -1), note.slice(0, -2)]) {
      expect(begunWithIn(one, id)).toBe(12)
      expect(isOfOtherLog(one, id)).toBe(false)
    }
    expect(settledNote({ begunWith: 12 })).toBe("leat:partitions=12\0")
    expect(begunWithIn("leat:partitions=12\0", id)).toBe(12)
    expect(begunWithIn(note, undefined)).toBe(12)
    expect(isOfOtherLog(settledNote({ topicId: topicIdOf(1n, 1n), begunWith: 12 }), id)).toBe(true)
    expect(begunWithIn(settledNote({ topicId: topicIdOf(1n, 1n), begunWith: 12 }), id)).toBe(undefined)
  })

  it("says nothing of partitions that is no number of them", () => {
    for (const said of ["0", "-1", "1.5", "1e3", "", "12345678901", "x"])
      expect(begunWithIn(`leat:partitions=${said};topic=${id}\0`, id)).toBe(undefined)
    for (const note of [undefined, null, "", "partitions=4", `leat:topic=${id}\0`])
      expect(begunWithIn(note, id)).toBe(undefined)
  })
})
