/**
 * The steps of a move, each from the placement before it to the one after it; `undefined`: it does not count here. Their rules are what the
 * model in `packages/leat/test/control` explores.
 */
import { goneKept, retiredKept } from "./bounds.ts"
import type { AbandonedRecord, ControlRecord, DrainedRecord, Place, Positions, SealedRecord } from "./ControlRecord.ts"
import { type Epoch, endsOf, isSameTopic, isSweeping, type Placement, plannedEpoch } from "./Placement.ts"

type RecordOf<Kind extends ControlRecord["kind"]> = Extract<ControlRecord, { readonly kind: Kind }>

/** The placement of a stream that nobody knew: `members` may write it already. */
export function placed(place: Place, members: Iterable<string>, epoch = 1): Placement {
  const begin = Array.from({ length: place.partitions }, () => 0)
  return {
    step: 1,
    lastEpoch: epoch,
    epochs: [{ ...plannedEpoch(epoch, place), phase: "open", begin }],
    writers: new Map(Array.from(members, (member) => [member, "joined"] as const)),
    groups: new Set(),
    isPaused: false
  }
}

/**
 * A document says where the stream is to lie. Before `sealed` it may go back: that aborts the move, and another target starts it anew.
 * Between `sealed` and `opened` nothing was sent to the target, so another may take its place; also the old place, as a new epoch. Not the place of
 * an abandoned epoch of which nobody knows where it ends. A topic that was given more partitions is still where the stream lies: its place is the
 * partitions that it had.
 */
export function directed(placement: Placement, place: Place, isRelaxed = false): Placement | undefined {
  const { newest, source } = endsOf(placement)
  if (placement.epochs.some((one) => isEndless(one) && isSameTopic(one.place, place))) return undefined
  if (newest !== undefined && isSameTopic(newest.place, place)) return placement
  const target = plannedEpoch(placement.lastEpoch + 1, place, isRelaxed)
  const next = { ...placement, step: placement.step + 1, lastEpoch: target.epoch }
  if (source === undefined) return { ...next, epochs: [...placement.epochs, target] }
  if (isOver(source)) return { ...next, epochs: [...placement.epochs.slice(0, -1), target] }
  const back: Epoch = { ...source, phase: "open", drained: new Map() }
  const before = [...placement.epochs.slice(0, -2), back]
  if (isSameTopic(source.place, place)) return { ...placement, step: next.step, epochs: before }
  return { ...next, epochs: [...before, target] }
}

/** Not while somebody is swept: the sweep is sent to the epoch that would be sealed, and nobody would wait for it. */
export function sealing(placement: Placement): Placement | undefined {
  const { newest, source } = endsOf(placement)
  if (newest === undefined || source?.phase !== "open" || isSweeping(placement)) return undefined
  return changed(placement, source, { phase: "sealing", attempt: newest.epoch, drained: new Map() })
}

/** A change that others are based on: what was thought out before it, as a sealing, does not count behind it. */
export function paused(placement: Placement): Placement | undefined {
  return placement.isPaused ? undefined : { ...placement, step: placement.step + 1, isPaused: true }
}

export function resumed(placement: Placement): Placement | undefined {
  return placement.isPaused ? { ...placement, step: placement.step + 1, isPaused: false } : undefined
}

/** Once: who has left or was given up takes another name. */
export function joined(placement: Placement, member: string): Placement | undefined {
  if (placement.writers.has(member)) return undefined
  return { ...placement, writers: new Map(placement.writers).set(member, "joined") }
}

export function left(placement: Placement, member: string, upTo: Positions): Placement | undefined {
  if (placement.writers.get(member) !== "joined") return undefined
  return accounted(gone(placement, member, "left"), member, upTo)
}

export function drained(placement: Placement, record: DrainedRecord): Placement | undefined {
  const epoch = placement.epochs.find((one) => one.epoch === record.epoch)
  if (epoch === undefined || epoch.attempt !== record.attempt) return undefined
  if (record.upTo.length > epoch.place.partitions) return undefined
  if (epoch.phase === "sealing" && placement.writers.get(record.member) === "joined")
    return drainedIn(placement, epoch, record.member, record.upTo)
  return isOwing(epoch, record.member) ? accounted(placement, record.member, record.upTo) : undefined
}

