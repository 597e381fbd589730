/** A fleet whose stream lies in a cluster that may be away, with a spill on a disk that outlives its processes; and a second cluster that it moves to. */
import { Cause, Effect, Exit, Logger, Scope, Stream } from "effect"
import { Leat, type LeatOptions, MemoryBroker, memoryDriver, memoryTransport, MoveTools } from "leat"
import { type FaultPlan, faultDriver, PowerLossBroker, powerLossDriver, simulate } from "leat/testing"
import type { Driver } from "leat/transport"
import { type ControlStream, openControlStream } from "../../src/control/ControlStream.ts"
import type { Place } from "../../src/control/ControlRecord.ts"
import { readMeta } from "../../src/record/Wire.ts"
import { Gate } from "../../src/testing/story/Gate.ts"
import { type Note, noteContract } from "../contracts/Note.ts"

export const stream = "test.notes"

export const places = {
  a: { cluster: "near", topic: "a", partitions: 2 },
  b: { cluster: "far", topic: "b", partitions: 4 },
  c: { cluster: "far", topic: "c", partitions: 1 }
} as const satisfies Record<string, Place>

type PlaceName = keyof typeof places

/** Nothing is stored, and nothing fenced; what has been stored can be read. */
export const away: FaultPlan = { send: () => ({ kind: "fail", reason: "Unavailable" }), fence: () => "Unavailable" }

const policy = [{ on: ["passing"], retry: { base: "10 millis", times: 2 }, then: "spill" }]
const leg = { policy: "spilling", wire: "cloudevents", linger: "2 millis", timeout: "1 second" }

export interface Said {
  /** Whether the leg has a spill. */
  readonly spills?: boolean
  /** Whether the document names the disk. */
  readonly disk?: boolean
  /** Whether the document names the first cluster. */
  readonly near?: boolean
  /** Where all other streams lie; there too when absent. */
  readonly others?: PlaceName
}

export const documentAt = (
  version: number,
  at: PlaceName,
  { spills = true, disk = true, near = true, others = at }: Said = {}
): string => {
  const to = (name: PlaceName) => {
    const { cluster, topic } = places[name]
    return [{ cluster, topic, ...leg, ...(spills ? { spill: { cluster: "disk" } } : {}) }]
  }
  const level = spills ? "durable" : "stored"
  return JSON.stringify({
    version,
    clusters: {
      ...(near ? { near: { transport: "near" } } : {}),
      far: { transport: "far" },
      ...(disk ? { disk: { transport: "powerLoss" } } : {})
    },
    policies: { spilling: spills ? policy : [{ on: ["passing"], retry: { base: "10 millis" }, then: "halt" }] },
    routes: [
      { match: { stream }, level, to: to(at) },
      { match: { stream: "*" }, level, to: to(others) }
    ]
  })
}

export class SpillingFleet {
  readonly brokers = { near: new MemoryBroker({ partitions: 2 }), far: new MemoryBroker({ partitions: 2 }) }
  readonly control = new MemoryBroker()
  readonly disk = new PowerLossBroker({ partitions: 2 })
  /** Of who only reads. */
  readonly otherDisk = new PowerLossBroker({ partitions: 2 })
  faults: Record<"near" | "far" | "control" | "disk", FaultPlan> = { near: {}, far: {}, control: {}, disk: {} }
  readonly told: Array<string> = []
  tool!: ControlStream

  readonly begin = Effect.gen({ self: this }, function* () {
    for (const { cluster, topic, partitions } of Object.values(places))
      yield* memoryTransport(this.brokers[cluster]).ensure({ topic, partitions })
    const transport = yield* memoryDriver(this.control).open("control", {})
    this.tool = yield* openControlStream({ transport, topic: "leat-control", author: "tool", isTool: true })
    yield* this.apply(documentAt(1, "a"))
  })

  drivers(gate: Gate, disk: PowerLossBroker): ReadonlyArray<Driver> {
    const named = (name: string, driver: Driver): Driver => ({ ...gate.driver(driver), name })
    const faulty = (name: "near" | "far") =>
      named(
        name,
        faultDriver(memoryDriver(this.brokers[name]), {
          send: (call) => this.faults[name].send?.(call),
          fence: (call) => this.faults[name].fence?.(call)
        })
      )
    return [
      faulty("near"),
      faulty("far"),
      named("control", faultDriver(memoryDriver(this.control), { send: (call) => this.faults.control.send?.(call) })),
      named("powerLoss", faultDriver(powerLossDriver(disk), { send: (call) => this.faults.disk.send?.(call) }))
    ]
  }

  /** A process that has nothing open. */
  readonly leat = () =>
    Leat.make({
      source: "test",
      drivers: this.drivers(new Gate(), this.disk),
      control: { cluster: { transport: "control" } }
    })

