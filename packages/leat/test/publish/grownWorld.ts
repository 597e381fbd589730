/**
 * Worlds of a stream that spills, whose topic gets more partitions while its disk is full now and then, on virtual time: the cluster is away, loses answers
 * and is slow, processes close and are killed. At the end everything is healed, and what has arrived is judged in the order in which it did.
 */
import { Effect, Exit, Logger, References, Scope } from "effect"
import { Leat, MemoryBroker, memoryDriver, memoryTransport, type EventStream, type OpenLeat } from "leat"
import {
  type FaultPlan,
  faultDriver,
  PowerLossBroker,
  powerLossDriver,
  randomFaults,
  seededRandom,
  simulate
} from "leat/testing"
import type { MemoryPartition } from "../../src/transport/memory/MemoryPartition.ts"
import { readMeta } from "../../src/record/Wire.ts"
import { Gate } from "../../src/testing/story/Gate.ts"
import { type Note, noteContract } from "../contracts/Note.ts"
import { grow } from "./grownSpills.ts"
import { live } from "./spillStory.ts"

/** A record as it came to the topic, in whatever partition. */
interface Arrived {
  readonly text: string
  readonly bucket: number
  readonly seq: number
  /** Which of the processes, one after the other, has published it. */
  readonly process: number
}

export interface GrownWorld {
  /** What is wrong; empty: nothing. */
  readonly wrong: ReadonlyArray<string>
  /** Events that were told durable, or stored. */
  readonly safe: number
  /** Processes that have sent a spill on from where it stood, and that have copied one. */
  readonly sentOn: number
  readonly copied: number
  readonly kills: number
}

interface Process {
  readonly leat: OpenLeat
  readonly notes: EventStream<Note>
  readonly scope: Scope.Closeable
  readonly gate: Gate
}

const contract = noteContract()
const spillGroup = "leat.spill"

