/**
 * Worlds in which streams move, on virtual time: processes that publish begin, close, are killed, and are cut off from the control stream or from
 * their clusters; documents send the stream to another place, back, and elsewhere before that has ended; places are slow, lose answers and refuse. At
 * the end everything is healed, and what the places hold is judged by raw reads and by what publishers were told.
 */
import { Effect, Exit, Fiber, Logger, Scope, Stream } from "effect"
import { Audit, type EventStream, Leat, MemoryBroker, memoryDriver, memoryTransport, type OpenLeat } from "leat"
import {
  type FaultPlan,
  faultDriver,
  PowerLossBroker,
  powerLossDriver,
  randomFaults,
  seededRandom,
  simulate
} from "leat/testing"
import type { Driver, Transport } from "leat/transport"
import type { ControlRecord, Place } from "../../src/control/ControlRecord.ts"
import { type ControlStream, openControlStream } from "../../src/control/ControlStream.ts"
import { endsOf, type Epoch, isSweeping, type Placement } from "../../src/control/Placement.ts"
import { coordinate } from "../../src/moves/Coordinator.ts"
import { readMeta } from "../../src/record/Wire.ts"
import { MemoryPartition } from "../../src/transport/memory/MemoryPartition.ts"
import { Gate } from "../../src/testing/story/Gate.ts"
import { type Note, noteContract } from "../contracts/Note.ts"
import { readAll } from "./readAll.ts"
import { Stall } from "./Stall.ts"
import { WorldMirror } from "./WorldMirror.ts"

export interface MoveWorld {
  /** What is wrong; empty: nothing. */
  readonly wrong: ReadonlyArray<string>
  /** Events that were told stored, and that stand in the ranges of epochs, copies counted. */
  readonly told: number
  readonly stored: number
  /** Epochs whose moves gave up order. */
  readonly relaxed: number
  /** Epochs that were opened, and those that were dropped before. */
  readonly opened: number
  readonly aborted: number
  readonly kills: number
  /** Topics that were given more partitions. */
  readonly grows: number
  /** How often a person has paused the stream. */
  readonly pauses: number
  /** Writers that were passed over and said later up to where they wrote. */
  readonly passedOver: number
  /** How often a process told that it carries what a spill held to another place. */
  readonly carries: number
  /** Processes that were judged: they came after somebody and had no control stream. */
  readonly heirs: number
  /** Whether legs may have spills. */
  readonly hasSpills: boolean
  /** Events that stand in a fallback, where they stay. */
  readonly fellBack: number
  /** Events that stand in a mirror, which does not move. */
  readonly mirrored: number
  /** Records behind the end of an epoch, of writers that were passed over. */
  readonly late: number
  readonly logs: ReadonlyArray<string>
}

const stream = "test.notes"

/** Of those without fallbacks: moves may give up the order of their stream. */
const relaxedShare = 0.3

/** In so many a group stands for minutes. */
const standsShare = 0.3

/** Which of the groups says that it begins with what is new. */
const fromLatest = "two"

/** In so many a person pauses the stream now and then, and lets it go on. */
const pausedShare = 0.3

/** Of the worlds, those whose legs may have spills. */
const spillShare = 0.4

/** Of those without spills: legs may have fallbacks, and what falls back stays there. */
const fallbackShare = 0.3

/** Of these, those in which who comes after somebody is cut off from the control stream. */
const heirShare = 0.6

/** Nothing is stored, and nothing fenced. */
const away: FaultPlan = { send: () => ({ kind: "fail", reason: "Unavailable" }), fence: () => "Unavailable" }

const contract = noteContract()

interface Process {
  readonly leat: OpenLeat
  readonly notes: EventStream<Note>
  readonly scope: Scope.Closeable
  readonly gate: Gate
  readonly control: Stall
  readonly data: Stall
  readonly told: Set<string>
  readonly fiber: Fiber.Fiber<void, unknown>
  /** Number of its disk. */
  readonly disk: number
  isOver: boolean
}

/** Id of an event, as text. */
const idText = ({ incarnation, bucket, seq }: { incarnation: string; bucket: number; seq: number }): string =>
  `${incarnation}/${bucket}/${seq}`

