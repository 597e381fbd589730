/** The log on disk: events at level stored in batches of 1, 100 and 1000, each batch one commit and one fsync; and its reopening. */
import { log, logTransport } from "@leat/log"
import { sendEffect } from "leat/transport"
import { Effect, Stream } from "effect"
import { type Driver, Leat } from "leat"
import { batchOf } from "leat/testing"
import { mkdtempSync, rmSync, statfsSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { round } from "./measure.ts"
import { sighting } from "./sighting.ts"

export interface LogFigures {
  readonly recordsPerBatch: number
  readonly events: number
  readonly eventsPerSecond: number
  /** One for each batch: one partition, one batch in flight. */
  readonly fsyncs: number
  readonly fsyncsPerSecond: number
}

export interface ReopenFigures {
  readonly logBytes: number
  /** From nothing to the first record read, in milliseconds. */
  readonly toFirstReadMs: number
  /** And to the first new record stored. */
  readonly toFirstAppendMs: number
}

/** A directory that is gone afterwards. */
export function inFolder<A>(use: (folder: string) => Promise<A>): Promise<A> {
  const folder = mkdtempSync(join(tmpdir(), "leat-bench-"))
  return use(folder).finally(() => rmSync(folder, { recursive: true, force: true }))
}

/** Everything on one log, in one partition, in batches of so many records. */
export function logRoutes(directory: string, records: number, partitions = 1) {
  return {
    version: 1,
    clusters: { local: { transport: "@leat/log", directory, partitions } },
    routes: [
      {
        match: { stream: "*" },
        to: [{ cluster: "local", topic: "{stream}", linger: "0 millis", batch: { records, bytes: 8_388_608 } }]
      }
    ]
  }
}

/** The driver, counting the sends. */
function counted(counts: { sends: number }): Driver {
  return {
    ...log,
    open: (cluster, config) =>
      Effect.map(log.open(cluster, config), (transport) => ({
        ...transport,
        openWriter: (topic) =>
          Effect.map(transport.openWriter(topic), (writer) => ({
            ...writer,
            send: (...call) => {
              counts.sends++
              return writer.send(...call)
            }
          }))
      }))
  }
}

export async function benchLog(): Promise<ReadonlyArray<LogFigures>> {
  const figures: Array<LogFigures> = []
  for (const [records, events] of [
    [1, 1500],
    [100, 60_000],
    [1000, 300_000]
  ] as const) {
    figures.push(
      await inFolder((directory) => {
        const counts = { sends: 0 }
        const program = Effect.gen(function* () {
          const routes = logRoutes(directory, records)
          const leat = yield* Leat.make({ source: "benchmark", routes, drivers: [counted(counts)] })
          const stream = yield* leat.stream(BeaconSighting)
          yield* stream.publishAll(Array.from({ length: records * 5 }, (_, index) => sighting(index)))
          counts.sends = 0
          const startMs = performance.now()
          yield* stream.publishAll(Array.from({ length: events }, (_, index) => sighting(index)))
          const seconds = (performance.now() - startMs) / 1000
          return {
            recordsPerBatch: records,
            events,
            eventsPerSecond: Math.round(events / seconds),
            fsyncs: counts.sends,
            fsyncsPerSecond: Math.round(counts.sends / seconds)
          }
        }).pipe(Effect.scoped)
        return Effect.runPromise(program)
      })
    )
  }
  return figures
}

/** Bytes of the log that is opened again; less where the volume has little room. */
const reopenBytes = 1024 ** 3

export function benchReopen(): Promise<ReopenFigures> {
  return inFolder(async (directory) => {
    const { bavail, bsize } = statfsSync(directory)
    const wanted = Math.min(reopenBytes, Math.floor((bavail * bsize) / 4))
    const records = Array.from({ length: 1000 }, () => ({ key: "k", value: new Uint8Array(1000).fill(120) }))
    const open = logTransport({ directory, partitions: 1 })
    const fill = Effect.gen(function* () {
      const transport = yield* open
      const writer = yield* transport.openWriter("t")
      const batch = batchOf(records)
      for (let bytes = 0; bytes < wanted; bytes += 1_000_000)
        yield* sendEffect(writer, 0, batch, 0, batch.count, 60_000)
    }).pipe(Effect.scoped)
    await Effect.runPromise(fill)
    const logBytes = statSync(join(directory, "log.sqlite")).size
    const again = Effect.gen(function* () {
      const startMs = performance.now()
      const transport = yield* open
      yield* Stream.runHead(transport.read("t", 0, { fromPosition: 0n, toPosition: 1n }))
      const toFirstReadMs = round(performance.now() - startMs)
      const writer = yield* transport.openWriter("t")
      yield* sendEffect(writer, 0, batchOf(records), 0, 1, 60_000)
      return { logBytes, toFirstReadMs, toFirstAppendMs: round(performance.now() - startMs) }
    }).pipe(Effect.scoped)
    return Effect.runPromise(again)
  })
}
