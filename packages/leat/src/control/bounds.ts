/**
 * What a control record, and the state that it leads to, may hold at most. A control stream is shared by a fleet, and may have anything in it: what
 * is beyond a bound is refused with a sentence, and changes nothing.
 */
import type { Control } from "./Control.ts"
import type { Placement } from "./Placement.ts"

/** Of a stream, a member, a group, a cluster, a topic, a kind: as long as a topic may be. */
const nameCharsMax = 249
/** Of a route document. */
const documentCharsMax = 262_144
export const partitionsMax = 4096
/** Streams that one record places, members that it passes over, groups that it names. */
const listMax = 4096

const membersMax = 4096
const streamsMax = 4096
const writersMax = 4096
/** Epochs of one stream; retired ones are kept in a number of their own. */
const epochsMax = 64
const groupsMax = 1024
const unknownKindsMax = 64
/** Members, writers, groups and positions together: some 20 MB. */
const entriesMax = 1_000_000

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
export function excessOf({ members, streams, unknownKinds }: Control): string | undefined {
  const tooMany =
    more(members.size, membersMax, "processes") ??
    more(streams.size, streamsMax, "streams") ??
    more(unknownKinds.size, unknownKindsMax, "unknown kinds of records")
  if (tooMany !== undefined) return tooMany
  let entries = members.size
  for (const [stream, placement] of streams) {
    const held = heldBy(placement)
    if (held.excess !== undefined) return `${held.excess} in stream ${stream}`
    entries += held.entries
  }
  return more(entries, entriesMax, "members, writers, groups and positions")
}

interface Held {
  readonly entries: number
  readonly excess: string | undefined
}

/** A placement never changes, so it is counted once. */
const heldOnce = new WeakMap<Placement, Held>()

function heldBy(placement: Placement): Held {
  let held = heldOnce.get(placement)
  if (held === undefined) heldOnce.set(placement, (held = counted(placement)))
  return held
}

function counted({ epochs, writers }: Placement): Held {
  let entries = writers.size
  let excess = more(writers.size, writersMax, "writers") ?? more(epochs.length, epochsMax, "epochs")
  for (const { begin, end, swept, drained, over, handedOver } of epochs) {
    entries += (begin?.length ?? 0) + (end?.length ?? 0) + swept.length + handedOver.size
    for (const upTo of [...drained.values(), ...over.values()]) entries += 1 + (upTo?.length ?? 0)
    excess ??= more(handedOver.size, groupsMax, "groups")
  }
  return { entries, excess }
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

const document: Check = (value) =>
  typeof value === "string" && value.length <= documentCharsMax && value.isWellFormed()
    ? undefined
    : `has to be a text of at most ${documentCharsMax} characters`

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

const place: Check = (value) => {
  if (typeof value !== "object" || value === null) return "has to be a place"
  const { cluster, topic, partitions } = value as Readonly<Record<string, unknown>>
  const isCount = Number.isSafeInteger(partitions) && (partitions as number) >= 1
  if (!isCount || (partitions as number) > partitionsMax) return `has to have 1 to ${partitionsMax} partitions`
  return name(cluster) ?? name(topic)
}

const shapes: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  table: { base: count, document, places: mapOf("places", place) },
  beat: { member: name, version: count },
  forgotten: { member: name, beats: count },
  joined: { stream: name, member: name },
  left: { stream: name, member: name, upTo: positions },
  sealing: { stream: name, base: count },
  drained: { stream: name, epoch: count, attempt: count, member: name, upTo: positions },
  sealed: { stream: name, base: count, end: positions, over: mapOf("members", count) },
  abandoned: { stream: name, base: count, epoch: count },
  opened: { stream: name, base: count, begin: positions },
  swept: { stream: name, epoch: count, upTo: positions },
  givenUp: { stream: name, epoch: count, member: name, upTo: positions },
  handedOver: { stream: name, epoch: count, group: name },
  retired: { stream: name, base: count, epoch: count, groups: names }
}
