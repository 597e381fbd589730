/**
 * What a control record, and the state that it leads to, may hold at most. A control stream is shared by a fleet, and may have anything in it: what
 * is beyond a bound is refused with a sentence, and changes nothing.
 */
import type { Control } from "./Control.ts"
import type { Placement } from "./Placement.ts"

/** Of a stream, a member, a group, a cluster, a topic, a kind: as long as a topic may be. */
export const nameCharsMax = 249
/**
 * Of a route document that a fleet shares.
 *
 * @example
 * ```ts
 * if (document.length > ControlTools.documentCharsMax) console.error("too long for a fleet")
 * ```
 */
export const documentCharsMax = 262_144
export const partitionsMax = 4096
/** Streams that one record places, members that it passes over, groups that it names. */
export const listMax = 4096

export const membersMax = 4096
export const streamsMax = 4096
export const writersMax = 4096
/** A first epoch is below it; so is the epoch of a leg in a document. */
const epochMax = 2 ** 31
/** Epochs of one stream; retired ones are kept in a number of their own. */
export const epochsMax = 64
export const groupsMax = 1024
export const unknownKindsMax = 64

/** Of one record, so that it fits one of every broker as it is by default. */
export const recordBytesMax = 1_000_000
/** Of a part of a snapshot. */
export const partBytesMax = 524_288
export const partsMax = 64
/** Of a state: what its parts hold together. */
export const stateBytesMax = partBytesMax * partsMax

/** Documents that were applied and are kept, so that one can be looked at and taken again. */
export const documentsKept = 32
/** Characters of them together: four that are as long as may be, and all of those that people write. */
export const keptCharsMax = 4 * documentCharsMax
/** Of why a document was applied, as far as it is kept with it. */
export const reasonCharsMax = 1000

/** Of why a process refuses a document: the state of a fleet of thousands has it for each. */
export const refusedCharsMax = 500

/** Streams of which a process says what its spills hold. */
export const spilledStreamsMax = 64

/** Retired epochs that a stream keeps, for people who look. */
export const retiredKept = 8
/** Writers that are gone and are kept, so that a late copy of their join does not count. */
export const goneKept = 256

/** Why something is no record that may count, as a sentence; undefined: it is one, or of a kind that a newer leat has. */
export function recordFault(record: unknown): string | undefined {
  if (typeof record !== "object" || record === null) return "a control record is an object"
  const fields = record as Readonly<Record<string, unknown>>
  const noKind = name(fields["kind"])
  if (noKind !== undefined) return `kind of a control record ${noKind}`
  const kind = fields["kind"] as string
  // Kinds that a newer leat has are kept by name alone.
  const checks = Object.hasOwn(shapes, kind) ? (shapes[kind] ?? {}) : {}
  for (const [field, check] of Object.entries(checks)) {
    const fault = check(fields[field])
    if (fault !== undefined) return `${field} of a control record ${fault}`
  }
  return undefined
}

/** What a state has too much of, as a sentence. */
export function excessOf(control: Control): string | undefined {
  const { document: text, history, members, streams, unknownKinds } = control
  const tooMany =
    more(history.length, documentsKept, "documents") ??
    more(members.size, membersMax, "processes") ??
    more(streams.size, streamsMax, "streams") ??
    more(unknownKinds.size, unknownKindsMax, "unknown kinds of records")
  if (tooMany !== undefined) return tooMany
  let bytes = text.length * utf8BytesMax + fixedBytesMax
  for (const { document: old, author, reason } of history) bytes += bytesOf(old) + bytesOf(author) + bytesOf(reason)
  for (const [member, { refused: why, spilled }] of members) {
    bytes += bytesOf(member) + bytesOf(why) + fixedBytesMax
    for (const stream of spilled?.keys() ?? []) bytes += bytesOf(stream)
  }
  for (const kind of unknownKinds) bytes += bytesOf(kind)
  for (const [stream, placement] of streams) {
    const held = heldBy(placement)
    if (held.excess !== undefined) return `${held.excess} in stream ${stream}`
    bytes += bytesOf(stream) + held.bytes
  }
  return bytes > stateBytesMax ? `the state would have more than ${stateBytesMax} bytes` : undefined
}

// What a state has at most when it is written (`controlCodec`): nobody takes one that could not be written again.
const utf8BytesMax = 3
const positionBytesMax = 8
/** Numbers, tags and lengths of one thing. */
const fixedBytesMax = 64

const bytesOf = (text: string): number => text.length * utf8BytesMax + fixedBytesMax
const bytesOfPositions = (list: ReadonlyArray<number> = []): number => list.length * positionBytesMax + fixedBytesMax

interface Held {
  readonly bytes: number
  readonly excess: string | undefined
}

/** A placement never changes, so it is counted once. */
const heldOnce = new WeakMap<Placement, Held>()

function heldBy(placement: Placement): Held {
  let held = heldOnce.get(placement)
  if (held === undefined) heldOnce.set(placement, (held = counted(placement)))
  return held
}

