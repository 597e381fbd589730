import type { Message } from "@bufbuild/protobuf"
import { Option } from "effect"
import { formatEventId, maskEvent, printEvent, readMeta, type RecordMeta } from "leat"
import type { ReceivedRecord } from "leat/transport"
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

/** The whole record, in one line of JSON that can be published again. Holds personal data, as the record does. */
export function describeLine(record: ReceivedRecord, place: Place, describing: Describing): EventLine {
  const { meta, contract } = recognise(record, place, describing)
  const { value, headers } = record
  return {
    ...placeOf(record, place),
    ...keyOf(record),
    ...identityOf(meta, contract),
    ...(meta.isMarker ? { marker: true } : decoded(value, contract, describing.contracts)),
    rawKey: base64(record.key),
    headers: headers.map(([name, bytes]) => [name, Buffer.from(bytes).toString("base64")]),
    rawValue: base64(value)
  }
}

/** The record for `--json`, without what is personal. */
export function describeMasked(record: ReceivedRecord, place: Place, describing: Describing) {
  const { meta, contract } = recognise(record, place, describing)
  const shown = { ...placeOf(record, place), ...identityOf(meta, contract) }
  const key = isKeyShown(contract) ? keyOf(record) : {}
  if (meta.isMarker) return { ...shown, marker: true }
  if (record.value === null) return { ...shown, ...key, event: null }
  if (contract === undefined) return { ...shown, fault: noContract(record.value) }
  const read = attempt(describing.contracts, contract, record.value)
  if ("fault" in read) return { ...shown, ...key, fault: read.fault }
  return { ...shown, ...key, event: maskEvent(contract.info, eventShape(contract.message, read.event)) }
}

/** The record as one line for a person. */
export function describeText(record: ReceivedRecord, place: Place, describing: Describing): string {
  const { meta, contract } = recognise(record, place, describing)
  const { isUnmasked } = describing
  const time = new Date(record.timeMs).toISOString()
  const key = isUnmasked || isKeyShown(contract) ? shownKey(record) : mask
  const body = meta.isMarker ? dropsOf(meta) : bodyOf(record.value, contract, describing)
  return `${time} ${place.topic}/${place.partition}@${record.position} ${key} ${body}`
}

function bodyOf(value: Uint8Array | null, contract: FoundContract | undefined, { contracts, isUnmasked }: Describing) {
  if (value === null) return "(removed: the key has no event any more)"
  if (contract === undefined)
    return isUnmasked ? `(${noContract(value)}) ${shownBytes(value)}` : `(${noContract(value)})`
  const read = attempt(contracts, contract, value)
  if ("fault" in read) return `(${read.fault})`
  const info = isUnmasked ? { ...contract.info, personal: [] } : contract.info
  return printEvent(info, eventShape(contract.message, read.event))
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
  return { ...where, position: Number(position), time: new Date(timeMs).toISOString(), timeMs }
}

function identityOf({ id, type }: RecordMeta, contract: FoundContract | undefined) {
  const name = contract?.info.name ?? type
  return { ...(id === undefined ? {} : { id: formatEventId(id) }), ...(name === undefined ? {} : { type: name }) }
}

function decoded(value: Uint8Array | null, contract: FoundContract | undefined, contracts: Contracts) {
  if (value === null) return { event: null }
  if (contract === undefined) return { fault: noContract(value) }
  const read = attempt(contracts, contract, value)
  return "fault" in read ? read : { event: contracts.toJson(contract, read.event) }
}

function attempt(
  contracts: Contracts,
  contract: FoundContract,
  value: Uint8Array
): { readonly event: Message } | { readonly fault: string } {
  try {
    return { event: contracts.decode(contract, value) }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { fault: `${value.length} bytes that are no ${contract.info.name}: ${reason}` }
  }
}

function noContract(value: Uint8Array): string {
  return `${value.length} bytes, no contract known`
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
