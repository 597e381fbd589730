/** One step of the model, and what all kinds of steps share. */
import type { Control } from "../../src/control/Control.ts"
import type { ControlRecord, Place } from "../../src/control/ControlRecord.ts"
import { brokenByRecord } from "./invariants.ts"
import type { Conduct } from "./Machine.ts"
import {
  actorWith,
  type Actor,
  type Bound,
  type Controls,
  epochIn,
  type Id,
  indexOf,
  now,
  type Partition,
  partitionsOf,
  partitionWith,
  type Setup,
  type World,
  type Writer,
  writerWith
} from "./World.ts"

/** `must`: it happens if nothing else does. `may`: a fault, or something that somebody wants. */
export type Kind = "must" | "may"

export interface Model {
  readonly setup: Setup
  readonly controls: Controls
  readonly conduct: Conduct
}

export type Emit = (kind: Kind, says: () => string, world: World) => void

export function withWriter(world: World, w: number, change: Partial<Writer>): World {
  return { ...world, writers: world.writers.map((one, index) => (index === w ? writerWith(one, change) : one)) }
}

export function withActor(world: World, a: number, change: Partial<Actor>): World {
  return { ...world, actors: world.actors.map((one, index) => (index === a ? actorWith(one, change) : one)) }
}

export function withPartition(world: World, topic: string, partition: number, change: Partial<Partition>): World {
  const all = world.partitions[topic] as ReadonlyArray<Partition>
  const next = all.map((one, index) => (index === partition ? partitionWith(one, change) : one))
  return { ...world, partitions: { ...world.partitions, [topic]: next } }
}

/** A broker stores a record. */
export function stored(
  world: World,
  place: Place,
  partition: number,
  { w, b, seq, epoch }: Id & { readonly epoch: number }
): World {
  const records = world.partitions[place.topic]?.[partition]?.records ?? []
  return withPartition(world, place.topic, partition, { records: [...records, { w, b, seq, epoch }] })
}

export function excused(world: World, id: Id): World {
  const index = indexOf(id)
  return { ...world, excuses: world.excuses.map((count, at) => (at === index ? count + 1 : count)) }
}

export function used(world: World, bound: Bound, count = 1): World {
  return { ...world, used: { ...world.used, [bound]: world.used[bound] + count } }
}

export function has(world: World, bound: Bound, { setup }: Model, count = 1): boolean {
  return world.used[bound] + count <= (setup[bound] ?? 0)
}

export function broken(world: World, what: string | undefined): World {
  return what === undefined || world.broken !== undefined ? world : { ...world, broken: what }
}

/** A record is appended to the control stream; one that does not count leaves no trace, because it changes nothing for anybody. */
export function appended(
  world: World,
  record: ControlRecord,
  { controls }: Model
): { readonly world: World; readonly counts: boolean } {
  const before = now(world)
  const after: Control = controls.apply(before, record)
  const next = after === before ? world : { ...world, log: [...world.log, after] }
  const told = broken(next, brokenByRecord(before, after, record))
  const losesEnd = record.kind === "abandoned" && epochIn(after, record.epoch)?.end === undefined
  return { world: losesEnd ? withoutEnd(told, before, record.epoch) : told, counts: after !== before }
}

/** What lies behind the end of an epoch may be swept already, and is read there too when the epoch has no end any more. */
function withoutEnd(world: World, before: Control, number: number): World {
  const epoch = epochIn(before, number)
  if (epoch?.end === undefined) return world
  return partitionsOf(world, epoch.place)
    .flatMap(({ records }, partition) => records.slice(epoch.end?.[partition]))
    .filter((one) => one.epoch === number)
    .reduce(excused, world)
}