export function grownWorld(seed: number): GrownWorld {
  const random = seededRandom(seed)
  const chance = (part: number) => random() < part
  const pick = <A>(all: ReadonlyArray<A>): A => all[Math.floor(random() * all.length)] as A
  const between = (least: number, most: number) => least + Math.floor(random() * (most - least + 1))

  let partitions = pick([1, 1, 2])
  const far = new MemoryBroker({ partitions })
  const disk = new PowerLossBroker({ partitions: 1 })
  const faults: { far: FaultPlan; disk: FaultPlan } = { far: {}, disk: {} }
  const arrived: Array<Arrived> = []
  const incarnations: Array<string> = []
  const wrong: Array<string> = []
  const lines: Array<string> = []
  const safe: Array<string> = []
  let kills = 0
  let counter = 0

  const away: FaultPlan = { send: () => ({ kind: "fail", reason: "Unavailable" }), fence: () => "Unavailable" }
  const farPlans: ReadonlyArray<() => FaultPlan> = [
    () => ({}),
    () => ({}),
    () => away,
    () => randomFaults(random, { fail: 0.3, delay: 0.2, loseResponse: 0.2, fence: 0.2, msMax: 300 }),
    () => ({ send: () => ({ kind: "delay", ms: between(1, 400) }) })
  ]
  const isSpill = ({ topic }: { readonly topic: string }) => topic.endsWith(".spill")
  const full = { kind: "fail", reason: "Full" } as const
  const diskPlans: ReadonlyArray<() => FaultPlan> = [
    () => ({}),
    () => ({ send: (call) => (isSpill(call) ? full : undefined) }),
    // What is there of before has its room: the copy of it has none.
    () => ({ send: (call) => (call.topic === `far.notes.${partitions}.spill` ? full : undefined) }),
    () => ({ send: (call) => (isSpill(call) && chance(0.5) ? full : undefined) }),
    () => {
      let room = between(0, 20)
      return { send: (call) => (!isSpill(call) || (room -= call.count) >= 0 ? undefined : full) }
    }
  ]

  /** Keeps in which order events have arrived, over all partitions. */
  const watched = new Set<MemoryPartition>()
  const watch = () => {
    for (const log of far.topic("notes").partitions) {
      if (watched.has(log)) continue
      watched.add(log)
      let at = log.start
      const appended = () => {
        for (let batch = log.read(at, log.end); batch !== undefined; batch = log.read(at, log.end)) {
          for (const { value, headers } of batch.records) {
            const { id } = readMeta(headers, contract.stream)
            if (value === null || id === undefined) continue
            const { bucket, seq, incarnation } = id
            arrived.push({ text: contract.decode(value).text, bucket, seq, process: incarnations.indexOf(incarnation) })
          }
          at = batch.next
        }
      }
      appended()
      log.onAppend(appended)
    }
  }

  const open = Effect.fnUntraced(function* () {
    const gate = new Gate()
    const scope = yield* Scope.make()
    const drivers = [
      gate.driver(
        faultDriver(
          memoryDriver(far),
          live(() => faults.far)
        )
      ),
      gate.driver(
        faultDriver(
          powerLossDriver(disk),
          live(() => faults.disk)
        )
      )
    ]
    const routes = {
      version: 1,
      clusters: { far: { transport: "memory" }, disk: { transport: "powerLoss" } },
      policies: { leg: [{ on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "spill" }] },
      routes: [
        {
          match: { stream: "*" },
          to: [
            {
              cluster: "far",
              topic: "notes",
              policy: "leg",
              linger: "1 milli",
              timeout: "300 millis",
              spill: { cluster: "disk" }
            }
          ]
        }
      ]
    }
    const leat = yield* Scope.provide(Leat.make({ source: "test", routes, drain: "2 seconds", drivers }), scope)
    incarnations.push(leat.incarnation)
    const one: Process = { leat, notes: yield* leat.stream(contract), scope, gate }
    watch()
    return one
  })

  const publish = ({ notes, gate }: Process) => {
    const key = `k${between(0, 5)}`
    const text = `${key} ${counter++}`
    const level = pick(["durable", "stored"] as const)
    const told = Effect.match(notes.publish({ key, text }, { level }), {
      onSuccess: () => void (gate.isDead || safe.push(text)),
      onFailure: () => undefined
    })
    return Effect.asVoid(Effect.forkDetach(told, { startImmediately: true }))
  }

  const held = Effect.gen(function* () {
    const transport = memoryTransport(disk.disk)
    let left = 0
    for (const topic of disk.disk.topics.filter((name) => name.endsWith(".spill")))
      for (const { end, settled = 0n } of yield* transport.bounds(topic, spillGroup)) left += Number(end - settled)
    return left
  })

  const program = Effect.gen(function* () {
    let one = yield* open()
    for (let step = 0; step < 60; step++) {
      for (let count = between(0, 6); count > 0; count--) yield* publish(one)
      yield* Effect.sleep(pick([1, 20, 200, 2000]))
      if (!one.leat.ledger.snapshot().balanced) wrong.push(`step ${step}: unbalanced`)
      if (chance(0.15)) faults.far = pick(farPlans)()
      if (chance(0.15)) faults.disk = pick(diskPlans)()
      if (!chance(0.12)) continue
      if (chance(0.6)) {
        kills++
        yield* one.gate.close
        yield* Effect.forkDetach(Scope.close(one.scope, Exit.void))
      } else yield* Scope.close(one.scope, Exit.void)
      // What was on its way has landed.
      yield* Effect.sleep(1000)
      if (partitions < 8 && chance(0.4)) {
        grow(far, (partitions *= 2))
        if (chance(0.5)) faults.disk = diskPlans[2]?.() ?? {}
        if (chance(0.5)) faults.far = {}
      }
      one = yield* open()
    }
    Object.assign(faults, {
      far: {},
      disk: chance(0.5) ? { send: (call: { readonly topic: string }) => (isSpill(call) ? full : undefined) } : {}
    })
    yield* Effect.sleep("1 minute")
    for (let waited = 0; (yield* held) > 0 && waited < 900; waited++) yield* Effect.sleep(1000)
    const left = yield* held
    if (left > 0) wrong.push(`${left} records stay in spills: ${JSON.stringify(one.leat.sinks())}`)
    yield* Scope.close(one.scope, Exit.void)
    if (!one.leat.ledger.snapshot().balanced) wrong.push("the end: unbalanced")
  })

  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  const logged = program.pipe(
    Effect.provide(Logger.layer([logger])),
    Effect.provideService(References.MinimumLogLevel, "Warn")
  )
  const { exit } = simulate(seed, logged, { stepsMax: 3_000_000, stepsAtOnceMax: 50_000 })
  if (Exit.isFailure(exit)) wrong.push(`it broke: ${JSON.stringify(exit.cause).slice(0, 500)}`)

  wrong.push(...judged(arrived, new Set(safe)))
  const counted = (what: string) => lines.filter((line) => line.includes(what)).length
  return {
    wrong,
    safe: safe.length,
    sentOn: counted("were sent on from where"),
    copied: counted("are taken over into"),
    kills
  }
}

/** Of those that were told safe: which are not there, and which have come behind a later one of their bucket, as they came first. */
function judged(arrived: ReadonlyArray<Arrived>, safe: ReadonlySet<string>): ReadonlyArray<string> {
  const wrong: Array<string> = []
  const seen = new Set<string>()
  const latest = new Map<number, Arrived>()
  for (const one of arrived) {
    if (seen.has(one.text)) continue
    seen.add(one.text)
    if (!safe.has(one.text)) continue
    const before = latest.get(one.bucket)
    const isBehind =
      before !== undefined && (one.process < before.process || (one.process === before.process && one.seq < before.seq))
    if (isBehind) wrong.push(`${one.text} has come behind ${before.text}`)
    else latest.set(one.bucket, one)
  }
  for (const text of safe) if (!seen.has(text)) wrong.push(`${text} was told safe, and is not there`)
  return wrong
}
