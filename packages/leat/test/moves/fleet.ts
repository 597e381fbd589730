/**
 * Small fleets around a control stream, on virtual time: processes that coordinate, writers and readers that do by hand what the control stream says,
 * and a judge who reads all that is stored.
 */
import { Cause, Effect, Exit, type Fiber, Logger, Random, Result, type Scope, Stream } from "effect"
import { MemoryBroker, memoryTransport } from "leat"
import { simulate, type SimulateOptions } from "leat/testing"
import { batchOf, sendEffect, type Transport } from "leat/transport"
import { expect } from "vitest"
import { readEntry } from "../../src/control/controlCodec.ts"
import type { ControlRecord, Place } from "../../src/control/ControlRecord.ts"
import { type ControlStream, type ControlStreamOptions, openControlStream } from "../../src/control/ControlStream.ts"
import type { Placement } from "../../src/control/Placement.ts"
import { standingOf } from "../../src/control/standing.ts"
import { coordinate, type CoordinatorOptions } from "../../src/moves/Coordinator.ts"
import { streamTag } from "../../src/record/CompactHeader.ts"
import { readMeta } from "../../src/record/Wire.ts"

export const stream = "test.moved"
const controlTopic = "leat-control"
export const buckets = 6

export const incarnation = (number: number): string => `0198c1d2-6a00-7000-8000-00000000000${number}`

/** One broker for all: places are topics, whatever their cluster is called. */
export class Fleet {
  readonly broker = new MemoryBroker({ partitions: 2 })
  readonly transport: Transport = memoryTransport(this.broker)
  /** What coordinators see of it, and writers do not. */
  seen: Transport = this.transport
  readonly told: Array<string> = []
  readonly acknowledged = new Set<string>()

  readonly transportOf = (): Effect.Effect<Transport> => Effect.sync(() => this.seen)

  /** All that stands in the control stream. */
  readonly records: Effect.Effect<ReadonlyArray<ControlRecord>> = Effect.suspend(() =>
    Effect.map(Stream.runCollect(this.transport.read(controlTopic, 0, { fromPosition: 0n })), (batches) =>
      batches
        .flatMap(({ records }) => [...records])
        .flatMap(({ value }) => {
          const found = readEntry(value ?? new Uint8Array(0))
          return Result.isSuccess(found) ? [found.success.record] : []
        })
    )
  ).pipe(Effect.orDie)

  /** Kinds of the steps that were written, in order. */
  readonly steps: Effect.Effect<ReadonlyArray<string>> = Effect.suspend(() =>
    Effect.map(this.records, (records) => {
      const steps = ["sealing", "sealed", "opened", "swept", "handedOver", "retired"]
      return records.map(({ kind }) => kind).filter((kind) => steps.includes(kind))
    })
  )

  /** Opens a process at the control stream, in a scope that stands for its life. */
  process(number: number, options: Partial<ControlStreamOptions> = {}) {
    return openControlStream({
      transport: this.transport,
      topic: controlTopic,
      author: incarnation(number),
      ...options
    })
  }

  coordinator(control: ControlStream, options: Partial<CoordinatorOptions> = {}): Effect.Effect<never> {
    return coordinate({ control, transportOf: this.transportOf, ...options })
  }
}

export const place = (topic: string, partitions: number): Place => ({ cluster: "c", topic, partitions })

export const placementIn = ({ control }: Pick<ControlStream, "control">): Placement =>
  control.streams.get(stream) as Placement

/** A document that says where the stream lies. */
export const table = (base: number, at: Place): ControlRecord => ({
  kind: "table",
  base,
  document: `version: ${base + 1}`,
  places: new Map([[stream, at]])
})

