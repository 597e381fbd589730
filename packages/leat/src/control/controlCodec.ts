/**
 * Control records and the folded state as protobuf, as `control.proto` has them. Reading never throws: what is no record is told in a sentence, and
 * whoever folds passes over it.
 */
import { Result } from "effect"
import protobuf from "protobufjs/minimal.js"
import { MalformedEvent } from "../codec/CodecError.ts"
import { readTag } from "../codec/readFields.ts"
import { skipField } from "../codec/skipField.ts"
import {
  documentCharsMax,
  documentsKept,
  epochsMax,
  excessOf,
  groupsMax,
  listMax,
  membersMax,
  nameCharsMax,
  partitionsMax,
  reasonCharsMax,
  recordBytesMax,
  refusedCharsMax,
  spilledStreamsMax,
  stateBytesMax,
  streamsMax,
  unknownKindsMax,
  writersMax
} from "./bounds.ts"
import type { Control, ControlMember, KeptDocument } from "./Control.ts"
import type { ControlRecord, Place } from "./ControlRecord.ts"
import {
  blank,
  bytes,
  count,
  counts,
  type Fields,
  flag,
  type Kind,
  list,
  mapOf,
  maybe,
  maybeMapOf,
  maybeSetOf,
  message,
  one,
  oneOf,
  readField,
  readFields,
  setOf,
  text,
  wrapped,
  writeFields
} from "./fields.ts"
import type { Epoch, Placement } from "./Placement.ts"

/** A record as it stands in the control stream. */
export interface ControlEntry {
  /** Who wrote it: an incarnation, or a person's command. */
  readonly author: string
  /** Its author's own number of it: a record that was sent twice has one. */
  readonly number: number
  /** Why, for people who read the history. */
  readonly reason: string
  readonly record: ControlRecord
}

type RecordOf<K extends ControlRecord["kind"]> = Omit<Extract<ControlRecord, { readonly kind: K }>, "kind">

const name = text(nameCharsMax)
const positions = (number: number) => counts(number, partitionsMax)
const spilled = (number: number) => maybeMapOf(number, name, count, spilledStreamsMax)
const place: Kind<Place> = message<Place>({ cluster: one(1, name), topic: one(2, name), partitions: one(3, count) })

/** By kind, the number of its field in `ControlRecord` and its own fields. */
const kinds: { readonly [K in ControlRecord["kind"]]: readonly [number: number, fields: Fields<RecordOf<K>>] } = {
  table: [
    8,
    {
      base: one(1, count),
      document: one(2, text(documentCharsMax)),
      places: mapOf(3, name, place, listMax),
      relaxed: maybeSetOf(4, name, listMax)
    }
  ],
  joined: [9, { stream: one(1, name), member: one(2, name) }],
  left: [10, { stream: one(1, name), member: one(2, name), upTo: positions(3) }],
  beat: [
    11,
    { member: one(1, name), version: one(2, count), refused: one(3, text(refusedCharsMax)), spilled: spilled(4) }
  ],
  forgotten: [12, { member: one(1, name), beats: one(2, count) }],
  sealing: [13, { stream: one(1, name), base: one(2, count) }],
  drained: [
    14,
    { stream: one(1, name), epoch: one(2, count), attempt: one(3, count), member: one(4, name), upTo: positions(5) }
  ],
  sealed: [15, { stream: one(1, name), base: one(2, count), end: positions(3), over: mapOf(4, name, count, listMax) }],
  abandoned: [16, { stream: one(1, name), base: one(2, count), epoch: one(3, count) }],
  opened: [17, { stream: one(1, name), base: one(2, count), begin: positions(3) }],
  swept: [18, { stream: one(1, name), epoch: one(2, count), upTo: positions(3) }],
  givenUp: [19, { stream: one(1, name), epoch: one(2, count), member: one(3, name), upTo: positions(4) }],
  handedOver: [20, { stream: one(1, name), epoch: one(2, count), group: one(3, name) }],
  retired: [21, { stream: one(1, name), base: one(2, count), epoch: one(3, count), groups: list(4, name, listMax) }],
  placed: [23, { stream: one(1, name), base: one(2, count), place: one(3, place), epoch: one(4, count) }],
  reads: [24, { stream: one(1, name), group: one(2, name) }],
  paused: [25, { stream: one(1, name), base: one(2, count) }],
  resumed: [26, { stream: one(1, name), base: one(2, count) }],
  snapshot: [22, { upTo: one(1, count), part: one(2, count), parts: one(3, count), bytes: one(4, bytes) }]
}

const kindMessages = new Map(
  Object.entries(kinds).map(([kind, [number, fields]]) => [
    number,
    { kind, content: message(fields as Fields<Readonly<Record<string, unknown>>>) }
  ])
)

