/**
 * What the control stream says, folded. Pure and total: no clock, no I/O, and any record is taken, also one that is none. The same object comes
 * back for a record that does not count, so that its author knows when it reads it back.
 *
 * A table names the version that it is based on, a step of a move the step of its own stream: streams do not disturb each other.
 */
import type { ControlRecord, PlacedRecord, TableRecord } from "./ControlRecord.ts"
import {
  abandoned,
  directed,
  drained,
  givenUp,
  handedOver,
  joined,
  left,
  opened,
  paused,
  placed,
  reads,
  resumed,
  retired,
  sealed,
  sealing,
  swept
} from "./moves.ts"
import { documentsKept, excessOf, keptCharsMax, reasonCharsMax, recordFault } from "./bounds.ts"
import type { Placement } from "./Placement.ts"

/** What stands beside a record: it decides nothing, and people want to know it. */
export interface Said {
  readonly author: string
  readonly reason: string
  /** By the clock of its author. */
  readonly timeMs: number
}

/** A document that was applied. */
export interface KeptDocument extends Said {
  /** Which of all that were applied, from 1 on. */
  readonly version: number
  readonly document: string
}

/** A process of a fleet. */
export interface ControlMember {
  /** How often it has beaten. */
  readonly beats: number
  /** Which version it had applied at its last beat. */
  readonly version: number
  /** Why no later one, as it said then; empty: it refuses none. */
  readonly refused: string
  /** By stream: what its spills held then for places that the stream is leaving, or has left; absent: nothing, as far as it said. */
  readonly spilled?: ReadonlyMap<string, number> | undefined
}

export interface Control {
  /** How many documents were applied: the version that the next one is based on. */
  readonly version: number
  readonly document: string
  /** The last ones that were applied, oldest first, with the one in force. */
  readonly history: ReadonlyArray<KeptDocument>
  readonly streams: ReadonlyMap<string, Placement>
  readonly members: ReadonlyMap<string, ControlMember>
  /** Kinds of records that a newer leat has written; they are skipped here. */
  readonly unknownKinds: ReadonlySet<string>
}

/** Nothing was read yet. */
export const emptyControl: Control = {
  version: 0,
  document: "",
  history: [],
  streams: new Map(),
  members: new Map(),
  unknownKinds: new Set()
}

const unsaid: Said = { author: "", reason: "", timeMs: 0 }

/**
 * The state behind a record.
 *
 * @example
 * ```ts
 * const after = apply(control, record)
 * if (after === control) return "somebody else was first"
 * ```
 */
export function apply(control: Control, record: ControlRecord): Control {
  return applySaid(control, record, unsaid)
}

/** The same, with what stands beside the record: it is kept with a document. */
export function applySaid(control: Control, record: ControlRecord, said: Said): Control {
  if (recordFault(record) !== undefined) return control
  const next = folded(control, record, said)
  return next === control || excessOf(next) !== undefined ? control : next
}

/**
 * Why a record may not count whatever it is based on: it is out of bounds, or the state would be. `undefined` says nothing about its base.
 *
 * @example
 * ```ts
 * refusalOf(control, { kind: "joined", stream: "", member }) // "stream of a control record has to be a text of 1 to 249 characters"
 * ```
 */
export function refusalOf(control: Control, record: ControlRecord): string | undefined {
  return recordFault(record) ?? excessOf(folded(control, record, unsaid))
}

function folded(control: Control, record: ControlRecord, said: Said): Control {
  switch (record.kind) {
    case "table":
      return record.base === control.version ? withTable(control, record, said) : control
    case "beat": {
      const beats = (control.members.get(record.member)?.beats ?? 0) + 1
      const members = new Map(control.members).set(record.member, {
        beats,
        version: record.version,
        refused: record.refused,
        spilled: record.spilled
      })
      return { ...control, members }
    }
    case "forgotten":
      return withoutMember(control, record.member, record.beats)
    case "snapshot":
      return control
    case "placed":
      return withPlaced(control, record)
    case "joined":
    case "reads":
    case "left":
    case "sealing":
    case "paused":
    case "resumed":
    case "drained":
    case "sealed":
    case "abandoned":
    case "opened":
    case "swept":
    case "givenUp":
    case "handedOver":
    case "retired":
      return withStep(control, record)
    default:
      return withUnknown(control, record)
  }
}

