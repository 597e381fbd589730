import fc from "fast-check"
import { type EventId, formatEventId, parseEventId } from "leat"
import { describe, expect, it } from "vitest"
import { formatUuid, uuidV7 } from "../../src/record/EventId.js"

const random = fc.uint8Array({ minLength: 10, maxLength: 10 })
const timeMs = fc.integer({ min: 0, max: 2 ** 48 - 1 })
const ids: fc.Arbitrary<EventId> = fc.record({
  incarnation: fc.tuple(timeMs, random).map(([time, bytes]) => formatUuid(uuidV7(time, bytes))),
  stream: fc.stringMatching(/^[a-z0-9_-]{1,9}(\.[a-z0-9_-]{1,9}){0,3}$/),
  bucket: fc.integer({ min: 0, max: 65_535 }),
  seq: fc.maxSafeNat()
})

/** Text that is an id but for one character, gone or another. */
const damaged = fc
  .tuple(ids.map(formatEventId), fc.nat(), fc.constantFrom("", "/", "-", "0", "g", " ", "\n"))
  .map(([text, at, instead]) => text.slice(0, at % text.length) + instead + text.slice((at % text.length) + 1))

describe("the text of an event id", () => {
  it("reads back as the same id", () => {
    fc.assert(
      fc.property(ids, (id) => {
        expect(parseEventId(formatEventId(id))).toEqual(id)
      })
    )
  })

  it("is the only text of its id: whatever else is read is refused", () => {
    fc.assert(
      fc.property(fc.oneof(damaged, fc.string(), ids.map(formatEventId)), (text) => {
        const id = parseEventId(text)
        expect(id === undefined || formatEventId(id) === text).toBe(true)
      }),
      { numRuns: 2000 }
    )
  })

  const uuid = "01930000-0000-7000-8000-000000000000"
  it.each([
    "",
    "/",
    uuid,
    `${uuid}/a/1`,
    `${uuid}//1/2`,
    `${uuid}/a/1/2/3`,
    `${uuid}/a/-1/2`,
    `${uuid}/a/1/2.5`,
    `${uuid}/a/1/0x2`,
    `${uuid}/a/1/2\n`,
    ` ${uuid}/a/1/2`,
    `${uuid}/a/01/2`,
    `${uuid}/a/123456/2`,
    `${uuid}/a/1/9007199254740993`,
    `${"-".repeat(36)}/a/1/2`,
    `${uuid.toUpperCase().replace("0193", "ABCD")}/a/1/2`
  ])("is not %j", (text) => {
    expect(parseEventId(text)).toBeUndefined()
  })
})

describe("uuidV7", () => {
  it("has the version, the variant, the time and the random bits where RFC 9562 wants them", () => {
    fc.assert(
      fc.property(timeMs, random, (time, bytes) => {
        const uuid = BigInt(`0x${formatUuid(uuidV7(time, bytes)).replaceAll("-", "")}`)
        const chance = BigInt(`0x${bytes.reduce((text, byte) => text + byte.toString(16).padStart(2, "0"), "")}`)
        expect(uuid >> 80n).toBe(BigInt(time))
        expect((uuid >> 76n) & 0xfn).toBe(7n)
        expect((uuid >> 62n) & 3n).toBe(2n)
        expect((uuid >> 64n) & 0xfffn).toBe((chance >> 64n) & 0xfffn)
        expect(uuid & (2n ** 62n - 1n)).toBe(chance & (2n ** 62n - 1n))
      })
    )
  })

  it("sorts as text by time", () => {
    fc.assert(
      fc.property(timeMs, timeMs, random, random, (one, other, a, b) => {
        fc.pre(one < other)
        expect(formatUuid(uuidV7(one, a)) < formatUuid(uuidV7(other, b))).toBe(true)
      })
    )
  })

  it("is written in groups of 8, 4, 4, 4 and 12 digits", () => {
    const bytes = uuidV7(
      0x017f22e279b0,
      Uint8Array.from({ length: 10 }, (_, index) => index)
    )
    expect(formatUuid(bytes)).toBe("017f22e2-79b0-7001-8203-040506070809")
  })

  it("tells an incarnation byte by byte, zeros included", () => {
    expect(formatUuid(Uint8Array.from({ length: 16 }, (_, index) => index * 17))).toBe(
      "00112233-4455-6677-8899-aabbccddeeff"
    )
    expect(formatUuid(new Uint8Array(20).fill(9))).toBe("09090909-0909-0909-0909-090909090909")
  })
})
