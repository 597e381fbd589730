/**
 * I1 to I11 of the semantics, as sentences on states and steps. They look at the newest state of the control stream and at what stands with the
 * brokers, and ask the machine as little as they can.
 */
import type { Control } from "../../src/control/Control.ts"
import type { ControlRecord } from "../../src/control/ControlRecord.ts"
import type { Epoch } from "../../src/control/Placement.ts"
import type { Machine } from "./Machine.ts"
import {
  eventOf,
  indexOf,
  memberOf,
  neighbour,
  now,
  type Partition,
  placementIn,
  type Setup,
  type Stored,
  stream,
  textOf,
  type World
} from "./World.ts"

/** What is wrong in a state; undefined: nothing. */
export function brokenIn(world: World, setup: Setup, machine: Machine): string | undefined {
  return (
    world.broken ??
    equationFault(world) ??
    copiesFault(world, setup) ??
    settledFault(world) ??
    neighbourFault(world, machine)
  )
}

/** What is wrong in a state in which nothing has to happen any more. */
export function brokenAtRest(world: World, setup: Setup): string | undefined {
  const { epochs, isPaused } = placementIn(now(world))
  const isDead = ({ place }: Epoch): boolean => place.topic === world.dead
  // A person has to abandon it, or the place has to come back.
  if (epochs.some((one) => isDead(one) && one.phase !== "abandoned" && one.phase !== "retired")) return undefined
  const phases = epochs.map(({ epoch, place, phase }) => `epoch ${epoch} at ${place.topic} is ${phase}`).join(", ")
  const isAtItsEnd = (one: Epoch, index: number): boolean =>
    one.phase === (index === epochs.length - 1 ? "open" : "retired") || (one.phase === "abandoned" && isDead(one))
  // What is held has not begun, or is written again.
  const isHeld = isPaused && (epochs.at(-1)?.phase === "open" || epochs.at(-2)?.phase === "open")
  if (!isHeld && !epochs.every(isAtItsEnd)) return `I7: nothing goes on, and the move has not ended: ${phases}`
  for (const [w, writer] of world.writers.entries()) {
    if (!writer.isAlive || !writer.hasAskedToJoin) continue
    if ([...writer.queued, ...writer.gated].some(({ length }) => length > 0) || writer.busy.length > 0)
      return `I7: nothing goes on, and ${memberOf(w)} holds events for ever`
  }
  for (const [id, copies] of copiesBy(world, setup))
    if ((copies.isAcked || copies.inRange > 0) && !(copies.inRange > 0 && copies.inRange === copies.inDead))
      if ((world.delivered & (1 << id)) === 0)
        return `I2: nothing goes on, and ${copies.event} was ${copies.isAcked ? "acknowledged" : "stored"} and reaches nobody`
  return undefined
}

/** What is wrong with a record of the control stream that counts, or does not. */
export function brokenByRecord(before: Control, after: Control, record: ControlRecord): string | undefined {
  const counts = before !== after
  const isHeld = placementIn(before).isPaused
  if (counts && isHeld && (record.kind === "sealing" || record.kind === "retired"))
    return `Pause: ${record.kind} counts while a person holds the stream`
  if (counts && record.kind === "paused" && !placementIn(after).isPaused)
    return "Pause: a person holds the stream, and the next state does not say so"
  if (record.kind === "table") {
    if (counts && record.base !== before.version)
      return `I5: a table that was based on version ${record.base} counts on top of ${before.version}`
    if (counts && after.version <= before.version)
      return `I5: the version goes from ${before.version} to ${after.version}`
    if (counts && !isKept(before, after, record.document))
      return `I5: version ${after.version} was applied, and the history has ${versionsIn(after) || "nothing"}`
  }
  if ("stream" in record && "base" in record) {
    const step = placementIn(before, record.stream).step
    if (counts && record.base !== step)
      return `I5: ${record.kind} was based on step ${record.base} and counts on top of ${step}`
    if (record.stream === neighbour && !counts && record.base === step)
      return `I11: nothing has happened to ${neighbour}, and its ${record.kind} does not count`
  }
  const isForeign =
    "stream" in record &&
    record.stream !== neighbour &&
    textOf(before.streams.get(neighbour)) !== textOf(after.streams.get(neighbour))
  return isForeign ? `I11: a record of ${record.stream} changes ${neighbour}` : reopenedFault(before, after)
}

/** What was applied stays known, each under its version. */
function isKept(before: Control, after: Control, document: string): boolean {
  const known = [versionsIn(before), before.version + 1].filter((one) => one !== "").join(", ")
  return versionsIn(after) === known && after.history.at(-1)?.document === document
}

const versionsIn = ({ history }: Control): string => history.map(({ version }) => version).join(", ")

const order = ["planned", "open", "sealing", "sealed", "abandoned", "retired"]

function reopenedFault(before: Control, after: Control): string | undefined {
  for (const was of placementIn(before).epochs) {
    const is = placementIn(after).epochs.find(({ epoch }) => epoch === was.epoch)
    if (was.begin !== undefined && (is === undefined || is.begin?.join() !== was.begin.join()))
      return `I10: epoch ${was.epoch} began at ${was.begin.join()}, and begins at ${String(is?.begin)} now`
    if (was.end !== undefined && is?.end?.join() !== was.end.join() && is?.phase !== "abandoned")
      return `I10: epoch ${was.epoch} was sealed at ${was.end.join()}, and ends at ${String(is?.end)} now`
    const isBack = is !== undefined && order.indexOf(is.phase) < order.indexOf(was.phase)
    if (isBack && was.phase !== "sealing") return `I10: epoch ${was.epoch} was ${was.phase} and is ${is.phase} again`
  }
  return undefined
}

