import { Cause, Effect, Exit, Logger, Scope, Stream } from "effect"
import {
  ControlTools,
  type Driver,
  Leat,
  MemoryBroker,
  memoryDriver,
  memoryTransport,
  MoveTools,
  type OpenLeat
} from "leat"
import { simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { Gate } from "../../src/testing/story/Gate.ts"
import { readMeta } from "../../src/record/Wire.ts"
import { noteContract } from "../contracts/Note.ts"
import { until } from "./fleet.ts"

const stream = "test.notes"
const documentOf = (version: number, at: string): string => `version: ${version}
clusters: { a: { transport: one }, b: { transport: two } }
routes: [{ match: { stream: "*" }, to: [{ cluster: ${at}, topic: "{stream}" }] }]
`

function story(program: Effect.Effect<void, unknown, Scope.Scope>, seed: number): void {
  const told: Array<string> = []
  const logger = Logger.make(({ message, logLevel }) => void told.push(`${logLevel}: ${String(message)}`))
  const logged = Effect.provide(Effect.scoped(program), Logger.layer([logger]))
  const { exit } = simulate(seed, logged, { stepsMax: 5_000_000, stepsAtOnceMax: 50_000 })
  if (Exit.isFailure(exit)) throw new Error(`the story failed: ${Cause.pretty(exit.cause)}\n${told.join("\n")}`)
}

/** Two clusters, the control stream of a fleet with its first document, and what was published. */
class Fleet {
  readonly brokers = [new MemoryBroker({ partitions: 2 }), new MemoryBroker({ partitions: 4 })] as const
  readonly drivers: ReadonlyArray<Driver> = [
    ...this.brokers.map((broker, index) => ({ ...memoryDriver(broker), name: ["one", "two"][index] ?? "" })),
    { ...memoryDriver(new MemoryBroker()), name: "control" }
  ]
  readonly tool = { author: "tool", drivers: this.drivers, reason: "a test" }
  readonly control = (this.drivers[2] as Driver).open("control", {})
  published = 0
  /** Texts, in the order of their first deliveries, by key. */
  readonly handled = new Map<string, Array<number>>()

  /** Publishes on and on and reads with a group that all share, until its scope ends. */
  readonly process: Effect.Effect<OpenLeat, unknown, Scope.Scope> = Effect.suspend(() => this.processWith(this.drivers))

  readonly processWith = Effect.fnUntraced({ self: this }, function* (drivers: ReadonlyArray<Driver>) {
    const options = { source: "test", drivers, control: { cluster: { transport: "control" } } }
    const leat = yield* Leat.make(options)
    const notes = yield* leat.stream(noteContract())
    yield* notes.handle("g", ({ key, text }) =>
      Effect.sync(() => {
        const seen = this.handled.get(key) ?? []
        this.handled.set(key, seen)
        if (!seen.includes(Number(text))) seen.push(Number(text))
      })
    )
    const publishing = Effect.gen({ self: this }, function* () {
      const { published } = this
      this.published++
      yield* notes.publish({ key: `k${published % 7}`, text: String(published) })
      yield* Effect.sleep(50)
    })
    yield* Effect.forkScoped(Effect.forever(publishing))
    return leat
  })

  /** Has the stream not open. */
  readonly bystander: Effect.Effect<OpenLeat, unknown, Scope.Scope> = Leat.make({
    source: "other",
    drivers: this.drivers,
    control: { cluster: { transport: "control" } }
  })

  /** Sequences of each writer and bucket, as a reader gets them who reads one epoch after the other. */
  readonly stored = Effect.gen({ self: this }, function* () {
    const seqs = new Map<string, Array<number>>()
    const all: Array<{ readonly name: string; readonly seq: number; readonly epoch: number }> = []
    for (const broker of this.brokers)
      for (const { partition } of yield* memoryTransport(broker).bounds(stream)) {
        const batches = yield* Stream.runCollect(memoryTransport(broker).read(stream, partition, { fromPosition: 0n }))
        for (const { headers } of batches.flatMap(({ records }) => [...records])) {
          const { id, epoch = 0 } = readMeta(headers, stream)
          if (id !== undefined) all.push({ name: `${id.incarnation}/${id.bucket}`, seq: id.seq, epoch })
        }
      }
    for (const { name, seq } of all.toSorted((a, b) => a.epoch - b.epoch))
      seqs.set(name, [...(seqs.get(name) ?? []), seq])
    return seqs
  })
}

/** The phases of the epochs of the stream, oldest first. */
const phasesOf = (fleet: Fleet) =>
  Effect.flatMap(fleet.control, (transport) =>
    Effect.map(MoveTools.status(transport, fleet.tool), ([found]) => found?.epochs.map(({ phase }) => phase) ?? [])
  )

/** Waits until the last of so many epochs is open. */
const isOpened = (fleet: Fleet, count: number) =>
  Effect.gen(function* () {
    for (let seconds = 0; seconds < 300; seconds++) {
      const phases = yield* phasesOf(fleet)
      if (phases.length === count && phases.at(-1) === "open") return
      yield* Effect.sleep("1 second")
    }
    throw new Error(`it is not open: ${(yield* phasesOf(fleet)).join()}`)
  })

const isRetiredTo = (fleet: Fleet, count: number) =>
  Effect.gen(function* () {
    for (let seconds = 0; seconds < 300; seconds++) {
      const phases = yield* phasesOf(fleet)
      if (phases.length === count && phases.slice(0, -1).every((one) => one === "retired") && phases.at(-1) === "open")
        return
      yield* Effect.sleep("1 second")
    }
    throw new Error(`it is not moved: ${(yield* phasesOf(fleet)).join()}`)
  })

describe("a move that is started by a tool", () => {
  it.each([1, 2, 3, 4])(
    "ends without loss and in order, and so does the way back, while processes come and go (seed %d)",
    (seed) => {
      story(
        Effect.gen(function* () {
          const fleet = new Fleet()
          const transport = yield* fleet.control
          const { tool } = fleet
          yield* ControlTools.apply(transport, { ...tool, author: "first", document: documentOf(1, "a") })
          yield* fleet.process
          const going = yield* Scope.make()
          yield* Scope.provide(fleet.process, going)
          yield* Effect.sleep("10 seconds")
          const asked = { document: documentOf(2, "b"), streams: [stream] }
          const { moves } = yield* MoveTools.start(transport, { ...tool, ...asked })
          expect(moves.map(({ from, to }) => [from.cluster, from.partitions, to.cluster, to.partitions])).toEqual([
            ["a", 2, "b", 4]
          ])
          yield* Effect.sleep(500 * seed)
          yield* fleet.process
          yield* Scope.close(going, Exit.void)
          yield* isRetiredTo(fleet, 2)
          yield* Effect.sleep("10 seconds")
          yield* MoveTools.rollback(transport, { ...tool, author: "back" })
          yield* isRetiredTo(fleet, 3)
          yield* Effect.sleep("5 seconds")
          const stored = yield* fleet.stored
          let total = 0
          for (const [name, seqs] of stored) {
            expect({ name, seqs }).toEqual({ name, seqs: seqs.map((_, index) => index) })
            total += seqs.length
          }
          // One group has read all of it: both epochs of `a`, and the one of `b`.
          const handled = Array.from(fleet.handled.values()).flat()
          expect(fleet.published - handled.length).toBeLessThanOrEqual(20)
          expect(new Set(handled).size).toBe(handled.length)
          // What is being published is neither nor.
          expect(fleet.published - total).toBeLessThanOrEqual(3)
          yield* until("published", () => fleet.published > 500)
        }),
        seed
      )
    }
  )

  it("makes the topic with the partitions that were asked for: a group that reads joins it no earlier", () => {
    story(
      Effect.gen(function* () {
        const fleet = new Fleet()
        const transport = yield* fleet.control
        const { tool } = fleet
        yield* ControlTools.apply(transport, { ...tool, author: "first", document: documentOf(1, "a") })
        yield* fleet.process
        yield* Effect.sleep("10 seconds")
        const asked = { document: documentOf(2, "b"), streams: [stream], partitions: 8 }
        yield* MoveTools.start(transport, { ...tool, ...asked })
        yield* isRetiredTo(fleet, 2)
        // Its cluster gives 4 to a topic that is used before it is made.
        expect(yield* memoryTransport(fleet.brokers[1]).bounds(stream)).toHaveLength(8)
      }),
      1
    )
  })

  it("waits for no process of the fleet that has not opened the stream", () => {
    story(
      Effect.gen(function* () {
        const fleet = new Fleet()
        const transport = yield* fleet.control
        const { tool } = fleet
        yield* ControlTools.apply(transport, { ...tool, author: "first", document: documentOf(1, "a") })
        yield* fleet.process
        yield* fleet.bystander
        yield* Effect.sleep("10 seconds")
        yield* MoveTools.start(transport, { ...tool, document: documentOf(2, "b"), streams: [stream] })
        yield* isRetiredTo(fleet, 2)
        // It can open it then, and writes where the others do.
        yield* fleet.process
        yield* MoveTools.rollback(transport, { ...tool, author: "back" })
        yield* isRetiredTo(fleet, 3)
        expect(yield* phasesOf(fleet)).toEqual(["retired", "retired", "open"])
      }),
      1
    )
  })

  it.each([1, 2, 3])("passes over a process that has crashed, and retires when it is given up (seed %d)", (seed) => {
    story(
      Effect.gen(function* () {
        const fleet = new Fleet()
        const transport = yield* fleet.control
        const { tool } = fleet
        yield* ControlTools.apply(transport, { ...tool, author: "first", document: documentOf(1, "a") })
        yield* fleet.process
        const gate = new Gate()
        // Its end is that of its machine.
        const machine = yield* Scope.make()
        yield* Scope.provide(fleet.processWith(fleet.drivers.map((driver) => gate.driver(driver))), machine)
        yield* Effect.sleep("10 seconds")
        yield* MoveTools.start(transport, { ...tool, document: documentOf(2, "b"), streams: [stream] })
        yield* Effect.sleep(300 * seed)
        yield* gate.close
        yield* isOpened(fleet, 2)
        yield* Effect.sleep("60 seconds")
        const [now] = yield* MoveTools.status(transport, tool)
        const owing = now?.epochs[0]?.passedOver.filter(({ isOwing }) => isOwing) ?? []
        // It may have drained before.
        if (owing.length > 0) {
          expect(yield* phasesOf(fleet)).toEqual(["sealed", "open"])
          const given = yield* MoveTools.giveUp(transport, { ...tool, stream, silentFor: "1 minute" })
          expect(given).toEqual(owing.map(({ member }) => member))
        }
        yield* isRetiredTo(fleet, 2)
        for (const [name, seqs] of yield* fleet.stored)
          expect({ name, seqs }).toEqual({ name, seqs: seqs.map((_, index) => index) })
      }),
      seed
    )
  })
})
