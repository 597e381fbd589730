/** What those do who coordinate and command: any of them, at any time, and two at once. */
import type { ControlRecord, Place, Positions } from "../../src/control/ControlRecord.ts"
import type { Duty } from "../../src/control/duties.ts"
import type { Epoch } from "../../src/control/Placement.ts"
import { type Emit, appended, broken, excused, has, type Model, stored, used, withActor, withWriter } from "./Step.ts"
import {
  type Actor,
  endsAt,
  epochIn,
  eventOf,
  group,
  type Id,
  memberOf,
  neighbour,
  now,
  type Partition,
  partitionsOf,
  placeCalled,
  placementIn,
  stream,
  type World,
  type Writer,
  writerOf
} from "./World.ts"

type Sweep = Extract<Duty, { readonly does: "sweep" }>

export function actorSteps(world: World, model: Model, emit: Emit): void {
  if (has(world, "forgets", model))
    for (const [member, { beats }] of now(world).members) {
      const { world: next, counts } = appended(world, { kind: "forgotten", member, beats }, model)
      const says = () => `somebody writes that ${member} is forgotten${counts ? "" : ", which does not count"}`
      emit("may", says, used(next, "forgets"))
    }
  const { step, isPaused } = placementIn(now(world))
  if (isPaused)
    emit("may", () => "a person resumes", appended(world, { kind: "resumed", stream, base: step }, model).world)
  else if (has(world, "pauses", model))
    emit(
      "may",
      () => "a person pauses",
      used(appended(world, { kind: "paused", stream, base: step }, model).world, "pauses")
    )
  if (world.dead !== "") emit("may", () => `${world.dead} comes back`, { ...world, dead: "" })
  else if (has(world, "deaths", model))
    for (const topic in model.setup.places)
      emit("may", () => `${topic} dies`, used({ ...world, dead: topic }, "deaths"))
  for (const [a, actor] of world.actors.entries()) {
    if (actor.pending !== undefined) appends(world, a, actor.pending.record, model, emit)
    else if (actor.sweep !== undefined) sweeps(world, a, actor.sweep, model, emit)
    else {
      commands(world, a, model, emit)
      for (const duty of model.controls.machine.dutiesOf(placementIn(now(world)))) takesOn(world, a, duty, model, emit)
    }
    if ((actor.pending !== undefined || actor.sweep !== undefined) && has(world, "failovers", model))
      emit("may", () => `${nameOf(a)} crashes`, crashed(world, a, actor))
  }
}

const nameOf = (a: number): string => `c${a + 1}`

/**
 * A record is thought out, and written in another step: another record may come between. Where nobody else writes such records, only what is
 * read of brokers may have changed meanwhile.
 */
function thinks(world: World, a: number, record: ControlRecord, model: Model): World {
  const isAlone = model.setup.actors === 1 && model.setup.failovers === 0 && model.setup.pauses === 0
  if (isAlone && !["sealed", "opened", "swept", "givenUp"].includes(record.kind))
    return appended(world, record, model).world
  return withActor(world, a, { pending: { record } })
}

function appends(world: World, a: number, record: ControlRecord, model: Model, emit: Emit): void {
  const { world: next, counts } = appended(world, record, model)
  const says = () => `${nameOf(a)} writes ${wordsOf(record)}${counts ? "" : ", which does not count"}`
  // What a strict lease is for: who has one is not passed over.
  const { epochs } = placementIn(now(next))
  const isPassedOver = (member: string): boolean => epochs.some(({ over }) => over.has(member))
  const isWrong = world.writers.some(({ isAlive, hasLease }, w) => isAlive && hasLease && isPassedOver(memberOf(w)))
  const isBroken = record.kind === "sealed" && counts && model.setup.expiries !== undefined && isWrong
  const what = isBroken ? "I6: a writer is passed over, and has a lease" : undefined
  emit("must", says, broken(withActor(next, a, { pending: undefined }), what))
}

function wordsOf(record: ControlRecord): string {
  switch (record.kind) {
    case "table":
      return `a table: ${[...record.places].map(([name, { topic }]) => `${name} to ${topic}`).join()}`
    case "sealed":
      return `sealed at ${record.end.join()}${record.over.size > 0 ? `, passing over ${[...record.over.keys()].join()}` : ""}`
    case "opened":
      return `opened at ${record.begin.join()}`
    case "swept":
      return `swept up to ${record.upTo.join()}`
    case "givenUp":
      return `${record.member} given up`
    case "paused":
    case "resumed":
    case "placed":
    case "reads":
    case "joined":
    case "left":
    case "beat":
    case "forgotten":
    case "snapshot":
    case "drained":
    case "sealing":
    case "abandoned":
    case "handedOver":
    case "retired":
      return record.kind
  }
}

