// Puts mutated records beside healthy ones into a topic, and into all topics of a group's own, and has a subscription with the default policy read
// them: over memory, and over the log on disk. Every healthy event is handled once and in order; each hostile record is handled, skipped or set aside where
// it stands; nothing halts, no prototype changes, and the heap grows no more than with healthy records alone. Exit code 0: so it was; 3: it was
// not, and the last line says what. It wants `--expose-gc`.
//   node --expose-gc --conditions=@leat/source test/hostile/hostileTopics.ts [records] [seed] [planted bug]
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { plantInProcess } from "../../packages/leat/test/mutants/plant.ts"
import { plantedCalled } from "./planted.ts"

const records = Number(process.argv[2] ?? 2000)
const seed = Number(process.argv[3] ?? 1)
const bug = process.argv[4]
if (bug !== undefined) plantInProcess(plantedCalled(bug))

// After the hook: static imports would load the sources before it.
const { log } = await import("@leat/log")
const { MemoryBroker, memoryDriver } = await import("leat")
const { haunt } = await import("./haunt.ts")

/** What the heap may grow by more than in the run of healthy records, in bytes: two lanes hold 8 MiB each at most. */
const heapBytesMax = 2 * 8 * 1024 * 1024

const memory = () => ({
  section: { transport: "memory" },
  drivers: [memoryDriver(new MemoryBroker({ partitions: 2 }))]
})
const directories: Array<string> = []
const onDisk = () => {
  const directory = mkdtempSync(join(tmpdir(), "leat-hostile-"))
  directories.push(directory)
  return { section: { transport: "@leat/log", directory }, drivers: [log] }
}

async function run(): Promise<{ readonly violation?: string; readonly [name: string]: unknown }> {
  const report: Record<string, unknown> = { n: records, seed }
  for (const [name, place] of Object.entries({ memory, log: onDisk })) {
    const healthy = await haunt(place(), { records, seed, isHostile: false })
    const hostile = await haunt(place(), { records, seed, isHostile: true })
    // A cluster in memory keeps in the heap what is stored.
    const heap = name === "memory" ? {} : { heapBytes: hostile.heapBytes, healthyHeapBytes: healthy.heapBytes }
    report[name] = { ...hostile.counts, ...heap }
    const [wrong] = [...healthy.wrong, ...hostile.wrong]
    if (wrong !== undefined) return { ...report, violation: `${name}: ${wrong}` }
    if (name !== "memory" && hostile.heapBytes > healthy.heapBytes + heapBytesMax)
      return {
        ...report,
        violation: `${name}: the heap grew by ${hostile.heapBytes} bytes, and by ${healthy.heapBytes} without them`
      }
  }
  return report
}

const report = await run()
for (const directory of directories) rmSync(directory, { recursive: true, force: true })
process.stdout.write(`${JSON.stringify(report)}\n`)
process.exitCode = report.violation === undefined ? 0 : 3
