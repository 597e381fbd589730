/** What writers do, and what happens to what they send. */
import type { Epoch } from "../../src/control/Placement.ts"
import type { Standing } from "../../src/control/standing.ts"
import { appended, broken, type Emit, excused, has, type Model, stored, used, withWriter } from "./Step.ts"
import {
  endsAt,
  epochIn,
  eventOf,
  type Id,
  memberOf,
  now,
  partitionsOf,
  placementIn,
  type Sent,
  stream,
  type World,
  type Writer
} from "./World.ts"

export function writerSteps(world: World, model: Model, emit: Emit): void {
  for (const [w, writer] of world.writers.entries()) {
    if (!writer.isAlive) continue
    offers(world, w, writer, model, emit)
    readsAndBeats(world, w, writer, model, emit)
    sends(world, w, writer, model, emit)
    answers(world, w, writer, model, emit)
    leavesOldPlace(world, w, writer, model, emit)
    if (has(world, "crashes", model)) emit("may", () => `${memberOf(w)} crashes`, crashed(world, w, writer))
  }
  for (const [index, { place, partition, ...record }] of world.ghosts.entries()) {
    const without = { ...world, ghosts: world.ghosts.toSpliced(index, 1) }
    const where = `${place.topic}/${partition}`
    if (place.topic !== world.dead)
      emit("may", () => `${eventOf(record)} comes late: ${where} stores it`, stored(without, place, partition, record))
    emit("must", () => `the late ${eventOf(record)} never comes to ${where}`, without)
  }
}

function standing(world: World, w: number, writer: Writer, { controls: { machine } }: Model): Standing {
  return machine.standingOf(placementIn(world.log[writer.at] ?? now(world)), memberOf(w))
}

function offers(world: World, w: number, writer: Writer, model: Model, emit: Emit): void {
  const { does } = standing(world, w, writer, model)
  for (const [b, seq] of writer.offered.entries()) {
    if (seq >= (model.setup.offers[w]?.[b] ?? 0)) continue
    const line = does === "send" ? "queued" : "gated"
    const change = {
      offered: with1(writer.offered, b, seq + 1),
      [line]: with1(writer[line], b, [...(writer[line][b] ?? []), seq])
    }
    const says = () => `${memberOf(w)} is offered ${eventOf({ w, b, seq })}, which is ${line}`
    emit("may", says, withWriter(world, w, change))
  }
}

function readsAndBeats(world: World, w: number, writer: Writer, model: Model, emit: Emit): void {
  const member = memberOf(w)
  if (writer.at < world.log.length - 1) {
    const next = withWriter(world, w, { at: writer.at + 1 })
    emit("must", () => `${member} reads on in the control stream`, adopted(next, w, writer, model))
  }
  if (!writer.hasAskedToJoin) {
    const { world: next } = appended(world, { kind: "joined", stream, member }, model)
    emit("may", () => `${member} writes joined`, withWriter(next, w, { hasAskedToJoin: true }))
  }
  if (!writer.hasLease && writer.beating === "") {
    const { world: next } = appended(world, { kind: "beat", member, version: 1, refused: "" }, model)
    emit("must", () => `${member} writes a beat`, withWriter(next, w, { beating: "fresh" }))
  }
  if (writer.hasLease && has(world, "expiries", model))
    emit("may", () => `the lease of ${member} runs out`, used(withWriter(world, w, { hasLease: false }), "expiries"))
}

/** What a writer does in the step in which it reads: gates that are open are emptied into lanes, beats that are back renew its lease. */
function adopted(world: World, w: number, before: Writer, model: Model): World {
  const writer = world.writers[w] as Writer
  const stands = standing(world, w, writer, model)
  const change: Partial<Writer> = {}
  if (stands.does === "send") {
    const queued = writer.queued.map((list, b) => [...list, ...(writer.gated[b] ?? [])])
    Object.assign(change, { epoch: stands.epoch, queued, gated: writer.gated.map(() => []) })
  }
  const member = memberOf(w)
  const beats = (at: number): number => world.log[at]?.members.get(member)?.beats ?? 0
  if (writer.beating !== "" && beats(writer.at) > beats(before.at)) {
    const isOver = placementIn(world.log[writer.at] ?? now(world)).epochs.some(({ over }) => over.has(member))
    const renews = writer.beating === "fresh" && !isOver
    Object.assign(change, { beating: "", hasLease: renews || writer.hasLease })
  }
  return withWriter(world, w, change)
}