function counted({ epochs, writers, groups }: Placement): Held {
  let bytes = fixedBytesMax
  let excess = more(writers.size, writersMax, "writers") ?? more(epochs.length, epochsMax, "epochs")
  excess ??= more(groups.size, groupsMax, "groups")
  for (const one of [...writers.keys(), ...groups]) bytes += bytesOf(one)
  for (const { place: at, begin, end, swept, drained, over, handedOver } of epochs) {
    bytes += fixedBytesMax + bytesOf(at.cluster) + bytesOf(at.topic)
    bytes += bytesOfPositions(begin) + bytesOfPositions(end) + bytesOfPositions(swept)
    for (const [member, upTo] of [...drained, ...over]) bytes += bytesOf(member) + bytesOfPositions(upTo)
    for (const group of handedOver) bytes += bytesOf(group)
    excess ??= more(handedOver.size, groupsMax, "groups")
  }
  return { bytes, excess }
}

function more(count: number, max: number, what: string): string | undefined {
  return count > max ? `there would be more than ${max} ${what}` : undefined
}

/** A sentence that goes on after the name of the field. */
type Check = (value: unknown) => string | undefined

const name: Check = (value) =>
  typeof value !== "string" || value === "" || value.length > nameCharsMax || !value.isWellFormed()
    ? `has to be a text of 1 to ${nameCharsMax} characters`
    : undefined

const count: Check = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? undefined : "has to be a whole number that is not negative"

const epoch: Check = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) < epochMax
    ? undefined
    : `has to be a whole number from 1 to ${epochMax - 1}`

const document: Check = (value) =>
  typeof value === "string" && value.length <= documentCharsMax && value.isWellFormed()
    ? undefined
    : `has to be a text of at most ${documentCharsMax} characters`

const refused: Check = (value) =>
  typeof value === "string" && value.length <= refusedCharsMax && value.isWellFormed()
    ? undefined
    : `has to be a text of at most ${refusedCharsMax} characters`

const positions: Check = (value) =>
  Array.isArray(value) && value.length <= partitionsMax && Array.from(value).every((one) => count(one) === undefined)
    ? undefined
    : `has to be a list of at most ${partitionsMax} positions`

const names: Check = (value) =>
  Array.isArray(value) && value.length <= listMax && Array.from(value).every((one) => name(one) === undefined)
    ? undefined
    : `has to be a list of at most ${listMax} names`

const mapOf =
  (what: string, check: Check): Check =>
  (value) => {
    if (!(value instanceof Map) || value.size > listMax) return `has to have at most ${listMax} ${what}`
    for (const [key, one] of value) {
      const fault = name(key) ?? check(one)
      if (fault !== undefined) return `has an entry which ${fault}`
    }
    return undefined
  }

const spilled: Check = (value) => {
  if (value === undefined) return undefined
  if (value instanceof Map && value.size > spilledStreamsMax) return `has to have at most ${spilledStreamsMax} streams`
  return mapOf("streams", count)(value)
}

const relaxed: Check = (value) => {
  if (value === undefined) return undefined
  return value instanceof Set && names([...value]) === undefined
    ? undefined
    : `has to be a set of at most ${listMax} names of streams`
}

const place: Check = (value) => {
  if (typeof value !== "object" || value === null) return "has to be a place"
  const { cluster, topic, partitions } = value as Readonly<Record<string, unknown>>
  const isCount = Number.isSafeInteger(partitions) && (partitions as number) >= 1
  if (!isCount || (partitions as number) > partitionsMax) return `has to have 1 to ${partitionsMax} partitions`
  return name(cluster) ?? name(topic)
}

const part: Check = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= partsMax
    ? undefined
    : `has to be a whole number of at most ${partsMax}`

const partBytes: Check = (value) =>
  value instanceof Uint8Array && value.length <= partBytesMax ? undefined : `has to be at most ${partBytesMax} bytes`

const shapes: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  table: { base: count, document, places: mapOf("places", place), relaxed },
  placed: { stream: name, base: count, place, epoch },
  beat: { member: name, version: count, refused, spilled },
  forgotten: { member: name, beats: count },
  joined: { stream: name, member: name },
  reads: { stream: name, group: name },
  left: { stream: name, member: name, upTo: positions },
  sealing: { stream: name, base: count },
  paused: { stream: name, base: count },
  resumed: { stream: name, base: count },
  drained: { stream: name, epoch: count, attempt: count, member: name, upTo: positions },
  sealed: { stream: name, base: count, end: positions, over: mapOf("members", count) },
  abandoned: { stream: name, base: count, epoch: count },
  opened: { stream: name, base: count, begin: positions },
  swept: { stream: name, epoch: count, upTo: positions },
  givenUp: { stream: name, epoch: count, member: name, upTo: positions },
  handedOver: { stream: name, epoch: count, group: name },
  retired: { stream: name, base: count, epoch: count, groups: names },
  snapshot: { upTo: count, part, parts: part, bytes: partBytes }
}
