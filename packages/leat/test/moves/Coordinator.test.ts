import { Effect, Fiber, Stream } from "effect"
import { faultTransport, type SendFault, seededRandom } from "leat/testing"
import { batchOf, sendEffect, type Transport, TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import type { ControlRecord } from "../../src/control/ControlRecord.ts"
import type { ControlStream, ControlStreamOptions } from "../../src/control/ControlStream.ts"
import { readMeta } from "../../src/record/Wire.ts"
import {
  alive,
  type Fleet,
  HandWriter,
  headerOf,
  hexOf,
  incarnation,
  judged,
  place,
  placementIn,
  reading,
  story,
  stream,
  table,
  until
} from "./fleet.ts"

const [old, target] = [place("old", 2), place("new", 3)]

interface Given {
  /** Of the processes, the first ones. */
  readonly coordinators?: number
  readonly groups?: number
  /** Of the last process. */
  readonly last?: Partial<ControlStreamOptions>
  readonly compacted?: boolean
}

/** Processes that coordinate and may write, and a stream that lies at `old` and has all of them as writers. */
const fleetOf = (fleet: Fleet, count: number, given: Given = {}) =>
  Effect.gen(function* () {
    const { coordinators = count, groups = 1, last = {}, compacted = false } = given
    yield* fleet.transport.ensure({ topic: old.topic, partitions: old.partitions, compacted })
    const controls: Array<ControlStream> = []
    for (let number = 1; number <= count; number++)
      controls.push(yield* fleet.process(number, number === count ? last : {}))
    yield* Effect.sleep("2 seconds")
    const [one] = controls as [ControlStream]
    yield* one.write({ kind: "placed", stream, base: 0, place: old, epoch: 1 })
    for (let group = 1; group <= groups; group++) {
      yield* one.write({ kind: "reads", stream, group: `g${group}` })
      for (const { topic } of [old, target]) yield* Effect.forkScoped(reading(fleet, topic, `g${group}`))
    }
    yield* Effect.forEach(controls, ({ look }) => look)
    const running = yield* Effect.forEach(controls.slice(0, coordinators), (control) =>
      alive(fleet.coordinator(control))
    )
    const writers = controls.map((control) => new HandWriter(fleet, control))
    return { controls, one, running, writers }
  })

const isMoved = (control: ControlStream): boolean => {
  const { epochs } = placementIn(control)
  const [last, ...before] = epochs.toReversed()
  return before.length > 0 && last?.phase === "open" && before.every(({ phase }) => phase === "retired")
}

/** A process that beats once, and writes and reads the old place on without the control stream. */
const silent: Partial<ControlStreamOptions> = { beatEvery: "10 hours" }

const sealedOver = (records: ReadonlyArray<ControlRecord>): ReadonlyArray<ReadonlyArray<string>> =>
  records.flatMap((record) => (record.kind === "sealed" ? [[...record.over.keys()]] : []))

describe("a move", () => {
  it("is brought on by several coordinators, each step once", () => {
    const { told } = story((fleet) =>
      Effect.gen(function* () {
        const { one, writers } = yield* fleetOf(fleet, 3, { groups: 2 })
        yield* Effect.forEach(writers, (writer) => Effect.forkScoped(writer.run()))
        yield* Effect.sleep("5 seconds")
        expect((yield* one.write(table(0, target))).counts).toBe(true)
        yield* until("moved", () => isMoved(one))
        yield* Effect.sleep("60 seconds")
        expect(placementIn(one).epochs.map(({ place: at, phase }) => [at.topic, phase])).toEqual([
          ["old", "retired"],
          ["new", "open"]
        ])
        expect(yield* fleet.steps).toEqual(["sealing", "sealed", "opened", "handedOver", "handedOver", "retired"])
        expect(sealedOver(yield* fleet.records)).toEqual([[]])
        expect(yield* judged(fleet, placementIn(one))).toBe(0)
      })
    )
    expect(told).toEqual([])
  })

  it("passes over a writer that does not beat, and sweeps what it wrote behind the end, in order", () => {
    const { told } = story((fleet) =>
      Effect.gen(function* () {
        const { one, controls, writers } = yield* fleetOf(fleet, 3, { last: silent })
        const [, , late] = writers as [HandWriter, HandWriter, HandWriter]
        late.freeze()
        yield* Effect.forEach(writers, (writer) => Effect.forkScoped(writer.run()))
        yield* one.write(table(0, target))
        yield* until("opened", () => placementIn(one).epochs.at(-1)?.phase === "open")
        expect(sealedOver(yield* fleet.records)).toEqual([[incarnation(3)]])
        // Much longer than a lease: it is swept all the while, and nothing retires.
        yield* Effect.sleep("100 seconds")
        const source = placementIn(one).epochs[0]
        expect(source?.phase).toBe("sealed")
        for (const [partition, { end }] of (yield* fleet.transport.bounds(old.topic)).entries())
          expect(Number(end) - (source?.swept[partition] ?? 0)).toBeLessThan(50)
        late.thaw()
        yield* (controls.at(-1) as ControlStream).beat
        yield* until("moved", () => isMoved(one))
        yield* Effect.sleep("20 seconds")
        expect(late.isEmpty).toBe(true)
        expect(yield* judged(fleet, placementIn(one))).toBe(0)
      })
    )
    expect(told).toEqual([
      `Warn: stream ${stream} has stood for 60 seconds: ${incarnation(3)} was passed over and has not said up to where it wrote to c/old; give up who of them is dead`,
      `Info: stream ${stream} goes on`
    ])
  })

  it("waits for a writer that beats and has not drained, for as long as it takes, and tells that once", () => {
    const { told } = story((fleet) =>
      Effect.gen(function* () {
        const { one, writers } = yield* fleetOf(fleet, 3)
        const [first, second, late] = writers as [HandWriter, HandWriter, HandWriter]
        late.freeze()
        yield* Effect.forEach([first, second, late], (writer) => Effect.forkScoped(writer.run()))
        yield* one.write(table(0, target))
        yield* Effect.sleep("200 seconds")
        expect(placementIn(one).epochs[0]?.phase).toBe("sealing")
        late.thaw()
        yield* until("moved", () => isMoved(one))
        expect(sealedOver(yield* fleet.records)).toEqual([[]])
        expect(yield* judged(fleet, placementIn(one))).toBe(0)
      })
    )
    expect(told).toEqual([
      `Warn: stream ${stream} has stood for 60 seconds: the move waits until ${incarnation(3)} has sent to c/old what is held for it`,
      `Info: stream ${stream} goes on`
    ])
  })

  it("stays planned while a writer that lives refuses the document, which is told once, by name and reason", () => {
    const { told } = story((fleet) =>
      Effect.gen(function* () {
        let why = "version 1: no driver named x"
        const last = { refused: () => why, applied: () => (why === "" ? 1 : 0) }
        const { one, writers } = yield* fleetOf(fleet, 3, { last })
        yield* Effect.forEach(writers, (writer) => Effect.forkScoped(writer.run()))
        yield* one.write(table(0, target))
        yield* Effect.sleep("20 seconds")
        expect(yield* fleet.steps).toEqual([])
        why = ""
        yield* until("moved", () => isMoved(one))
        expect(sealedOver(yield* fleet.records)).toEqual([[]])
        expect(yield* judged(fleet, placementIn(one))).toBe(0)
      })
    )
    expect(told).toEqual([
      `Warn: stream ${stream} is not moved while ${incarnation(3)} refuses the document that says so: version 1: no driver named x`
    ])
  })

  it("is not retired before each group has settled the old place, and tells who is behind by how much", () => {
    const { told } = story((fleet) =>
      Effect.gen(function* () {
        const { one, writers } = yield* fleetOf(fleet, 2)
        yield* one.write({ kind: "reads", stream, group: "slow" })
        yield* Effect.forEach(writers, (writer) => Effect.forkScoped(writer.run()))
        yield* one.write(table(0, target))
        yield* until("opened", () => placementIn(one).epochs.at(-1)?.phase === "open")
        yield* Effect.sleep("100 seconds")
        const [source] = placementIn(one).epochs
        expect([source?.phase, [...(source?.handedOver ?? [])]]).toEqual(["sealed", ["g1"]])
        const count = source?.end?.reduce((total, end) => total + end, 0)
        expect(fleet.told).toEqual([
          `Warn: stream ${stream} has stood for 60 seconds: c/old of epoch 1 is read on: group slow has ${count} to settle`
        ])
        yield* Effect.forkScoped(reading(fleet, old.topic, "slow"))
        yield* until("moved", () => isMoved(one))
        const settled = yield* fleet.transport.bounds(old.topic, "slow")
        expect(settled.map(({ settled: position }) => Number(position))).toEqual(source?.end)
      })
    )
    expect(told.slice(1)).toEqual([`Info: stream ${stream} goes on`])
  })

  it("makes the topic of the target before anything is held up, compacted as the old one", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { one, writers } = yield* fleetOf(fleet, 1, { compacted: true, groups: 0 })
        yield* Effect.forEach(writers, (writer) => Effect.forkScoped(writer.run()))
        yield* one.write(table(0, target))
        yield* until("moved", () => isMoved(one))
        const spec = { topic: target.topic, partitions: target.partitions, compacted: true }
        expect(yield* fleet.transport.ensure(spec)).toEqual({ status: "exists", partitions: 3 })
      })
    )
  })

  it("stays planned while the topic of the target has fewer partitions", () => {
    const { told } = story((fleet) =>
      Effect.gen(function* () {
        yield* fleet.transport.ensure({ topic: target.topic, partitions: 2 })
        const { one } = yield* fleetOf(fleet, 2)
        yield* one.write(table(0, target))
        yield* Effect.sleep("100 seconds")
        expect(yield* fleet.steps).toEqual([])
        yield* one.write(table(1, old))
        yield* Effect.sleep("10 seconds")
      })
    )
    expect(told).toEqual([
      `Warn: stream ${stream} has stood for 60 seconds: c/new has 2 partitions, as its driver says, and the control stream has it with 3`,
      `Info: stream ${stream} goes on`
    ])
  })

  it("retires an abandoned place without an end when all that it has now is settled", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { one, writers } = yield* fleetOf(fleet, 2)
        const running = yield* Effect.forEach(writers, (writer) => Effect.forkScoped(writer.run()))
        yield* Effect.sleep("5 seconds")
        yield* one.write(table(0, target))
        // A word before it is sealed: its end is not known, and its writers have to leave it.
        yield* until("planned", () => placementIn(one).epochs.length === 2)
        yield* one.write({ kind: "abandoned", stream, base: placementIn(one).step, epoch: 1 })
        yield* until("retired", () => isMoved(one))
        yield* Effect.forEach(running, Fiber.interrupt)
        expect((yield* fleet.steps).filter((step) => step === "retired")).toHaveLength(1)
      })
    )
  })
})

