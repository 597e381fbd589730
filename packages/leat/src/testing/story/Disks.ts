/** The disks that legs of a world spill to. */
import { Effect } from "effect"
import { PowerLossBroker, powerLossDriver } from "../PowerLoss.ts"
import { memoryTransport } from "../../transport/memory/MemoryTransport.ts"
import type { Driver } from "../../transport/index.ts"
import { recordBytesMax, type World } from "./World.ts"

/** Of topics there: what holds events, and what says whose they are. */
const spillSuffix = ".spill"
export const ownerSuffix = ".spill.owner"

/** The group that says how far a spill was sent on. */
const group = "leat.spill"

/** A disk by its number, that of the first leat that has it. */
export class Disks {
  readonly #brokers: ReadonlyArray<PowerLossBroker>

  constructor({ disk, leats }: World) {
    const count = disk === undefined ? 0 : disk.isShared ? 1 : leats
    const options = { partitions: 2, recordBytesMax, flushMs: disk?.flushMs ?? 0 }
    this.#brokers = Array.from({ length: count }, () => new PowerLossBroker(options))
  }

  get numbers(): ReadonlyArray<number> {
    return Array.from(this.#brokers.keys())
  }

  /** What opens a disk; undefined: there is none. */
  driver(disk: number | undefined): Driver | undefined {
    const broker = this.#brokers[disk ?? -1]
    return broker && powerLossDriver(broker)
  }

  /** Its machine loses its power, and what was not flushed; but for the first few writes. */
  losePower(disk: number | undefined, survivors: number): Effect.Effect<void> {
    return this.#brokers[disk ?? -1]?.losePower(survivors) ?? Effect.void
  }

  /** Events of a disk that were not sent on. */
  left(disk: number): Effect.Effect<number> {
    const broker = this.#brokers[disk]?.disk
    if (broker === undefined) return Effect.succeed(0)
    const transport = memoryTransport(broker)
    const topics = broker.topics.filter((name) => name.endsWith(spillSuffix))
    const counts = Effect.forEach(topics, (topic) =>
      Effect.map(transport.bounds(topic, group), (rows) =>
        rows.reduce(
          (total, { start, end, settled = start }) => total + Number(end - (settled > start ? settled : start)),
          0
        )
      )
    )
    return Effect.map(Effect.orDie(counts), (all) => all.reduce((total, count) => total + count, 0))
  }
}