/** I8: parents before children, by what the newest state of the control stream says. */
export function brokenByPull(world: World, record: Stored): string | undefined {
  const { epochs } = placementIn(now(world))
  for (const epoch of epochs) {
    if (epoch.epoch >= record.epoch || epoch.phase === "retired" || epoch.phase === "abandoned") continue
    const partition = record.b % epoch.place.partitions
    const [begin, end] = [epoch.begin?.[partition], epoch.end?.[partition]]
    if (begin === undefined) continue
    if (end !== undefined && begin >= end) continue
    const settled = world.partitions[epoch.place.topic]?.[partition]?.settled ?? 0
    if (end === undefined || settled < end)
      return `I8: ${eventOf(record)} of epoch ${record.epoch} is taken, and ${epoch.place.topic}/${partition} is settled up to ${settled} of ${end ?? "no end"}`
  }
  return undefined
}

/** I4: each event that a living writer has admitted is in one of its terms. */
function equationFault({ writers }: World): string | undefined {
  for (const [w, { isAlive, offered, queued, gated, acked }] of writers.entries()) {
    if (!isAlive) continue
    for (const [b, count] of offered.entries()) {
      const terms = [...(queued[b] ?? []), ...(gated[b] ?? []), ...(acked[b] ?? [])]
      for (let seq = 0; seq < count; seq++) {
        const times = terms.filter((one) => one === seq).length
        if (times !== 1) return `I4: ${eventOf({ w, b, seq })} is in ${times} terms of its equation`
      }
    }
  }
  return undefined
}

interface Copies {
  readonly event: string
  readonly isAcked: boolean
  inRange: number
  /** Of those, how many nobody can read. */
  inDead: number
  /** Whether one lies behind the end of its epoch and will be swept. */
  isSwept: boolean
}

function copiesBy(world: World, setup: Setup): ReadonlyMap<number, Copies> {
  const found = new Map<number, Copies>()
  const epochs = new Map(placementIn(now(world)).epochs.map((epoch) => [epoch.epoch, epoch]))
  const of = (id: Stored): Copies => {
    const index = indexOf(id)
    let copies = found.get(index)
    if (copies === undefined) {
      const isAcked = world.writers[id.w]?.acked[id.b]?.includes(id.seq) ?? false
      found.set(index, (copies = { event: eventOf(id), isAcked, inRange: 0, inDead: 0, isSwept: false }))
    }
    return copies
  }
  for (const [w, { acked }] of world.writers.entries())
    for (const [b, list] of acked.entries()) for (const seq of list) of({ w, b, seq, epoch: 0 })
  for (const topic in setup.places)
    for (const [partition, { records }] of (world.partitions[topic] ?? []).entries())
      for (const [position, record] of records.entries()) {
        const epoch = epochs.get(record.epoch)
        const copies = of(record)
        const before = copies.inRange
        if (epoch?.place.topic === topic) placeCopy(copies, epoch, partition, position, record)
        if (topic === world.dead) copies.inDead += copies.inRange - before
      }
  return found
}

function placeCopy(
  copies: Copies,
  { begin, end, over, swept, phase }: Epoch,
  partition: number,
  position: number,
  { w }: Stored
): void {
  if (position < (begin?.[partition] ?? Infinity)) return
  if (end === undefined || position < (end[partition] ?? 0)) copies.inRange++
  else if (phase !== "retired" && over.has(memberOf(w)) && position >= (swept[partition] ?? 0)) copies.isSwept = true
}

/** I1: what is acknowledged lies within its epoch, or is swept. I9: one copy, and one more for each attempt whose outcome nobody knew. */
function copiesFault(world: World, setup: Setup): string | undefined {
  for (const [id, { event, isAcked, inRange, isSwept }] of copiesBy(world, setup)) {
    const unknown = world.excuses[id] ?? 0
    if (isAcked && inRange === 0 && !isSwept)
      return `I1: ${event} is acknowledged, lies in no epoch, and nobody sweeps it`
    if (inRange > 1 + unknown) return `I9: ${event} is stored ${inRange} times, and ${unknown} attempts had no answer`
  }
  return undefined
}

/** I8 and I10: a group has handled what it has settled. */
function settledFault(world: World): string | undefined {
  for (const { epoch, place, begin, end } of placementIn(now(world)).epochs)
    for (const [partition, { records, settled }] of (
      world.partitions[place.topic] as ReadonlyArray<Partition>
    ).entries())
      for (let at = begin?.[partition] ?? Infinity; at < Math.min(settled, end?.[partition] ?? Infinity); at++) {
        const record = records[at]
        if (record?.epoch === epoch && (world.delivered & (1 << indexOf(record))) === 0)
          return `I8: ${place.topic}/${partition} is settled up to ${settled}, and ${eventOf(record)} was never handled`
      }
  return undefined
}

/** I11: who is not told to seal a stream goes on with it. */
function neighbourFault({ log, writers }: World, machine: Machine): string | undefined {
  for (const [w, { isAlive, at }] of writers.entries()) {
    const placement = log[at]?.streams.get(neighbour)
    if (!isAlive || placement === undefined) continue
    const { does } = machine.standingOf(placement, memberOf(w))
    if (placement.epochs.at(-2)?.phase === "open" && does !== "send")
      return `I11: ${neighbour} is open, and ${memberOf(w)} does not send there, because of ${stream}: ${does}`
  }
  return undefined
}