describe("coordinators", () => {
  it("take the place of one that has died, at whatever step, when nothing has got on for a lease", () => {
    for (const step of ["sealing", "sealed", "opened"]) {
      story((fleet) =>
        Effect.gen(function* () {
          const { one, running, writers } = yield* fleetOf(fleet, 3)
          yield* Effect.forEach(writers, (writer) => Effect.forkScoped(writer.run()))
          yield* one.write(table(0, target))
          const steps: Array<string> = []
          // It beats on: nobody sees that its coordinator is dead.
          while (!steps.includes(step)) {
            yield* Effect.sleep(20)
            steps.splice(0, steps.length, ...(yield* fleet.steps))
          }
          yield* Fiber.interrupt(running[0] as Fiber.Fiber<never>)
          yield* until("moved", () => isMoved(one), 400_000)
          expect(yield* judged(fleet, placementIn(one))).toBe(0)
        })
      )
    }
  })

  it("move a stream without loss and in order, whoever dies and whatever is lost on the way", () => {
    for (let seed = 1; seed <= 6; seed++) {
      const random = seededRandom(seed)
      story(
        (fleet) =>
          Effect.gen(function* () {
            const { one, controls, running, writers } = yield* fleetOf(fleet, 3, { last: silent })
            const faults: ReadonlyArray<SendFault> = [
              { kind: "loseResponse" },
              { kind: "cut" },
              { kind: "lateWrite", ms: 400 },
              { kind: "fail", reason: "Unavailable" },
              { kind: "throw" }
            ]
            let isCalm = false
            const plan = {
              send: () => (isCalm || random() < 0.7 ? undefined : faults[Math.floor(random() * faults.length)]),
              fence: () => (isCalm || random() < 0.7 ? undefined : ("Timeout" as const))
            }
            fleet.seen = faultTransport(fleet.transport, plan)
            const late = writers.at(-1) as HandWriter
            late.freeze()
            yield* Effect.forEach(writers, (writer) => Effect.forkScoped(writer.run(1000)))
            yield* one.write(table(0, target))
            const lives = [...running]
            for (let round = 0; round < 12; round++) {
              yield* Effect.sleep(2000 + random() * 10_000)
              const index = Math.floor(random() * 3)
              yield* Fiber.interrupt(lives[index] as Fiber.Fiber<never>)
              if (random() < 0.3) yield* Effect.sleep(random() * 20_000)
              lives[index] = yield* alive(fleet.coordinator(controls[index] as ControlStream))
            }
            isCalm = true
            late.thaw()
            yield* (controls.at(-1) as ControlStream).beat
            yield* until("moved", () => isMoved(one), 900_000)
            yield* Effect.sleep("30 seconds")
            expect(writers.every(({ isEmpty }) => isEmpty)).toBe(true)
            yield* judged(fleet, placementIn(one))
          }),
        seed,
        { racing: 0.02 }
      )
    }
  })

  it("sweep nothing beyond a record that the target refuses, and tell which", () => {
    const { told } = story((fleet) =>
      Effect.gen(function* () {
        const { one, writers } = yield* fleetOf(fleet, 2, { last: silent })
        const [first, late] = writers as [HandWriter, HandWriter]
        late.freeze()
        yield* Effect.forkScoped(first.run())
        yield* one.write(table(0, target))
        let isRefusing = true
        const refuse = () => (isRefusing ? ({ kind: "fail", reason: "TooLarge" } as const) : undefined)
        fleet.seen = faultTransport(fleet.transport, { send: refuse })
        yield* until("opened", () => placementIn(one).epochs.at(-1)?.phase === "open")
        yield* Effect.forkScoped(late.run())
        yield* Effect.sleep("100 seconds")
        const [source] = placementIn(one).epochs
        expect(source?.swept).toEqual(source?.end)
        isRefusing = false
        late.thaw()
        yield* until("moved", () => isMoved(one))
        yield* Effect.sleep("20 seconds")
        expect(yield* judged(fleet, placementIn(one))).toBe(0)
      })
    )
    expect(told[0]).toMatch(
      /^Warn: stream test.moved has stood for 60 seconds: the record of c\/old at \d+ is refused by c\/new: .*TooLarge/
    )
  })

  it("sweep only what members that were passed over have written of this stream, and what announces their drops", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { one, controls, writers } = yield* fleetOf(fleet, 2, { last: silent })
        yield* one.write(table(0, target))
        yield* Effect.forkScoped((writers[0] as HandWriter).run(10_000))
        yield* until("opened", () => placementIn(one).epochs.at(-1)?.phase === "open")
        const late = incarnation(2)
        const tag = headerOf(late, 0, 0, 1).subarray(23, 27)
        const behind = [
          { key: "mine", headers: [["leat", headerOf(late, 5, 0, 1)]] },
          { key: "newer", headers: [["leat", headerOf(late, 5, 1, 2)]] },
          { key: "another's", headers: [["leat", headerOf(incarnation(1), 5, 90, 1)]] },
          { key: "another stream", headers: [["leat", headerOf(late, 5, 2, 1, "test.other")]] },
          { key: "stranger", headers: [] },
          {
            key: "drops",
            headers: [
              ["leat", Uint8Array.from([2, ...hexOf(late), ...tag])],
              ["leat-dropped", Buffer.from("4:7-8:Overflow")]
            ]
          },
          {
            key: "cloudevents",
            headers: [
              ["ce_id", Buffer.from(`${late}/${stream}/4/3`)],
              ["ce_leatepoch", Buffer.from("1")]
            ]
          }
        ] as const
        yield* Effect.scoped(
          Effect.flatMap(fleet.transport.openWriter(old.topic), (writer) => {
            const batch = batchOf(behind.map((record) => ({ ...record, value: "x" })))
            return sendEffect(writer, 1, batch, 0, batch.count, 1000)
          })
        )
        yield* (controls[1] as ControlStream).beat
        yield* until("swept", () => placementIn(one).epochs[0]?.swept[1] !== placementIn(one).epochs[0]?.end?.[1])
        const found: Array<string> = []
        for (let partition = 0; partition < target.partitions; partition++) {
          const batches = yield* Stream.runCollect(fleet.transport.read(target.topic, partition, { fromPosition: 0n }))
          for (const { key, headers } of batches.flatMap(({ records }) => [...records])) {
            const text = Buffer.from(key ?? []).toString()
            if (text.startsWith("k")) continue
            const { epoch = 0, id } = readMeta(headers, stream)
            found.push(`${text} in ${partition} of epoch ${epoch}: ${id?.bucket ?? "-"}/${id?.seq ?? "-"}`)
          }
        }
        expect(found.toSorted()).toEqual([
          "cloudevents in 1 of epoch 2: 4/3",
          "drops in 1 of epoch 0: -/-",
          "mine in 2 of epoch 2: 5/0"
        ])
      })
    )
  })

  it("go on whatever a driver does: it throws, dies, hangs, and answers nonsense", () => {
    story(
      (fleet) =>
        Effect.gen(function* () {
          const { one, writers } = yield* fleetOf(fleet, 1)
          yield* Effect.forEach(writers, (writer) => Effect.forkScoped(writer.run()))
          let asked = 0
          const { transport } = fleet
          const nonsense = [{ partition: 0, start: 0n, end: -1n }, undefined] as never
          const ways: ReadonlyArray<() => ReturnType<Transport["bounds"]>> = [
            () => {
              throw new Error("thrown")
            },
            () => Effect.die("dead"),
            () => Effect.uninterruptible(Effect.never),
            () => Effect.succeed(nonsense),
            () => Effect.succeed(undefined as never),
            () => Effect.fail(undefined as never),
            () => Effect.interrupt
          ]
          fleet.seen = {
            ...transport,
            bounds: (...of) =>
              Effect.suspend(() => (asked++ % 2 === 0 ? ways[asked % 7]?.() : undefined) ?? transport.bounds(...of))
          }
          yield* one.write(table(0, target))
          yield* until("moved", () => isMoved(one), 1_800_000)
          expect(asked).toBeGreaterThan(7)
          expect(yield* judged(fleet, placementIn(one))).toBe(0)
        }),
      1,
      // What cannot be interrupted keeps the story from its end.
      { stepsMax: 200_000 }
    )
  })

  it("are told an end that lies before what a writer has said, and ask again", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { one, writers } = yield* fleetOf(fleet, 1)
        yield* Effect.forEach(writers, (writer) => Effect.forkScoped(writer.run()))
        const { transport } = fleet
        let isOld = true
        const before = (position: bigint): bigint => (position > 2n ? position - 2n : position)
        fleet.seen = {
          ...transport,
          bounds: (topic, group) =>
            Effect.map(transport.bounds(topic, group), (rows) =>
              isOld && topic === old.topic ? rows.map((row) => ({ ...row, end: before(row.end) })) : rows
            )
        }
        yield* Effect.sleep("5 seconds")
        yield* one.write(table(0, target))
        yield* Effect.sleep("60 seconds")
        expect(placementIn(one).epochs[0]?.phase).toBe("sealing")
        isOld = false
        yield* until("moved", () => isMoved(one))
        expect(yield* judged(fleet, placementIn(one))).toBe(0)
      })
    )
  })

  it("leave a cluster that cannot be opened to itself: other streams go on", () => {
    const { told } = story((fleet) =>
      Effect.gen(function* () {
        const { one, writers } = yield* fleetOf(fleet, 1, { coordinators: 0 })
        yield* Effect.forEach(writers, (writer) => Effect.forkScoped(writer.run()))
        const away = { ...place("away", 1), cluster: "gone" }
        yield* one.write({ kind: "placed", stream: "other", base: 0, place: place("other", 1), epoch: 1 })
        const { transport } = fleet
        const coordinator = fleet.coordinator(one, {
          transportOf: (cluster) =>
            cluster === "gone"
              ? Effect.fail(
                  new TransportError({ reason: "Unavailable", transport: "t", operation: "open", detail: "away" })
                )
              : Effect.succeed(transport),
          isTool: true
        })
        yield* Effect.forkScoped(coordinator)
        const places = new Map([
          [stream, target],
          ["other", away]
        ])
        yield* one.write({ kind: "table", base: 0, document: "", places })
        yield* until("moved", () => isMoved(one))
        yield* Effect.sleep("70 seconds")
        expect(one.control.streams.get("other")?.epochs.map(({ phase }) => phase)).toEqual(["open", "planned"])
      })
    )
    expect(told.filter((line) => line.includes("cluster gone"))).toHaveLength(1)
  })

  it("ask a cluster for a group that is behind less and less often, and one of them at a time", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { one, writers } = yield* fleetOf(fleet, 5, { groups: 0 })
        yield* Effect.forEach(writers, (writer) => Effect.forkScoped(writer.run(5000)))
        yield* one.write({ kind: "reads", stream, group: "slow" })
        const { transport } = fleet
        let asked = 0
        fleet.seen = {
          ...transport,
          bounds: (topic, group) => {
            if (group === "slow") asked++
            return transport.bounds(topic, group)
          }
        }
        yield* one.write(table(0, target))
        yield* Effect.sleep("10 minutes")
        // Each of four every 30 to 60 seconds, and the first one each ten.
        expect(asked).toBeGreaterThan(60)
        expect(asked).toBeLessThan(60 + 4 * 20)
      })
    )
  })
})
