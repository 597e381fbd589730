// Kills a process that handles events, a third of which it moves to a retry topic, at a random moment, again and again, and looks whether each was
// handled in the end, those that were moved in the order in which they were published, and how many were handled twice. Exit code 0: so it is; 3:
// not, and the last line says what.
//   node --conditions=@leat/source packages/log/test/retries/crashRetries.ts [kills] [seed]
import { seededRandom } from "leat/testing"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Child } from "../support/Child.ts"

/** Events that each process would publish in the end, and keys. */
const eventsOfEach = 5000
const keys = 16

/** Longest time from the first words to the kill, in milliseconds: some kills fall while events wait, and some while they are moved back. */
const killMsMax = 1500

/** Handlers that run at once, and so events that a kill may have handled again: 16 of each of 16 partitions, at most. */
const inHandMax = 256

/** How long the last process may take, in milliseconds. */
const lastMs = 60_000

export interface RetriesReport {
  readonly kills: number
  /** Handlers that ended well: of which events, how many in all, and how many of those came out of the retry topic. */
  readonly handled: number
  readonly times: number
  readonly moved: number
  readonly violation?: string
}

type Line = readonly [event: number, moves: number]

export async function crashRetries(kills: number, seed: number): Promise<RetriesReport> {
  const directory = mkdtempSync(join(tmpdir(), "leat-retries-"))
  try {
    return await crash(directory, kills, seededRandom(seed))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function crash(directory: string, kills: number, random: () => number): Promise<RetriesReport> {
  const lines: Array<Line> = []
  for (let round = 0; round < kills; round++) {
    using child = new Child("retries/consumer.ts", [directory, String(round * eventsOfEach), String(eventsOfEach)])
    await child.until(() => child.lines.length > 0)
    await sleep(random() * killMsMax)
    child.signal("SIGKILL")
    await child.ended
    lines.push(...(child.lines as ReadonlyArray<Line>))
  }
  // It publishes one more, behind those of all others.
  const published = kills * eventsOfEach
  using last = new Child("retries/consumer.ts", [directory, String(published), "1"], lastMs)
  const known = () => new Set([...lines, ...(last.lines as ReadonlyArray<Line>)].map(([event]) => event))
  await last.until(() => known().has(published) && isQuiet(last))
  lines.push(...(last.lines as ReadonlyArray<Line>))
  const counts = {
    kills,
    handled: known().size,
    times: lines.length,
    moved: lines.filter(([, moves]) => moves > 0).length
  }
  const violation = violationOf(lines, kills)
  return violation === undefined ? counts : { ...counts, violation }
}

/** Whether nothing was handled for three delays. */
function isQuiet(child: Child): boolean {
  const { length } = child.lines
  const before = seen.get(child)
  if (before?.length !== length) seen.set(child, { length, atMs: performance.now() })
  return before?.length === length && performance.now() - before.atMs > 3000
}
const seen = new WeakMap<Child, { readonly length: number; readonly atMs: number }>()

/** A process publishes one after the other: what was handled of it has a first part that is whole. */
function violationOf(lines: ReadonlyArray<Line>, kills: number): string | undefined {
  const handled = new Set(lines.map(([event]) => event))
  for (let round = 0; round < kills; round++) {
    const own = Array.from({ length: eventsOfEach }, (_, at) => round * eventsOfEach + at)
    const last = own.findLastIndex((event) => handled.has(event))
    const lost = own.slice(0, last + 1).find((event) => !handled.has(event))
    if (lost !== undefined) return `event ${lost} was handled by nobody, and one behind it was`
  }
  const highest = new Map<number, number>()
  const first = new Set<number>()
  for (const [event, moves] of lines) {
    if (moves === 0 || first.has(event)) continue
    first.add(event)
    const before = highest.get(event % keys) ?? -1
    if (event < before) return `event ${event} came out of the retry topic behind ${before}, of the same key`
    highest.set(event % keys, event)
  }
  if (first.size === 0) return "nothing was moved"
  if (lines.length - handled.size > kills * inHandMax)
    return `${lines.length - handled.size} were handled twice, and ${kills} kills can have had ${inHandMax} each in hand`
  return undefined
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const report = await crashRetries(Number(process.argv[2] ?? 10), Number(process.argv[3] ?? 1))
  process.stdout.write(`${JSON.stringify(report)}\n`)
  process.exitCode = report.violation === undefined ? 0 : 3
}