type StepRecord = Exclude<ControlRecord, { readonly kind: "table" | "placed" | "beat" | "forgotten" | "snapshot" }>

function withTable(control: Control, { document, places, relaxed }: TableRecord, said: Said): Control {
  const streams = new Map(control.streams)
  for (const [stream, place] of places) {
    const placement = streams.get(stream)
    const isRelaxed = relaxed?.has(stream) === true
    const next = placement === undefined ? placed(place, control.members.keys()) : directed(placement, place, isRelaxed)
    // The document and where its streams lie would say different things.
    if (next === undefined) return control
    streams.set(stream, next)
  }
  const version = control.version + 1
  return { ...control, version, document, history: keptWith(control.history, { ...said, version, document }), streams }
}

/** The first one counts. */
function withPlaced(control: Control, { stream, base, place, epoch }: PlacedRecord): Control {
  if (base !== control.version || control.streams.has(stream)) return control
  const placement = placed(place, control.members.keys(), epoch)
  return { ...control, streams: new Map(control.streams).set(stream, placement) }
}

/** The oldest are forgotten. Two that are as long as may be always stay: the last one can be taken back. */
function keptWith(history: ReadonlyArray<KeptDocument>, last: KeptDocument): ReadonlyArray<KeptDocument> {
  const all = [...history, { ...last, reason: last.reason.slice(0, reasonCharsMax).toWellFormed() }]
  let from = Math.max(0, all.length - documentsKept)
  let chars = all.slice(from).reduce((sum, { document }) => sum + document.length, 0)
  while (chars > keptCharsMax) chars -= all[from++]?.document.length ?? chars
  return all.slice(from)
}

/** Not while it writes a stream: who is passed over is judged by beats, which may not begin anew. */
function withoutMember(control: Control, member: string, beats: number): Control {
  if (control.members.get(member)?.beats !== beats) return control
  for (const { writers } of control.streams.values()) if (writers.get(member) === "joined") return control
  const members = new Map(control.members)
  members.delete(member)
  return { ...control, members }
}

function withStep(control: Control, record: StepRecord): Control {
  const placement = control.streams.get(record.stream)
  if (placement === undefined || ("base" in record && record.base !== placement.step)) return control
  const next = stepped(control, placement, record)
  if (next === undefined || next === placement) return control
  return { ...control, streams: new Map(control.streams).set(record.stream, next) }
}

function stepped(control: Control, placement: Placement, record: StepRecord): Placement | undefined {
  switch (record.kind) {
    case "joined":
      return joined(placement, record.member)
    case "reads":
      return reads(placement, record.group)
    case "left":
      return left(placement, record.member, record.upTo)
    case "sealing":
      return sealing(placement)
    case "paused":
      return paused(placement)
    case "resumed":
      return resumed(placement)
    case "drained":
      return drained(placement, record)
    case "sealed":
      return sealed(placement, record, (member) => control.members.get(member)?.beats ?? 0)
    case "abandoned":
      return abandoned(placement, record)
    case "opened":
      return opened(placement, record.begin)
    case "swept":
      return swept(placement, record)
    case "givenUp":
      return givenUp(placement, record)
    case "handedOver":
      return handedOver(placement, record)
    case "retired":
      return retired(placement, record)
  }
}

function withUnknown(control: Control, record: unknown): Control {
  const kind = String((record as { readonly kind?: unknown } | undefined)?.kind)
  if (control.unknownKinds.has(kind)) return control
  return { ...control, unknownKinds: new Set([...control.unknownKinds, kind]) }
}
