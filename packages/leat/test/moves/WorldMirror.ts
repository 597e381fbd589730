/**
 * A mirror of the stream of a world, in a cluster that it does not move to: always there, and then it has to have whatever is told stored, or in some
 * documents only; of all keys or a share of them. Drawn beside the rest, so that worlds without are what they were.
 */
import { Effect, Stream } from "effect"
import { MemoryBroker, memoryDriver, memoryTransport } from "leat"
import { type FaultPlan, faultDriver, randomFaults, seededRandom } from "leat/testing"
import type { Driver } from "leat/transport"
import { readMeta } from "../../src/record/Wire.ts"

const mirrorShare = 0.35

/** Of these, those that come and go with documents. */
const comingShare = 0.4

const topic = "copies"

/** Of the eight buckets of the contract, by hand: each is an eighth behind the last. */
interface Share {
  /** Undefined: of all keys. */
  readonly percent: string | undefined
  readonly buckets: ReadonlyArray<number>
}
const all: Share = { percent: undefined, buckets: [0, 1, 2, 3, 4, 5, 6, 7] }
const shares: ReadonlyArray<Share> = [
  all,
  { percent: "0-49%", buckets: [0, 1, 2, 3] },
  { percent: "25-74%", buckets: [2, 3, 4, 5] },
  { percent: "80-99%", buckets: [7] }
]

/** An event that stands in the mirror. */
export interface Mirrored {
  readonly id: string
  readonly lane: string
  readonly bucket: number
  readonly seq: number
  readonly partition: number
}

export class WorldMirror {
  readonly isThere: boolean
  readonly driver: Driver
  readonly #random: () => number
  readonly #comes: boolean
  readonly #share: Share
  readonly #spill: string | undefined
  readonly #broker = new MemoryBroker({ partitions: 2 })
  #faults: FaultPlan = {}

  /** `spill`: where it spills what it cannot store, in worlds in which all places do. */
  constructor(seed: number, spill: string | undefined) {
    this.#random = seededRandom(seed * 32_452_843 + 9)
    this.isThere = this.#random() < mirrorShare
    this.#comes = this.#random() < comingShare
    this.#share = shares[Math.floor(this.#random() * shares.length)] ?? all
    this.#spill = spill
    this.driver = faultDriver(memoryDriver(this.#broker), {
      send: (call) => this.#faults.send?.(call),
      fence: (call) => this.#faults.fence?.(call)
    })
  }

  get clusters(): object {
    return this.isThere ? { mirror: { transport: "mirror", partitions: 2 } } : {}
  }

  /** Its legs in the next document. */
  legs(leg: { wire: string; policy: string; bytes: number; overflow: string }): ReadonlyArray<object> {
    if (!this.isThere || (this.#comes && this.#random() < 0.5)) return []
    const { wire, policy, bytes, overflow } = leg
    const { percent } = this.#share
    return [
      {
        cluster: "mirror",
        topic,
        required: !this.#comes,
        read: false,
        wire,
        policy,
        timeout: "1 second",
        linger: "2 millis",
        buffer: { bytes, overflow },
        ...(percent === undefined ? {} : { canary: { buckets: percent } }),
        ...(this.#spill === undefined ? {} : { spill: { cluster: this.#spill } })
      }
    ]
  }

  /** Its cluster fails otherwise from now on, now and then. */
  disturb(): void {
    if (!this.isThere || this.#random() > 0.3) return
    const drawn = this.#random()
    this.#faults =
      drawn < 0.3
        ? {}
        : drawn < 0.5
          ? { send: () => ({ kind: "fail", reason: "Unavailable" }) }
          : randomFaults(this.#random, {
              fail: 0.2,
              delay: 0.2,
              loseResponse: 0.1,
              cut: 0.05,
              lateWrite: 0.1,
              fence: 0.2,
              msMax: 300
            })
  }

  heal(): void {
    this.#faults = {}
  }

  /** All that stands there, by partition. */
  read(stream: string): Effect.Effect<ReadonlyArray<Mirrored>> {
    const transport = memoryTransport(this.#broker)
    const partitions = this.#broker.find(topic)?.partitions ?? []
    return Effect.forEach(partitions, (_, partition) =>
      Effect.map(Stream.runCollect(transport.read(topic, partition, { fromPosition: 0n })), (batches) =>
        Array.from(batches).flatMap(({ records }) =>
          records.flatMap(({ headers }) => {
            const { id } = readMeta(headers, stream)
            if (id === undefined) return []
            const { incarnation, bucket, seq } = id
            return [{ id: `${incarnation}/${bucket}/${seq}`, lane: `${incarnation}/${bucket}`, bucket, seq, partition }]
          })
        )
      )
    ).pipe(
      Effect.map((found) => found.flat()),
      Effect.orDie
    )
  }

  /** What is wrong with it. `told`: ids of what publishers were told stored. */
  judge(mirrored: ReadonlyArray<Mirrored>, told: ReadonlyArray<string>): ReadonlyArray<string> {
    const wrong: Array<string> = []
    const { buckets } = this.#share
    const there = new Set(mirrored.map(({ id }) => id))
    const bucketOf = (id: string) => Number(id.split("/")[1])
    const missing = told.filter((id) => buckets.includes(bucketOf(id)) && !there.has(id))
    if (this.isThere && !this.#comes && missing.length > 0)
      wrong.push(`${missing.length} events were told stored and are not in the mirror: ${missing.slice(0, 3).join()}`)
    const seen = new Set<string>()
    const highest = new Map<string, number>()
    for (const { id, lane, bucket, seq, partition } of mirrored) {
      if (!buckets.includes(bucket)) wrong.push(`${id} is in the mirror, which has other buckets`)
      if (bucket % 2 !== partition) wrong.push(`${id} stands in partition ${partition} of the mirror`)
      if (seen.has(id)) continue
      seen.add(id)
      const before = highest.get(lane) ?? -1
      if (seq < before) wrong.push(`${id} stands in the mirror for the first time behind ${before}`)
      highest.set(lane, Math.max(before, seq))
    }
    return wrong
  }
}
