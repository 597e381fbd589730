import type { Stamp } from "./Stamp.ts"

const dayUs = 86_400_000_000n

/** Furthest that a clock of a time zone is ahead of UTC: a line that names no zone may be so much later than it says. */
const zoneUs = 14n * 3_600_000_000n

/** How much earlier than the line before a line may be, in a log that is not quite in order. */
const backUs = 31n * dayUs

/** Years that are looked back over for the 29th of February. */
const yearsBack = 8

/**
 * Turns the times of one file into microseconds since 1970. A time without zone is taken as UTC. A date that is left out is the one that brings
 * the line nearest to the line before, so a log goes on over midnight. A year that is left out is the first in which the line is not a month
 * or more before the line before, so it goes on over New Year and after half a year of silence. Where no line before has one, it is the last in
 * which the line is not after the file was written.
 */
export class LineClock {
  readonly #writtenUs: bigint
  #last: bigint | undefined

  /** `writtenMs`: when the file was written, in epoch milliseconds. */
  constructor(writtenMs: number) {
    this.#writtenUs = BigInt(Math.round(writtenMs)) * 1000n
  }

  /** Time of the last line that had one; 0 before. */
  get lastUs(): bigint {
    return this.#last ?? 0n
  }

  /** Undefined for what is no time. */
  read(stamp: Stamp): bigint | undefined {
    const us = stamp.us ?? this.#complete(stamp)
    this.#last = us ?? this.#last
    return us
  }

  #complete(stamp: Fields): bigint | undefined {
    const { year, month, day } = stamp
    if (month !== undefined && day !== undefined && year !== undefined) return utcUs(stamp, year, month, day)
    const last = this.#last
    if (last === undefined) return this.#first(stamp)
    if (month === undefined || day === undefined)
      return nearest(
        last,
        [-1n, 0n, 1n].map((days) => timeOfDay(stamp, last + days * dayUs))
      )
    const near = yearOf(last)
    const candidates = [near - 1, near, near + 1].map((one) => utcUs(stamp, one, month, day))
    const latest = this.#writtenUs + zoneUs
    const next = candidates.find((us) => us !== undefined && us >= last - backUs && us <= latest)
    return next ?? nearest(last, candidates)
  }

  #first(stamp: Fields): bigint | undefined {
    const { month, day } = stamp
    const written = this.#writtenUs
    if (month === undefined || day === undefined) {
      const sameDay = timeOfDay(stamp, written)
      return sameDay === undefined || sameDay <= written ? sameDay : sameDay - dayUs
    }
    const latest = yearOf(written + zoneUs)
    for (let year = latest; year >= latest - yearsBack; year--) {
      const us = utcUs(stamp, year, month, day)
      if (us !== undefined && us <= written + zoneUs) return us
    }
    return undefined
  }
}

function nearest(last: bigint, candidates: ReadonlyArray<bigint | undefined>): bigint | undefined {
  const distance = (us: bigint) => (us > last ? us - last : last - us)
  let found: bigint | undefined
  for (const one of candidates)
    if (one !== undefined && (found === undefined || distance(one) < distance(found))) found = one
  return found
}

function yearOf(us: bigint): number {
  return new Date(Number(us / 1000n)).getUTCFullYear()
}

type Fields = Exclude<Stamp, { us: bigint }>

function timeOfDay(stamp: Fields, nearUs: bigint): bigint | undefined {
  const near = new Date(Number(nearUs / 1000n))
  return utcUs(stamp, near.getUTCFullYear(), near.getUTCMonth() + 1, near.getUTCDate())
}

/** Undefined for what is no time, such as the 31st of June. A leap second is the first second of the next minute. */
function utcUs(stamp: Fields, year: number, month: number, day: number): bigint | undefined {
  const { hour, minute, second, fractionUs, eastMinutes } = stamp
  if (hour > 23 || minute > 59 || second > 60) return undefined
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined
  date.setUTCHours(hour, minute - eastMinutes, second)
  return BigInt(date.getTime()) * 1000n + BigInt(fractionUs)
}
