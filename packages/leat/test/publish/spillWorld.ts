/**
 * Worlds of one or two streams that spill, on virtual time: a cluster that is away, frozen, slow, refuses or cannot fence, a disk that loses its
 * power or its answers, fences slowly or is full, processes that close and crash. At the end everything is healed, and what the topic holds is
 * judged by ids alone.
 */
import { Effect, Exit, References, Scope, Stream } from "effect"
import { Leat, MemoryBroker, memoryDriver, type EventStream, type LegRow, NotStored, type OpenLeat } from "leat"
import {
  type FaultPlan,
  faultDriver,
  PowerLossBroker,
  powerLossDriver,
  randomFaults,
  seededRandom,
  simulate,
  waitUntil
} from "leat/testing"
import {
  type Capabilities,
  type Driver,
  type OutgoingBatch,
  type Run,
  type Transport,
  TransportError
} from "leat/transport"
import { auditedRecord } from "../../src/audit/auditedRecord.ts"
import { sizeOf } from "../../src/record/batchOf.ts"
import { readMeta } from "../../src/record/Wire.ts"
import { type Note, noteContract } from "../contracts/Note.ts"
import { knowingIds, KnownIds } from "./knownIds.ts"

export interface SpillWorld {
  /** What is wrong; empty: nothing. */
  readonly wrong: ReadonlyArray<string>
  /** Events that were told stored or durable, that stand in the topic, that were in the spill, and those of closed processes. */
  readonly told: number
  readonly stored: number
  readonly spilled: number
  readonly recovered: number
  readonly dropped: number
  /** Dropped because they had been in the spill for too long. */
  readonly expired: number
  readonly crashes: number
  /** Closed while their spill was being fenced. */
  readonly fencedCloses: number
  /** Started while the cluster could not be reached. */
  readonly gone: number
}

/** What one process has offered, and what it was told. */
interface Process {
  readonly leat: OpenLeat
  readonly streams: ReadonlyArray<EventStream<Note>>
  readonly drainMs: number
  readonly scope: Scope.Closeable
  readonly gate: { isDead: boolean }
  /** Texts of events that were told to be safe, and of those that were told not to be stored, for certain. */
  readonly safe: Set<string>
  readonly unstored: Map<string, string>
  isCrashed: boolean
}

const contract = noteContract()
const other = noteContract({ stream: "test.others" })

