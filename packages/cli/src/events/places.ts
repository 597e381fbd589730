import type { LogInspection, LogReader } from "@leat/log"
import { Effect, Option } from "effect"
import { topicsOf, transportFailure } from "../log/openLog.ts"
import { CommandFailure, exitCode } from "../outcome.ts"
import type { FoundContract } from "./Contracts.ts"
import type { Place } from "./Place.ts"
import type { StartAt } from "./startAt.ts"

/** Which part of a log is read. */
export interface Chosen {
  readonly topic: Option.Option<string>
  readonly partition: Option.Option<number>
  readonly contract: FoundContract | undefined
}

/** The partitions that are read, each with where it begins. */
export const choosePlaces = Effect.fnUntraced(function* (reader: LogReader, chosen: Chosen, from: StartAt) {
  const inspection = yield* Effect.mapError(reader.inspect, transportFailure)
  const topics = yield* topicsOf(inspection, chosen.topic)
  const places = placesOf({ ...inspection, topics }, chosen, from)
  const { partition } = chosen
  if (Option.isSome(partition) && places.length === 0 && topics.length > 0) {
    const counts = topics.map(({ topic, partitions }) => `${topic} has ${partitions.length}`).join(", ")
    const message = `there is no partition ${partition.value}: ${counts}, counted from 0`
    return yield* new CommandFailure({ code: exitCode.failed, message })
  }
  return places
})

/** Adds the topics that were made since; all of what is in them is new. */
export const addNewTopics = Effect.fnUntraced(function* (reader: LogReader, places: Array<Place>, chosen: Chosen) {
  if (Option.isSome(chosen.topic)) return
  const inspection = yield* Effect.mapError(reader.inspect, transportFailure)
  const known = new Set(places.map(({ topic }) => topic))
  const topics = inspection.topics.filter(({ topic }) => !known.has(topic))
  places.push(...placesOf({ ...inspection, topics }, chosen, "earliest"))
})

function placesOf({ topics }: LogInspection, { partition: only, contract }: Chosen, from: StartAt): Array<Place> {
  return topics.flatMap(({ topic, compacted, partitions }) =>
    partitions
      .filter(({ partition }) => Option.isNone(only) || only.value === partition)
      .map(({ partition, start, end }): Place => {
        return { topic, compacted, partitions: partitions.length, partition, contract, at: beginning(from, start, end) }
      })
  )
}

function beginning(from: StartAt, start: bigint, end: bigint): Place["at"] {
  if (from === "earliest") return { fromPosition: start }
  if (from === "latest") return { fromPosition: end }
  if ("timeMs" in from) return { fromTimeMs: from.timeMs }
  return { fromPosition: from.position > start ? from.position : start }
}
