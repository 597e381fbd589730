import { create } from "@bufbuild/protobuf"
import { timestampDate, timestampFromDate, TimestampSchema } from "@bufbuild/protobuf/wkt"
import fc from "fast-check"
import { dateOf, timestampOf, WrongArgument } from "leat"
import { describe, expect, it } from "vitest"

const first = new Date("0001-01-01T00:00:00.000Z")
const last = new Date("9999-12-31T23:59:59.999Z")

describe("a Timestamp", () => {
  it("is the time of a Date, as protobuf's own library says, and back", () => {
    fc.assert(
      fc.property(fc.date({ min: first, max: last, noInvalidDate: true }), (date) => {
        const { seconds, nanos } = timestampFromDate(date)
        expect(timestampOf(date)).toEqual({ seconds, nanos })
        expect(dateOf(timestampOf(date))).toEqual(date)
      })
    )
  })

  it("has the millisecond of its Date", () => {
    const nanos = fc.integer({ min: 0, max: 999_999_999 })
    const seconds = fc.bigInt({ min: -62_135_596_800n, max: 253_402_300_799n })
    fc.assert(
      fc.property(seconds, nanos, (inSeconds, inNanos) => {
        const exact = create(TimestampSchema, { seconds: inSeconds, nanos: inNanos - (inNanos % 1_000_000) })
        expect(dateOf({ seconds: inSeconds, nanos: inNanos })).toEqual(timestampDate(exact))
      })
    )
  })

  it("is known at the ends of its years", () => {
    expect(timestampOf(first)).toEqual({ seconds: -62_135_596_800n, nanos: 0 })
    expect(timestampOf(last)).toEqual({ seconds: 253_402_300_799n, nanos: 999_000_000 })
    expect(timestampOf(new Date(-1))).toEqual({ seconds: -1n, nanos: 999_000_000 })
  })

  it.each([
    new Date("soon"),
    new Date(first.getTime() - 1),
    new Date(last.getTime() + 1),
    1_796_000_523_004,
    undefined
  ])("is none of %s", (date) => {
    expect(() => timestampOf(date as Date)).toThrow(WrongArgument)
  })

  it("of another program may be no Date", () => {
    expect(dateOf({ seconds: 2n ** 62n, nanos: 0 }).getTime()).toBeNaN()
    expect(() => dateOf(new Date() as unknown as ReturnType<typeof timestampOf>)).toThrow("dateOf: takes a Timestamp")
  })
})
