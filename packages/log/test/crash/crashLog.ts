// Kills a process that publishes to a log at a random moment, again and again on one directory, and looks for every event that it
// had been told was stored, and whether what it had announced of its ledger adds up with what is there; the log must open again about
// as soon as any database. Exit code 0: so it is; 3: not, and stdout says what.
//   node --conditions=@leat/source packages/log/test/crash/crashLog.ts [kills] [seed]
import { inspectLog, logTransport, readLedgers } from "@leat/log"
import { Effect, Stream } from "effect"
import { seededRandom } from "leat/testing"
import { EventIdCursor } from "leat/transport"
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { batchOf } from "leat/testing"
import { plainOpenMs } from "./plainOpen.ts"

const kills = Number(process.argv[2] ?? 20)
const seed = Number(process.argv[3] ?? 1)
const random = seededRandom(seed)
const root = mkdtempSync(join(tmpdir(), "leat-crash-"))
const directory = join(root, "log")
const script = fileURLToPath(new URL("publisher.ts", import.meta.url))

/** Events of one round: more than are published before any kill. */
const total = 20_000
/** Longest time from the first acknowledgement to the kill, in milliseconds. */
const killMsMax = 400
/** Fewest rounds that must have been killed between the first and the last acknowledgement. */
const inTheMiddleMin = Math.floor(kills * 0.8)
/** How many times as long as a plain open the log may take to open, of what nine in ten of both take. */
const opensMax = 8

/** What was acknowledged: highest sequence of each bucket, and how many, by incarnation. */
const acknowledged = new Map<string, Map<number, Set<number>>>()

/** Runs the publisher until it is killed, some time after its first acknowledgement, and takes down what was acknowledged. */
function crash(afterMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const path = join(root, "acknowledged")
    const child = spawn(process.execPath, ["--conditions=@leat/source", script, directory, path, String(total)], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    const deadline = setTimeout(() => child.kill("SIGKILL"), 20_000)
    let isRunning = false
    child.stdout.once("data", () => {
      isRunning = true
      setTimeout(() => child.kill("SIGKILL"), afterMs)
    })
    child.once("close", (code) => {
      clearTimeout(deadline)
      if (code !== null || !isRunning) return reject(new Error(`the publisher ended by itself with code ${code}`))
      // The last line may be cut: it was not acknowledged to anybody.
      const [incarnation = "", ...ids] = readFileSync(path, "utf8").split("\n").slice(0, -1)
      const buckets = new Map<number, Set<number>>()
      for (const id of ids) {
        const [bucket = 0, seq = 0] = id.split("/").map(Number)
        buckets.set(bucket, (buckets.get(bucket) ?? new Set()).add(seq))
      }
      acknowledged.set(incarnation, buckets)
      resolve()
    })
  })
}

/** Everything the log holds: sequences by incarnation and bucket, in the order of their positions. */
const readBack = Effect.gen(function* () {
  const openedMs = performance.now()
  const transport = yield* logTransport({ directory })
  const bounds = yield* transport.bounds("notes")
  const openMs = performance.now() - openedMs
  const held = new Map<string, Array<number>>()
  const cursor = new EventIdCursor()
  for (const { partition } of bounds)
    yield* Stream.runForEach(transport.read("notes", partition, { fromPosition: 0n }), ({ records }) =>
      Effect.sync(() => {
        for (const { headers, key, value } of records) {
          const { bytes, headersAt } = batchOf([{ key, value, headers }]).columns(0, 1)
          if (!cursor.read(bytes, headersAt[0] ?? 0)) continue
          const name = `${Buffer.from(cursor.incarnation).toString("hex")}/${cursor.bucket}`
          const seqs = held.get(name)
          if (seqs === undefined) held.set(name, [cursor.seq])
          else seqs.push(cursor.seq)
        }
      })
    )
  return { held, openMs }
}).pipe(Effect.scoped)

function faultOf(held: ReadonlyMap<string, ReadonlyArray<number>>): string | undefined {
  for (const [incarnation, buckets] of acknowledged)
    for (const [bucket, seqs] of buckets) {
      const found = held.get(`${incarnation.replaceAll("-", "")}/${bucket}`) ?? []
      const isInOrder = found.every((seq, index) => index === 0 || seq > (found[index - 1] ?? 0))
      if (!isInOrder) return `bucket ${bucket} of ${incarnation} is not in order, or holds an event twice`
      const there = new Set(found)
      for (const seq of seqs)
        if (!there.has(seq)) return `${incarnation}/${bucket}/${seq} was acknowledged, and is gone`
    }
  return undefined
}

