/** What the two readers of the group do. Each has read the control stream up to where it likes. */
import type { Place } from "../../src/control/ControlRecord.ts"
import { brokenByPull } from "./invariants.ts"
import { broken, type Emit, has, type Model, used, withPartition } from "./Step.ts"
import {
  epochIn,
  eventOf,
  indexOf,
  now,
  type Partition,
  partitionsOf,
  placeCalled,
  placementIn,
  seqMax,
  type Stored,
  type World
} from "./World.ts"

export function readerSteps(world: World, model: Model, emit: Emit): void {
  for (const [reader, at] of world.readers.entries())
    if (at < world.log.length - 1) {
      const readers = world.readers.map((one, index) => (index === reader ? one + 1 : one))
      emit("must", () => `reader ${reader + 1} reads on in the control stream`, { ...world, readers })
    }
  for (const topic in world.partitions) {
    const place = placeCalled(model.setup, topic)
    for (const [index, partition] of partitionsOf(world, place).entries()) {
      if (partition.hand >= 0)
        emit(
          "must",
          () => `what reader ${partition.reader + 1} has of ${topic}/${index} is handled`,
          handled(world, place, index)
        )
      else pulls(world, place, index, partition, model, emit)
      if (!has(world, "revokes", model)) continue
      const next = withPartition(world, topic, index, { hand: -1, reader: 1 - partition.reader })
      emit("may", () => `${topic}/${index} goes to reader ${2 - partition.reader}`, used(next, "revokes"))
    }
  }
}

/** What a reader knows of the position of its group. */
function settledOf(world: World, model: Model): (place: Place, partition: number) => number {
  return (place, partition) => {
    const { settled, hand } = partitionsOf(world, place)[partition] as Partition
    return model.conduct.asksWhatIsSettled ? settled : Math.max(settled, hand + 1)
  }
}

function pulls(world: World, place: Place, index: number, partition: Partition, model: Model, emit: Emit): void {
  if (place.topic === world.dead) return
  const { machine } = model.controls
  const control = world.log[world.readers[partition.reader] ?? 0]
  if (control === undefined) return
  const readable = machine.readableIn(placementIn(control), place, index, settledOf(world, model))
  if (readable === undefined) return
  const { from, end } = readable
  const record = partition.records[from]
  if (record === undefined || (end !== undefined && from >= end)) return
  const fate = machine.fateOf(readable, record.epoch)
  if (fate === "stand") return
  const where = `${place.topic}/${index} at ${from}`
  if (fate === "skip")
    emit("must", () => `the group skips ${where}`, withPartition(world, place.topic, index, { settled: from + 1 }))
  else {
    const taken = withPartition(world, place.topic, index, { hand: from })
    const next = broken(taken, brokenByPull(world, record))
    const verb = model.setup.revokes === 0 ? "handles" : "takes"
    const says = () => `reader ${partition.reader + 1} ${verb} ${eventOf(record)} from ${where}`
    // What is in its hands makes a difference only where it can be lost.
    emit("must", says, model.setup.revokes === 0 ? handled(next, place, index) : next)
  }
}

function handled(world: World, place: Place, index: number): World {
  const { records, hand } = partitionsOf(world, place)[index] as Partition
  const record = records[hand] as Stored
  const isHandled = (seq: number): boolean => (world.delivered & (1 << indexOf({ ...record, seq }))) !== 0
  const later = Array.from({ length: seqMax - 1 - record.seq }, (_, more) => record.seq + 1 + more)
  const isPromised = epochIn(now(world), record.epoch)?.phase !== "abandoned"
  const isLate = isPromised && !isHandled(record.seq) && later.some(isHandled)
  const what = isLate
    ? `I3: ${eventOf(record)} is handled for the first time after a later one of its bucket`
    : undefined
  const delivered = world.delivered | (1 << indexOf(record))
  return broken(withPartition({ ...world, delivered }, place.topic, index, { settled: hand + 1, hand: -1 }), what)
}
