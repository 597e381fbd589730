import { existsSync } from "node:fs"
import { logTransport } from "@leat/log"
import { Effect, Scope } from "effect"
import { batchOf, type Writer, sendEffect } from "leat/transport"
import { inspect, transportFailure } from "../log/openLog.ts"
import type { CommandFailure } from "../outcome.ts"
import type { RecordLine } from "./parseLine.ts"
import type { Tally } from "./Tally.ts"

/** The most that a log takes: what another process could store can be copied. */
const recordBytesMax = 256 * 1024 ** 2

/** How long the log may take for one batch, in milliseconds. */
const sendMs = 30_000

/** Bytes of records after which a batch is full. */
const batchBytesMax = 1024 ** 2

/** Where whole records go: to the partition they came from, as the bytes they were. */
export interface RecordTarget {
  /** Partitions of the topic of a record; a topic that is not there is made as the record tells it. */
  readonly partitions: (line: RecordLine) => Effect.Effect<number, CommandFailure>
  /** Stores records of one partition in order; gives why not all of them are. */
  readonly store: (lines: ReadonlyArray<RecordLine>, tally: Tally) => Effect.Effect<string | undefined, CommandFailure>
}

/** A log, made when it is not there. */
export const openTarget = (folder: string): Effect.Effect<RecordTarget, CommandFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const transport = yield* Effect.mapError(logTransport({ directory: folder, recordBytesMax }), transportFailure)
    const writers = new Map<string, Writer>()
    const writerOf = ({ topic, partitions, compacted }: RecordLine) =>
      Effect.gen(function* () {
        const known = writers.get(topic)
        if (known !== undefined) return known
        // A topic that is there stays as it is, whatever the record tells.
        if (partitions !== undefined) yield* transport.ensure({ topic, partitions, compacted })
        const writer = yield* Scope.provide(transport.openWriter(topic), scope)
        writers.set(topic, writer)
        return writer
      }).pipe(Effect.mapError(transportFailure))
    return {
      partitions: (line) => Effect.map(writerOf(line), ({ partitions }) => partitions),
      store: Effect.fnUntraced(function* (lines, tally) {
        for (let from = 0, to = 0; from < lines.length; from = to) {
          to = batchEnd(lines, from)
          const some = lines.slice(from, to)
          const [first] = some
          if (first === undefined) break
          const writer = yield* writerOf(first)
          const batch = batchOf(some.map(({ record }) => record))
          const runs = yield* sendEffect(writer, first.partition, batch, 0, some.length, sendMs)
          for (const run of runs) {
            if (run.fate !== "stored") {
              tally.notStored += lines.length - from - run.from
              return run.error?.detail ?? "the log did not say why"
            }
            if (run.base === undefined) tally.duplicates += run.to - run.from
            else tally.stored += run.to - run.from
          }
        }
        return undefined
      })
    }
  })

/** Stores nothing: what a log has, or would make, for `--dry-run`. */
export const openDryTarget = Effect.fnUntraced(function* (folder: string) {
  const topics = existsSync(folder) ? (yield* inspect(folder)).topics : []
  const known = new Map(topics.map(({ topic, partitions }) => [topic, partitions.length]))
  const target: RecordTarget = {
    partitions: ({ topic, partitions }) =>
      Effect.sync(() => {
        const count = known.get(topic) ?? partitions ?? partitionsDefault
        known.set(topic, count)
        return count
      }),
    store: (lines, tally) =>
      Effect.sync(() => {
        tally.stored += lines.length
        return undefined
      })
  }
  return target
})

/** As `@leat/log` makes a topic that nobody has described. */
const partitionsDefault = 4

function batchEnd(lines: ReadonlyArray<RecordLine>, from: number): number {
  let bytes = 0
  let to = from
  while (to < lines.length && bytes < batchBytesMax) {
    const { key, value } = lines[to++]?.record ?? {}
    bytes += (key?.length ?? 0) + (value?.length ?? 0)
  }
  return to
}