function sends(world: World, w: number, writer: Writer, model: Model, emit: Emit): void {
  const { machine } = model.controls
  const stands = standing(world, w, writer, model)
  if (!machine.maySend(stands, model.setup.expiries === undefined || writer.hasLease)) return
  const epoch = epochIn(world.log[writer.at] ?? now(world), writer.epoch)
  if (epoch === undefined || epoch.place.topic === world.dead) return
  const start = (sent: Sent, rest: ReadonlyArray<Sent>, says: () => string): void => {
    const late = writer.hasLease ? undefined : `I6: ${memberOf(w)} starts a send although its lease has run out`
    emit("must", says, broken(withWriter(world, w, { busy: [...rest, sent] }), late))
  }
  for (const [b, [seq]] of writer.queued.entries()) {
    if (seq === undefined) continue
    const partition = b % epoch.place.partitions
    if (writer.busy.some((one) => one.place.topic === epoch.place.topic && one.partition === partition)) continue
    const sent: Sent = { w, b, seq, epoch: epoch.epoch, place: epoch.place, partition, state: "flying" }
    start(sent, writer.busy, () => `${memberOf(w)} sends ${eventOf(sent)} to ${epoch.place.topic}/${partition}`)
  }
  for (const sent of writer.busy) {
    if (sent.state === "flying" || sent.epoch !== writer.epoch) continue
    const rest = writer.busy.filter((one) => one !== sent)
    const fenced = model.setup.fences ? voided(world, sent) : world
    if (fenced === world) start({ ...sent, state: "flying" }, rest, () => `${memberOf(w)} sends ${eventOf(sent)} again`)
    else emit("must", () => `${memberOf(w)} fences ${sent.place.topic}/${sent.partition}`, fenced)
  }
}

/** Nothing of the writer that is on its way there is stored any more. */
function voided(world: World, { w, place, partition }: Sent): World {
  const ghosts = world.ghosts.filter(
    (one) => one.w !== w || one.place.topic !== place.topic || one.partition !== partition
  )
  return ghosts.length === world.ghosts.length ? world : { ...world, ghosts }
}

function answers(world: World, w: number, writer: Writer, model: Model, emit: Emit): void {
  for (const sent of writer.busy) {
    if (sent.state !== "flying") continue
    const where = `${sent.place.topic}/${sent.partition}`
    const landed = stored(world, sent.place, sent.partition, sent)
    const isDead = sent.place.topic === world.dead
    if (!isDead) emit("must", () => `${where} stores ${eventOf(sent)} and says so`, acknowledged(landed, w, sent))
    if (!isDead && !has(world, "doubts", model)) continue
    const inDoubt: Partial<Writer> = {
      busy: writer.busy.map((one) => (one === sent ? { ...sent, state: "doubt" } : one))
    }
    const [kind, count] = isDead ? (["must", 0] as const) : (["may", 1] as const)
    const lost = used(excused(withWriter(landed, w, inDoubt), sent), "doubts", count)
    emit(kind, () => `${where} stores ${eventOf(sent)}, and the answer is lost`, lost)
    const late = { ...world, ghosts: [...world.ghosts, ghostOf(sent)] }
    const silent = used(excused(withWriter(late, w, inDoubt), sent), "doubts", count)
    emit(kind, () => `there is no answer for ${eventOf(sent)}, which is still on its way to ${where}`, silent)
  }
}

function ghostOf({ w, b, seq, epoch, place, partition }: Sent): World["ghosts"][number] {
  return { w, b, seq, epoch, place, partition }
}