/** Counts when every writer has drained, or is passed over and has not beaten since it was judged; `beatsOf` says how often each has. */
export function sealed(
  placement: Placement,
  record: SealedRecord,
  beatsOf: (member: string) => number
): Placement | undefined {
  const { source } = endsOf(placement)
  if (source?.phase !== "sealing" || record.end.length !== source.place.partitions) return undefined
  const over = new Map<string, Positions | undefined>()
  for (const member of missingIn(placement, source)) {
    if (record.over.get(member) !== beatsOf(member)) return undefined
    over.set(member, undefined)
  }
  for (const upTo of source.drained.values()) if (!reaches(record.end, upTo)) return undefined
  return changed(placement, source, { phase: "sealed", end: record.end, over, swept: record.end })
}

export function opened(placement: Placement, begin: Positions): Placement | undefined {
  const { newest, source } = endsOf(placement)
  if (newest === undefined || source === undefined || !isOver(source)) return undefined
  if (begin.length !== newest.place.partitions) return undefined
  return changed(placement, newest, { phase: "open", begin })
}

/**
 * Not the newest: there is nowhere to go. Where somebody may still write behind its end it has none any more, and cannot have one if a later epoch
 * has begun in its place.
 */
export function abandoned(placement: Placement, { epoch }: AbandonedRecord): Placement | undefined {
  const index = placement.epochs.findIndex((one) => one.epoch === epoch)
  const [found, later] = placement.epochs.slice(index)
  if (index < 0 || found === undefined || later === undefined) return undefined
  if (found.phase === "abandoned" || found.phase === "retired") return undefined
  const isSealed = found.phase === "sealed"
  const isEnded = isSealed && found.over.size === 0
  const isUsedAgain = placement.epochs.slice(index + 1).some(({ place }) => isSameTopic(place, found.place))
  if (isUsedAgain && !isEnded) return undefined
  const owing = isSealed ? [...found.over.keys()].filter((one) => isOwing(found, one)) : missingIn(placement, found)
  const over = new Map(owing.map((member) => [member, undefined]))
  const attempt = isSealed ? found.attempt : later.epoch
  return changed(placement, found, {
    phase: "abandoned",
    end: isEnded ? found.end : undefined,
    attempt,
    over,
    swept: []
  })
}

/** What is said twice, or by two at once, only adds: each has sent all of what it says. */
export function swept(placement: Placement, { epoch, upTo }: RecordOf<"swept">): Placement | undefined {
  const found = placement.epochs.find((one) => one.epoch === epoch && one.phase === "sealed" && one.over.size > 0)
  if (found === undefined || upTo.length !== found.swept.length || reaches(found.swept, upTo)) return undefined
  return kept(placement, found, { swept: found.swept.map((position, index) => Math.max(position, upTo[index] ?? 0)) })
}

/** The member is out for good: if it lives after all it may not go on under its name. */
export function givenUp(placement: Placement, record: RecordOf<"givenUp">): Placement | undefined {
  const epoch = placement.epochs.find((one) => one.epoch === record.epoch)
  if (epoch === undefined || !isOwing(epoch, record.member)) return undefined
  return accounted(gone(placement, record.member, "givenUp"), record.member, record.upTo)
}

export function reads(placement: Placement, group: string): Placement | undefined {
  return placement.groups.has(group) ? undefined : { ...placement, groups: new Set([...placement.groups, group]) }
}

export function handedOver(placement: Placement, { epoch, group }: RecordOf<"handedOver">): Placement | undefined {
  const found = placement.epochs.find((one) => one.epoch === epoch)
  if (found === undefined || isHandedOver(found, group) !== false) return undefined
  return kept(placement, found, { handedOver: new Set([...found.handedOver, group]) })
}

/** Whether a group has an epoch behind it; undefined: it cannot have it yet. */
export function isHandedOver(epoch: Epoch, group: string): boolean | undefined {
  if (!isOver(epoch)) return undefined
  // Who may still write there has no end yet that a group could have settled.
  if (epoch.phase === "abandoned" && epoch.over.size > 0) return undefined
  return epoch.handedOver.has(group)
}

