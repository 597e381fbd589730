/** Where a leat is, or one lane of it: what its ledger says, and what was seen at its drivers. */
import type { OpenLeat } from "../../OpenLeat.ts"
import type { Subscription } from "../../consume/Subscription.ts"
import type { LegRow, ReadRow } from "../../ledger/Ledger.ts"
import type { State } from "./Occasions.ts"

/** A lane that a process holds. */
export interface HeldByProcess extends ReadFrom {
  /** As the ledger has it. */
  readonly id: string
  isFresh: boolean
  isDraining: boolean
}

/** A partition in the hands of a group. */
export interface ReadFrom {
  readonly group: string
  readonly topic: string
  readonly partition: number
}

/** What was seen at the drivers of one process. */
export interface SeenAtDrivers {
  /** Partitions of topics of dead letters whose last ones are not stored yet. */
  readonly lettersOnWay: Set<string>
  /** Partitions whose last send has failed, by `cluster/topic/partition`. */
  readonly failing: Set<string>
  readonly lanes: Set<HeldByProcess>
}

/** What a mishap is of, where it is of one leg, or of one lane that is read; then the states on that side are those of that one. */
export interface Whose {
  /** `cluster/topic`. */
  readonly sink?: string | undefined
  readonly lane?: ReadFrom | undefined
}

export function statesOf(
  leat: OpenLeat,
  { isClosing, seen }: { readonly isClosing: boolean; readonly seen: SeenAtDrivers },
  { sink, lane }: Whose = {}
): ReadonlyArray<State> {
  const { streams, legs, lanes } = leat.ledger.snapshot()
  const found: Array<State> = []
  if (isClosing) found.push("closing")
  if (seen.lettersOnWay.size > 0) found.push("deadLettering")
  if (streams.some(({ waiting }) => waiting > 0)) found.push("waiting")
  const ownLegs = sink === undefined ? legs : legs.filter((leg) => leg.sink === sink)
  found.push(...statesOfLegs(ownLegs, seen))
  if (leat.halted().some((one) => sink === undefined || one.sink === sink)) found.push("halted")
  const ownSinks = leat.sinks().filter((one) => sink === undefined || one.sink === sink)
  if (ownSinks.some(({ fallback }) => (fallback?.partitions.length ?? 0) > 0)) found.push("fellBack")
  const held = Array.from(seen.lanes).filter((one) => lane === undefined || isSame(one, lane))
  const rows = lane === undefined ? lanes : lanes.filter((row) => held.some((one) => isRowOf(row, one)))
  found.push(...statesOfLanes(held, rows, leat.subscriptions(), lane))
  return found
}

function* statesOfLegs(legs: ReadonlyArray<LegRow>, { failing }: SeenAtDrivers): Iterable<State> {
  if (legs.some(({ queued }) => queued > 0)) yield "queued"
  if (legs.some(({ inFlight }) => inFlight > 0)) yield "inFlight"
  if (legs.some(({ inDoubt }) => inDoubt > 0)) yield "inDoubt"
  if (legs.some(({ spilled }) => spilled > 0)) yield "spilled"
  if (legs.every((leg) => left(leg) + leg.spilled === 0)) yield "empty"
  const names = Array.from(failing)
  if (legs.some((leg) => left(leg) > 0 && names.some((name) => name.startsWith(`${leg.sink}/`)))) yield "retrying"
}

function left({ queued, inFlight, inDoubt }: LegRow): number {
  return queued + inFlight + inDoubt
}

function* statesOfLanes(
  held: ReadonlyArray<HeldByProcess>,
  rows: ReadonlyArray<ReadRow>,
  subscriptions: ReadonlyArray<Subscription>,
  lane: ReadFrom | undefined
): Iterable<State> {
  if (rows.some(({ inFlight }) => inFlight > 0)) yield "handling"
  if (rows.some(({ parked }) => parked > 0)) yield "parked"
  if (held.some(({ isFresh, isDraining }) => isFresh && !isDraining)) yield "fresh"
  if (held.some(({ isDraining }) => isDraining)) yield "draining"
  const own = subscriptions.filter(({ group }) => lane === undefined || group === lane.group)
  if (own.some((one) => one.blocked().some(({ partition }) => lane === undefined || partition === lane.partition)))
    yield "blocked"
  const isOwn = ({ topic, partition }: Omit<ReadFrom, "group">) =>
    lane === undefined || (topic === lane.topic && partition === lane.partition)
  if (own.some((one) => one.halted().some(isOwn))) yield "readHalted"
}

function isSame(one: ReadFrom, other: ReadFrom): boolean {
  return one.group === other.group && one.topic === other.topic && one.partition === other.partition
}

function isRowOf({ group, lane }: ReadRow, held: HeldByProcess): boolean {
  return group === held.group && lane === held.id
}
