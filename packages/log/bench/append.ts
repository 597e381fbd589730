// Records stored per second, fsync included, through the transport: batches of 1, 100 and 1000 records of 160 bytes.
//   node --conditions=@leat/source packages/log/bench/append.ts [seconds per size] [batches in flight]
import { Effect, Stream } from "effect"
import { logTransport } from "@leat/log"
import { batchOf } from "leat/testing"
import { mkdtempSync, rmSync } from "node:fs"
import { resolve } from "node:path"

const seconds = Number(process.argv[2] ?? 2)
const inFlight = Number(process.argv[3] ?? 1)
const directory = mkdtempSync(resolve(process.env["BENCH_DIR"] ?? ".", "bench-log-"))
const rate = (count: number, ms: number) => `${Math.round((count / ms) * 1000).toLocaleString("en")}/s`

/** Sends for so many seconds; a batch of another partition for each one in flight. */
const append = (count: number, hasIds: boolean) =>
  Effect.gen(function* () {
    const transport = yield* logTransport({ directory, partitions: Math.max(4, inFlight) })
    const topic = `t${count}${hasIds}`
    const writer = yield* transport.openWriter(topic)
    const value = new Uint8Array(hasIds ? 110 : 150)
    const startMs = performance.now()
    const startCpu = process.threadCpuUsage()
    let seq = 0
    const one = (partition: number) =>
      Effect.suspend(() => {
        const headers = (offset: number) => (hasIds ? [["leat", idOf(partition, seq + offset)] as const] : [])
        const batch = batchOf(
          Array.from({ length: count }, (_, index) => ({ key: "key-000001", value, headers: headers(index) }))
        )
        seq += count
        return writer.send(partition, batch, 0, count, Date.now() + 30_000)
      })
    let sent = 0
    while (performance.now() - startMs < seconds * 1000) {
      const all = Array.from({ length: inFlight }, (_, partition) => one(partition))
      for (const [run] of yield* Effect.all(all, { concurrency: "unbounded" }))
        if (run?.fate !== "stored") return yield* Effect.die(new Error(run?.error?.message ?? "not stored"))
      sent += count * inFlight
    }
    const tookMs = performance.now() - startMs
    const { user, system } = process.threadCpuUsage(startCpu)
    const cpuUs = ((user + system) / sent).toFixed(2)
    process.stdout.write(
      `append ${count} x ${inFlight}${hasIds ? " with ids" : ""}: ${rate(sent, tookMs)}, main thread ${cpuUs} us/record (making the batches included)\n`
    )
    const readMs = performance.now()
    let records = 0
    for (const { partition } of yield* transport.bounds(topic))
      yield* Stream.runForEach(transport.read(topic, partition, { fromPosition: 0n }), (batch) =>
        Effect.sync(() => (records += batch.records.length))
      )
    process.stdout.write(`read   ${count}: ${rate(records, performance.now() - readMs)}\n`)
  }).pipe(Effect.scoped)

function idOf(bucket: number, seq: number): Uint8Array {
  const bytes = new Uint8Array(29).fill(1)
  bytes.set([bucket, (seq & 127) | 128, ((seq >> 7) & 127) | 128, (seq >> 14) & 127, 1], 23)
  return bytes
}

try {
  for (const hasIds of [false, true]) for (const count of [1, 100, 1000]) await Effect.runPromise(append(count, hasIds))
} finally {
  rmSync(directory, { recursive: true })
}