export function spillWorld(seed: number): SpillWorld {
  const random = seededRandom(seed)
  const chance = (part: number) => random() < part
  const pick = <A>(all: ReadonlyArray<A>): A => all[Math.floor(random() * all.length)] as A
  const between = (least: number, most: number) => least + Math.floor(random() * (most - least + 1))

  const partitions = pick([1, 2, 4])
  const far = new MemoryBroker({ partitions })
  const disk = new PowerLossBroker({ partitions: 1, flushMs: between(1, 20) })
  const faults: { far: FaultPlan; disk: FaultPlan; fenceMs: number; isGone: boolean } = {
    far: {},
    disk: {},
    fenceMs: 0,
    isGone: false
  }
  const isPoisoned = chance(0.3)
  /** A right that is missing for a while: what becomes of it then. */
  const noRight = pick([undefined, undefined, undefined, "drop", "deadLetter", "spill"])
  const isGivenUp = noRight === "drop" || noRight === "deadLetter"
  // Drawn beside the rest, so that the worlds of the seeds are otherwise what they were.
  const ageing = seededRandom(Math.imul(seed, 67_867_967) + 5)()
  const age = ageing < 0.2 ? (ageing < 0.1 ? "1 second" : "3 seconds") : undefined
  const refuses = isPoisoned || isGivenUp || age !== undefined
  const isPatient = chance(0.5)
  const odd = chance(0.3) ? 0.02 : 0
  /** How often the disk says of some records of a range what became of them, and of others nothing. */
  const holes = chance(0.2) ? 0.1 : 0
  const isFenced = chance(0.7)
  const known = chance(0.5) ? new KnownIds(disk.disk) : undefined
  const isOfTwo = chance(0.4)
  const fencedAt = between(20, 300)
  const bytes = chance(0.3) ? 65_536 : 50_000_000
  const retries = (): object =>
    pick([
      {},
      { retry: { times: between(1, 3), base: "10 millis" } },
      { retry: { deadline: `${between(10, 500)} millis`, base: "10 millis" } }
    ])
  const breaking = seededRandom(Math.imul(seed, 49_979_687) + 3)()
  const breaker = { failureRate: 0.5, minSends: 2, window: "5 seconds", wait: "20 millis", maxWait: "1 second" }
  const policy = [
    ...(age === undefined ? [] : [{ on: ["SpillExpired"], then: ageing < 0.05 ? "deadLetter" : "drop" }]),
    ...(breaking < 0.3 ? [{ on: ["BreakerOpen"], then: "spill" }] : []),
    {
      on: ["passing"],
      ...(chance(0.7) ? { retry: { times: between(0, 3), base: "10 millis", factor: 2 } } : {}),
      then: "spill"
    },
    { on: ["Rejected"], ...retries(), then: pick(["drop", "drop", "deadLetter"]) },
    ...(noRight === undefined ? [] : [{ on: ["Unauthorized"], ...retries(), then: noRight }]),
    // Where nothing fences, what was given up in doubt may land late.
    ...(isFenced && chance(0.3) ? [{ on: ["SpillFull"], then: "drop" }] : [])
  ]
  const spill = { cluster: "disk", bytes, ...(age === undefined ? {} : { age }) }
  const settings = {
    cluster: "far",
    topic: "notes",
    ...(isOfTwo ? { wire: "cloudevents" } : {}),
    policy: "leg",
    ...(breaking < 0.5 ? { breaker } : {}),
    linger: `${between(0, 5)} millis`,
    timeout: `${pick([50, 300, 1000])} millis`,
    buffer: { bytes: pick([65_536, 262_144, 4_194_304]), overflow: pick(["block", "reject"]) },
    batch: { bytes: pick([500, 4096, 65_536]), records: pick([1, 5, 100]) }
  }
  let version = 1
  /** No rate: none. */
  const documentOf = (rate?: number) => ({
    version: version++,
    clusters: { far: { transport: "memory" }, disk: { transport: "powerLoss" } },
    policies: { leg: policy },
    routes: [
      {
        match: { stream: "*" },
        to: [{ ...settings, spill: { ...spill, ...(rate === undefined ? {} : { rate }) } }]
      }
    ]
  })
  /** Of those that come; who is there is given a table too. */
  let routes = documentOf(chance(0.2) ? 50 : undefined)

  // What waits for a fence without an end does so for ever where there is none.
  const draws = (canStick: boolean) => (): FaultPlan =>
    randomFaults(random, {
      fail: 0.2,
      delay: 0.1,
      loseResponse: 0.1,
      cut: 0.05,
      lateWrite: 0.1,
      ...(canStick ? { throw: 0.02, silence: 0.02 } : {}),
      fence: 0.2,
      settle: 0.1,
      pull: 0.05,
      loseLane: 0.03,
      msMax: 200
    })
  const farPlans: ReadonlyArray<() => FaultPlan> = [
    () => ({ send: () => ({ kind: "fail", reason: "Unavailable" }), fence: () => "Unavailable" }),
    () => ({ send: () => ({ kind: "cut" }), fence: () => "Timeout" }),
    ...(isFenced ? [(): FaultPlan => ({ send: () => ({ kind: "silence" }), fence: () => "Timeout" })] : []),
    draws(isFenced),
    () =>
      noRight === undefined
        ? {}
        : { send: ({ topic }) => (topic === "notes" ? { kind: "fail", reason: "Unauthorized" } : undefined) },
    () => ({})
  ]
  /** What the disk is asked for has no answer, now and then or ever. */
  const silences = (part: number): FaultPlan => ({
    settle: () => (chance(part) ? "silence" : undefined),
    pull: () => (chance(part / 4) ? "silence" : undefined)
  })
  const diskPlans: ReadonlyArray<() => FaultPlan> = [
    () => ({}),
    () => ({}),
    draws(true),
    () => ({ ...draws(true)(), ...silences(0.1) }),
    () => silences(pick([0.2, 1])),
    () => randomFaults(random, { loseResponse: 0.5, fence: 0.2 }),
    () => ({ send: () => ({ kind: "fail", reason: "Full" }) })
  ]

  const wrong: Array<string> = []
  const processes: Array<Process> = []
  let counter = 0
  let dropped = 0
  let expired = 0
  let crashes = 0
  let fencedCloses = 0
  let gone = 0

  const open = Effect.fnUntraced(function* () {
    const gate = { isDead: false }
    const scope = yield* Scope.make()
    const drainMs = isPatient ? 3000 : pick([0, 100, 3000])
    const leat = yield* Scope.provide(
      Leat.make({
        source: "test",
        routes,
        drain: `${drainMs} millis`,
        drivers: [
          gated(
            faultDriver(
              memoryDriver(far),
              live(() => faults.far)
            ),
            gate,
            { isOdd: () => chance(odd), isGone: () => faults.isGone, over: isFenced ? {} : { fencing: "none" } }
          ),
          gated(
            faultDriver(
              known === undefined ? powerLossDriver(disk) : knowingIds(powerLossDriver(disk), known),
              live(() => faults.disk)
            ),
            gate,
            { isTrimSilent: () => chance(0.02), fenceMs: () => faults.fenceMs, isHoled: () => chance(holes) }
          )
        ]
      }),
      scope
    )
    const streams = [yield* leat.stream(contract), ...(isOfTwo ? [yield* leat.stream(other)] : [])]
    const one: Process = { leat, streams, drainMs, scope, gate, safe: new Set(), unstored: new Map(), isCrashed: false }
    processes.push(one)
    return one
  })

  const publish = (one: Process) => {
    const poison = isPoisoned && chance(0.05) ? "poison " : ""
    const text = `${poison}${processes.length} ${counter++} `.padEnd(between(5, chance(0.1) ? 3000 : 60), ".")
    const event = { key: `k${between(0, 5)}`, text }
    const notes = pick(one.streams)
    if (chance(0.5)) {
      notes.offer(event)
      return Effect.void
    }
    const level = pick(["durable", "stored", "queued"] as const)
    const publishing = notes.publish(event, { level }).pipe(
      Effect.map(() => {
        // What is on disk may still be refused, and dropped as the policy says.
        if ((level === "stored" || (level === "durable" && !refuses)) && !one.isCrashed) one.safe.add(text)
      }),
      Effect.catch((error) => {
        const isCertain = !(error instanceof NotStored) || error.outcome.mayBeStored + error.outcome.spilled === 0
        if (isCertain && !one.isCrashed) one.unstored.set(text, error.message)
        return Effect.void
      })
    )
    return Effect.asVoid(
      Effect.forkDetach(chance(0.05) ? Effect.timeoutOption(publishing, between(0, 300)) : publishing)
    )
  }

  const check = (one: Process, when: string) => {
    const snapshot = one.leat.ledger.snapshot()
    if (!snapshot.balanced)
      wrong.push(`${when}: unbalanced ${JSON.stringify(snapshot.legs)} ${JSON.stringify(snapshot.streams)}`)
    // Beside the bound: what had no answer and stands there all the same, of each partition.
    const most = bytes + partitions * 2 * (settings.batch.bytes + 4000)
    const used = bytesOnDisk(disk.disk)
    if (used > most) wrong.push(`${when}: ${used} bytes on disk of ${bytes}`)
  }

  /** The disk is well, and fences slowly: it takes what is left while its process closes. */
  const closeWhileFencing = Effect.fnUntraced(function* (one: Process) {
    faults.far = { send: () => ({ kind: "fail", reason: "Unavailable" }), fence: () => "Unavailable" }
    faults.disk = {}
    for (let count = 0; count < 3; count++) yield* publish(one)
    yield* Effect.sleep(3000)
    const isTidy = pendingOf(totalOf(one.leat)) === 0
    let sends = 0
    const delayMs = between(100, 1000)
    faults.fenceMs = 900
    faults.disk = {
      send: () => {
        const send = sends++
        return send === 0 ? { kind: "delay", ms: delayMs } : send === 1 ? { kind: "cut" } : undefined
      }
    }
    for (let count = 0; count < 3; count++) {
      yield* publish(one)
      yield* Effect.sleep(10)
    }
    const before = totalOf(one.leat).dropped["closed"] ?? 0
    yield* Scope.close(one.scope, Exit.void)
    faults.fenceMs = 0
    faults.disk = {}
    // Poison waits for the topic of its dead letters, and no disk would take it.
    if (!isTidy || sends < 2 || isPoisoned) return
    fencedCloses++
    const closed = (totalOf(one.leat).dropped["closed"] ?? 0) - before
    if (closed > 0 && bytes > 65_536) wrong.push(`closing dropped ${closed} that the disk would have taken`)
  })

  const program = Effect.gen(function* () {
    let one = yield* open()
    // Another process that names the same spill, which is a mistake: they take turns, with what belongs to whom told honestly.
    let rival: Process | undefined
    const isShared = chance(0.2)
    for (let step = 0; step < 150; step++) {
      for (let count = between(0, 8); count > 0; count--) yield* publish(one)
      if (isShared && chance(0.05)) {
        if (rival === undefined) rival = yield* open()
        else {
          yield* Scope.close(rival.scope, Exit.void)
          check(rival, `rival closed in step ${step}`)
          rival = undefined
        }
      }
      if (rival !== undefined && chance(0.3)) yield* publish(rival)
      yield* Effect.sleep(pick([0, 1, 5, 20, 200]))
      check(one, `step ${step}`)
      if (chance(0.05)) faults.isGone = false
      if (chance(0.08)) faults.far = pick(farPlans)()
      if (chance(0.05)) {
        faults.disk = pick(diskPlans)()
        faults.fenceMs = pick([0, 0, 50, 400])
      }
      if (chance(0.02)) yield* disk.losePower(between(0, 3))
      if (chance(0.03)) yield* one.leat.resume
      if (chance(0.02)) {
        routes = documentOf(pick([undefined, 20, 1000]))
        yield* one.leat.swapRoutes(routes)
      }
      if (chance(0.02) || step === fencedAt) {
        const isCrash = step !== fencedAt && chance(isPatient ? 0.1 : 0.5)
        if (isCrash) {
          crashes++
          one.isCrashed = true
          one.gate.isDead = true
          yield* disk.losePower(between(0, 3))
          yield* Effect.forkDetach(Scope.close(one.scope, Exit.void))
        } else {
          if (one.drainMs === 3000 && chance(0.8)) yield* closeWhileFencing(one)
          else yield* Scope.close(one.scope, Exit.void)
          check(one, `closed in step ${step}`)
        }
        // What was on its way when it ended has landed, or never will.
        yield* Effect.sleep(1000)
        // How many partitions there are says the spill then.
        faults.isGone = chance(0.3) && disk.disk.topics.some((name) => name.endsWith(".spill"))
        if (faults.isGone) gone++
        one = yield* open()
      }
    }
    faults.far = {}
    faults.disk = {}
    faults.isGone = false
    if (rival !== undefined) yield* Scope.close(rival.scope, Exit.void)
    routes = documentOf()
    yield* one.leat.swapRoutes(routes)
    faults.fenceMs = 0
    yield* one.leat.resume
    yield* waitUntil(
      "the spill is empty",
      Effect.sync(() => {
        const total = totalOf(one.leat)
        return pendingOf(total) + total.spilled === 0
      }),
      { withinMs: 300_000 }
    )
    // What earlier processes have left is not in this one's accounts until it has ended.
    yield* Effect.sleep(60_000)
    check(one, "the end")
    yield* Scope.close(one.scope, Exit.void)
    check(one, "closed at the end")
  })

  const quiet = Effect.provideService(program, References.MinimumLogLevel, "None")
  const { exit } = simulate(seed, quiet, { stepsMax: 3_000_000, stepsAtOnceMax: 50_000 })
  if (Exit.isFailure(exit)) wrong.push(`it broke: ${JSON.stringify(exit.cause).slice(0, 500)}`)

  const found = readAll(far, partitions)
  // Of two copies in the spill, the first of which nobody was told of, the first may be given up while the right is missing, and the second stored.
  if (!isGivenUp) wrong.push(...new Set(found.order))
  // Whoever crashes, or closes in a hurry, cannot announce what it has dropped; markers that are refused too are told later, or never.
  const isInHurry = ({ leat }: Process) =>
    leat.ledger.snapshot().legs.some((leg) => leg.dropped["closed"] !== undefined)
  const isCertain = crashes === 0 && !processes.some(isInHurry) && !isGivenUp
  if (isPatient && isCertain) wrong.push(...found.gaps)
  for (const [index, { leat, safe, unstored, isCrashed }] of processes.entries()) {
    for (const text of safe)
      if (!found.texts.has(text)) wrong.push(`process ${index}: ${text} was told safe, and is not stored`)
    for (const [text, why] of unstored)
      if (found.texts.has(text)) wrong.push(`process ${index}: ${text.slice(0, 20)} is stored, and was told: ${why}`)
    const leg = totalOf(leat)
    const lost = Object.values(leg.dropped).reduce((total, one) => total + one, 0)
    dropped += lost
    expired += leg.dropped["SpillExpired"] ?? 0
    // Of what a process has left in the spill another one may have dropped what is refused.
    if (isCrashed || refuses) continue
    const own = found.count.get(leat.incarnation) ?? 0
    if (own < leg.admitted - lost || own > leg.admitted - lost + leg.droppedMayBeStored)
      wrong.push(`process ${index}: admitted ${leg.admitted}, dropped ${lost}, stored ${own}: ${JSON.stringify(leg)}`)
    if (own < leg.admitted && Object.keys(leg.dropped).length === 0) wrong.push(`process ${index}: lost without a word`)
  }
  // What closed processes have left in the spill is somebody's when it ends.
  const left = processes.reduce((total, { leat, isCrashed }) => total + (isCrashed ? 0 : totalOf(leat).spilled), 0)
  const recovered = processes.reduce((total, { leat }) => total + totalOf(leat).recovered, 0)
  if (recovered < left) wrong.push(`${left} were left in the spill, and ${recovered} of them recovered`)
  return {
    wrong,
    told: processes.reduce((total, { safe }) => total + safe.size, 0),
    stored: found.texts.size,
    spilled: disk.disk.topics
      .filter((name) => name.endsWith(".spill"))
      .reduce(
        (total, name) => total + disk.disk.topic(name).partitions.reduce((sum, { end }) => sum + Number(end), 0),
        0
      ),
    recovered,
    dropped,
    expired,
    crashes,
    fencedCloses,
    gone
  }
}