/** Runs a story on virtual time, and fails as it does. What is warned and told stands in `told`. */
export function story(
  program: (fleet: Fleet) => Effect.Effect<void, unknown, Scope.Scope>,
  seed = 1,
  options: SimulateOptions = {}
): Fleet {
  const fleet = new Fleet()
  const logger = Logger.make(({ message, logLevel }) => void fleet.told.push(`${logLevel}: ${String(message)}`))
  const logged = Effect.provide(Effect.scoped(Effect.suspend(() => program(fleet))), Logger.layer([logger]))
  const { exit } = simulate(seed, logged, { stepsMax: 5_000_000, stepsAtOnceMax: 50_000, ...options })
  if (Exit.isFailure(exit)) throw new Error(`the story failed: ${Cause.pretty(exit.cause)}\n${fleet.told.join("\n")}`)
  return fleet
}

export const hexOf = (uuid: string): ReadonlyArray<number> => [...Buffer.from(uuid.replaceAll("-", ""), "hex")]

/** Header of an event in the compact wire. */
export function headerOf(author: string, bucket: number, seq: number, epoch: number, name = stream): Uint8Array {
  const tag = Buffer.alloc(4)
  tag.writeUInt32BE(streamTag(name))
  const small = (value: number): ReadonlyArray<number> =>
    value < 128 ? [value] : [(value % 128) + 128, Math.floor(value / 128)]
  return Uint8Array.from([3, ...hexOf(author), 0, 0, 0, 0, 0, 1, ...tag, bucket, ...small(seq), ...small(epoch)])
}

/** A writer by hand: it offers events of all buckets one after the other, and does with them what the control stream says. */
export class HandWriter {
  readonly author: string
  readonly #fleet: Fleet
  readonly #control: ControlStream
  readonly #offered = Array.from({ length: buckets }, () => 0)
  /** In order. */
  #held: Array<{ readonly bucket: number; readonly seq: number }> = []
  /** Cut off from the control stream: it goes by what it has read. */
  #frozen: Placement | undefined
  #said = ""

  constructor(fleet: Fleet, control: ControlStream) {
    this.#fleet = fleet
    this.#control = control
    this.author = control.author
  }

  get isEmpty(): boolean {
    return this.#held.length === 0
  }

  /** From now on it reads nothing of the control stream. */
  freeze(): void {
    this.#frozen = placementIn(this.#control)
  }

  thaw(): void {
    this.#frozen = undefined
  }

  offer(count = buckets): void {
    for (let index = 0; index < count; index++) {
      const bucket = index % buckets
      const seq = this.#offered[bucket] ?? 0
      this.#offered[bucket] = seq + 1
      this.#held.push({ bucket, seq })
    }
  }

  /** Offers and sends until it is interrupted. */
  run(everyMs = 200): Effect.Effect<never> {
    return Effect.forever(
      Effect.gen({ self: this }, function* () {
        this.offer()
        yield* this.step
        const random = yield* Random.next
        yield* Effect.sleep(everyMs * (0.5 + random))
      })
    )
  }

  /** Sends what it may. */
  readonly step: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const placement = this.#frozen ?? placementIn(this.#control)
    const standing = standingOf(placement, this.author)
    if (standing.does === "send" || standing.does === "drain") yield* this.#send(placement, standing.epoch)
    if (standing.does === "drain" || standing.does === "stop" || standing.does === "leave") {
      const name = `${standing.epoch} ${standing.attempt}`
      if (this.#said === name) return
      const { place: at } = placement.epochs.find(({ epoch }) => epoch === standing.epoch) as { place: Place }
      const rows = yield* this.#fleet.transport.bounds(at.topic)
      const upTo = rows.map(({ end }) => Number(end))
      const { epoch, attempt } = standing
      yield* this.#control.write({ kind: "drained", stream, epoch, attempt, member: this.author, upTo })
      this.#said = name
    }
  }).pipe(Effect.orDie)

  #send(placement: Placement, epoch: number) {
    return Effect.gen({ self: this }, function* () {
      const { place: at } = placement.epochs.find((one) => one.epoch === epoch) as { place: Place }
      yield* this.#fleet.transport.ensure({ topic: at.topic, partitions: at.partitions })
      const writer = yield* this.#fleet.transport.openWriter(at.topic)
      for (const { bucket, seq } of this.#held) {
        const headers = [["leat", headerOf(this.author, bucket, seq, epoch)]] as const
        const batch = batchOf([{ key: `k${bucket}`, value: `${seq}`, headers }])
        yield* sendEffect(writer, bucket % at.partitions, batch, 0, 1, 1000)
        this.#fleet.acknowledged.add(`${this.author}/${bucket}/${seq}`)
      }
      this.#held = []
    }).pipe(Effect.scoped)
  }
}

