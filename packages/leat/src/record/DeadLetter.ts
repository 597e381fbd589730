/**
 * Dead letters: records that a group could not handle, or a publisher could not store, set aside with the reason. Key, value and headers
 * stay as they were, byte for byte; what is known of the failure stands before them in headers of its own. Those of Kafka's share groups
 * (`__dlq.errors.*`, KIP-1191) are written for tools of others; leat's one, `leat-dlq`, is first and has what they cannot say.
 *
 * A record that begins with `leat-dlq` is no event of the topic it lies in: a log does not take its id for one that the topic has, so that an
 * event may be set aside again after a replay.
 */
import type { Header } from "./Headers.ts"

/** What is known of a dead letter. Fields are absent where the record does not say. */
export interface DeadLetter {
  /** Who wrote it: leat, a share group of Kafka, Kafka Connect, Spring, Kafka Streams; `unknown` where no header says it. */
  readonly by: "leat" | "kafka" | "connect" | "spring" | "streams" | "unknown"
  /** Topic that the record was read from, or was to be written to. */
  readonly topic?: string
  readonly partition?: number
  /** Position in the partition; absent where it was never stored. */
  readonly position?: bigint
  /** Consumer group that could not handle it; absent where it could not be published. */
  readonly group?: string
  /** What failed: reading its bytes, handling it, the process of whoever held it, publishing it. */
  readonly stage?: "decode" | "handle" | "crash" | "publish"
  /** Tag of the failure, as policies name it: `CardDeclined`, `Malformed`, `CrashLoop`; the class of the exception elsewhere. */
  readonly tag?: string
  /** One sentence. */
  readonly message?: string
  /** Attempts that were made. */
  readonly attempts?: number
  /** Epoch milliseconds when it was set aside. */
  readonly atMs?: number
  /** Epoch milliseconds that the backend gave for the record before. */
  readonly timeMs?: number
  /** How often it was replayed before; 0 when never. */
  readonly replays: number
  /** How often it was moved to a retry topic, this time included; absent when never. */
  readonly moves?: number
  /** Epoch milliseconds from which on it may be tried again. Only in a retry topic: there it is no dead letter yet. */
  readonly dueMs?: number
}

export const deadLetterHeader = "leat-dlq"

const encoder = new TextEncoder()

/**
 * The topic of the dead letters that a group has of a topic, and the topic from which the group takes what is replayed.
 *
 * @example
 * ```ts
 * deadLetterTopics("shop.orders", "billing") // { deadLetters: "shop.orders.billing.dlq", replays: "shop.orders.billing.replay" }
 * ```
 */
export function deadLetterTopics(
  topic: string,
  group: string
): { readonly deadLetters: string; readonly replays: string } {
  const name = nameInTopic(group)
  return { deadLetters: `${topic}.${name}.dlq`, replays: `${topic}.${name}.replay` }
}

/**
 * The topic in which what a group could not handle waits for another attempt; the first tier is 1.
 *
 * @example
 * ```ts
 * retryTopic("shop.orders", "billing", 1) // "shop.orders.billing.retry.1"
 * ```
 */
export function retryTopic(topic: string, group: string, tier: number): string {
  return `${topic}.${nameInTopic(group)}.retry.${tier}`
}

/** Groups have names that no topic of Kafka may have; and no two, with their topics, may come to one name. */
function nameInTopic(group: string): string {
  return group
    .replaceAll(/_(?=[0-9a-f]{2})/g, "_5f")
    .replaceAll(/[^\w-]/gu, (character) => Array.from(encoder.encode(character), escaped).join(""))
}

/**
 * The topic of what could not be published to a topic.
 *
 * @example
 * ```ts
 * undeliveredTopic("shop.orders") // "shop.orders.undelivered"
 * ```
 */
export function undeliveredTopic(topic: string): string {
  return `${topic}.undelivered`
}

/** What the names of Kafka's own headers begin with. */
export const deadLetterFamily = "__dlq.errors."

function escaped(byte: number): string {
  return `_${byte.toString(16).padStart(2, "0")}`
}

/** Longest message that is written, in characters. */
const messageMax = 1000

/** Kafka's own headers of a dead letter, without the family, in the order in which they are written. */
const familyNames = ["topic", "partition", "offset", "group", "delivery.count", "message"] as const

const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

/**
 * The headers that stand before the record's own ones.
 *
 * @example
 * ```ts
 * const headers = [...deadLetterHeaders({ by: "leat", topic, partition, position, group, tag, message, attempts: 6, replays: 0 }), ...own]
 * ```
 */
export function deadLetterHeaders(letter: DeadLetter): ReadonlyArray<Header> {
  const { topic, partition, position, group, stage, tag, attempts, atMs, timeMs, replays, moves, dueMs } = letter
  const message = letter.message?.toWellFormed().slice(0, messageMax)
  const own = { version: 1, stage, tag, atMs, timeMs, replays, moves, dueMs }
  const others = { topic, partition, offset: position, group, "delivery.count": attempts, message }
  return [
    [deadLetterHeader, encoder.encode(JSON.stringify(own))],
    ...familyNames.flatMap((name): ReadonlyArray<Header> =>
      others[name] === undefined ? [] : [[`${deadLetterFamily}${name}`, encoder.encode(String(others[name]))]]
    )
  ]
}

