// Damages copies of a log, one trial after another, and judges what a reader then sees. Exit code 0: every outcome was a typed
// error, correct bytes, or a counted quarantine; 3: one was not, and stdout says which. Anything else is a crash.
//   node --conditions=@leat/source packages/log/test/corrupt/corruptLog.ts [trials] [seed]
import { inspectLog, logTransport } from "@leat/log"
import { Cause, Effect, Exit, Stream } from "effect"
import { batchOf, seededRandom } from "leat/testing"
import { TransportError, sendEffect } from "leat/transport"
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Wire } from "../support/Wire.ts"
import { prepareLog, type PreparedLog, valueAt } from "./prepareLog.ts"

const trials = Number(process.argv[2] ?? 60)
const seed = Number(process.argv[3] ?? 1)
const random = seededRandom(seed)
const root = mkdtempSync(join(tmpdir(), "leat-corrupt-"))
const outcomes: Record<string, number> = {}

/** Damages one file; returns what was done. */
function damage(directory: string): string {
  const files = ["log.sqlite", "log.sqlite", "log.sqlite", "log.sqlite-wal", "wake"].filter(
    (name) => (statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0) > 0
  )
  const name = files[Math.floor(random() * files.length)] ?? "log.sqlite"
  const path = join(directory, name)
  const { size } = statSync(path)
  if (random() < 0.25) {
    const length = Math.floor(random() * size)
    truncateSync(path, length)
    return `${name} cut from ${size} to ${length}`
  }
  const bytes = readFileSync(path)
  const flips = 1 + Math.floor(random() * 3)
  const where: Array<string> = []
  for (let flip = 0; flip < flips; flip++) {
    // The first pages hold what everything hangs on: they are hit more often than their size would have it.
    const at = Math.floor(random() * (random() < 0.3 ? Math.min(size, 65_536) : size))
    const bit = Math.floor(random() * 8)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
    where.push(`${at}.${bit}`)
  }
  writeFileSync(path, bytes)
  return `${name} of ${size} bytes flipped at ${where.join(" ")}`
}

/** What a reader sees; throws when it is neither right, nor reported. */
const judge = Effect.fnUntraced(function* (
  directory: string,
  { records, settled }: PreparedLog,
  isEndDamaged: boolean
) {
  const transport = yield* logTransport({ directory })
  let lost = 0
  let isSettledEarlier = false
  for (const { partition, start, end, settled: found } of yield* transport.bounds("t", "g")) {
    let at = start
    for (const batch of yield* Stream.runCollect(transport.read("t", partition, { fromPosition: start }))) {
      for (const { position, value } of batch.records) {
        if (position !== at) return yield* wrong(`partition ${partition} jumps from ${at} to ${position} without a gap`)
        if (Buffer.from(value ?? []).toString() !== valueAt(partition, Number(position)))
          return yield* wrong(`partition ${partition} holds other bytes at ${position}`)
        at = position + 1n
      }
      if (batch.next === at) continue
      if (batch.gap !== "corrupt")
        return yield* wrong(`partition ${partition} has a gap at ${at} for ${batch.gap ?? "no reason"}`)
      lost += Number(batch.next - at)
      at = batch.next
    }
    if (at !== end) return yield* wrong(`partition ${partition} was read to ${at}, and ends at ${end}`)
    if (found !== undefined && Number(found) > settled)
      return yield* wrong(`the group has settled ${found}, not ${settled}`)
    lost += Math.max(0, records - Number(end))
    if (found === undefined || Number(found) < settled) isSettledEarlier = true
  }
  const writer = yield* transport.openWriter("t")
  const [run] = yield* sendEffect(writer, 0, batchOf([Wire.event(100, 0)]), 0, 1, 5000)
  if (run?.fate === "unknown" && run.error === undefined) return yield* wrong("a send ended without a reason")
  yield* writer.fence(0)
  const { quarantined } = yield* inspectLog(directory)
  if (quarantined.length > 0) return "quarantined"
  if (lost > 0) return yield* wrong(`${lost} records are gone, and nothing is quarantined`)
  // The end of the write-ahead log may be settled positions alone: nothing outside of it says that there were some.
  if (isSettledEarlier && !isEndDamaged) return yield* wrong("settled positions are gone, and nothing is quarantined")
  return isSettledEarlier ? "settledEarlier" : "correct"
}, Effect.scoped)

const wrong = (detail: string) => Effect.die(new Error(detail))

const program = Effect.gen(function* () {
  const prepared = yield* prepareLog(join(root, "whole"))
  for (let trial = 0; trial < trials; trial++) {
    const directory = join(root, `trial-${trial}`)
    cpSync(random() < 0.5 ? prepared.closed : prepared.killed, directory, { recursive: true })
    const done = damage(directory)
    const exit = yield* Effect.exit(
      Effect.timeout(judge(directory, prepared, done.startsWith("log.sqlite-wal")), "20 seconds")
    )
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    const outcome = Exit.isSuccess(exit) ? exit.value : error instanceof TransportError ? error.reason : undefined
    // A topic is gone only with the end of the write-ahead log, and that is reported.
    const isSilent = outcome === "UnknownTopic" && (yield* inspectLog(directory)).quarantined.length === 0
    rmSync(directory, { recursive: true })
    if (outcome === undefined || isSilent) {
      process.stdout.write(`trial ${trial} of seed ${seed}, ${done}: ${String(error)}\n`)
      process.exitCode = 3
      return
    }
    if (process.env["LEAT_VERBOSE"] === "1")
      process.stderr.write(`${trial}: ${done}: ${outcome}${error instanceof Error ? `: ${error.message}` : ""}\n`)
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  }
  process.stdout.write(`${JSON.stringify({ trials, outcomes })}\n`)
})

await Effect.runPromise(Effect.scoped(program)).finally(() => rmSync(root, { recursive: true, force: true }))
