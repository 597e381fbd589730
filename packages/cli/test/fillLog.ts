import { type LogTransport, logTransport } from "@leat/log"
import { sendEffect } from "leat/transport"
import { Effect, Stream } from "effect"
import { batchOf, type PlainRecord } from "leat/testing"

/** Runs something on a log and closes it. */
export function onLog<A>(directory: string, use: (log: LogTransport) => Effect.Effect<A, unknown>): Promise<A> {
  return Effect.runPromise(Effect.scoped(Effect.flatMap(logTransport({ directory, leaseMs: 300 }), use)))
}

/** Puts records into one partition of a topic of two. */
export function fillLog(
  directory: string,
  topic: string,
  partition: number,
  records: ReadonlyArray<PlainRecord>
): Promise<void> {
  return onLog(
    directory,
    Effect.fnUntraced(function* (log) {
      yield* log.ensure({ topic, partitions: 2 })
      const writer = yield* log.openWriter(topic)
      yield* sendEffect(writer, partition, batchOf(records), 0, records.length, 10_000)
    }, Effect.scoped)
  )
}

/** Everything that a topic holds, read raw: bytes as base64, in order of partition and position. */
export function rawRead(directory: string, topic: string): Promise<ReadonlyArray<unknown>> {
  const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString("base64"))
  return onLog(
    directory,
    Effect.fnUntraced(function* (log) {
      const found: Array<unknown> = []
      for (const { partition, start } of yield* log.bounds(topic)) {
        yield* Stream.runForEach(log.read(topic, partition, { fromPosition: start }), ({ records }) =>
          Effect.sync(() => {
            for (const { position, key, value, headers, timeMs } of records) {
              const shown = headers.map(([name, bytes]) => [name, text(bytes)])
              found.push({ partition, position, key: text(key), value: text(value), headers: shown, timeMs })
            }
          })
        )
      }
      return found
    })
  )
}