/**
 * The header of an event that comes again because somebody replayed its dead letter: it is no duplicate, however often it was stored.
 *
 * @example
 * ```ts
 * const headers = [replayHeader(found.letter.replays + 1), ...found.headers]
 * ```
 */
export function replayHeader(replays: number): Header {
  return [deadLetterHeader, encoder.encode(JSON.stringify({ version: 1, replays }))]
}

/** A dead letter that was read, and the headers that the record had before. */
export interface FoundDeadLetter {
  readonly letter: DeadLetter
  readonly headers: ReadonlyArray<Header>
}

/** How often an event was replayed, by the header `leat-dlq`; undefined when the text is not one. */
export function readReplays(value: Uint8Array): number | undefined {
  const { replays } = ownOf(value)
  return replays
}

/**
 * What became of a dead letter, as a record of its own in the same partition of the same topic: the letter's key, no value, and one header. A
 * letter without one is open.
 */
export interface DeadLetterResolution {
  /** Place of the letter in the topic of dead letters. */
  readonly partition: number
  readonly position: bigint
  /** `replayed`: it is stored where its group takes replays from. `dropped`: somebody gave it up. */
  readonly how: "replayed" | "dropped"
  /** Why it was dropped. */
  readonly reason?: string
  /** Who resolved it. */
  readonly by?: string
  /** Epoch milliseconds. */
  readonly atMs: number
}

/**
 * The header of the record that resolves a dead letter.
 *
 * @example
 * ```ts
 * const resolved = { key: letter.key, value: null, headers: [resolutionHeader({ partition: 0, position: 17n, how: "dropped", reason, atMs })] }
 * ```
 */
export function resolutionHeader({ partition, position, how, reason, by, atMs }: DeadLetterResolution): Header {
  const texts = { reason: reason?.toWellFormed().slice(0, messageMax), by: by?.toWellFormed().slice(0, messageMax) }
  const own = { version: 1, resolves: `${partition}/${position}`, how, ...texts, atMs }
  return [deadLetterHeader, encoder.encode(JSON.stringify(own))]
}

/**
 * Reads which dead letter a record resolves, and how; undefined for every other record.
 *
 * @example
 * ```ts
 * const resolution = readResolution(record.headers)
 * if (resolution?.how === "dropped") console.log(resolution.reason)
 * ```
 */
export function readResolution(headers: ReadonlyArray<Header>): DeadLetterResolution | undefined {
  const own = headers.find(([name]) => name === deadLetterHeader)?.[1]
  if (own === undefined) return undefined
  const { resolves, how, reason, by, atMs } = fieldsOf(own)
  const [, partition, position] = typeof resolves === "string" ? (/^(\d{1,10})\/(\d{1,19})$/.exec(resolves) ?? []) : []
  if (partition === undefined || position === undefined || (how !== "replayed" && how !== "dropped")) return undefined
  return {
    partition: Number(partition),
    position: BigInt(position),
    how,
    ...said("reason", typeof reason === "string" ? reason : undefined),
    ...said("by", typeof by === "string" ? by : undefined),
    atMs: countOf(atMs) ?? 0
  }
}

/**
 * Reads a dead letter, whoever wrote it; undefined where the headers say nothing of a failure, or resolve another one.
 *
 * @example
 * ```ts
 * const found = readDeadLetter(record.headers)
 * if (found !== undefined) console.log(found.letter.tag, found.letter.message)
 * ```
 */
export function readDeadLetter(headers: ReadonlyArray<Header>): FoundDeadLetter | undefined {
  if (readResolution(headers) !== undefined) return undefined
  if (headers[0]?.[0] === deadLetterHeader) return readFirst(headers)
  for (const { by, prefixes, read } of writers) {
    const isOf = ([name]: Header) => prefixes.some((prefix) => name.startsWith(prefix))
    const found = headers.filter(isOf)
    if (found.length === 0) continue
    const field = (name: string) => found.find((header) => header[0] === name)?.[1]
    return { letter: read(field, by), headers: headers.filter((header) => !isOf(header)) }
  }
  return undefined
}

/** What leat has written stands first. What follows is the record's own, even if it was a dead letter before. */
function readFirst(headers: ReadonlyArray<Header>): FoundDeadLetter {
  let end = 1
  for (const name of familyNames) if (headers[end]?.[0] === `${deadLetterFamily}${name}`) end++
  const found = new Map(headers.slice(0, end))
  return { letter: readOwn((name) => found.get(name)), headers: headers.slice(end) }
}

type Fields = (name: string) => Uint8Array | undefined

