/** What the stories of spills have whose topic has got more partitions. */
import { Effect, type Scope } from "effect"
import { type MemoryBroker, memoryTransport } from "leat"
import { MemoryPartition } from "../../src/transport/memory/MemoryPartition.ts"
import { noteContract } from "../contracts/Note.ts"
import { openSpilling, type SpillPlaces, spillPlaces, type SpillSetting, spillStory } from "./spillStory.ts"
import { note } from "./stories.ts"

const seeds = [1, 2, 3, 4, 5]
export const keys = Array.from({ length: 12 }, (_, index) => `k${index}`)

/** As an administrator does. */
export function grow(broker: MemoryBroker, to: number): void {
  const partitions = broker.topic("notes").partitions as Array<MemoryPartition>
  while (partitions.length < to) partitions.push(new MemoryPartition())
}

/** By key, in order: what stands in the topic, each text once. A key is to be in one partition of those that are written now. */
export function stored(broker: MemoryBroker, topic = "notes"): ReadonlyMap<string, ReadonlyArray<string>> {
  const found = new Map<string, Array<string>>()
  for (const log of broker.topic(topic).partitions)
    for (const { value } of log.read(0n, log.end)?.records ?? []) {
      if (value === null) continue
      const { key, text } = noteContract().decode(value)
      found.set(key, [...new Set([...(found.get(key) ?? []), text])])
    }
  return found
}

export const all = (texts: ReadonlyArray<string>) =>
  new Map(keys.map((key) => [key, texts.map((text) => `${key} ${text}`)]))

/** A process that publishes each text at each key, and closes. */
export const publishing = (places: SpillPlaces, texts: ReadonlyArray<string>, setting: SpillSetting = {}) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { notes } = yield* openSpilling(places, setting)
      for (const text of texts)
        for (const key of keys) yield* notes.publish(note(key, `${key} ${text}`), { level: "durable" })
    })
  )

/** As a process that was killed leaves it: records stand in the spill of so many partitions, and nobody has it. */
export const left = (places: SpillPlaces) => (partitions: number) =>
  memoryTransport(places.disk.disk)
    .bounds(`far.notes.${partitions}.spill`, "leat.spill")
    .pipe(Effect.map((rows) => rows.reduce((total, { end, settled = 0n }) => total + Number(end - settled), 0)))

export const grownStory = (
  program: (places: SpillPlaces) => Effect.Effect<void, unknown, Scope.Scope>,
  partitions = 1
) => seeds.map((seed) => spillStory(program(spillPlaces(partitions)), seed))