/** Reads a topic for a group and settles it, a batch each so many milliseconds, until it is interrupted. */
export const reading = (fleet: Fleet, topic: string, group: string, everyMs = 100): Effect.Effect<never> =>
  // Who subscribes to a topic that is not there would make it.
  until(topic, () => fleet.broker.find(topic) !== undefined, Infinity).pipe(
    Effect.as(fleet.transport.subscribe({ topic, group, from: "earliest", drainMs: 1000 })),
    Stream.unwrap,
    Stream.mapEffect(
      (lane) => Stream.runForEach(lane.batches, ({ next }) => Effect.andThen(Effect.sleep(everyMs), lane.settle(next))),
      { concurrency: "unbounded" }
    ),
    Stream.runDrain,
    Effect.andThen(Effect.never),
    Effect.scoped,
    Effect.orDie
  )

interface Delivered {
  /** First deliveries, by writer and bucket. */
  readonly firsts: ReadonlyMap<string, ReadonlyArray<number>>
  readonly copies: number
}

/** What a reader gets who reads the epochs one after the other, each from its beginning to its end, and nothing else. */
export const delivered = (fleet: Fleet, placement: Placement): Effect.Effect<Delivered> =>
  Effect.gen(function* () {
    const firsts = new Map<string, Array<number>>()
    let copies = 0
    for (const { epoch, place: at, begin, end } of placement.epochs) {
      if (begin === undefined) continue
      for (let partition = 0; partition < at.partitions; partition++) {
        const from = begin[partition] ?? 0
        const to = end?.[partition]
        const batches = yield* Stream.runCollect(
          fleet.transport.read(at.topic, partition, {
            fromPosition: BigInt(from),
            ...(to === undefined ? {} : { toPosition: BigInt(to) })
          })
        )
        for (const record of batches.flatMap(({ records }) => [...records])) {
          const meta = readMeta(record.headers, stream)
          if (meta.epoch !== epoch || meta.id === undefined || meta.isOtherStream === true) continue
          const name = `${meta.id.incarnation}/${meta.id.bucket}`
          const seqs = firsts.get(name) ?? []
          firsts.set(name, seqs)
          if (seqs.includes(meta.id.seq)) copies++
          else seqs.push(meta.id.seq)
        }
      }
    }
    return { firsts, copies }
  }).pipe(Effect.orDie)

/** All that was acknowledged is delivered, and each bucket in its order. Gives the number of copies. */
export const judged = (fleet: Fleet, placement: Placement): Effect.Effect<number> =>
  Effect.map(delivered(fleet, placement), ({ firsts, copies }) => {
    const all = new Set<string>()
    for (const [name, seqs] of firsts) {
      expect({ name, seqs }).toEqual({ name, seqs: seqs.map((_, seq) => seq) })
      for (const seq of seqs) all.add(`${name}/${seq}`)
    }
    expect([...fleet.acknowledged].filter((id) => !all.has(id))).toEqual([])
    expect(all.size).toBeGreaterThan(0)
    return copies
  })

/** Waits until something is so; fails with what it is then. */
export const until = (what: string, isSo: () => boolean, withinMs = 300_000): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let ms = 0; !isSo(); ms += 100) {
      if (ms >= withinMs) throw new Error(`it was not so within ${withinMs} ms: ${what}`)
      yield* Effect.sleep(100)
    }
  })

/** A fiber that stands for a process which can be killed. */
export const alive = <A, E, R>(
  program: Effect.Effect<A, E, R>
): Effect.Effect<Fiber.Fiber<A, E>, never, R | Scope.Scope> => Effect.forkScoped(program)
