/**
 * Worlds of a stream that falls back, on virtual time: up to three publishers of one destination, which is away, frozen, slow or refuses, and so
 * is each of its fallbacks; processes that close, crash and begin anew. At the end everything is healed, and what both topics hold is judged by ids alone.
 */
import { Effect, Exit, References, Scope } from "effect"
import { type EventStream, Leat, MemoryBroker, memoryDriver, memoryTransport, type OpenLeat } from "leat"
import { type FaultPlan, faultDriver, randomFaults, seededRandom, simulate, waitUntil } from "leat/testing"
import { type Driver, TransportError } from "leat/transport"
import { fallbackTopic } from "../../src/record/fallbackTopic.ts"
import { type Note, noteContract } from "../contracts/Note.ts"
import { named, textsOf } from "./fallbackStory.ts"
import { knowingIds, KnownIds } from "./knownIds.ts"
import { changed } from "./spillStory.ts"
import { gated, live, readAll } from "./spillWorld.ts"

export interface FallbackWorld {
  /** What is wrong; empty: nothing. */
  readonly wrong: ReadonlyArray<string>
  /** Events that were told safe, that stand in the destination, that fell back, that were sent on, and those that were dropped. */
  readonly told: number
  readonly stored: number
  readonly fellBack: number
  readonly recovered: number
  readonly dropped: number
  readonly crashes: number
  /** Records that have gone to fallbacks behind the first one. */
  readonly went: number
}

interface Process {
  readonly leat: OpenLeat
  readonly notes: EventStream<Note>
  readonly scope: Scope.Closeable
  readonly gate: { isDead: boolean }
  readonly safe: Set<string>
  isCrashed: boolean
}

const contract = noteContract()

const noAnswer = new TransportError({
  reason: "Unavailable",
  transport: "memory",
  operation: "bounds",
  detail: "not there"
})

/** A fallback behind the first one. */
interface Further {
  readonly name: string
  readonly broker: MemoryBroker
  readonly isFencing: boolean
  plan: FaultPlan
}

/** Their names. */
const further = ["second", "third"]