const envelope: Fields<Omit<ControlEntry, "record">> = {
  author: one(1, name),
  number: one(2, count),
  reason: one(3, text(documentCharsMax))
}
/** Fields with a lower number belong to the envelope, whatever it gets one day. */
const kindNumberMin = 8

/** The bytes of a record that has no fault (`recordFault`). */
export function writeEntry({ record, ...rest }: ControlEntry): Uint8Array {
  const writer = protobuf.Writer.create()
  writeFields(writer, envelope, rest)
  const { kind, ...fields } = record
  const [number] = kinds[kind]
  const content = kindMessages.get(number)?.content
  content?.write(writer.uint32((number << 3) | content.wireType), fields)
  return writer.finish()
}

/** Reads a record; fails with why it is none. One of a kind that only a newer leat has is named by the number of its field. */
export function readEntry(value: Uint8Array): Result.Result<ControlEntry, string> {
  if (value.length > recordBytesMax) return Result.fail(`a control record has at most ${recordBytesMax} bytes`)
  return reading(() => {
    const reader = protobuf.Reader.create(value)
    const rest = blank(envelope)
    let record: unknown
    let unknown: unknown
    while (reader.pos < value.length) {
      const tag = readTag(reader, value.length)
      const found = kindMessages.get(tag >>> 3)
      if (found !== undefined && (tag & 7) === found.content.wireType)
        record = { kind: found.kind, ...found.content.read(reader, value.length) }
      else if (!readField(reader, tag, value.length, envelope, rest)) {
        skipField(reader, tag, value.length, 0)
        if (tag >>> 3 >= kindNumberMin) unknown = { kind: `field ${tag >>> 3}` }
      }
    }
    if (rest.author === "") throw new MalformedEvent("", value.length, "it has no author")
    record ??= unknown
    if (record === undefined) throw new MalformedEvent("", value.length, "it is of no kind")
    return { ...rest, record: record as ControlRecord }
  })
}

const phase = oneOf<Epoch["phase"]>("planned", "open", "sealing", "sealed", "abandoned", "retired")
/** Positions that may be absent, or empty. */
const positionsThere = wrapped(positions(1))
/** Of a member that may have said up to where it wrote. */
const owing = wrapped(maybe(1, positionsThere))

const epoch = message<Epoch>({
  epoch: one(1, count),
  place: one(2, place),
  phase: one(3, phase),
  begin: maybe(4, positionsThere),
  end: maybe(5, positionsThere),
  attempt: one(6, count),
  drained: mapOf(7, name, positionsThere, writersMax),
  over: mapOf(8, name, owing, writersMax),
  swept: positions(9),
  handedOver: setOf(10, name, groupsMax),
  isRelaxed: maybe(11, flag)
})

const placement = message<Placement>({
  step: one(1, count),
  lastEpoch: one(2, count),
  epochs: list(3, epoch, epochsMax),
  writers: mapOf(4, name, oneOf("joined", "left", "givenUp"), writersMax),
  groups: setOf(5, name, groupsMax),
  isPaused: one(6, flag)
})

const member = message<ControlMember>({
  beats: one(1, count),
  version: one(2, count),
  refused: one(3, text(refusedCharsMax)),
  spilled: spilled(4)
})

const applied = message<KeptDocument>({
  version: one(1, count),
  document: one(2, text(documentCharsMax)),
  author: one(3, text(nameCharsMax)),
  reason: one(4, text(reasonCharsMax)),
  timeMs: one(5, count)
})

const state: Fields<Control> = {
  version: one(1, count),
  document: one(2, text(documentCharsMax)),
  history: list(6, applied, documentsKept),
  streams: mapOf(3, name, placement, streamsMax),
  members: mapOf(4, name, member, membersMax),
  unknownKinds: setOf(5, name, unknownKindsMax)
}

/** All of a state. It is cut into the parts of a snapshot. */
export function writeControl(control: Control): Uint8Array {
  const writer = protobuf.Writer.create()
  writeFields(writer, state, control)
  return writer.finish()
}

/** Reads a state; fails with why it is none, or is one that could not be written again. */
export function readControl(value: Uint8Array): Result.Result<Control, string> {
  if (value.length > stateBytesMax) return Result.fail(`a state has at most ${stateBytesMax} bytes`)
  return Result.flatMap(
    reading(() => readFields(protobuf.Reader.create(value), value.length, state)),
    (control) => {
      const excess = excessOf(control)
      return excess === undefined ? Result.succeed(control) : Result.fail(excess)
    }
  )
}

function reading<A>(read: () => A): Result.Result<A, string> {
  try {
    return Result.succeed(read())
  } catch (error) {
    return Result.fail(error instanceof MalformedEvent ? error.detail : "a text is not UTF-8")
  }
}