interface Writer {
  readonly by: DeadLetter["by"]
  readonly prefixes: ReadonlyArray<string>
  readonly read: (field: Fields, by: DeadLetter["by"]) => DeadLetter
}

/** The first that is found counts. */
const writers: ReadonlyArray<Writer> = [
  { by: "leat", prefixes: [deadLetterHeader, deadLetterFamily], read: readOwn },
  { by: "connect", prefixes: ["__connect.errors."], read: readConnect },
  { by: "streams", prefixes: ["__streams.errors."], read: readStreams },
  { by: "spring", prefixes: ["kafka_dlt-"], read: readSpring }
]

function readOwn(field: Fields): DeadLetter {
  const own = field(deadLetterHeader)
  return {
    by: own === undefined ? "kafka" : "leat",
    replays: 0,
    ...placeOf((name) => field(`${deadLetterFamily}${name}`)),
    ...said("group", textOf(field(`${deadLetterFamily}group`))),
    ...said("message", textOf(field(`${deadLetterFamily}message`))),
    ...said("attempts", numberOf(field(`${deadLetterFamily}delivery.count`))),
    ...(own === undefined ? {} : ownOf(own))
  }
}

function readConnect(field: Fields, by: DeadLetter["by"]): DeadLetter {
  const prefix = "__connect.errors."
  return {
    by,
    replays: 0,
    ...placeOf((name) => field(`${prefix}${name}`)),
    ...said("group", textOf(field(`${prefix}connector.name`))),
    ...said("tag", textOf(field(`${prefix}exception.class.name`))),
    ...said("message", textOf(field(`${prefix}exception.message`)))
  }
}

function readStreams(field: Fields, by: DeadLetter["by"]): DeadLetter {
  const prefix = "__streams.errors."
  return {
    by,
    replays: 0,
    ...placeOf((name) => field(`${prefix}${name}`)),
    ...said("tag", textOf(field(`${prefix}exception`))),
    ...said("message", textOf(field(`${prefix}message`)))
  }
}

/** Spring writes numbers as big-endian bytes. */
function readSpring(field: Fields, by: DeadLetter["by"]): DeadLetter {
  const prefix = "kafka_dlt-"
  const position = bigEndian(field(`${prefix}original-offset`), 8)
  const partition = bigEndian(field(`${prefix}original-partition`), 4)
  return {
    by,
    replays: 0,
    ...said("topic", textOf(field(`${prefix}original-topic`))),
    ...said("partition", partition === undefined ? undefined : Number(partition)),
    ...said("position", position),
    ...said("group", textOf(field(`${prefix}original-consumer-group`))),
    ...said("tag", textOf(field(`${prefix}exception-cause-fqcn`) ?? field(`${prefix}exception-fqcn`))),
    ...said("message", textOf(field(`${prefix}exception-message`)))
  }
}

function placeOf(field: Fields): Pick<DeadLetter, "topic" | "partition" | "position"> {
  const offset = textOf(field("offset"))
  return {
    ...said("topic", textOf(field("topic"))),
    ...said("partition", numberOf(field("partition"))),
    ...said("position", offset !== undefined && /^\d{1,19}$/.test(offset) ? BigInt(offset) : undefined)
  }
}

/** What the header `leat-dlq` says; nothing of it where it is none. */
function ownOf(
  value: Uint8Array
): Partial<Pick<DeadLetter, "stage" | "tag" | "atMs" | "timeMs" | "replays" | "moves" | "dueMs">> {
  const { stage, tag, atMs, timeMs, replays, moves, dueMs } = fieldsOf(value)
  return {
    ...said(
      "stage",
      stages.find((one) => one === stage)
    ),
    ...said("tag", typeof tag === "string" ? tag : undefined),
    ...said("atMs", countOf(atMs)),
    ...said("timeMs", countOf(timeMs)),
    ...said("replays", countOf(replays)),
    ...said("moves", countOf(moves)),
    ...said("dueMs", countOf(dueMs))
  }
}

/** The fields of a JSON object; none where the bytes are no object. */
function fieldsOf(value: Uint8Array): Partial<Record<string, unknown>> {
  try {
    const fields: unknown = JSON.parse(decoder.decode(value))
    return typeof fields === "object" && fields !== null ? { ...fields } : {}
  } catch {
    return {}
  }
}

const stages = ["decode", "handle", "crash", "publish"] as const

function said<Name extends string, A>(name: Name, value: A | undefined): { readonly [N in Name]?: A } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [N in Name]?: A })
}

function textOf(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : decoder.decode(value)
}

function numberOf(value: Uint8Array | undefined): number | undefined {
  const text = textOf(value)
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

function countOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

function bigEndian(value: Uint8Array | undefined, bytes: 4 | 8): bigint | undefined {
  if (value === undefined || value.length !== bytes) return undefined
  const view = new DataView(value.buffer, value.byteOffset, bytes)
  return bytes === 4 ? BigInt(view.getInt32(0)) : view.getBigInt64(0)
}