type Total = Pick<
  LegRow,
  "admitted" | "recovered" | "queued" | "inFlight" | "inDoubt" | "spilled" | "droppedMayBeStored" | "dropped"
>

/** Of all streams of a process. */
function totalOf({ ledger }: OpenLeat): Total {
  const { legs } = ledger.snapshot()
  const sum = (name: Exclude<keyof Total, "dropped">) => legs.reduce((total, leg) => total + leg[name], 0)
  const dropped: Record<string, number> = {}
  for (const leg of legs)
    for (const [reason, count] of Object.entries(leg.dropped)) dropped[reason] = (dropped[reason] ?? 0) + count
  return {
    admitted: sum("admitted"),
    recovered: sum("recovered"),
    queued: sum("queued"),
    inFlight: sum("inFlight"),
    inDoubt: sum("inDoubt"),
    spilled: sum("spilled"),
    droppedMayBeStored: sum("droppedMayBeStored"),
    dropped
  }
}

function pendingOf({ queued, inFlight, inDoubt }: Total): number {
  return queued + inFlight + inDoubt
}

const gone = new TransportError({ reason: "Unavailable", transport: "far", operation: "open", detail: "not there" })
const rejected = new TransportError({ reason: "Rejected", transport: "far", operation: "send", detail: "poison" })

