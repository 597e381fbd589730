import { fromBinary, type Message } from "@bufbuild/protobuf"
import { Option } from "effect"
import { formatEventId, maskEvent, printEvent, readMeta, type RecordMeta } from "leat"
import { type ReceivedRecord, readResolution } from "leat/transport"
import { printable } from "../outcome.ts"
import type { Contracts, FoundContract } from "./Contracts.ts"
import type { EventLine } from "./EventLine.ts"
import { eventShape } from "./eventShape.ts"
import type { Place } from "./Place.ts"

const mask = "***"
const textDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** How records are told to a person or a program. */
export interface Describing {
  readonly contracts: Contracts
  /** For records whose topic and headers tell no contract. */
  readonly fallback: Option.Option<FoundContract>
  readonly isUnmasked: boolean
}

/** A record as it is told. */
export interface Told<A> {
  readonly line: A
  /** False where the record does not fit its contract, or cannot be told at all: the line then says why. */
  readonly isWhole: boolean
}

/** The whole record, in one line of JSON that can be published again. Holds personal data, as the record does. */
export function describeLine(record: ReceivedRecord, place: Place, describing: Describing): Told<EventLine> {
  const { contracts } = describing
  const { meta, contract } = recognise(record, place, describing)
  const read = readBody(record.value, meta, contract, (event, known) => contracts.toJson(known, event))
  const line = {
    ...placeOf(record, place),
    ...keyOf(record),
    ...identityOf(meta, contract),
    ...(meta.isMarker ? { marker: true as const } : read),
    rawKey: base64(record.key),
    headers: record.headers.map(([name, bytes]) => [name, Buffer.from(bytes).toString("base64")] as const),
    rawValue: base64(record.value)
  }
  return { line, isWhole: isWhole(read, contract) }
}

/** The record for `--json`, without what is personal. */
export function describeMasked(record: ReceivedRecord, place: Place, describing: Describing) {
  const { meta, contract } = recognise(record, place, describing)
  const shown = { ...placeOf(record, place), ...identityOf(meta, contract) }
  if (meta.isMarker) return { line: { ...shown, marker: true }, isWhole: true }
  const read = readBody(record.value, meta, contract, (event, { info, message }) =>
    maskEvent(info, eventShape(message, event))
  )
  const key = isKeyShown(contract) ? keyOf(record) : {}
  return { line: { ...shown, ...key, ...read }, isWhole: isWhole(read, contract) }
}

/** The record as one line for a person. */
export function describeText(record: ReceivedRecord, place: Place, describing: Describing): Told<string> {
  const { meta, contract } = recognise(record, place, describing)
  const { isUnmasked } = describing
  const key = isUnmasked || isKeyShown(contract) ? shownKey(record) : mask
  const read = readBody(record.value, meta, contract, (event, { info, message }) =>
    printEvent(isUnmasked ? { ...info, personal: [] } : info, eventShape(message, event))
  )
  const bytes = isUnmasked && contract === undefined && record.value !== null ? ` ${shownBytes(record.value)}` : ""
  const body = meta.isMarker
    ? dropsOf(meta)
    : "fault" in read
      ? `(${printable(read.fault)})${bytes}`
      : (read.event ?? nothingOf(record))
  const where = `${printable(place.topic)}/${place.partition}@${record.position}`
  return { line: `${timeOf(record.timeMs)} ${where} ${key} ${body}`, isWhole: isWhole(read, contract) }
}

/** Why a record has no value. */
function nothingOf({ headers }: ReceivedRecord): string {
  const resolution = readResolution(headers)
  if (resolution === undefined) return "(removed: the key has no event any more)"
  const { partition, position, how } = resolution
  return `(says that the dead letter ${partition}/${position} was ${how})`
}