export function moveWorld(seed: number): MoveWorld {
  const random = seededRandom(seed)
  const chance = (part: number) => random() < part
  const between = (least: number, most: number) => least + Math.floor(random() * (most - least + 1))
  const pick = <A>(all: ReadonlyArray<A>): A => all[Math.floor(random() * all.length)] as A

  const brokers = { near: new MemoryBroker(), far: new MemoryBroker() } as const
  const third = new MemoryBroker()
  const places: ReadonlyArray<Place> = ["a", "b", "c", "d"].map((topic, index) => ({
    cluster: index % 2 === 0 ? "near" : "far",
    topic,
    partitions: pick([1, 2, 4, 8])
  }))
  const controlBroker = new MemoryBroker()
  const faults: { near: FaultPlan; far: FaultPlan; control: FaultPlan } = { near: {}, far: {}, control: {} }
  const wire = pick(["compact", "cloudevents"])
  const overflow = pick(["block", "reject"])
  const bytes = pick([65_536, 262_144, 4_194_304])
  const retry = { base: "10 millis", maxDelay: "200 millis" }
  const policies = {
    leg: [{ on: ["passing"], retry, then: "halt" }],
    spilling: [{ on: ["passing"], retry: { ...retry, times: 3 }, then: "spill" }],
    falling: [{ on: ["passing"], retry: { ...retry, times: 3 }, then: "fallback" }]
  }
  // Drawn apart, so that worlds without spills are what they were.
  const ofSpills = seededRandom(seed * 7919 + 11)
  const spillsAt = new Set(ofSpills() < spillShare ? places.filter(() => ofSpills() < 0.8) : [])
  const hasSpills = spillsAt.size > 0
  const ofFallbacks = seededRandom(seed * 104_729 + 5)
  const staysAt = new Set(!hasSpills && ofFallbacks() < fallbackShare ? places.filter(() => ofFallbacks() < 0.6) : [])
  const hasFallbacks = staysAt.size > 0
  const ofOrder = seededRandom(seed * 15_485_863 + 3)
  const isRelaxedWorld = !hasFallbacks && ofOrder() < relaxedShare
  /** For so long, in milliseconds, a group handles nothing, and is moves behind; 0: it never stands. */
  const standsMs = ofOrder() < standsShare ? Math.floor(20_000 + ofOrder() * 200_000) : 0
  let isStanding = standsMs > 0
  const ofPauses = seededRandom(seed * 49_979_687 + 17)
  const hasPauses = ofPauses() < pausedShare
  const mirror = new WorldMirror(seed, spillsAt.size === places.length ? "disk" : undefined)
  /** They outlive their processes. */
  const disks: Array<PowerLossBroker> = []
  const wrong: Array<string> = []
  const logs: Array<string> = []
  const processes: Array<Process> = []
  let isHealed = false
  let version = 0
  let kills = 0
  let grows = 0
  let pauses = 0
  let heirs = 0
  let text = 0
  const killed = new Set<string>()
  /** By group: what handlers began, in order of time. */
  const handled = new Map<string, Array<{ readonly id: string; readonly lane: string; readonly seq: number }>>(
    ["one", "two"].map((group) => [group, []])
  )
  /** By group: what handlers ended well. */
  const done = new Map<string, Set<string>>(["one", "two"].map((group) => [group, new Set()]))
  const passed = new Set<string>()
  /** As they were seen last: the control stream forgets those that were retired long ago. */
  const epochs = new Map<number, Epoch>()
  const begun = new Set<number>()

  const documentAt = (at: Place) => {
    const { cluster, topic } = at
    const isSpilling = spillsAt.has(at)
    return JSON.stringify({
      version: ++version,
      clusters: {
        near: { transport: "near" },
        far: { transport: "far" },
        ...(hasSpills ? { disk: { transport: "disk" } } : {}),
        ...(hasFallbacks ? { third: { transport: "third" } } : {}),
        ...mirror.clusters
      },
      policies,
      // A group that stands is killed with its process as often as that is, and no record is at fault.
      ...(standsMs > 0 ? { subscriptions: [{ match: { stream: "*" }, crashLoop: 1000 }] } : {}),
      routes: [
        {
          match: { stream: "*" },
          to: [
            {
              cluster,
              topic,
              wire,
              policy: isSpilling ? "spilling" : staysAt.has(at) ? "falling" : "leg",
              ...(staysAt.has(at) ? { fallback: { cluster: "third", back: "stay" } } : {}),
              ...(isSpilling ? { spill: { cluster: "disk" } } : {}),
              timeout: "1 second",
              linger: "2 millis",
              buffer: { bytes, overflow }
            },
            ...mirror.legs({ wire, policy: spillsAt.size === places.length ? "spilling" : "leg", bytes, overflow })
          ]
        }
      ]
    })
  }
  /** One that no process has any more, or a new one. */
  const freeDisk = () => {
    const used = new Set(processes.flatMap(({ disk, isOver }) => (isOver ? [] : [disk])))
    const free = disks.findIndex((_, index) => !used.has(index))
    if (!hasSpills) return -1
    if (free >= 0 && ofSpills() < 0.8) return free
    disks.push(new PowerLossBroker({ partitions: 2 }))
    return disks.length - 1
  }
  const named = (name: string, driver: Driver): Driver => ({ ...driver, name })

  const open = Effect.fnUntraced(function* (disk = freeDisk()) {
    const gate = new Gate()
    const ofDisk = disks[disk]
    const control = new Stall()
    const data = new Stall()
    const scope = yield* Scope.make()
    const cluster = (name: "near" | "far") =>
      named(
        name,
        gate.driver(
          // Outermost: what waits there was handed over, and is refused behind what fails, as of any driver.
          faultDriver(data.driver(memoryDriver(brokers[name])), {
            send: (call) => faults[name].send?.(call),
            fence: (call) => faults[name].fence?.(call)
          })
        )
      )
    const ofControl = named(
      "control",
      gate.driver(
        faultDriver(control.driver(memoryDriver(controlBroker)), { send: (call) => faults.control.send?.(call) })
      )
    )
    const leat = yield* Scope.provide(
      Leat.make({
        source: "test",
        drivers: [
          cluster("near"),
          cluster("far"),
          ofControl,
          named("third", gate.driver(memoryDriver(third))),
          named("mirror", gate.driver(mirror.driver)),
          ...(ofDisk === undefined ? [] : [named("disk", gate.driver(powerLossDriver(ofDisk)))])
        ],
        control: { cluster: { transport: "control" } },
        drain: "1 minute"
      }),
      scope
    )
    const notes = yield* leat.stream(contract)
    for (const group of handled.keys()) {
      const concurrency = pick([1, 4])
      yield* Scope.provide(
        notes.handle(
          group,
          ({ key }, { id }) =>
            Effect.flatMap(stands(group), () => {
              if (id === undefined || gate.isDead) return Effect.void
              const { incarnation, seq } = id
              handled.get(group)?.push({ id: idText(id), lane: `${incarnation}/${key}`, seq })
              const end = Effect.sync(() => void done.get(group)?.add(idText(id)))
              return random() < 0.2 ? Effect.delay(end, between(1, 20)) : end
            }),
          { concurrency, ...(group === fromLatest ? { from: "latest" } : {}) }
        ),
        scope
      )
    }
    const told = new Set<string>()
    const fiber = yield* Effect.forkDetach(publish(notes, told, leat))
    const process: Process = { leat, notes, scope, gate, control, data, told, fiber, disk, isOver: false }
    processes.push(process)
    return process
  })

  const stands = (group: string): Effect.Effect<void> =>
    Effect.suspend(() =>
      group === fromLatest && isStanding && !isHealed ? Effect.andThen(Effect.sleep(1000), stands(group)) : Effect.void
    )

  const publish = (notes: EventStream<Note>, told: Set<string>, leat: OpenLeat) =>
    Effect.gen(function* () {
      const drawn = pick([60, 200, 800])
      for (;;) {
        // Most of what a world takes are its events, and once all is well they meet nothing any more.
        const pace = isHealed ? 5 * drawn : drawn
        const note = { key: `k${between(0, 9)}`, text: String(text++) }
        if (chance(0.5)) {
          notes.offer(note)
          yield* Effect.sleep(between(1, pace))
        } else {
          const level = spillsAt.size === places.length && chance(0.5) ? "durable" : "stored"
          const one = Effect.match(notes.publish(note, { level }), {
            onSuccess: ({ id }) => void told.add(idText(id)),
            onFailure: () => undefined
          })
          yield* chance(0.5) ? Effect.forkDetach(one) : Effect.timeoutOption(one, pace)
        }
        if (chance(0.02) && !leat.ledger.snapshot().balanced) wrong.push("a ledger is not balanced")
      }
    })

  const program = Effect.gen(function* () {
    const transports: Readonly<Record<string, Transport>> = {
      near: yield* memoryDriver(brokers.near).open("near", {}),
      far: yield* memoryDriver(brokers.far).open("far", {})
    }
    const controlTransport = yield* memoryDriver(controlBroker).open("control", {})
    const tool = yield* openControlStream({
      transport: controlTransport,
      topic: "leat-control",
      author: "tool",
      isTool: true
    })
    const transportAt = (cluster: string) => transports[cluster] as Transport
    const transportOf = (cluster: string) => Effect.succeed(transportAt(cluster))
    const write = (record: (control: ControlStream["control"]) => ControlRecord | undefined) =>
      Effect.andThen(
        tool.look,
        Effect.suspend(() => {
          const made = record(tool.control)
          return made === undefined ? Effect.void : Effect.ignore(tool.write(made))
        })
      )
    for (const { cluster, topic, partitions } of places) yield* transportAt(cluster).ensure({ topic, partitions })
    let here = places[0] as Place
    yield* Effect.forkScoped(
      Effect.delay(
        Effect.sync(() => void (isStanding = false)),
        standsMs
      )
    )
    // The group of which each process says that it begins with what is new: it was there before anything was published, and is given all.
    yield* Effect.scoped(
      transportAt(here.cluster)
        .subscribe({ topic: here.topic, group: fromLatest, from: "latest", drainMs: 1000 })
        .pipe(
          Stream.take(here.partitions),
          Stream.runForEach((lane) => lane.release)
        )
    )
    const apply = (to: Place) =>
      Effect.suspend(() => {
        here = to
        const document = documentAt(to)
        return write(({ version: base, streams }) => ({
          kind: "table",
          base,
          document,
          places: streams.has(stream) ? new Map([[stream, to]]) : new Map(),
          ...(isRelaxedWorld && ofOrder() < 0.7 ? { relaxed: new Set([stream]) } : {})
        }))
      })
    const placement = (): Placement | undefined => tool.control.streams.get(stream)
    /** A person has the stream wait, or go on. */
    const pause = (isPaused: boolean) =>
      write(() => {
        const found = placement()
        if (found === undefined || found.isPaused === isPaused) return undefined
        if (isPaused) pauses++
        return { kind: isPaused ? "paused" : "resumed", stream, base: found.step }
      })
    yield* apply(here)
    for (let index = between(1, 3); index > 0; index--) yield* open()
    yield* Effect.sleep(between(100, 1000))
    yield* write(({ version: base }) => ({ kind: "placed", stream, base, place: here, epoch: 1 }))
    // As `npx leat move start` does: whoever lives has read that, and said which groups read it.
    const beatsAt = new Map(Array.from(tool.control.members, ([member, { beats }]) => [member, beats]))
    const haveRead = () =>
      Array.from(beatsAt).every(([member, beats]) => (tool.control.members.get(member)?.beats ?? Infinity) >= beats + 2)
    for (let waited = 0; waited < 60 && !haveRead(); waited++) yield* Effect.andThen(Effect.sleep(500), tool.look)
    // A person, who knows whom he has killed; and a tool that coordinates.
    const person = Effect.forever(
      Effect.delay(
        Effect.andThen(
          tool.look,
          Effect.suspend(() => {
            const owing = (placement()?.epochs ?? []).flatMap(({ epoch, over, place }) =>
              Array.from(over).flatMap(([member, upTo]) =>
                upTo === undefined && killed.has(member) ? [{ epoch, member, place }] : []
              )
            )
            return Effect.forEach(owing, ({ epoch, member, place }) =>
              Effect.flatMap(transportAt(place.cluster).bounds(place.topic), (rows) =>
                Effect.ignore(
                  tool.write({ kind: "givenUp", stream, epoch, member, upTo: rows.map(({ end }) => Number(end)) })
                )
              )
            )
          })
        ),
        "5 seconds"
      )
    )
    const helping = yield* Effect.forkDetach(person)
    const coordinating = yield* Effect.forkDetach(coordinate({ control: tool, transportOf, isTool: true }))
    const noting = Effect.sync(() => {
      for (const one of placement()?.epochs ?? []) {
        const { epoch, over, begin } = one
        epochs.set(epoch, one)
        if (begin !== undefined) begun.add(epoch)
        for (const member of over.keys()) if (!killed.has(member)) passed.add(`${epoch} ${member}`)
      }
    })
    const looking = yield* Effect.forkDetach(Effect.forever(Effect.delay(Effect.andThen(tool.look, noting), 100)))

    const living = () => processes.filter(({ isOver }) => !isOver)
    const kill = (one: Process) =>
      Effect.gen(function* () {
        one.isOver = true
        kills++
        killed.add(one.leat.incarnation)
        yield* one.gate.close
        yield* Fiber.interrupt(one.fiber)
      })
    const close = (one: Process) =>
      Effect.gen(function* () {
        one.isOver = true
        const wasCut = one.control.isOn || one.data.isOn || Object.keys(faults.control).length > 0
        yield* Fiber.interrupt(one.fiber)
        yield* Scope.close(one.scope, Exit.void)
        // Who could not say that it has gone is as one that was killed, to all others.
        if (one.control.isOn || one.data.isOn || wasCut || Object.keys(faults.control).length > 0)
          killed.add(one.leat.incarnation)
      })
    const closing: Array<Fiber.Fiber<void, unknown>> = []
    const draw = (): FaultPlan =>
      randomFaults(random, {
        fail: 0.2,
        delay: 0.2,
        loseResponse: 0.1,
        cut: 0.05,
        lateWrite: 0.1,
        fence: 0.2,
        msMax: 300
      })
    const mishaps: ReadonlyArray<() => Effect.Effect<void, unknown, Scope.Scope>> = [
      () => Effect.sync(() => void (faults[pick(["near", "far"] as const)] = draw())),
      () =>
        Effect.sync(
          () =>
            void (faults[pick(["near", "far"] as const)] = { send: () => ({ kind: "fail", reason: "Unavailable" }) })
        ),
      () => Effect.sync(() => void (faults.control = draw())),
      () => Effect.sync(() => Object.assign(faults, { near: {}, far: {}, control: {} })),
      () => Effect.suspend(() => (living().length > 1 ? kill(pick(living())) : Effect.void)),
      () =>
        Effect.suspend(() =>
          living().length > 1
            ? Effect.map(Effect.forkScoped(close(pick(living()))), (fiber) => void closing.push(fiber))
            : Effect.void
        ),
      () => Effect.suspend(() => (living().length < 4 ? Effect.asVoid(open()) : Effect.void)),
      // Beyond the lease, now and then.
      () => stalled(pick(["control", "control", "data"] as const)),
      () => Effect.suspend(() => apply(pick(places.filter((one) => one !== here)))),
      () => Effect.suspend(() => apply(pick(places.filter((one) => one !== here)))),
      () => Effect.suspend(() => apply(pick(places.filter((one) => one !== here)))),
      () => Effect.sync(() => grow(pick(places)))
    ]
    /**
     * A topic is given twice as many partitions, and the place in it stays as it is, also for later documents: groups of the memory broker have the
     * partitions that there were when they came.
     */
    const grow = (place: Place) => {
      const { cluster, topic } = place
      const found = brokers[cluster as "near" | "far"].find(topic)
      const partitions = (found?.partitions ?? []) as Array<MemoryPartition>
      // Partitions that do not divide the buckets are refused.
      const after = partitions.length * 2
      if (after > contract.buckets) return
      while (partitions.length < after) partitions.push(new MemoryPartition())
      grows++
    }
    const stalled = (what: "control" | "data") =>
      Effect.suspend(() => {
        const found = living()
        if (found.length === 0) return Effect.void
        const stall = pick(found)[what]
        stall.begin()
        const over = Effect.delay(
          Effect.sync(() => stall.end()),
          pick([500, 5000, 45_000, 90_000, 700_000])
        )
        const moved = chance(0.6) ? apply(pick(places.filter((one) => one !== here))) : Effect.void
        return Effect.andThen(Effect.forkScoped(over), moved)
      })
    /** Where the stream lies nothing is stored any more, and it is moved away from there; somebody may end meanwhile. */
    const outage = Effect.suspend(() => {
      const drawn = <A>(all: ReadonlyArray<A>): A => all[Math.floor(ofSpills() * all.length)] as A
      const cluster = here.cluster as "near" | "far"
      const fences = ofSpills() < 0.5
      faults[cluster] = {
        send: () => ({ kind: "fail", reason: "Unavailable" }),
        ...(fences ? {} : { fence: () => "Unavailable" as const })
      }
      const end = ofSpills()
      return Effect.sleep(drawn([100, 1000, 5000])).pipe(
        Effect.andThen(Effect.suspend(() => apply(drawn(places.filter((one) => one.cluster !== cluster))))),
        Effect.andThen(Effect.sleep(drawn([200, 3000, 9000, 15_000, 40_000]))),
        Effect.andThen(
          Effect.suspend(() => {
            if (living().length < 2 || end > 0.7) return Effect.void
            const one = drawn(living())
            return end < 0.35
              ? kill(one)
              : Effect.map(Effect.forkScoped(close(one)), (fiber) => void closing.push(fiber))
          })
        ),
        Effect.andThen(Effect.sleep(drawn([200, 3000, 15_000]))),
        Effect.andThen(Effect.sync(() => void (ofSpills() < 0.6 ? (faults[cluster] = {}) : undefined)))
      )
    })
    /** Whether the stream lies where it is to lie, and nobody moves it. */
    const isStill = (): boolean => {
      const found = placement()
      if (found === undefined) return false
      const { newest, source } = endsOf(found)
      return newest?.phase === "open" && source === undefined && newest.place.topic === here.topic
    }
    /**
     * Who comes after a process that has left something is cut off from the control stream, while its clusters are well and nobody moves the stream: it
     * stores what it publishes all the same.
     */
    const heir = Effect.gen(function* () {
      for (let waited = 0; waited < 120 && !isStill(); waited++) yield* Effect.sleep(500)
      const one = living().find(({ control, data }) => !control.isOn && !data.isOn)
      if (
        !isStill() ||
        !spillsAt.has(here) ||
        one === undefined ||
        living().some((other) => other !== one && other.disk === one.disk)
      )
        return
      mirror.heal()
      faults[here.cluster as "near" | "far"] = away
      yield* Effect.sleep(3000)
      yield* ofSpills() < 0.5 ? kill(one) : close(one)
      const next = yield* open(one.disk)
      yield* Effect.sleep(3000)
      next.control.begin()
      Object.assign(faults, { near: {}, far: {} })
      yield* Effect.sleep(10_000)
      const before = next.told.size
      const step = placement()?.step
      const isWriter = placement()?.writers.get(next.leat.incarnation) === "joined"
      yield* Effect.sleep(20_000)
      next.control.end()
      if (!isWriter || !isStill() || placement()?.step !== step) return
      heirs++
      if (next.told.size === before)
        wrong.push("a process stores nothing while the control stream is away, and its clusters are well")
    })
    for (let index = between(4, 20); index > 0; index--) {
      if (hasSpills && ofSpills() < 0.4) yield* outage
      yield* Effect.sleep(between(50, pick([300, 3000, 20_000])))
      mirror.disturb()
      if (hasPauses && ofPauses() < 0.5) yield* pause(ofPauses() < 0.6)
      yield* pick(mishaps)()
    }
    if (hasSpills && ofSpills() < heirShare) yield* heir

    // All is well again: what moves comes to its end.
    isHealed = true
    mirror.heal()
    Object.assign(faults, { near: {}, far: {}, control: {} })
    for (const { control, data } of processes) {
      control.end()
      data.end()
    }
    for (let tries = 0; tries < 20 && placement()?.isPaused === true; tries++) yield* pause(false)
    const isAtRest = (): boolean => {
      const found = placement()
      if (found === undefined) return true
      const { newest, source } = endsOf(found)
      return source === undefined && newest?.phase === "open" && !isSweeping(found)
    }
    let waited = 0
    for (; waited < 600 && !isAtRest(); waited++) yield* Effect.sleep(500)
    if (living().length === 0) yield* open()
    // What the dead have left is carried by whoever gets their disks; who is being closed may spill what it holds as the last thing.
    yield* Effect.timeoutOption(Effect.forEach(closing, Fiber.await), "5 minutes")
    const left = (disk: PowerLossBroker) => {
      const transport = memoryTransport(disk.disk)
      const spills = disk.disk.topics.filter((topic) => topic.endsWith(".spill"))
      return Effect.map(
        Effect.forEach(spills, (topic) => transport.bounds(topic, "leat.spill")),
        (all) => all.flat().reduce((total, { start, end, settled = start }) => total + Number(end - settled), 0)
      )
    }
    for (const [index, disk] of disks.entries())
      if (living().every((one) => one.disk !== index) && (yield* left(disk)) > 0) {
        const one = yield* open(index)
        yield* Fiber.interrupt(one.fiber)
      }
    const isRead = () => {
      // Of the dead too: what they have left in a spill was carried just now, and is judged.
      const all = processes.flatMap(({ told }) => [...told])
      return [...done.values()].every((ids) => all.every((id) => ids.has(id)))
    }
    const isRetired = () =>
      placement()?.epochs.every(({ phase }, index, all) => phase === "retired" || index === all.length - 1) !== false
    yield* Effect.forEach(living(), ({ fiber }) => Fiber.interrupt(fiber))
    yield* Effect.forEach(living(), ({ leat }) => Effect.timeoutOption(leat.flush, "5 minutes"))
    for (const [index, disk] of disks.entries()) {
      for (let waitedFor = 0; waitedFor < 600 && (yield* left(disk)) > 0; waitedFor++) yield* Effect.sleep(500)
      const rest = yield* left(disk)
      if (rest > 0) wrong.push(`${rest} events stay on disk ${index}`)
    }
    for (let waitedFor = 0; waitedFor < 600 && !(isRead() && isRetired()); waitedFor++) yield* Effect.sleep(500)
    if (!isRead()) wrong.push("a group has not handled what processes were told stored")
    if (!isRetired()) wrong.push(`an epoch is not retired: ${describe(placement())}`)
    if (!isAtRest()) wrong.push(`the move has not come to an end: ${describe(placement())}`)
    yield* Effect.sleep("3 seconds")
    for (const { notes } of living()) yield* readsAll(notes, transportAt, placement())
    yield* Effect.forEach(living(), close, { concurrency: "unbounded" })
    yield* Effect.forEach(closing, Fiber.await)
    yield* tool.look
    yield* Effect.sleep("3 seconds")
    for (const fiber of [helping, coordinating, looking]) yield* Fiber.interrupt(fiber)
    yield* tool.look
    const found = placement()
    const mirrored = yield* mirror.read(stream)
    if (found === undefined) return { epochs: [], logical: [], late: 0, fellBack: [], mirrored }
    for (const { isOver, leat } of processes)
      if (isOver && !killed.has(leat.incarnation) && found.writers.get(leat.incarnation) === "joined")
        wrong.push(`${leat.incarnation} was closed and has not left`)
    yield* auditAll(found, transportAt)
    return { ...(yield* logicalOf(found, transportAt)), fellBack: yield* fellBackIds, mirrored }
  })

  /** Whoever lives reads all that stands in the epochs that he knows, whenever he has come. */
  const readsAll = (
    notes: EventStream<Note>,
    transportAt: (cluster: string) => Transport,
    found: Placement | undefined
  ) =>
    Effect.gen(function* () {
      const { read, raw, ranges } = yield* readAll(notes, transportAt)
      const begunEpochs = (found?.epochs ?? []).filter(({ begin }) => begin !== undefined)
      const expected = begunEpochs.flatMap(({ epoch, place, begin }) =>
        (begin ?? []).map((_, partition) => `${place.cluster}/${place.topic}/${partition} ${epoch}`)
      )
      if (found !== undefined && ranges.join() !== expected.join())
        wrong.push(`a process knows the ranges ${ranges.join()}, and not ${expected.join()}`)
      if (read.join() !== raw.join())
        wrong.push(`a process reads ${read.length} of the ${raw.length} events of its ranges`)
    })

  /** An audit of all places has no false alarm: nobody has dropped anything, and who was killed has stored all that stands before what it stored last. */
  const auditAll = (found: Placement, transportAt: (cluster: string) => Transport) =>
    Effect.gen(function* () {
      for (const one of found.epochs) epochs.set(one.epoch, one)
      const ranges: Array<Audit.AuditedRange> = []
      for (const { epoch, place, begin, end } of Array.from(epochs.values())) {
        if (begin === undefined) continue
        const rows = yield* transportAt(place.cluster).bounds(place.topic)
        for (const [partition, from] of begin.entries()) {
          const to = end?.[partition] ?? Number(rows[partition]?.end ?? 0n)
          ranges.push({ ...place, partition, epoch, from: BigInt(from), to: BigInt(to) })
        }
      }
      ranges.sort((one, other) => one.epoch - other.epoch)
      const transportOf = (cluster: string) => Effect.succeed(transportAt(cluster))
      const fallbacks = hasFallbacks ? [memoryTransport(third)] : []
      const { missing, outOfOrder, unauditable } = yield* Audit.stream(stream, ranges, transportOf, { fallbacks })
      if (missing + outOfOrder + unauditable > 0)
        wrong.push(`an audit tells ${missing} missing, ${outOfOrder} out of order, ${unauditable} unauditable`)
    })

  /** Ids of what stands in fallbacks. */
  const fellBackIds = Effect.gen(function* () {
    const ids: Array<string> = []
    const transport = memoryTransport(third)
    for (const topic of third.topics.filter((name) => name.endsWith(".fallback")))
      for (const { partition } of yield* transport.bounds(topic))
        for (const { records } of yield* Stream.runCollect(transport.read(topic, partition, { fromPosition: 0n })))
          for (const { headers } of records) {
            const { id } = readMeta(headers, stream)
            if (id !== undefined) ids.push(idText(id))
          }
    return ids
  })

  /** What stands in the ranges of the epochs, in their order; and how many records of them stand elsewhere. */
  const logicalOf = (found: Placement, transportAt: (cluster: string) => Transport) =>
    Effect.gen(function* () {
      const logical: Array<{
        readonly id: string
        readonly seq: number
        readonly lane: string
        readonly epoch: number
      }> = []
      let late = 0
      for (const one of found.epochs) epochs.set(one.epoch, one)
      for (const { epoch, place, begin, end } of [...epochs.values()].toSorted(
        (one, other) => one.epoch - other.epoch
      )) {
        if (begin === undefined) continue
        for (let partition = 0; partition < place.partitions; partition++) {
          const batches = yield* Stream.runCollect(
            transportAt(place.cluster).read(place.topic, partition, { fromPosition: 0n })
          )
          for (const { position, headers } of Array.from(batches).flatMap(({ records }) => records)) {
            const meta = readMeta(headers, stream)
            if (meta.id === undefined || meta.epoch !== epoch) continue
            const isIn =
              position >= BigInt(begin[partition] ?? 0) && (end === undefined || position < BigInt(end[partition] ?? 0))
            if (!isIn) late++
            else {
              const { incarnation, bucket, seq } = meta.id
              if (bucket % place.partitions !== partition)
                wrong.push(`bucket ${bucket} stands in partition ${partition}`)
              logical.push({ id: idText(meta.id), seq, lane: `${incarnation}/${bucket}`, epoch })
            }
          }
        }
      }
      return { epochs: found.epochs, logical, late }
    })

  const logger = Logger.make(
    ({ logLevel, message, date }) => void logs.push(`${date.toISOString()} ${logLevel} ${String(message)}`)
  )
  const { exit, timers } = simulate(seed, Effect.provide(program.pipe(Effect.scoped), Logger.layer([logger])), {
    stepsMax: 50_000_000,
    stepsAtOnceMax: 50_000
  })
  const carries = logs.filter((line) => line.includes(" carries what ")).length
  const relaxedEpochs = [...epochs.values()].filter(({ isRelaxed }) => isRelaxed === true).map(({ epoch }) => epoch)
  const none = {
    carries,
    relaxed: relaxedEpochs.length,
    hasSpills,
    fellBack: 0,
    mirrored: 0,
    told: 0,
    stored: 0,
    opened: 0,
    aborted: 0,
    kills,
    grows,
    pauses,
    passedOver: 0,
    late: 0,
    heirs,
    logs
  }
  if (Exit.isFailure(exit)) return { ...none, wrong: [...wrong, `the world failed: ${String(exit.cause)}`] }
  if (timers > 0 && kills === 0) wrong.push(`${timers} timers are left`)
  const { logical, late, epochs: atEnd, fellBack, mirrored } = exit.value
  wrong.push(
    ...mirror.judge(
      mirrored,
      processes.flatMap((one) => [...one.told])
    )
  )
  const there = new Set([...logical.map(({ id }) => id), ...fellBack])
  let told = 0
  for (const one of processes) {
    told += one.told.size
    for (const [group, ids] of done) {
      const unread = [...one.told].filter((id) => !ids.has(id))
      if (unread.length > 0)
        wrong.push(
          `${unread.length} events were told stored, and group ${group} has handled none of them: ${unread.slice(0, 3).join()}`
        )
    }
    const lost = [...one.told].filter((id) => !there.has(id))
    if (lost.length > 0)
      wrong.push(`${lost.length} events were told stored and are nowhere that is read: ${lost.slice(0, 3).join()}`)
    if (!killed.has(one.leat.incarnation) && !one.leat.ledger.snapshot().balanced)
      wrong.push("a ledger does not balance at the end")
  }
  const highest = new Map<string, number>()
  const seen = new Set<string>()
  for (const { id, seq, lane } of logical) {
    if (seen.has(id)) continue
    seen.add(id)
    const before = highest.get(lane) ?? -1
    if (seq < before) wrong.push(`${id} stands for the first time behind ${before}`)
    highest.set(lane, Math.max(before, seq))
  }
  // Of a move that gives up order nothing is known of what stands before it and behind it.
  const partOf = new Map<string, number>()
  for (const { id, epoch } of logical)
    if (!partOf.has(id)) partOf.set(id, relaxedEpochs.filter((one) => one <= epoch).length)
  for (const [group, list] of handled) {
    const first = new Set<string>()
    const last = new Map<string, number>()
    // What falls back and stays is read beside what is published since.
    for (const { id, lane, seq } of hasFallbacks ? [] : list) {
      if (first.has(id)) continue
      first.add(id)
      const part = `${lane} ${partOf.get(id) ?? 0}`
      const before = last.get(part) ?? -1
      if (seq < before) wrong.push(`group ${group} handled ${id} for the first time behind ${before}`)
      last.set(part, Math.max(before, seq))
    }
  }
  return {
    ...none,
    wrong: wrong.slice(0, 10),
    told,
    stored: logical.length,
    opened: begun.size,
    aborted: (atEnd.at(-1)?.epoch ?? 1) - begun.size,
    passedOver: passed.size,
    fellBack: fellBack.length,
    mirrored: mirrored.length,
    late
  }
}

function describe(placement: Placement | undefined): string {
  return (
    JSON.stringify(
      placement?.epochs.map(({ epoch, phase, place, over, drained }) => [
        epoch,
        phase,
        place.topic,
        [...over.keys()].length,
        [...drained.keys()].length
      ])
    ) + ` writers ${placement?.writers.size}`
  )
}
