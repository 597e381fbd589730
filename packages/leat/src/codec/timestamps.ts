/** Times of events, as google.protobuf.Timestamp has them, from JavaScript's `Date` and back. */
import type { Timestamp } from "./wellKnown.ts"
import { isObject, takes } from "../given/takes.ts"

/** Milliseconds since 1970 of the first and behind the last moment that a Timestamp can say: the years 1 to 9999. */
const firstMs = -62_135_596_800_000
const endMs = 253_402_300_800_000

/**
 * The time of a `Date`. Throws `WrongArgument` for one outside the years 1 to 9999, and for one that is none (`new Date("soon")`).
 *
 * @example
 * ```ts
 * await payments.publish({ paymentId: "p-1", takenAt: timestampOf(new Date()) })
 * timestampOf(new Date("2026-11-30T01:02:03.004Z")) // { seconds: 1796000523n, nanos: 4000000 }
 * ```
 */
export function timestampOf(date: Date): Timestamp {
  const ms = date instanceof Date ? date.getTime() : Number.NaN
  takes("timestampOf", "a Date in the years 1 to 9999", ms >= firstMs && ms < endMs, date)
  const seconds = Math.floor(ms / 1000)
  return { seconds: BigInt(seconds), nanos: (ms - seconds * 1000) * 1_000_000 }
}

/**
 * The `Date` of a time: its millisecond, for a `Date` knows no less. A time that other programs wrote and no `Date` can say is an invalid one
 * (`getTime()` is NaN).
 *
 * @example
 * ```ts
 * await payments.handle("reports", ({ takenAt }) => console.log(takenAt && dateOf(takenAt).toISOString()))
 * ```
 */
export function dateOf(timestamp: Timestamp): Date {
  const { seconds, nanos }: Partial<Timestamp> = isObject(timestamp) ? timestamp : {}
  const isTime = typeof seconds === "bigint" && typeof nanos === "number"
  takes("dateOf", "a Timestamp: { seconds: 1796000523n, nanos: 4000000 }", isTime, timestamp)
  return new Date(Number(seconds) * 1000 + Math.floor(Number(nanos) / 1_000_000))
}
