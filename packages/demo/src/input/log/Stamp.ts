/** A time as a line writes it. What the line leaves out (zone, year, date) is absent. */
export type Stamp =
  | { readonly us: bigint }
  | {
      readonly us?: undefined
      readonly year: number | undefined
      /** From 1. Absent: the line has a time of day only. */
      readonly month: number | undefined
      readonly day: number | undefined
      readonly hour: number
      readonly minute: number
      readonly second: number
      readonly fractionUs: number
      readonly eastMinutes: number
    }

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]

const clock = String.raw`(?<hour>\d{1,2}):(?<minute>\d{2}):(?<second>\d{2})(?:[.,](?<fraction>\d{1,9}))?(?: ?(?<half>[AaPp][Mm])\b)?`
const zone = String.raw`(?: ?(?<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})(?![\w:]))?`
const month = String.raw`(?<monthName>[A-Z][a-z]{2})`
const day = String.raw`(?<day>\d{1,2})`

/**
 * How systems write times; each pattern is of bounded length. The first that fits is taken, so those that say more stand before those that
 * say less.
 */
const formats: ReadonlyArray<RegExp> = [
  // 2015-10-18 18:01:47,978 | 2024-01-02T03:04:05.123456+02:00 | Tue 2024/01/02 03:04:05 | 2005-06-03-15.42.50.363779
  String.raw`(?:[A-Z][a-z]{2} )?(?<year>\d{4})(?<mark>[-/.])(?<month>\d{2})\k<mark>(?<day>\d{2})[T _-] ?(?<hour>\d{2})(?<colon>[:.])(?<minute>\d{2})(?:\k<colon>(?<second>\d{2})(?:[.,:](?<fraction>\d{1,9}))?)?${zone}`,
  // 20171223-22:15:29:606, whose parts may have one digit
  String.raw`(?<year>\d{4})(?<month>\d{2})(?<day>\d{2})-(?<hour>\d{1,2}):(?<minute>\d{1,2}):(?<second>\d{1,2}):(?<millis>\d{1,3})`,
  // 20240102T030405Z
  String.raw`(?<year>\d{4})(?<month>\d{2})(?<day>\d{2})[T ](?<hour>\d{2}):?(?<minute>\d{2}):?(?<second>\d{2})(?:[.,](?<fraction>\d{1,9}))?${zone}`,
  // 081109 203615
  String.raw`(?<shortYear>\d{2})(?<month>\d{2})(?<day>\d{2}) {1,2}(?<hour>\d{1,2}):?(?<minute>\d{2}):?(?<second>\d{2})`,
  // 17/06/09 20:10:40
  String.raw`(?<shortYear>\d{2})/(?<month>\d{2})/(?<day>\d{2}) ${clock}`,
  // 1/2/2024, 3:04:05 PM
  String.raw`(?<month>\d{1,2})/(?<day>\d{1,2})/(?<year>\d{4}),? ${clock}`,
  // 02.01.2024 03:04:05
  String.raw`(?<day>\d{1,2})\.(?<month>\d{1,2})\.(?<year>\d{4}),? ${clock}`,
  // 10/Oct/2000:13:55:36 -0700
  String.raw`(?<day>\d{2})/${month}/(?<year>\d{4})[: ]${clock}${zone}`,
  // Tue, 02 Jan 2024 03:04:05 +0000 | 02-Jan-2024 03:04:05
  String.raw`(?:[A-Z][a-z]{2}, )?(?<day>\d{1,2})[ -]${month}[ -](?<year>\d{4}) ${clock}${zone}`,
  // Jan 02, 2024 3:04:05 PM
  String.raw`${month} ${day}, (?<year>\d{4}) ${clock}`,
  // Sun Dec 04 04:47:44 2005 | Tue Jan  2 03:04:05.123456 UTC 2024
  String.raw`(?:[A-Z][a-z]{2} )?${month} {1,2}${day} ${clock}(?: [A-Z]{3,5})? (?<year>\d{4})(?=\]|$| )`,
  // Jun 14 15:16:01 | Jan  2 2024 03:04:05
  String.raw`${month} {1,2}${day} (?:(?<year>\d{4}) )?${clock}`,
  // 03-17 16:13:38.811 | 10.30 16:49:06
  String.raw`(?<month>\d{2})[-.](?<day>\d{2}) ${clock}`,
  // 0102 03:04:05.678901
  String.raw`(?<month>\d{2})(?<day>\d{2}) ${clock}`,
  // Seconds, milliseconds, microseconds or nanoseconds since 1970, of our days
  String.raw`(?<epoch>1\d{9}(?:\d{9}|\d{6}|\d{3})?)(?:\.(?<fraction>\d{1,9}))?`,
  clock
].map((source) => new RegExp(`${source}(?!\\d)`, "y"))

/** Reads the time that begins at `at`; undefined where none does. What is found may still be no time, such as the 31st of June. */
export function readStamp(text: string, at: number): { readonly stamp: Stamp; readonly end: number } | undefined {
  if (!/[\dA-Z]/.test(text.charAt(at))) return undefined
  for (const format of formats) {
    format.lastIndex = at
    const found = format.exec(text)
    const stamp = found?.groups === undefined ? undefined : stampOf(found.groups)
    if (stamp !== undefined) return { stamp, end: format.lastIndex }
  }
  return undefined
}

/** Digits since 1970; how many there are tells the unit. */
export function epochStamp(digits: string, fraction = ""): Stamp {
  return { us: BigInt((digits + fraction).padEnd(16, "0").slice(0, 16)) }
}

type Groups = Readonly<Record<string, string | undefined>>

function stampOf(groups: Groups): Stamp | undefined {
  const { epoch, fraction = "", year, shortYear, monthName, millis, half } = groups
  if (epoch !== undefined) return epochStamp(epoch, fraction)
  const named = monthName === undefined ? undefined : months.indexOf(monthName.toLowerCase()) + 1
  if (named === 0) return undefined
  return {
    year: number(year) ?? (shortYear === undefined ? undefined : 2000 + Number(shortYear)),
    month: named ?? number(groups["month"]),
    day: number(groups["day"]),
    hour: hourOf(Number(groups["hour"]), half),
    minute: Number(groups["minute"]),
    second: number(groups["second"]) ?? 0,
    fractionUs: millis === undefined ? Number(fraction.padEnd(6, "0").slice(0, 6)) : Number(millis) * 1000,
    eastMinutes: minutesEast(groups["zone"])
  }
}

function number(digits: string | undefined): number | undefined {
  return digits === undefined ? undefined : Number(digits)
}

/** Of twelve hours before or after noon, where the line says which. */
function hourOf(hour: number, half: string | undefined): number {
  if (half === undefined || hour > 12) return hour
  return (hour % 12) + (half.toLowerCase() === "pm" ? 12 : 0)
}

function minutesEast(name: string | undefined): number {
  const [, sign, hours, minutes] = /^([+-])(\d{2}):?(\d{2})$/.exec(name ?? "") ?? []
  if (sign === undefined) return 0
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes))
}
