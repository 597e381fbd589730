/** How a dead letter is told: what failed, where, and the event as `events tail` tells it. */
import type { DeadLetters } from "leat"
import type { ReceivedRecord } from "leat/transport"
import type { FoundContract } from "../events/Contracts.ts"
import { describeLine, describeMasked, describeText, type Describing } from "../events/describe.ts"
import type { Place } from "../events/Place.ts"
import { plural, printable } from "../outcome.ts"
import { setAsideMs } from "./where.ts"

/** How letters are told. */
export interface LetterDescribing extends Describing {
  /** Of the stream that the group reads, where it is known. */
  readonly contract: FoundContract | undefined
}

/** What names a letter on the command line: its place in the topic of dead letters. */
function placeName({ partition, position }: DeadLetters.ListedLetter): string {
  return `${partition}/${position}`
}

/** The letter for `--json`. */
export function letterJson(listed: DeadLetters.ListedLetter, describing: LetterDescribing) {
  const { letter, duplicates, resolution } = listed
  const { by, topic, partition, position, group, stage, tag, message, attempts, moves, replays } = letter
  const { record, place } = originalOf(listed, describing)
  const describe: (...one: Parameters<typeof describeMasked>) => { readonly line: object } = describing.isUnmasked
    ? describeLine
    : describeMasked
  return {
    letter: placeName(listed),
    state: resolution?.how ?? "open",
    setAside: timeText(setAsideMs(listed)),
    by,
    ...said({ topic, partition, position: position === undefined ? undefined : Number(position), group }),
    ...said({ stage, tag, message, attempts, moves }),
    replays,
    duplicates,
    ...said({ resolution: resolution && resolutionOf(resolution) }),
    // How many partitions the topic had is not known here.
    record: { ...describe(record, place, describing).line, partitions: undefined }
  }
}

/** The fields that are there. */
function said(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

/** The letter as one line for a person. */
export function letterText(listed: DeadLetters.ListedLetter, describing: LetterDescribing): string {
  const { resolution } = listed
  const { record, place } = originalOf(listed, describing)
  const state = resolution === undefined ? "" : ` ${resolution.how}`
  return oneLine(`${placeName(listed)}${state} ${failureText(listed)} ${describeText(record, place, describing).line}`)
}

/** The letter with all that is known of it, a line for each thing. */
export function letterLines(listed: DeadLetters.ListedLetter, describing: LetterDescribing): ReadonlyArray<string> {
  const { deadLetters, letter, headers, duplicates, resolution } = listed
  const { by, topic, partition, position, group, attempts, moves, message, replays } = letter
  const { record, place } = originalOf(listed, describing)
  const known = (name: string, text: string | undefined) =>
    text === undefined ? [] : [oneLine(`${name.padEnd(12)}${text}`)]
  const again = replays === 0 ? "" : `, replayed ${plural(replays, "time")} before`
  const more = duplicates === 0 ? "" : `; said ${plural(duplicates, "more time")}`
  const waited = moves === undefined ? "" : `, moved ${plural(moves, "time")}`
  const tried = attempts === undefined ? "" : ` (${plural(attempts, "attempt")}${waited})`
  return [
    ...known("letter", `${deadLetters} ${placeName(listed)}${more}`),
    ...known("state", resolution === undefined ? "open" : resolvedText(resolution)),
    ...known("set aside", `${timeText(setAsideMs(listed))} by ${by}${again}`),
    ...known("from", topic === undefined ? undefined : `${topic}/${partition ?? "?"}@${position ?? "?"}`),
    ...known("group", group),
    ...known("failure", `${failureText(listed)}${tried}`),
    ...known("message", message),
    ...known("headers", headers.length === 0 ? "none" : headers.map((one) => headerText(one, describing)).join(", ")),
    ...known("event", describeText(record, place, describing).line)
  ]
}

/** What stands in a header may hold anything. */
function oneLine(text: string): string {
  return printable(text).replaceAll("\n", "\\n")
}

function failureText({ letter: { by, stage, tag } }: DeadLetters.ListedLetter): string {
  return [stage, tag ?? (by === "unknown" ? "(no header says why)" : "(no tag)")]
    .filter((text) => text !== undefined)
    .join(" ")
}

type Resolution = NonNullable<DeadLetters.ListedLetter["resolution"]>

function resolvedText({ how, by, atMs, reason }: Resolution): string {
  return `${how} ${timeText(atMs)}${by === undefined ? "" : ` by ${by}`}${reason === undefined ? "" : `: ${reason}`}`
}

function resolutionOf({ how, reason, by, atMs }: Resolution) {
  return { how, ...said({ reason, by }), at: timeText(atMs) }
}

/** Values of headers may be personal: nothing says which. */
function headerText([name, value]: readonly [string, Uint8Array], { isUnmasked }: Describing): string {
  return isUnmasked ? `${name}=${JSON.stringify(Buffer.from(value).toString())}` : `${name} (${value.length} bytes)`
}

/** The record as it was before the failure, and where it stood; a record that does not say it is told where it stands now. */
function originalOf(listed: DeadLetters.ListedLetter, { contract }: LetterDescribing) {
  const { letter, key, value, headers, timeMs, deadLetters } = listed
  const record: ReceivedRecord = {
    position: letter.position ?? listed.position,
    key,
    value,
    headers,
    timeMs: letter.timeMs ?? timeMs
  }
  const isPlaced = letter.topic !== undefined && letter.position !== undefined
  const place: Place = {
    topic: isPlaced ? (letter.topic ?? deadLetters) : deadLetters,
    partition: isPlaced ? (letter.partition ?? 0) : listed.partition,
    partitions: 0,
    compacted: false,
    contract,
    at: { fromPosition: 0n }
  }
  return { record: isPlaced ? record : { ...record, position: listed.position }, place }
}

/** ISO 8601; a time that no calendar has is told by its number. */
function timeText(timeMs: number): string {
  const date = new Date(timeMs)
  return Number.isNaN(date.getTime()) ? `${timeMs}ms` : date.toISOString()
}