  /** A process in a scope of its own. */
  process(options: Partial<LeatOptions> & { readonly disk?: PowerLossBroker } = {}) {
    return Effect.gen({ self: this }, function* () {
      const { disk = this.disk, ...more } = options
      const gate = new Gate()
      const scope = yield* Scope.make()
      const control = { cluster: { transport: "control" } }
      const leat = yield* Scope.provide(
        Leat.make({ source: "test", drivers: this.drivers(gate, disk), control, drain: "5 seconds", ...more }),
        scope
      )
      const kill = gate.close
      return { leat, notes: yield* leat.stream(noteContract()), close: Scope.close(scope, Exit.void), kill }
    })
  }

  apply(document: string, at?: PlaceName) {
    return Effect.andThen(
      this.tool.look,
      Effect.suspend(() =>
        this.tool.write({
          kind: "table",
          base: this.tool.control.version,
          document,
          places: new Map(at === undefined ? [] : [[stream, places[at]]])
        })
      )
    )
  }

  /** The stream is placed where it lies. */
  readonly place = Effect.suspend(() =>
    Effect.andThen(
      this.tool.look,
      Effect.suspend(() =>
        this.tool.write({ kind: "placed", stream, base: this.tool.control.version, place: places.a, epoch: 1 })
      )
    )
  )

  /** Phases of the epochs, oldest first. */
  readonly phases = Effect.suspend(() =>
    Effect.map(this.tool.look, () => this.tool.control.streams.get(stream)?.epochs.map(({ phase }) => phase) ?? [])
  )

  /** What `move status` says of spills. */
  readonly spilled = Effect.suspend(() =>
    Effect.map(MoveTools.status(memoryTransport(this.control)), ([found]) => found?.spilled)
  )

  /** What stands in a place: texts, partition by partition. */
  stored(at: PlaceName) {
    const { cluster, topic, partitions } = places[at]
    const transport = memoryTransport(this.brokers[cluster])
    return Effect.map(
      Effect.forEach(Array.from({ length: partitions }).keys(), (partition) =>
        Stream.runCollect(transport.read(topic, partition, { fromPosition: 0n }))
      ),
      (all) =>
        all.flatMap((batches) =>
          batches.flatMap(({ records }) =>
            records.flatMap(({ headers, value }) => {
              const { id, epoch } = readMeta(headers, stream)
              return value === null || id === undefined
                ? []
                : [{ text: noteContract().decode(value).text, epoch, incarnation: id.incarnation, seq: id.seq }]
            })
          )
        )
    )
  }

  /** Records that the spill of a place still holds. */
  left(at: PlaceName) {
    return Effect.map(this.leftByPartition(at), (left) => left.reduce((total, records) => total + records, 0))
  }

  leftByPartition(at: PlaceName) {
    const { cluster, topic, partitions } = places[at]
    const spill = `${cluster}.${topic}.${partitions}.spill`
    return Effect.map(memoryTransport(this.disk.disk).bounds(spill, "leat.spill"), (rows) =>
      rows.map(({ start, end, settled = start }) => Number(end - settled))
    )
  }
}

/** Handles all, and keeps the texts in the order of each key. */
export const handledBy = Effect.fnUntraced(function* (
  { notes }: { readonly notes: Effect.Success<ReturnType<SpillingFleet["process"]>>["notes"] },
  group: string
) {
  const texts: Array<string> = []
  yield* notes.handle(group, ({ key, text }: Note) => Effect.sync(() => void texts.push(`${key} ${text}`)))
  return texts
})

/** A process that publishes, one with a disk of its own that reads, and the stream is placed. */
export const placedAndRead = Effect.fnUntraced(function* (fleet: SpillingFleet) {
  const one = yield* fleet.process()
  const reader = yield* fleet.process({ disk: fleet.otherDisk })
  const handled = yield* handledBy(reader, "group")
  yield* Effect.sleep("6 seconds")
  yield* fleet.place
  yield* Effect.sleep("6 seconds")
  return { one, reader, handled }
})

/** Texts of one key, first deliveries. */
export const ofKey = (texts: ReadonlyArray<string>, key: string): ReadonlyArray<string> => [
  ...new Set(texts.filter((text) => text.startsWith(`${key} `)).map((text) => text.slice(key.length + 1)))
]

export function spillingStory(
  tell: (fleet: SpillingFleet) => Effect.Effect<void, unknown, Scope.Scope>,
  seed = 1
): ReadonlyArray<string> {
  const fleet = new SpillingFleet()
  const logger = Logger.make(({ logLevel, message }) => {
    fleet.told.push(`${logLevel} ${String(message)}`)
  })
  const program = Effect.suspend(() => Effect.andThen(fleet.begin, tell(fleet)))
  const { exit } = simulate(seed, program.pipe(Effect.scoped, Effect.provide(Logger.layer([logger]))), {
    stepsMax: 5_000_000,
    stepsAtOnceMax: 50_000
  })
  if (Exit.isFailure(exit)) throw new Error(`the story failed: ${Cause.pretty(exit.cause)}\n${fleet.told.join("\n")}`)
  return fleet.told
}