function holdsPoison(batch: OutgoingBatch, from: number, to: number): boolean {
  for (let index = from; index < to; index++) {
    const value = batch.value(index)
    if (value !== null && contract.decode(value).text.startsWith("poison")) return true
  }
  return false
}

export function live(plan: () => FaultPlan): FaultPlan {
  return {
    send: (call) => plan().send?.(call),
    fence: (call) => plan().fence?.(call),
    settle: (call) => plan().settle?.(call),
    pull: (call) => plan().pull?.(call)
  }
}

export interface Gating {
  readonly over?: Partial<Capabilities>
  readonly fenceMs?: () => number
  readonly isTrimSilent?: () => boolean
  readonly isOdd?: () => boolean
  readonly isHoled?: () => boolean
  readonly isGone?: () => boolean
}

/** An answer that says nothing of every third record. */
function holed(runs: ReadonlyArray<Run>): ReadonlyArray<Run> {
  return runs.flatMap((run) =>
    Array.from({ length: run.to - run.from }, (_, index): Run => {
      const base = run.base === undefined ? {} : { base: run.base + BigInt(index) }
      return { ...run, from: run.from + index, to: run.from + index + 1, ...base }
    }).filter((_, index) => index % 3 !== 1)
  )
}

/** A process that is dead asks for nothing any more, and hears of nothing. */
export function gated(
  driver: Driver,
  gate: { readonly isDead: boolean },
  {
    over = {},
    fenceMs = () => 0,
    isTrimSilent = () => false,
    isOdd = () => false,
    isHoled = () => false,
    isGone = () => false
  }: Gating
): Driver {
  const alive = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() =>
      gate.isDead ? Effect.never : Effect.flatMap(effect, (told) => (gate.isDead ? Effect.never : Effect.succeed(told)))
    )
  const there = <A, R>(effect: Effect.Effect<A, TransportError, R>): Effect.Effect<A, TransportError, R> =>
    Effect.suspend(() => (isGone() ? Effect.fail(gone) : effect))
  return {
    ...driver,
    open: (...opened) =>
      Effect.map(there(driver.open(...opened)), (inner): Transport => ({
        ...inner,
        partitionsOf: (topic) => there(inner.partitionsOf(topic)),
        capabilities: { ...inner.capabilities, ...over },
        openWriter: (topic) =>
          Effect.map(there(inner.openWriter(topic)), (writer) => ({
            ...writer,
            fence: (partition) => alive(Effect.suspend(() => Effect.delay(writer.fence(partition), fenceMs()))),
            send: (partition, batch, from, to, timeoutMs, answer) => {
              const isPoison = topic === "notes" && holdsPoison(batch, from, to)
              // As a driver without types says that there is no error, stored or not.
              if (topic === "notes" && isOdd()) answer([{ from, to, fate: "notStored", error: null as never }])
              else if (isPoison && !gate.isDead) answer([{ from, to, fate: "notStored", error: rejected }])
              else if (!gate.isDead)
                writer.send(partition, batch, from, to, timeoutMs, (runs) => {
                  if (gate.isDead) return
                  answer(topic.endsWith(".spill") && isHoled() ? holed(runs) : runs)
                })
            }
          })),
        bounds: (topic, group) => alive(inner.bounds(topic, group)),
        ensure: (spec) => alive(inner.ensure(spec)),
        trim: (...asked) =>
          Effect.suspend(() => (isTrimSilent() ? Effect.never : alive(inner.trim?.(...asked) ?? Effect.void))),
        subscribe: (subscription) =>
          Stream.suspend(() =>
            gate.isDead
              ? Stream.never
              : Stream.map(inner.subscribe(subscription), (lane) => ({
                  ...lane,
                  settle: (position) => alive(lane.settle(position))
                }))
          )
      }))
  }
}

