/** Stories of a stream that falls back, on virtual time: two places whose faults are swapped while the story runs, and what was warned of. */
import { type Context, type Duration, Effect } from "effect"
import { type Journal, Leat, MemoryBroker, memoryDriver, type OpenLeat } from "leat"
import { type FaultPlan, faultDriver } from "leat/testing"
import type { Driver, Transport } from "leat/transport"
import { fallbackTopic } from "../../src/record/fallbackTopic.ts"
import { noteContract } from "../contracts/Note.ts"
import { knowingIds, type KnownIds } from "./knownIds.ts"
import { changed, live } from "./spillStory.ts"

export interface FallbackPlaces {
  readonly far: MemoryBroker
  readonly near: MemoryBroker
  readonly partitions: number
  farFaults: FaultPlan
  nearFaults: FaultPlan
}

export const fallbackPlaces = (partitions = 1): FallbackPlaces => ({
  far: new MemoryBroker({ partitions }),
  near: new MemoryBroker({ partitions: 1 }),
  partitions,
  farFaults: {},
  nearFaults: {}
})

/** A driver of memory under another name: two places of one document. */
export const named = (name: string, driver: Driver): Driver => ({ ...driver, name })

export interface FallbackSetting {
  /** `none`: the leg has no fallback. */
  readonly back?: "redrive" | "stay" | "none"
  readonly policy?: ReadonlyArray<object>
  readonly level?: string
  readonly journal?: Journal
  readonly leg?: object
  readonly drain?: Duration.Input
  /** What the fallback has taken, where it knows event ids. */
  readonly knownIds?: KnownIds
  readonly farDriver?: (driver: Driver) => Driver
  readonly far?: (transport: Transport) => Partial<Transport>
  readonly near?: (transport: Transport) => Partial<Transport>
  readonly contract?: ReturnType<typeof noteContract>
}

export const openFalling = Effect.fnUntraced(function* (places: FallbackPlaces, setting: FallbackSetting = {}) {
  const {
    policy = [
      { on: ["passing"], retry: { times: 1, base: "10 millis" }, then: "fallback" },
      { on: ["Rejected"], then: "drop" }
    ],
    far = () => ({}),
    near = () => ({}),
    back = "redrive",
    journal
  } = setting
  const routes = {
    version: 1,
    clusters: { far: { transport: "memory" }, near: { transport: "near" } },
    policies: { leg: policy },
    routes: [
      {
        match: { stream: "*" },
        level: setting.level ?? "stored",
        to: [
          {
            cluster: "far",
            topic: "notes",
            policy: "leg",
            linger: "1 milli",
            timeout: "500 millis",
            ...(back === "none" ? {} : { fallback: { cluster: "near", back } }),
            ...setting.leg
          }
        ]
      }
    ]
  }
  const farDriver = faultDriver(
    memoryDriver(places.far),
    live(() => places.farFaults)
  )
  const inner = memoryDriver(places.near)
  const nearDriver = faultDriver(
    setting.knownIds === undefined ? inner : knowingIds(inner, setting.knownIds),
    live(() => places.nearFaults)
  )
  const leat = yield* Leat.make({
    source: "test",
    routes,
    drain: setting.drain ?? "10 seconds",
    ...(journal === undefined ? {} : { journal }),
    drivers: [(setting.farDriver ?? same)(changed(farDriver, far)), named("near", changed(nearDriver, near))]
  })
  return { leat, notes: yield* leat.stream(setting.contract ?? noteContract()) }
})

const same = (driver: Driver): Driver => driver

/** The texts of a topic, partition after partition, in the order in which they stand there. */
export const textsOf = (broker: MemoryBroker, topic: string): ReadonlyArray<string> => {
  const contract = noteContract()
  const texts: Array<string> = []
  if (!broker.topics.includes(topic)) return texts
  for (const log of broker.topic(topic).partitions)
    for (let batch = log.read(0n, log.end); batch !== undefined; batch = log.read(batch.next, log.end))
      for (const { value } of batch.records) if (value !== null) texts.push(contract.decode(value).text)
  return texts
}

export const inFallback = ({ near, partitions }: FallbackPlaces): ReadonlyArray<string> =>
  textsOf(near, fallbackTopic({ cluster: "far", topic: "notes" }, partitions))

export const stored = ({ far }: FallbackPlaces): ReadonlyArray<string> => textsOf(far, "notes")

/** The topic of the fallback is made anew, with one partition and nothing in it, and no group has been there. */
export const makeAnew = ({ near, partitions }: FallbackPlaces): void => {
  const topic = near.topic(fallbackTopic({ cluster: "far", topic: "notes" }, partitions))
  const [fresh] = new MemoryBroker({ partitions: 1 }).topic("notes").partitions
  if (fresh !== undefined) (topic.partitions as Array<typeof fresh>)[0] = fresh
  ;(topic as unknown as { groups: Map<string, unknown> }).groups.clear()
}

export const isBack = (leat: OpenLeat) => () => leat.sinks()[0]?.fallback?.partitions.length === 0

/** Each send reaches the writer so many milliseconds later, by its records, and its answer comes back later too. */
export const later =
  (context: Context.Context<never>, beginMs: (records: number) => number, answerMs = 0) =>
  ({ openWriter }: Transport): Partial<Transport> => {
    const after = (ms: number, work: () => void) => {
      Effect.runForkWith(context)(Effect.delay(Effect.sync(work), ms))
    }
    return {
      openWriter: (topic) =>
        Effect.map(openWriter(topic), (writer) => ({
          ...writer,
          send: (...[partition, batch, from, to, timeoutMs, answer]: Parameters<typeof writer.send>) => {
            const answered: typeof answer = answerMs === 0 ? answer : (runs) => after(answerMs, () => answer(runs))
            after(beginMs(to - from), () => writer.send(partition, batch, from, to, timeoutMs, answered))
          }
        }))
    }
  }

/** Waits until it is so. */
export const once = (is: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (is() ? Effect.void : Effect.andThen(Effect.sleep(100), once(is))))
