// Kills a process that publishes at the level durable at a random moment, again and again, while its cluster (a log) comes and goes beside its
// spill (another log), and looks for every event that it had been told was safe, and for their order. Exit code 0: so it is; 3: not, and
// the last line says what.
//   node --conditions=@leat/source packages/log/test/spill/crashSpill.ts [kills] [seed]
import { logTransport } from "@leat/log"
import { Effect, Stream } from "effect"
import { readMeta } from "leat"
import { seededRandom } from "leat/testing"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Child } from "../support/Child.ts"
import { noteContract } from "../support/Note.ts"

/** Longest time from the first words to the kill, in milliseconds. */
const killMsMax = 200

/** Most events of one process: more than any is told of. */
const eventsMax = 5000

export interface SpillReport {
  readonly kills: number
  /** Events that were told safe, that stand in the topic, and that the last process found in the spill. */
  readonly safe: number
  readonly stored: number
  readonly recovered: number
  /** The first thing that is wrong. */
  readonly violation?: string
}

export async function crashSpill(kills: number, seed: number): Promise<SpillReport> {
  const folder = mkdtempSync(join(tmpdir(), "leat-spill-"))
  try {
    return await crash(folder, kills, seededRandom(seed))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function crash(folder: string, kills: number, random: () => number): Promise<SpillReport> {
  const places = ["far", "spill", "away"].map((name) => join(folder, name))
  const [far = "", , away = ""] = places
  const safe: Array<string> = []
  for (let round = 0; round < kills; round++) {
    // Away at the start of most, and for the time of the process of most of these; for the whole time of the last one that is killed, so that
    // the next one certainly finds events in the spill.
    const isLast = round === kills - 1
    const isAway = random() < 0.8 || isLast
    if (isAway) writeFileSync(away, "")
    else rmSync(away, { force: true })
    using child = new Child("spill/publisher.ts", [...places, String(round), String(eventsMax)])
    await child.until(() => child.lines.length >= 20)
    await sleep(random() * killMsMax)
    if (random() < 0.3 && !isLast) {
      if (isAway) rmSync(away)
      else writeFileSync(away, "")
      await sleep(random() * killMsMax * 2)
    }
    child.signal("SIGKILL")
    await child.ended
    safe.push(...child.lines.map(String))
  }
  rmSync(away, { force: true })
  using last = new Child("spill/publisher.ts", [...places, "last", "0"])
  const ended = await last.ended
  const [told] = last.lines as ReadonlyArray<{ readonly recovered: number; readonly balanced: boolean }>
  const events = await Effect.runPromise(Effect.scoped(readAll(far)))
  const counts = { kills, safe: safe.length, stored: events.length, recovered: told?.recovered ?? 0 }
  const violation = ended === 0 ? violationOf(safe, events) : `the last process ended with ${ended}: ${last.errors}`
  if (violation !== undefined) return { ...counts, violation }
  return told?.balanced === true ? counts : { ...counts, violation: "the ledger of the last process does not balance" }
}

function violationOf(safe: ReadonlyArray<string>, events: ReadonlyArray<Found>): string | undefined {
  const texts = new Set(events.map(({ text }) => text))
  const lost = safe.find((text) => !texts.has(text))
  if (lost !== undefined) return `event ${lost} was told safe, and is gone`
  const highest = new Map<string, number>()
  for (const { bucket, seq, text } of events) {
    const before = highest.get(bucket) ?? -1
    if (seq <= before) return `event ${text} (${bucket}, ${seq}) stands behind ${before}`
    highest.set(bucket, seq)
  }
  return undefined
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

interface Found {
  readonly bucket: string
  readonly seq: number
  readonly text: string
}

/** All events of the topic, in the order of each partition; a log stores none twice. */
const readAll = Effect.fnUntraced(function* (directory: string) {
  const transport = yield* logTransport({ directory })
  const batches = yield* Effect.forEach(yield* transport.bounds("notes"), ({ partition }) =>
    Stream.runCollect(transport.read("notes", partition, { fromPosition: 0n }))
  )
  return batches.flat().flatMap(({ records }) =>
    records.flatMap(({ headers, value }): ReadonlyArray<Found> => {
      const { id } = readMeta(headers, noteContract.stream)
      if (id === undefined || value === null) return []
      const { incarnation, bucket, seq } = id
      return [{ bucket: `${incarnation} ${bucket}`, seq, text: noteContract.decode(value).text }]
    })
  )
})

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const report = await crashSpill(Number(process.argv[2] ?? 10), Number(process.argv[3] ?? 1))
  process.stdout.write(`${JSON.stringify(report)}\n`)
  process.exitCode = report.violation === undefined ? 0 : 3
}