/** `places`: how many fallbacks there are. */
export function fallbackWorld(seed: number, back: "redrive" | "stay" = "redrive", places = 1): FallbackWorld {
  const random = seededRandom(seed)
  const chance = (part: number) => random() < part
  const pick = <A>(all: ReadonlyArray<A>): A => all[Math.floor(random() * all.length)] as A
  const between = (least: number, most: number) => least + Math.floor(random() * (most - least + 1))

  const partitions = pick([1, 2, 4])
  const topic = fallbackTopic({ cluster: "far", topic: "notes" }, partitions)
  const far = new MemoryBroker({ partitions })
  const near = new MemoryBroker({ partitions: 1 })
  const faults: { far: FaultPlan; near: FaultPlan } = { far: {}, near: {} }
  // Drawn beside the rest, so that the worlds of one fallback are what they were.
  const beside = seededRandom(Math.imul(seed, 7919) + places)
  const others = further.slice(0, places - 1).map((name): Further => {
    return { name, broker: new MemoryBroker({ partitions: 1 }), isFencing: beside() < 0.7, plan: {} }
  })
  /** Fallbacks that do not say how far they were sent on. */
  const silent = new Set<string>()
  const sayingNothing = (name: string, driver: Driver) =>
    changed(driver, ({ bounds }) => ({
      bounds: (...asked) => Effect.suspend(() => (silent.has(name) ? Effect.fail(noAnswer) : bounds(...asked)))
    }))
  const brokers = [near, ...others.map(({ broker }) => broker)]
  const isPoisoned = chance(0.3)
  const isFenced = chance(0.7)
  const isNearFenced = chance(0.7)
  const isNearSilent = chance(0.3)
  /** One process after the other: then the order of a key is that of all of them. */
  const isAlone = chance(0.3)
  const known = chance(0.5) ? new KnownIds(near) : undefined
  const routes = {
    version: 1,
    clusters: {
      far: { transport: "memory" },
      near: { transport: "near" },
      ...Object.fromEntries(others.map(({ name }) => [name, { transport: name }]))
    },
    policies: {
      leg: [
        {
          on: ["passing"],
          ...(chance(0.7) ? { retry: { times: between(0, 3), base: "10 millis", factor: 2 } } : {}),
          then: "fallback"
        },
        { on: ["Rejected"], then: pick(["drop", "drop", "deadLetter"]) }
      ]
    },
    routes: [
      {
        match: { stream: "*" },
        to: [
          {
            cluster: "far",
            topic: "notes",
            policy: "leg",
            linger: `${between(0, 5)} millis`,
            timeout: `${pick([50, 300, 1000])} millis`,
            buffer: { bytes: pick([65_536, 262_144, 4_194_304]), overflow: pick(["block", "reject"]) },
            batch: { bytes: pick([500, 4096, 65_536]), records: pick([1, 5, 100]) },
            fallback:
              places === 1
                ? { cluster: "near", back }
                : ["near", ...others.map(({ name }) => name)].map((cluster) => ({ cluster, back }))
          }
        ]
      }
    ]
  }
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
  const plansOf = (canFence: boolean): ReadonlyArray<() => FaultPlan> => [
    () => ({ send: () => ({ kind: "fail", reason: "Unavailable" }), fence: () => "Unavailable" }),
    () => ({ send: () => ({ kind: "cut" }), fence: () => "Timeout" }),
    ...(canFence ? [(): FaultPlan => ({ send: () => ({ kind: "silence" }), fence: () => "Timeout" })] : []),
    draws(canFence),
    () => ({})
  ]
  const farPlans = plansOf(isFenced)
  const nearPlans = [
    ...plansOf(isNearFenced),
    () => ({}),
    () => ({}),
    (): FaultPlan => (isNearSilent ? { settle: () => (chance(0.1) ? "silence" : undefined) } : {})
  ]

  const wrong: Array<string> = []
  const all: Array<Process> = []
  let living: ReadonlyArray<Process> = []
  let counter = 0
  let crashes = 0

  const open = Effect.fnUntraced(function* () {
    // A process that begins waits for them.
    silent.clear()
    const gate = { isDead: false }
    const scope = yield* Scope.make()
    const opening = Leat.make({
      source: "test",
      routes,
      drain: `${pick([0, 100, 3000])} millis`,
      drivers: [
        gated(
          faultDriver(
            memoryDriver(far),
            live(() => faults.far)
          ),
          gate,
          { over: isFenced ? {} : { fencing: "none" } }
        ),
        named(
          "near",
          gated(
            faultDriver(
              sayingNothing("near", known === undefined ? memoryDriver(near) : knowingIds(memoryDriver(near), known)),
              live(() => faults.near)
            ),
            gate,
            { over: isNearFenced ? {} : { fencing: "none" } }
          )
        ),
        ...others.map((other) =>
          named(
            other.name,
            gated(
              faultDriver(
                sayingNothing(other.name, memoryDriver(other.broker)),
                live(() => other.plan)
              ),
              gate,
              { over: other.isFencing ? {} : { fencing: "none" } }
            )
          )
        )
      ]
    })
    const leat = yield* Scope.provide(opening, scope)
    const notes = yield* leat.stream(contract)
    const one: Process = { leat, notes, scope, gate, safe: new Set(), isCrashed: false }
    all.push(one)
    living = [...living, one]
    return one
  })

  const publish = (one: Process) => {
    const poison = isPoisoned && chance(0.05) ? "poison " : ""
    const text = `${poison}${all.indexOf(one)} ${counter++} `.padEnd(between(5, chance(0.1) ? 3000 : 60), ".")
    const event = { key: `k${between(0, 5)}`, text }
    if (chance(0.5)) {
      one.notes.offer(event)
      return Effect.void
    }
    const publishing = one.notes.publish(event, { level: "stored" }).pipe(
      Effect.map(() => {
        // What is in the fallback may still be refused when it is sent on, and dropped as the policy says.
        if (poison === "" && !one.isCrashed) one.safe.add(text)
      }),
      Effect.ignore
    )
    return Effect.asVoid(Effect.forkDetach(publishing))
  }

  const check = ({ leat }: Process, when: string) => {
    const snapshot = leat.ledger.snapshot()
    if (!snapshot.balanced)
      wrong.push(`${when}: unbalanced ${JSON.stringify(snapshot.legs)} ${JSON.stringify(snapshot.streams)}`)
  }

  const end = Effect.fnUntraced(function* (one: Process, step: number) {
    living = living.filter((other) => other !== one)
    if (chance(0.5)) {
      crashes++
      one.isCrashed = true
      one.gate.isDead = true
      yield* Effect.forkDetach(Scope.close(one.scope, Exit.void))
      return
    }
    yield* Scope.close(one.scope, Exit.void)
    check(one, `closed in step ${step}`)
  })

  const unsettled = Effect.map(
    Effect.forEach(brokers, (broker) => memoryTransport(broker).bounds(topic, "leat.fallback")),
    (rows) => rows.flat().filter(({ start, end: behind, settled = start }) => settled < behind)
  )

  const program = Effect.gen(function* () {
    yield* open()
    for (let step = 0; step < 150; step++) {
      if (!isAlone && living.length < 3 && chance(0.05)) yield* open()
      for (let count = between(0, 8); count > 0; count--) yield* publish(pick(living))
      yield* Effect.sleep(pick([0, 1, 5, 20, 200, 1000]))
      for (const one of living) check(one, `step ${step}`)
      if (chance(0.08)) faults.far = pick(farPlans)()
      if (chance(0.06)) faults.near = pick(nearPlans)()
      for (const other of others)
        if (beside() < 0.06)
          other.plan = drawn(
            plansOf(other.isFencing).concat(() => ({})),
            beside()
          )()
      if (others.length > 0 && beside() < 0.08) {
        silent.clear()
        if (beside() < 0.5) silent.add(drawn(["near", ...others.map(({ name }) => name)], beside()))
      }
      if (chance(0.03)) yield* pick(living).leat.resume
      if (chance(0.03)) {
        yield* end(pick(living), step)
        // What was on its way when it ended has landed, or never will.
        if (isAlone) yield* Effect.sleep(5000)
        if (living.length === 0) yield* open()
      }
    }
    faults.far = {}
    faults.near = {}
    for (const other of others) other.plan = {}
    silent.clear()
    for (const one of living) yield* one.leat.resume
    const isBack = ({ leat }: Process) => {
      const { queued = 0, inFlight = 0, inDoubt = 0, deadLettering = 0 } = leat.ledger.snapshot().legs[0] ?? {}
      const isOver = leat.sinks()[0]?.fallback?.partitions.length === 0
      return isOver && queued + inFlight + inDoubt + deadLettering === 0
    }
    // Dead letters wait while most of what is sent fails.
    yield* waitUntil(
      "everybody is back, and the fallback is empty",
      Effect.map(unsettled, (rows) => living.every(isBack) && (back === "stay" || rows.length === 0)),
      { withinMs: 300_000 }
    )
    for (const one of living) {
      yield* Scope.close(one.scope, Exit.void)
      check(one, "closed at the end")
    }
  })

  const quiet = Effect.provideService(program, References.MinimumLogLevel, "None")
  const { exit } = simulate(seed, quiet, { stepsMax: 3_000_000, stepsAtOnceMax: 50_000 })
  if (Exit.isFailure(exit)) wrong.push(`it broke: ${JSON.stringify(exit.cause).slice(0, 500)}`)

  const found = readAll(far, partitions)
  const stood = new Set([
    ...found.texts,
    ...(back === "stay" ? brokers.flatMap((broker) => textsOf(broker, topic)) : [])
  ])
  if (back === "redrive") wrong.push(...new Set(found.order))
  if (back === "redrive" && isAlone) wrong.push(...outOfOrder(far))
  const sums = { fellBack: 0, recovered: 0, dropped: 0 }
  for (const [index, { leat, safe, isCrashed }] of all.entries()) {
    for (const text of safe)
      if (!stood.has(text)) wrong.push(`process ${index}: ${text} was told safe, and is not stored`)
    const [leg] = leat.ledger.snapshot().legs
    if (leg === undefined) continue
    const lost = Object.values(leg.dropped).reduce((total, one) => total + one, 0)
    sums.fellBack += leg.fellBack
    sums.recovered += leg.recovered
    sums.dropped += lost
    if (isCrashed || isPoisoned || back === "stay") continue
    const own = found.count.get(leat.incarnation) ?? 0
    if (own < leg.admitted - lost || own > leg.admitted - lost + leg.droppedMayBeStored)
      wrong.push(`process ${index}: admitted ${leg.admitted}, dropped ${lost}, stored ${own}: ${JSON.stringify(leg)}`)
  }
  if (back === "redrive" && crashes === 0 && sums.recovered < sums.fellBack)
    wrong.push(`${sums.fellBack} fell back, and ${sums.recovered} were sent on`)
  if (back === "stay" && sums.recovered > 0) wrong.push(`${sums.recovered} were sent on that stay`)
  const told = all.reduce((total, { safe }) => total + safe.size, 0)
  const behind = others.flatMap(({ broker }) => broker.topic(topic).partitions)
  const went = behind.reduce((total, log) => total + Number(log.end), 0)
  return { wrong, told, stored: found.texts.size, crashes, went, ...sums }
}

function drawn<A>(some: ReadonlyArray<A>, part: number): A {
  return some[Math.floor(part * some.length)] as A
}

/** First deliveries of a key that stand behind those of a later process. */
function outOfOrder(far: MemoryBroker): ReadonlyArray<string> {
  const seen = new Set<string>()
  const last = new Map<string, number>()
  const wrong: Array<string> = []
  for (const log of far.topic("notes").partitions)
    for (let batch = log.read(0n, log.end); batch !== undefined; batch = log.read(batch.next, log.end))
      for (const { value } of batch.records) {
        const { key, text } = value === null ? { key: "", text: "" } : contract.decode(value)
        if (text === "" || seen.has(text)) continue
        seen.add(text)
        const at = Number(/(\d+) \d+ \.*$/.exec(text)?.[1])
        const before = last.get(key) ?? -1
        if (at < before) wrong.push(`${key}: "${text}" of a process stands behind one of process ${before}`)
        last.set(key, Math.max(at, before))
      }
  return wrong
}