function acknowledged(world: World, w: number, sent: Sent): World {
  const { queued, acked, busy } = world.writers[w] as Writer
  return withWriter(world, w, {
    busy: busy.filter((one) => indexed(one) !== indexed(sent)),
    queued: with1(
      queued,
      sent.b,
      (queued[sent.b] ?? []).filter((seq) => seq !== sent.seq)
    ),
    acked: with1(
      acked,
      sent.b,
      [...new Set([...(acked[sent.b] ?? []), sent.seq])].toSorted((one, other) => one - other)
    )
  })
}

const indexed = ({ b, seq, epoch }: Id & { readonly epoch: number }): string => `${b} ${seq} ${epoch}`

/** Steps (b) to (d) of sealing: what is in doubt is settled, what is left goes over, the member has drained. */
function leavesOldPlace(world: World, w: number, writer: Writer, model: Model, emit: Emit): void {
  const stands = standing(world, w, writer, model)
  if (stands.does !== "drain" && stands.does !== "stop" && stands.does !== "leave") return
  const member = memberOf(w)
  const isLeaving = stands.does === "leave"
  const { place } = epochIn(world.log[writer.at] ?? now(world), stands.epoch) as Epoch
  if (!isLeaving && place.topic === world.dead) return
  for (const sent of writer.busy) {
    if (sent.state === "flying") continue
    if (isLeaving) {
      if (!model.conduct.takesDoubtAlong) continue
      const free = withWriter(world, w, { busy: writer.busy.filter((one) => one !== sent) })
      emit("must", () => `${member} asks nobody what became of ${eventOf(sent)}`, free)
      continue
    }
    const fenced = model.setup.fences ? voided(world, sent) : world
    const isThere = partitionsOf(world, sent.place)[sent.partition]?.records.some(
      (one) => indexed(one) === indexed(sent) && one.w === w
    )
    const says = () =>
      `${member} reads the end of ${sent.place.topic}/${sent.partition}: ${eventOf(sent)} is ${isThere ? "there" : "not there"}`
    const free = withWriter(fenced, w, { busy: writer.busy.filter((one) => one !== sent) })
    emit("must", says, isThere ? acknowledged(fenced, w, sent) : free)
  }
  const { settlesDoubt, movesInFront, takesAlong } = model.conduct
  if (writer.busy.length > 0 && settlesDoubt) return
  if (writer.queued.some(({ length }) => length > 0)) {
    const gated = writer.gated.map((list, b) => {
      const moved = writer.queued[b] ?? []
      return movesInFront ? [...moved, ...list] : [...list, ...moved]
    })
    const queued = takesAlong ? writer.queued.map(() => []) : writer.queued
    if (takesAlong || writer.gated.every(({ length }) => length === 0))
      emit("must", () => `${member} moves what is left over, behind the gate`, withWriter(world, w, { gated, queued }))
    if (takesAlong) return
  }
  saysDrained(world, w, writer, stands, model, emit)
}

function saysDrained(
  world: World,
  w: number,
  writer: Writer,
  { does: stands, epoch, attempt }: { readonly does: string; readonly epoch: number; readonly attempt: number },
  model: Model,
  emit: Emit
): void {
  const said = `${epoch}/${attempt}`
  const { place } = epochIn(world.log[writer.at] ?? now(world), epoch) as Epoch
  if (writer.said === said) return
  const upTo = stands === "leave" ? [] : endsAt(world, place)
  const record = { kind: "drained" as const, stream, epoch, attempt, member: memberOf(w), upTo }
  const { world: next, counts } = appended(world, record, model)
  const says = () =>
    `${memberOf(w)} writes drained of epoch ${epoch}, for ${attempt}${counts ? "" : ", which does not count"}`
  emit("must", says, withWriter(next, w, { said }))
}

function crashed(world: World, w: number, writer: Writer): World {
  const ghosts = [...world.ghosts, ...writer.busy.filter(({ state }) => state === "flying").map(ghostOf)]
  const none = writer.queued.map(() => [])
  return used(
    withWriter({ ...world, ghosts }, w, {
      isAlive: false,
      at: 0,
      queued: none,
      gated: none,
      busy: [],
      beating: "",
      said: ""
    }),
    "crashes"
  )
}

function with1<A>(list: ReadonlyArray<A>, index: number, value: A): ReadonlyArray<A> {
  return list.map((one, at) => (at === index ? value : one))
}