function commands(world: World, a: number, model: Model, emit: Emit): void {
  const control = now(world)
  const to = (name: string, topic: string): ControlRecord => ({
    kind: "table",
    base: control.version,
    document: "",
    places: new Map([[name, placeCalled(model.setup, topic)]])
  })
  if (has(world, "commands", model))
    for (const topic in model.setup.places) {
      if (placementIn(control).epochs.at(-1)?.place.topic === topic) continue
      const record = to(stream, topic)
      emit(
        "may",
        () => `${nameOf(a)} is told to move the stream to ${topic}`,
        used(thinks(world, a, record, model), "commands")
      )
    }
  if (has(world, "abandons", model))
    for (const { epoch, phase, place } of placementIn(control).epochs.slice(0, -1)) {
      if (phase === "abandoned" || phase === "retired") continue
      const record: ControlRecord = { kind: "abandoned", stream, base: placementIn(control).step, epoch }
      const says = () => `${nameOf(a)} is told to abandon epoch ${epoch} at ${place.topic}`
      emit("may", says, used(thinks(world, a, record, model), "abandons"))
    }
  const next = control.streams.get(neighbour)
  if (next?.epochs.at(-2)?.phase === "open")
    emit(
      "may",
      () => `${nameOf(a)} wants to seal ${neighbour}`,
      thinks(world, a, { kind: "sealing", stream: neighbour, base: next.step }, model)
    )
}

function takesOn(world: World, a: number, duty: Duty, model: Model, emit: Emit): void {
  const base = placementIn(now(world)).step
  switch (duty.does) {
    case "startSealing":
      emit("must", () => `${nameOf(a)} wants to seal`, thinks(world, a, { kind: "sealing", stream, base }, model))
      break
    case "seal":
      if (duty.place.topic !== world.dead) seals(world, a, duty, model, emit)
      break
    // One stream has nobody's word about another.
    case "giveUp":
      break
    case "awaitLeaving":
      for (const member of duty.members) givesUp(world, a, { ...duty, member, upTo: [] }, model, emit)
      break
    case "open": {
      if (duty.place.topic === world.dead) break
      const begin = endsAt(world, duty.place)
      emit(
        "must",
        () => `${nameOf(a)} reads the end of ${duty.place.topic}: ${begin.join()}`,
        thinks(world, a, { kind: "opened", stream, base, begin }, model)
      )
      break
    }
    case "sweep":
      if (duty.place.topic === world.dead || duty.to.place.topic === world.dead) break
      startsSweep(world, a, duty, model, emit)
      break
    case "retire": {
      const { epoch, handedOver } = duty.epoch
      if (handedOver.has(group) || !model.conduct.asksBeforeRetiring)
        emit(
          "must",
          () => `${nameOf(a)} wants to retire epoch ${epoch}`,
          thinks(world, a, { kind: "retired", stream, base, epoch, groups: [group] }, model)
        )
      else if (hasSettled(world, duty.epoch, model))
        emit(
          "must",
          () => `${nameOf(a)} sees that the group has settled epoch ${epoch}`,
          thinks(world, a, { kind: "handedOver", stream, epoch, group }, model)
        )
    }
  }
}

/** Nobody knows the end of an abandoned epoch; what its place holds now is all, since everybody has left it. */
function hasSettled(world: World, epoch: Epoch, model: Model): boolean {
  const { place, end } = epoch
  if (place.topic === world.dead) return false
  const settledOf = (at: Place, index: number): number => (partitionsOf(world, at)[index] as Partition).settled
  const ended = end === undefined ? { ...epoch, end: endsAt(world, place) } : epoch
  return partitionsOf(world, place).every((_, index) => model.controls.machine.isPassed(ended, index, settledOf))
}

/** A dead member, of which nothing is on its way any more. */
function givesUp(
  world: World,
  a: number,
  { epoch, member, upTo }: { readonly epoch: number; readonly member: string; readonly upTo: Positions },
  model: Model,
  emit: Emit
): void {
  const w = writerOf(member)
  if (world.writers[w]?.isAlive || world.ghosts.some((one) => one.w === w)) return
  const record: ControlRecord = { kind: "givenUp", stream, epoch, member, upTo }
  emit("must", () => `${nameOf(a)} is told that ${member} is dead`, thinks(world, a, record, model))
}

function seals(
  world: World,
  a: number,
  { place, missing }: Extract<Duty, { readonly does: "seal" }>,
  model: Model,
  emit: Emit
): void {
  const control = now(world)
  const living = missing.map((member) => world.writers[writerOf(member)]).filter((writer) => writer?.isAlive)
  const isAllowed =
    has(world, "suspicions", model, living.length) &&
    (model.setup.expiries === undefined || !living.some((writer) => writer?.hasLease))
  const isEarly = !model.conduct.readsEndsLast && missing.length > 0
  const end = endsAt(world, place)
  const over = new Map(isEarly ? [] : missing.map((member) => [member, control.members.get(member)?.beats ?? 0]))
  const record: ControlRecord = { kind: "sealed", stream, base: placementIn(control).step, end, over }
  const says = () => `${nameOf(a)} reads the end of ${place.topic}: ${end.join()}`
  if (isEarly) emit("may", says, thinks(world, a, record, model))
  // A record that would not count again and again is no progress.
  else if (living.length === 0)
    emit(model.controls.apply(control, record) === control ? "may" : "must", says, thinks(world, a, record, model))
  else if (isAllowed) {
    const spent = living.reduce(
      (next, writer) => withWriter(next, world.writers.indexOf(writer as Writer), beatsSpent(writer as Writer, model)),
      world
    )
    emit(
      "may",
      () => `${says()}, and waits no more for ${missing.join()}`,
      used(thinks(spent, a, record, model), "suspicions", living.length)
    )
  }
}