let announcedAdmitted = 0
let crashLost = 0

/** What the announcements of the killed say, against the ids that a raw read has found. */
const announcedFault = Effect.fnUntraced(function* (held: ReadonlyMap<string, ReadonlyArray<number>>) {
  const { ledgers, unreadable } = yield* readLedgers(directory)
  announcedAdmitted = 0
  crashLost = 0
  for (const { path, why } of unreadable) return `${path}: ${why}`
  for (const incarnation of acknowledged.keys()) {
    const ledger = ledgers.find((one) => one.incarnation === incarnation)
    if (ledger === undefined) return `${incarnation} announced nothing, not even its opening`
    if (ledger.state !== "gone") return `${incarnation} was killed, and is ${ledger.state}`
    const [loss] = ledger.crashLosses
    const [stream] = ledger.streams
    if (loss === undefined || stream === undefined) continue
    const found = sum(
      stream.sequences.map(([bucket, next]) => {
        const seqs = held.get(`${incarnation.replaceAll("-", "")}/${bucket}`) ?? []
        return seqs.filter((seq) => seq < next).length
      })
    )
    const admitted = sum(stream.sequences.map(([, next]) => next))
    if (loss.admitted !== admitted) return `${incarnation} announced ${loss.admitted} events and ${admitted} sequences`
    if (loss.stored !== found)
      return `${incarnation} has ${found} announced events in the log, and ${loss.stored} are told`
    if (loss.crashLost !== admitted - found - loss.dropped) return `the losses of ${incarnation} do not add up`
    if (loss.missing + loss.excess > 0) return `the announcement of ${incarnation} contradicts the log`
    announcedAdmitted += admitted
    crashLost += loss.crashLost
  }
  return undefined
})

function sum(values: ReadonlyArray<number>): number {
  return values.reduce((all, value) => all + value, 0)
}

function ninetieth(values: ReadonlyArray<number>): number {
  return values.toSorted((left, right) => left - right)[Math.ceil(values.length * 0.9) - 1] ?? Number.NaN
}

const violation = (sentence: string) =>
  Effect.sync(() => {
    process.stdout.write(`${sentence}\n`)
    process.exitCode = 3
  })

const program = Effect.gen(function* () {
  const openings: Array<number> = []
  const plain: Array<number> = []
  for (let kill = 0; kill < kills; kill++) {
    yield* Effect.promise(() => crash(random() * killMsMax))
    const { held, openMs } = yield* readBack
    openings.push(openMs)
    plain.push(yield* Effect.promise(() => plainOpenMs(join(directory, "log.sqlite"))))
    const fault = faultOf(held) ?? (yield* announcedFault(held))
    if (fault !== undefined) return yield* violation(`kill ${kill} of seed ${seed}: ${fault}`)
  }
  const { quarantined } = yield* inspectLog(directory)
  const counts = Array.from(acknowledged.values(), (buckets) => sum(Array.from(buckets.values(), ({ size }) => size)))
  const [openMs, plainOpen] = [ninetieth(openings), ninetieth(plain)]
  const report = {
    kills,
    seed,
    total,
    acknowledged: sum(counts),
    // Rounds that were killed in the middle: some events acknowledged, and not all.
    inTheMiddle: counts.filter((count) => count > 0 && count < total).length,
    announcedAdmitted,
    crashLost,
    openMs: Math.round(openMs),
    plainOpenMs: Math.round(plainOpen),
    quarantined: quarantined.length
  }
  if (report.inTheMiddle < inTheMiddleMin)
    return yield* violation(
      `only ${report.inTheMiddle} of ${kills} kills fell between the first and the last acknowledgement`
    )
  if (openMs > opensMax * plainOpen)
    return yield* violation(`the log took ${report.openMs} ms to open again, and a plain open ${report.plainOpenMs}`)
  process.stdout.write(`${JSON.stringify(report)}\n`)
})

await Effect.runPromise(program).finally(() => rmSync(root, { recursive: true, force: true }))