/** Not while somebody who was passed over may still write there, or a group has to read it: nobody would. */
export function retired(placement: Placement, { epoch, groups }: RecordOf<"retired">): Placement | undefined {
  const index = placement.epochs.findIndex((one) => one.epoch === epoch)
  const found = placement.epochs[index]
  if (found === undefined || !mayRetire(placement, index)) return undefined
  if (![...placement.groups, ...groups].every((group) => found.handedOver.has(group))) return undefined
  return withoutHistory(changed(placement, found, { phase: "retired" }))
}

/** The oldest first; one that was abandoned holds up no other. */
export function mayRetire({ epochs }: Placement, index: number): boolean {
  const found = epochs[index]
  if (found === undefined || !isOver(found) || found.over.size > 0 || epochs[index + 1]?.begin === undefined)
    return false
  const isWaitedFor = ({ phase }: Epoch): boolean => phase !== "retired" && phase !== "abandoned"
  return found.phase === "abandoned" || !epochs.slice(0, index).some(isWaitedFor)
}

function isEndless({ phase, end }: Epoch): boolean {
  return phase === "abandoned" && end === undefined
}

/** Nobody writes there any more who knows of it, and it is not retired. */
export function isOver({ phase }: Epoch): boolean {
  return phase === "sealed" || phase === "abandoned"
}

function withoutHistory(placement: Placement): Placement {
  const retiredOnes = placement.epochs.filter(({ phase }) => phase === "retired")
  const old = new Set(retiredOnes.slice(0, -retiredKept))
  return old.size === 0 ? placement : { ...placement, epochs: placement.epochs.filter((one) => !old.has(one)) }
}

/**
 * Who is gone longest is forgotten first. A late copy of its join would count then: it is a writer that never drains, and is passed over and given up
 * by the next move.
 */
function gone(placement: Placement, member: string, how: "left" | "givenUp"): Placement {
  const writers = new Map(placement.writers)
  writers.delete(member)
  writers.set(member, how)
  const before = [...writers].flatMap(([one, is]) => (is === "joined" ? [] : [one]))
  for (const one of before.slice(0, -goneKept)) writers.delete(one)
  return { ...placement, writers }
}

/** Writers that keep the barrier waiting. */
export function missingIn(placement: Placement, { drained: said }: Epoch): ReadonlyArray<string> {
  return [...placement.writers].flatMap(([member, how]) => (how === "joined" && !said.has(member) ? [member] : []))
}

/** Passed over, and has not said yet up to where it wrote. */
function isOwing(epoch: Epoch, member: string): boolean {
  return epoch.over.has(member) && epoch.over.get(member) === undefined
}

function drainedIn(placement: Placement, epoch: Epoch, member: string, upTo: Positions): Placement {
  return kept(placement, epoch, { drained: new Map(epoch.drained).set(member, upTo) })
}

/** Notes up to where a member that was passed over wrote, wherever it was. */
function accounted(placement: Placement, member: string, upTo: Positions): Placement {
  const epoch = placement.epochs.find((one) => isOwing(one, member))
  return epoch === undefined ? placement : kept(placement, epoch, { over: new Map(epoch.over).set(member, upTo) })
}

/** A change that others are based on. */
function changed(placement: Placement, epoch: Epoch, change: Partial<Epoch>): Placement {
  return { ...kept(placement, epoch, change), step: placement.step + 1 }
}

/** A change that nobody is based on; members that are swept, or have left an abandoned place, leave the list. */
function kept(placement: Placement, epoch: Epoch, change: Partial<Epoch>): Placement {
  const next = { ...epoch, ...change }
  const isDone = (upTo: Positions): boolean => next.phase === "abandoned" || reaches(next.swept, upTo)
  const over = new Map([...next.over].filter(([, upTo]) => upTo === undefined || !isDone(upTo)))
  return { ...placement, epochs: placement.epochs.map((one) => (one === epoch ? { ...next, over } : one)) }
}

function reaches(positions: Positions, upTo: Positions): boolean {
  return upTo.every((position, partition) => (positions[partition] ?? 0) >= position)
}
