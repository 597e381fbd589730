// Records stored per second through the transport, fsync included: batches of 1, 100 and 1000 records of 160 bytes, made before
// the clock starts; and records read back per second. The best of several rounds, because fsync is shared with everybody.
//   node --conditions=@leat/source packages/log/bench/append.ts [rounds] [batches in flight] [directory]
import { logTransport } from "@leat/log"
import { sendEffect } from "leat/transport"
import { Effect, Stream } from "effect"
import { batchOf } from "leat/testing"
import { mkdtempSync, rmSync } from "node:fs"
import { join, resolve } from "node:path"

const rounds = Number(process.argv[2] ?? 3)
const inFlight = Number(process.argv[3] ?? 1)
const directory = mkdtempSync(join(resolve(process.argv[4] ?? "."), "bench-log-"))
const batchesOf = { 1: 1500, 100: 1000, 1000: 300 } as const
let topics = 0

/** A header in the compact wire, so that the log keeps its id. */
function idOf(bucket: number, seq: number): Uint8Array {
  const bytes = new Uint8Array(29).fill(1)
  bytes.set([bucket, (seq & 127) | 128, ((seq >> 7) & 127) | 128, (seq >> 14) & 127, 1], 23)
  return bytes
}

/** Sends all batches, so many at a time, each to a partition of its own; then reads them back. */
const round = Effect.fnUntraced(function* (count: 1 | 100 | 1000, hasIds: boolean) {
  const transport = yield* logTransport({ directory, partitions: Math.max(4, inFlight) })
  const topic = `t${topics++}`
  const writer = yield* transport.openWriter(topic)
  const value = new Uint8Array(hasIds ? 115 : 150)
  const batches = Array.from({ length: batchesOf[count] }, (_, batch) =>
    batchOf(
      Array.from({ length: count }, (__, index) => ({
        key: "key-000001",
        value,
        headers: hasIds ? [["leat", idOf(batch % inFlight, batch * count + index)] as const] : []
      }))
    )
  )
  const startMs = performance.now()
  const startCpu = process.threadCpuUsage()
  const send = (batch: number) =>
    Effect.suspend(() => {
      const records = batches[batch]
      return records === undefined
        ? Effect.succeed([])
        : sendEffect(writer, batch % inFlight, records, 0, count, 60_000)
    })
  for (let batch = 0; batch < batches.length; batch += inFlight) {
    const all = Array.from({ length: inFlight }, (_, more) => send(batch + more))
    for (const [run] of yield* Effect.all(all, { concurrency: "unbounded" }))
      if (run !== undefined && run.fate !== "stored")
        return yield* Effect.die(new Error(run.error?.message ?? run.fate))
  }
  const sent = count * batches.length
  const appendMs = performance.now() - startMs
  const { user, system } = process.threadCpuUsage(startCpu)
  const readStartMs = performance.now()
  let records = 0
  for (const { partition } of yield* transport.bounds(topic))
    yield* Stream.runForEach(transport.read(topic, partition, { fromPosition: 0n }), (batch) =>
      Effect.sync(() => (records += batch.records.length))
    )
  if (records !== sent) return yield* Effect.die(new Error(`${sent} records were sent, and ${records} read`))
  return {
    append: (sent / appendMs) * 1000,
    read: (sent / (performance.now() - readStartMs)) * 1000,
    cpuUsPerBatch: (user + system) / batches.length
  }
}, Effect.scoped)

const text = (rate: number) => `${Math.round(rate).toLocaleString("en")}/s`

try {
  for (const hasIds of [false, true]) {
    for (const count of [1, 100, 1000] as const) {
      const best = { append: 0, read: 0, cpuUsPerBatch: Number.POSITIVE_INFINITY }
      for (let left = rounds; left > 0; left--) {
        const { append, read, cpuUsPerBatch } = await Effect.runPromise(round(count, hasIds))
        best.append = Math.max(best.append, append)
        best.read = Math.max(best.read, read)
        best.cpuUsPerBatch = Math.min(best.cpuUsPerBatch, cpuUsPerBatch)
      }
      const ids = hasIds ? ", with event ids" : ""
      process.stdout.write(
        `batches of ${count} x ${inFlight}${ids}: append ${text(best.append)}, read ${text(best.read)}, main thread ${best.cpuUsPerBatch.toFixed(0)} us per batch\n`
      )
    }
  }
} finally {
  rmSync(directory, { recursive: true })
}
