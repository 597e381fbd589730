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
import { endsOf, isSweeping, type Placement } from "../../src/control/Placement.ts"
import { coordinate } from "../../src/moves/Coordinator.ts"
import { readMeta } from "../../src/record/Wire.ts"
import { MemoryPartition } from "../../src/transport/memory/MemoryPartition.ts"
import { Gate } from "../../src/testing/story/Gate.ts"
import type { Note } from "../contracts/Note.ts"
import { readAll } from "./readAll.ts"
import { Stall } from "./Stall.ts"
import { WorldMirror } from "./WorldMirror.ts"
import { type Group, groups, type Logical, WorldStream } from "./WorldStream.ts"

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
  /** How many there are. */
  readonly streams: number
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

/** In so many a second stream shares places, spills and fallbacks with the first, and moves by itself. */
const twoShare = 0.3

/** Of those without fallbacks: moves may give up the order of their stream. */
const relaxedShare = 0.3

/** In so many a group stands for minutes. */
const standsShare = 0.3

/** Which of the groups says that it begins with what is new. */
const fromLatest: Group = "two"

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

interface Process {
  readonly leat: OpenLeat
  /** In the order of the streams of the world. */
  readonly notes: ReadonlyArray<EventStream<Note>>
  readonly scope: Scope.Closeable
  readonly gate: Gate
  readonly control: Stall
  readonly data: Stall
  /** They publish. */
  readonly fibers: ReadonlyArray<Fiber.Fiber<void, unknown>>
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
  const ofTwo = seededRandom(seed * 67_867_967 + 29)
  const first = new WorldStream("test.notes", places[0] as Place)
  const streams = ofTwo() < twoShare ? [first, new WorldStream("test.memos", places[0] as Place)] : [first]
  const drawnWire = pick(["compact", "cloudevents"])
  // Of two streams in a topic each record has to say which it is of.
  const wire = streams.length > 1 ? "cloudevents" : drawnWire
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
  const legAt = (at: Place) => {
    const { cluster, topic } = at
    const isSpilling = spillsAt.has(at)
    return {
      cluster,
      topic,
      wire,
      policy: isSpilling ? "spilling" : staysAt.has(at) ? "falling" : "leg",
      ...(staysAt.has(at) ? { fallback: { cluster: "third", back: "stay" } } : {}),
      ...(isSpilling ? { spill: { cluster: "disk" } } : {}),
      timeout: "1 second",
      linger: "2 millis",
      buffer: { bytes, overflow }
    }
  }
  const document = () =>
    JSON.stringify({
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
      routes: streams.map(({ name, here }) => ({
        match: { stream: streams.length === 1 ? "*" : name },
        to: [
          legAt(here),
          ...(name === first.name
            ? mirror.legs({ wire, policy: spillsAt.size === places.length ? "spilling" : "leg", bytes, overflow })
            : [])
        ]
      }))
    })
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
    const notes: Array<EventStream<Note>> = []
    for (const one of streams) {
      const opened = yield* leat.stream(one.contract)
      notes.push(opened)
      for (const group of groups) {
        const concurrency = pick([1, 4])
        yield* Scope.provide(
          opened.handle(
            one.groupName(group),
            ({ key }, { id }) =>
              Effect.flatMap(stands(group), () => {
                if (id === undefined || gate.isDead) return Effect.void
                const { incarnation, seq } = id
                one.handled[group].push({ id: idText(id), lane: `${incarnation}/${key}`, seq })
                const end = Effect.sync(() => void one.done[group].add(idText(id)))
                return random() < 0.2 ? Effect.delay(end, between(1, 20)) : end
              }),
            { concurrency, ...(group === fromLatest ? { from: "latest" } : {}) }
          ),
          scope
        )
      }
    }
    const fibers = yield* Effect.forEach(streams, (one, index) =>
      Effect.forkDetach(publish(notes[index] as EventStream<Note>, one.toldTo(leat.incarnation), leat))
    )
    const process: Process = { leat, notes, scope, gate, control, data, fibers, disk, isOver: false }
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
    yield* Effect.forkScoped(
      Effect.delay(
        Effect.sync(() => void (isStanding = false)),
        standsMs
      )
    )
    // The group of which each process says that it begins with what is new: it was there before anything was published, and is given all.
    for (const one of streams)
      yield* Effect.scoped(
        transportAt(one.here.cluster)
          .subscribe({ topic: one.here.topic, group: one.groupName(fromLatest), from: "latest", drainMs: 1000 })
          .pipe(
            Stream.take(one.here.partitions),
            Stream.runForEach((lane) => lane.release)
          )
      )
    const apply = (to: Place, one = first) =>
      Effect.suspend(() => {
        one.here = to
        const newest = document()
        return write(({ version: base, streams: placed }) => ({
          kind: "table",
          base,
          document: newest,
          places: new Map(streams.flatMap(({ name, here }) => (placed.has(name) ? [[name, here] as const] : []))),
          ...(isRelaxedWorld && ofOrder() < 0.7 ? { relaxed: new Set([one.name]) } : {})
        }))
      })
    /** To another place. */
    const applyElsewhere = Effect.suspend(() => {
      const one = streams.length > 1 && ofTwo() < 0.5 ? (streams[1] ?? first) : first
      return apply(pick(places.filter((place) => place !== one.here)), one)
    })
    const placementOf = ({ name }: WorldStream): Placement | undefined => tool.control.streams.get(name)
    const placement = (): Placement | undefined => placementOf(first)
    /** A person has a stream wait, or go on. */
    const pause = (isPaused: boolean, one: WorldStream) =>
      write(() => {
        const found = placementOf(one)
        if (found === undefined || found.isPaused === isPaused) return undefined
        if (isPaused) pauses++
        return { kind: isPaused ? "paused" : "resumed", stream: one.name, base: found.step }
      })
    yield* apply(first.here)
    for (let index = between(1, 3); index > 0; index--) yield* open()
    yield* Effect.sleep(between(100, 1000))
    for (const { name, here } of streams)
      yield* write(({ version: base }) => ({ kind: "placed", stream: name, base, place: here, epoch: 1 }))
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
            const owing = streams.flatMap((one) =>
              (placementOf(one)?.epochs ?? []).flatMap(({ epoch, over, place }) =>
                Array.from(over).flatMap(([member, upTo]) =>
                  upTo === undefined && killed.has(member) ? [{ stream: one.name, epoch, member, place }] : []
                )
              )
            )
            return Effect.forEach(owing, ({ stream, epoch, member, place }) =>
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
      for (const one of streams) one.note(placementOf(one), killed)
    })
    const looking = yield* Effect.forkDetach(Effect.forever(Effect.delay(Effect.andThen(tool.look, noting), 100)))

    const living = () => processes.filter(({ isOver }) => !isOver)
    const kill = (one: Process) =>
      Effect.gen(function* () {
        one.isOver = true
        kills++
        killed.add(one.leat.incarnation)
        yield* one.gate.close
        yield* Fiber.interruptAll(one.fibers)
      })
    const close = (one: Process) =>
      Effect.gen(function* () {
        one.isOver = true
        const wasCut = one.control.isOn || one.data.isOn || Object.keys(faults.control).length > 0
        yield* Fiber.interruptAll(one.fibers)
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
      () => applyElsewhere,
      () => applyElsewhere,
      () => applyElsewhere,
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
      if (after > first.contract.buckets) return
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
        const moved = chance(0.6) ? applyElsewhere : Effect.void
        return Effect.andThen(Effect.forkScoped(over), moved)
      })
    /** Where the stream lies nothing is stored any more, and it is moved away from there; somebody may end meanwhile. */
    const outage = Effect.suspend(() => {
      const drawn = <A>(all: ReadonlyArray<A>): A => all[Math.floor(ofSpills() * all.length)] as A
      const cluster = first.here.cluster as "near" | "far"
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
    /** Whether each stream lies where it is to lie, and nobody moves it. */
    const isStill = (): boolean =>
      streams.every((one) => {
        const found = placementOf(one)
        if (found === undefined) return false
        const { newest, source } = endsOf(found)
        return newest?.phase === "open" && source === undefined && newest.place.topic === one.here.topic
      })
    /**
     * Who comes after a process that has left something is cut off from the control stream, while its clusters are well and nobody moves the stream: it
     * stores what it publishes all the same.
     */
    const heir = Effect.gen(function* () {
      for (let waited = 0; waited < 120 && !isStill(); waited++) yield* Effect.sleep(500)
      const one = living().find(({ control, data }) => !control.isOn && !data.isOn)
      if (
        !isStill() ||
        !spillsAt.has(first.here) ||
        one === undefined ||
        living().some((other) => other !== one && other.disk === one.disk)
      )
        return
      mirror.heal()
      faults[first.here.cluster as "near" | "far"] = away
      yield* Effect.sleep(3000)
      yield* ofSpills() < 0.5 ? kill(one) : close(one)
      const next = yield* open(one.disk)
      yield* Effect.sleep(3000)
      next.control.begin()
      Object.assign(faults, { near: {}, far: {} })
      yield* Effect.sleep(10_000)
      const told = first.toldTo(next.leat.incarnation)
      const before = told.size
      const step = placement()?.step
      const isWriter = placement()?.writers.get(next.leat.incarnation) === "joined"
      yield* Effect.sleep(20_000)
      next.control.end()
      if (!isWriter || !isStill() || placement()?.step !== step) return
      heirs++
      if (told.size === before)
        wrong.push("a process stores nothing while the control stream is away, and its clusters are well")
    })
    for (let index = between(4, 20); index > 0; index--) {
      if (hasSpills && ofSpills() < 0.4) yield* outage
      yield* Effect.sleep(between(50, pick([300, 3000, 20_000])))
      mirror.disturb()
      if (hasPauses && ofPauses() < 0.5)
        yield* pause(ofPauses() < 0.6, streams[Math.floor(ofPauses() * streams.length)] ?? first)
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
    for (const one of streams)
      for (let tries = 0; tries < 20 && placementOf(one)?.isPaused === true; tries++) yield* pause(false, one)
    const isAtRest = (): boolean =>
      streams.every((one) => {
        const found = placementOf(one)
        if (found === undefined) return true
        const { newest, source } = endsOf(found)
        return source === undefined && newest?.phase === "open" && !isSweeping(found)
      })
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
        yield* Fiber.interruptAll(one.fibers)
      }
    // Of the dead too: what they have left in a spill was carried just now, and is judged.
    const isRead = () => streams.every((one) => one.isRead)
    const isRetired = () =>
      streams.every(
        (one) =>
          placementOf(one)?.epochs.every(({ phase }, index, all) => phase === "retired" || index === all.length - 1) !==
          false
      )
    const placements = () => streams.map((one) => describe(placementOf(one))).join("; ")
    yield* Effect.forEach(living(), ({ fibers }) => Fiber.interruptAll(fibers))
    yield* Effect.forEach(living(), ({ leat }) => Effect.timeoutOption(leat.flush, "5 minutes"))
    for (const [index, disk] of disks.entries()) {
      for (let waitedFor = 0; waitedFor < 600 && (yield* left(disk)) > 0; waitedFor++) yield* Effect.sleep(500)
      const rest = yield* left(disk)
      if (rest > 0) wrong.push(`${rest} events stay on disk ${index}`)
    }
    /**
     * A person knows which groups read the other stream. Those that looked out for it at a place to which it was about to move, and did not, have a
     * position there, and nobody can tell whose: `npx leat move give-up` says so.
     */
    const giveUpOthers = Effect.forEach(streams, (one) =>
      Effect.forEach(placementOf(one)?.epochs.filter(({ phase }) => phase === "sealed") ?? [], ({ epoch }) =>
        Effect.forEach(
          streams.flatMap((other) => (other === one ? [] : groups.map((group) => other.groupName(group)))),
          (group) => write(() => ({ kind: "handedOver", stream: one.name, epoch, group }))
        )
      )
    )
    for (let waitedFor = 0; waitedFor < 600 && !(isRead() && isRetired()); waitedFor++) {
      if (waitedFor === 200 && isRead()) yield* giveUpOthers
      yield* Effect.sleep(500)
    }
    if (!isRead()) wrong.push("a group has not handled what processes were told stored")
    if (!isRetired()) wrong.push(`an epoch is not retired: ${placements()}`)
    if (!isAtRest()) wrong.push(`the move has not come to an end: ${placements()}`)
    yield* Effect.sleep("3 seconds")
    for (const { notes } of living())
      for (const [index, one] of streams.entries())
        yield* readsAll(notes[index] as EventStream<Note>, transportAt, placementOf(one))
    yield* Effect.forEach(living(), close, { concurrency: "unbounded" })
    yield* Effect.forEach(closing, Fiber.await)
    yield* tool.look
    yield* Effect.sleep("3 seconds")
    for (const fiber of [helping, coordinating, looking]) yield* Fiber.interrupt(fiber)
    yield* tool.look
    for (const one of streams) {
      const found = placementOf(one)
      for (const { isOver, leat } of processes)
        if (isOver && !killed.has(leat.incarnation) && found?.writers.get(leat.incarnation) === "joined")
          wrong.push(`${leat.incarnation} was closed and has not left`)
      if (found !== undefined) yield* auditAll(one, found, transportAt)
    }
    const ended = yield* Effect.forEach(streams, (one) =>
      Effect.gen(function* () {
        const found = placementOf(one)
        const fellBack = yield* fellBackIds(one)
        if (found === undefined) return { one, epochs: [], logical: [], late: 0, fellBack }
        return { one, ...(yield* logicalOf(one, found, transportAt)), fellBack }
      })
    )
    return { ended, mirrored: yield* mirror.read(first.name) }
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
  const auditAll = ({ name, epochs }: WorldStream, found: Placement, transportAt: (cluster: string) => Transport) =>
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
      const { missing, outOfOrder, unauditable } = yield* Audit.stream(name, ranges, transportOf, { fallbacks })
      if (missing + outOfOrder + unauditable > 0)
        wrong.push(`an audit tells ${missing} missing, ${outOfOrder} out of order, ${unauditable} unauditable`)
    })

  /** Ids of what stands in fallbacks. */
  const fellBackIds = ({ name }: WorldStream) =>
    Effect.gen(function* () {
      const ids: Array<string> = []
      const transport = memoryTransport(third)
      for (const topic of third.topics.filter((one) => one.endsWith(".fallback")))
        for (const { partition } of yield* transport.bounds(topic))
          for (const { records } of yield* Stream.runCollect(transport.read(topic, partition, { fromPosition: 0n })))
            for (const { headers } of records) {
              const { id } = readMeta(headers, name)
              if (id?.stream === name) ids.push(idText(id))
            }
      return ids
    })

  /** What stands in the ranges of the epochs, in their order; and how many records of them stand elsewhere. */
  const logicalOf = (of: WorldStream, found: Placement, transportAt: (cluster: string) => Transport) =>
    Effect.gen(function* () {
      const logical: Array<Logical> = []
      let late = 0
      for (const one of found.epochs) of.epochs.set(one.epoch, one)
      for (const { epoch, place, begin, end } of of.seen) {
        for (let partition = 0; partition < place.partitions; partition++) {
          const batches = yield* Stream.runCollect(
            transportAt(place.cluster).read(place.topic, partition, { fromPosition: 0n })
          )
          for (const { position, headers } of Array.from(batches).flatMap(({ records }) => records)) {
            const meta = readMeta(headers, of.name)
            if (meta.id?.stream !== of.name || meta.epoch !== epoch) continue
            const isIn =
              position >= BigInt(begin?.[partition] ?? 0) &&
              (end === undefined || position < BigInt(end[partition] ?? 0))
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
  const none = {
    carries,
    relaxed: streams.reduce((total, { relaxedEpochs }) => total + relaxedEpochs.length, 0),
    streams: streams.length,
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
  const { ended, mirrored } = exit.value
  wrong.push(...mirror.judge(mirrored, first.told))
  for (const one of processes)
    if (!killed.has(one.leat.incarnation) && !one.leat.ledger.snapshot().balanced)
      wrong.push("a ledger does not balance at the end")
  // What falls back and stays is read beside what is published since.
  for (const { one, logical, fellBack } of ended) wrong.push(...one.judge(logical, fellBack, !hasFallbacks))
  const sum = (of: (end: (typeof ended)[number]) => number) => ended.reduce((total, end) => total + of(end), 0)
  return {
    ...none,
    wrong: wrong.slice(0, 10),
    told: sum(({ one }) => one.told.length),
    stored: sum(({ logical }) => logical.length),
    opened: sum(({ one }) => one.begun.size),
    aborted: sum(({ one, epochs }) => (epochs.at(-1)?.epoch ?? 1) - one.begun.size),
    passedOver: sum(({ one }) => one.passed.size),
    fellBack: sum(({ fellBack }) => fellBack.length),
    mirrored: mirrored.length,
    late: sum(({ late }) => late)
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
