import type { Stamp } from "./Stamp.ts"

/** Year of the first line that names none: only distances matter then. A leap year, so that the 29th of February is a day. */
const firstYear = 2016

const dayUs = 86_400_000_000n

/**
 * Turns the times of one file into microseconds since 1970. A time without zone is taken as UTC. A year or a date that is left out is the
 * one that brings the line nearest to the line before: so a log goes on over New Year and midnight.
 */
export class LineClock {
  #last: bigint | undefined

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

  #complete(stamp: Exclude<Stamp, { us: bigint }>): bigint | undefined {
    const { year, month, day } = stamp
    const last = this.#last
    if (month === undefined || day === undefined) {
      const near = last ?? BigInt(Date.UTC(firstYear)) * 1000n
      return this.#nearest([-1n, 0n, 1n].map((days) => timeOfDay(stamp, near + days * dayUs)))
    }
    if (year !== undefined) return utcUs(stamp, year, month, day)
    const near = last === undefined ? firstYear : new Date(Number(last / 1000n)).getUTCFullYear()
    return this.#nearest([near - 1, near, near + 1].map((one) => utcUs(stamp, one, month, day)))
  }

  /** The middle one for a first line. */
  #nearest(candidates: ReadonlyArray<bigint | undefined>): bigint | undefined {
    const last = this.#last
    if (last === undefined) return candidates[1]
    const distance = (us: bigint) => (us > last ? us - last : last - us)
    let nearest: bigint | undefined
    for (const one of candidates)
      if (one !== undefined && (nearest === undefined || distance(one) < distance(nearest))) nearest = one
    return nearest
  }
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