/** Of all spills, as records. */
function bytesOnDisk(disk: MemoryBroker): number {
  let bytes = 0
  for (const name of disk.topics.filter((one) => one.endsWith(".spill")))
    for (const log of disk.topic(name).partitions)
      for (let batch = log.read(log.start, log.end); batch !== undefined; batch = log.read(batch.next, log.end))
        for (const record of batch.records) bytes += sizeOf(record)
  return bytes
}

/** The distinct texts of the topic, those of each publisher, and what is out of order in first deliveries of a bucket, or missing without a word. */
export function readAll(broker: MemoryBroker, partitions: number) {
  const texts = new Set<string>()
  const count = new Map<string, number>()
  const order: Array<string> = []
  const highest = new Map<string, number>()
  const ids = new Set<string>()
  const announced = new Set<string>()
  for (let partition = 0; partition < partitions; partition++) {
    const log = broker.topic("notes").partitions[partition]
    for (let batch = log?.read(0n, log.end); batch !== undefined; batch = log?.read(batch.next, log.end))
      for (const { headers, value } of batch.records) {
        const { id, incarnation, tag, dropped } = { ...readMeta(headers, contract.stream), ...auditedRecord(headers) }
        for (const { bucket, from, to } of dropped)
          for (let seq = from; seq < to; seq++) announced.add(`${incarnation} ${tag} ${bucket} ${seq}`)
        if (id === undefined || value === null) continue
        const name = `${id.incarnation} ${tag} ${id.bucket}`
        const key = `${name} ${id.seq}`
        if (ids.has(key)) continue
        ids.add(key)
        count.set(id.incarnation, (count.get(id.incarnation) ?? 0) + 1)
        texts.add(contract.decode(value).text)
        if (id.seq < (highest.get(name) ?? -1)) order.push(`${name}: ${id.seq} stands behind ${highest.get(name)}`)
        highest.set(name, Math.max(id.seq, highest.get(name) ?? -1))
      }
  }
  const gaps = Array.from(highest).flatMap(([name, last]) =>
    Array.from({ length: last }, (_, seq) => `${name} ${seq}`)
      .filter((event) => !ids.has(event) && !announced.has(event))
      .map((event) => `${event} is neither there nor announced`)
  )
  return { texts, count, order, gaps }
}