/** Who judges has waited for a lease since it saw the last beat: that one gives no lease any more, whenever its writer reads it. */
function beatsSpent({ beating }: Writer, { conduct }: Model): Partial<Writer> {
  return beating === "fresh" && conduct.leasesFromWriting ? { beating: "spent" } : {}
}

/** The next record of somebody who was passed over, in each partition; where there is none up to the end, that is what is written. */
function startsSweep(world: World, a: number, duty: Sweep, model: Model, emit: Emit): void {
  const upTo = endsAt(world, duty.place)
  for (const member of duty.owing) givesUp(world, a, { epoch: duty.epoch, member, upTo }, model, emit)
  const members = duty.members.map(writerOf)
  for (const [partition, { records }] of partitionsOf(world, duty.place).entries()) {
    const from = duty.from[partition] ?? 0
    const position = records.findIndex(({ w, epoch }, at) => at >= from && epoch === duty.epoch && members.includes(w))
    const record = records[position]
    if (record === undefined) {
      if (records.length > from)
        emit(
          "must",
          () => `${nameOf(a)} finds nothing to sweep in ${duty.place.topic}/${partition}`,
          thinks(world, a, sweptTo(duty, partition, records.length), model)
        )
      continue
    }
    const { epoch, place } = duty.to
    const target = { ...record, epoch, place, partition: record.b % place.partitions, state: "flying" as const }
    const sweep = { ...target, from: duty.epoch, fromPartition: partition, fromPosition: position }
    const isTwice = world.actors.some(
      ({ sweep: other, pending }) =>
        (other?.fromPartition === partition && other.fromPosition === position) ||
        (pending?.swept !== undefined && eventOf(pending.swept) === eventOf(record))
    )
    const next = withActor(isTwice ? excused(world, record) : world, a, { sweep })
    emit("must", () => `${nameOf(a)} sweeps: it sends ${eventOf(record)} to ${place.topic}/${target.partition}`, next)
  }
}

function sweptTo(
  { epoch, from }: { readonly epoch: number; readonly from: Positions },
  partition: number,
  position: number
): ControlRecord {
  return { kind: "swept", stream, epoch, upTo: from.map((one, index) => (index === partition ? position : one)) }
}

function sweeps(world: World, a: number, sweep: NonNullable<Actor["sweep"]>, model: Model, emit: Emit): void {
  const { w, b, seq, epoch, place, partition, state } = sweep
  const id: Id = { w, b, seq }
  if (state === "doubt") {
    emit(
      "must",
      () => `${nameOf(a)} sends ${eventOf(id)} again`,
      withActor(world, a, { sweep: { ...sweep, state: "flying" } })
    )
    return
  }
  const where = `${place.topic}/${partition}`
  const swept = epochIn(now(world), sweep.from)?.swept ?? []
  const record = sweptTo({ epoch: sweep.from, from: swept }, sweep.fromPartition, sweep.fromPosition + 1)
  const done = { sweep: undefined, pending: { record, swept: id } }
  const landed = stored(world, place, partition, { ...id, epoch })
  emit("must", () => `${where} stores ${eventOf(id)} and says so`, withActor(landed, a, done))
  if (!has(world, "doubts", model)) return
  const late = { ...world, ghosts: [...world.ghosts, { ...id, epoch, place, partition }] }
  const next = model.conduct.sweepsInOrder ? { sweep: { ...sweep, state: "doubt" as const } } : done
  emit(
    "may",
    () => `${where} stores ${eventOf(id)}, and the answer is lost`,
    used(excused(withActor(landed, a, next), id), "doubts")
  )
  emit(
    "may",
    () => `there is no answer for ${eventOf(id)}, which is still on its way to ${where}`,
    used(excused(withActor(late, a, next), id), "doubts")
  )
}

function crashed(world: World, a: number, { pending, sweep }: Actor): World {
  const idle = used(withActor(world, a, { pending: undefined, sweep: undefined }), "failovers")
  if (pending?.swept !== undefined) return excused(idle, pending.swept)
  if (sweep === undefined) return idle
  const { w, b, seq, epoch, place, partition } = sweep
  const ghosts = sweep.state === "flying" ? [...idle.ghosts, { w, b, seq, epoch, place, partition }] : idle.ghosts
  return excused({ ...idle, ghosts }, sweep)
}