/** The event of a record as `show` tells it, null for a tombstone; or why there is none. Never throws. */
function readBody<A>(
  value: Uint8Array | null,
  { isMarker }: RecordMeta,
  contract: FoundContract | undefined,
  show: (event: Message, contract: FoundContract) => A
): { readonly event: A | null } | { readonly fault: string } {
  if (value === null || isMarker) return { event: null }
  if (contract === undefined) return { fault: `${value.length} bytes, no contract known` }
  const { name } = contract.info
  const decoded = attempt(() => fromBinary(contract.message, value))
  if ("fault" in decoded) return { fault: `${value.length} bytes that are no ${name}: ${decoded.fault}` }
  // A time beyond the year 9999, say: protobuf's bytes hold what its JSON does not.
  const shown = attempt(() => show(decoded.is, contract))
  return "fault" in shown
    ? { fault: `${name} of ${value.length} bytes that has no JSON: ${shown.fault}` }
    : { event: shown.is }
}

function attempt<A>(read: () => A): { readonly is: A } | { readonly fault: string } {
  try {
    return { is: read() }
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) }
  }
}

/** A record without a contract is told as well as it can be; one that does not fit its contract is not. */
function isWhole(read: object, contract: FoundContract | undefined): boolean {
  return contract === undefined || !("fault" in read)
}

/** Which contract a record has: by the stream its topic is named after, by its header, or as was said on the command line. */
function recognise({ headers }: ReceivedRecord, { topic, contract }: Place, { contracts, fallback }: Describing) {
  const known = contract ?? contracts.ofStream(topic)
  const told = readMeta(headers, known?.info.stream ?? topic)
  const found =
    known ?? (told.type === undefined ? undefined : contracts.ofType(told.type)) ?? Option.getOrUndefined(fallback)
  // In the compact wire the stream of an id is that of the contract, not what the topic is called.
  return { contract: found, meta: readMeta(headers, found?.info.stream ?? topic) }
}

function placeOf({ position, timeMs }: ReceivedRecord, { topic, partition, partitions, compacted }: Place) {
  const where = { topic, partitions, ...(compacted ? { compacted: true as const } : {}), partition }
  return { ...where, position: Number(position), time: timeOf(timeMs), timeMs }
}

/** ISO 8601; a time that no calendar has is told by its number. */
function timeOf(timeMs: number): string {
  const date = new Date(timeMs)
  return Number.isNaN(date.getTime()) ? `${timeMs}ms` : date.toISOString()
}

function identityOf({ id, type }: RecordMeta, contract: FoundContract | undefined) {
  const name = contract?.info.name ?? type
  return { ...(id === undefined ? {} : { id: formatEventId(id) }), ...(name === undefined ? {} : { type: name }) }
}

function dropsOf({ dropped }: RecordMeta): string {
  return `(announces ${dropped.length === 1 ? "a gap" : `${dropped.length} gaps`}: events that the writer dropped)`
}

/** A key may be personal; where no contract says that it is not, it is not shown. */
function isKeyShown(contract: FoundContract | undefined): boolean {
  if (contract === undefined) return false
  const path = contract.keyPath.join(".")
  return !contract.info.personal.some((one) => path === one || path.startsWith(`${one}.`))
}

function keyOf({ key }: ReceivedRecord) {
  const text = textOf(key)
  return text === undefined ? {} : { key: text }
}

function shownKey({ key }: ReceivedRecord): string {
  if (key === null) return "-"
  const text = textOf(key)
  if (text === undefined) return `0x${Buffer.from(key).toString("hex")}`
  return /^[\w.:/@+-]+$/.test(text) ? text : JSON.stringify(text)
}

function shownBytes(value: Uint8Array): string {
  const text = textOf(value)
  return text === undefined ? `0x${Buffer.from(value).toString("hex")}` : JSON.stringify(text)
}

function textOf(bytes: Uint8Array | null): string | undefined {
  if (bytes === null) return undefined
  try {
    return textDecoder.decode(bytes)
  } catch {
    return undefined
  }
}

function base64(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString("base64")
}
