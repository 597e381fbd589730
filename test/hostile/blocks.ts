/** What stands on disk and on Kafka's wire: blocks of the log, batches of Kafka, announced ledgers. */
import { crc32c } from "leat/record"
import { batchOf, type ReceivedRecord, TransportError } from "leat/transport"
import { Option } from "effect"
import { Block } from "../../packages/log/src/Block.ts"
import { decodeLedgerFile } from "../../packages/log/src/ledger/ledgerFile.ts"
import { readRecordBatches } from "../../packages/kafkajs/src/protocol/readRecordBatches.ts"
import { batchBytesMax, writeRecordBatch } from "../../packages/kafkajs/src/protocol/writeRecordBatch.ts"
import { mutateBytes, mutateText, oneOf } from "./mutate.ts"
import { type Target, typed } from "./Target.ts"

const nowMs = 1_795_000_000_000

const batches = [1, 3, 20].map((count) =>
  batchOf(
    Array.from({ length: count }, (_, index) => ({
      key: `k${index}`,
      value: index % 5 === 4 ? null : "value".repeat(index),
      headers: [
        ["leat", Buffer.alloc(33, index)],
        ["own", Buffer.from("x")]
      ] as const,
      timeMs: nowMs + index
    }))
  )
)

const sealed = batches.map((batch) => {
  const block = Block.pack(batch.columns(0, batch.count))
  block.seal({ partition: 1, base: 40, span: batch.count, storedAtMs: nowMs })
  return block.bytes
})

/** Everything that readers ask of a record. */
function readAll(records: Iterable<ReceivedRecord>): void {
  for (const { key, value, headers } of records) {
    const bytes = (key?.length ?? 0) + (value?.length ?? 0) + headers.reduce((sum, [, one]) => sum + one.length, 0)
    if (!Number.isSafeInteger(bytes)) throw new Error("a record has no size")
  }
}

const logBlocks: Target = {
  name: "block of the log",
  share: 20,
  give: (draw, given) => {
    const whole = oneOf(draw, sealed)
    const bytes = new Uint8Array(mutateBytes(draw, whole, oneOf(draw, sealed)))
    // Half of them have a checksum that is right, as of a writer that is wrong.
    const isSealed = draw() < 0.5 && bytes.length >= 4
    if (isSealed) new DataView(bytes.buffer).setUint32(0, crc32c(bytes, 4), true)
    given(bytes)
    const block = Block.of(bytes)
    if (block === undefined) return "no block"
    if (!block.isWhole) return "not whole"
    if (!isSealed && Buffer.compare(bytes, whole) !== 0 && !sealed.some((one) => Buffer.compare(one, bytes) === 0))
      throw new Error("damage is taken to be whole")
    readAll(Array.from({ length: block.count }, (_, index) => block.record(index)))
    return "a value"
  }
}

const written = batches.map((batch) => {
  const columns = batch.columns(0, batch.count)
  const bytes = Buffer.alloc(batchBytesMax(columns))
  return bytes.subarray(0, writeRecordBatch(bytes, 0, columns, nowMs))
})

const kafkaBatches: Target = {
  name: "batch of Kafka",
  share: 30,
  give: (draw, given) => {
    const bytes = Buffer.from(mutateBytes(draw, oneOf(draw, written), oneOf(draw, written)))
    const end = bytes.length < 61 ? 0 : 12 + bytes.readInt32BE(8)
    if (draw() < 0.5 && end > 21 && end <= bytes.length) bytes.writeUInt32BE(crc32c(bytes, 21, end), 17)
    given(bytes)
    try {
      const { records } = readRecordBatches(bytes, 0n, (1n << 63n) - 1n, [], "t/0")
      readAll(records)
      return "a value"
    } catch (error) {
      return typed(error, TransportError)
    }
  }
}

const ledger = JSON.stringify({
  format: 1,
  owner: { host: "here", pid: 7, begin: "1" },
  clusters: ["local"],
  incarnation: "0198c1d2-6a00-7000-8000-000000000000",
  source: "app",
  announcedAtMs: nowMs,
  isClosed: false,
  streams: [
    { stream: "s", offered: 2, admitted: 1, rejected: { overflow: 1 }, waiting: 0, balanced: true, sequences: [[1, 2]] }
  ],
  legs: [],
  lanes: []
})

const ledgers: Target = {
  name: "announced ledger",
  share: 10,
  give: (draw, given) => {
    const text = mutateText(draw, ledger)
    given(text)
    return Option.isSome(decodeLedgerFile(text)) ? "a value" : "no ledger"
  }
}

/** What is read from disk and from a broker. */
export const blockTargets: ReadonlyArray<Target> = [logBlocks, kafkaBatches, ledgers]
