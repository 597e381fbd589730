// Worlds in which a stream moves, one seed after the other: `proveMoveWorlds.ts [SEEDS [SEED]]`. The last line is a report. Exit code 0: nothing
// was wrong; 3: something was.
import { moveWorld, type MoveWorld } from "./moveWorld.ts"

const seeds = Number(process.argv[2] ?? 40)
const first = Number(process.argv[3] ?? 1)
const counts = {
  told: 0,
  stored: 0,
  opened: 0,
  relaxed: 0,
  aborted: 0,
  kills: 0,
  grows: 0,
  pauses: 0,
  streams: 0,
  passedOver: 0,
  late: 0,
  carries: 0,
  fellBack: 0,
  mirrored: 0,
  heirs: 0
}
const names = Object.keys(counts) as ReadonlyArray<keyof typeof counts>
const violations: Array<string> = []

function tell(seed: number): MoveWorld | undefined {
  try {
    return moveWorld(seed)
  } catch (error) {
    violations.push(`seed ${seed}: ${String(error)}`)
    return undefined
  }
}

for (let seed = first; seed < first + seeds; seed++) {
  // Said before it begins: one that never ends is ended from outside, and this line says which it was.
  process.stderr.write(`  ${Math.round(performance.now() / 1000)} s: seed ${seed}\n`)
  const world = tell(seed)
  if (world === undefined) continue
  for (const name of names) counts[name] += world[name]
  violations.push(...world.wrong.map((what) => `seed ${seed}: ${what}`))
}
for (const one of violations) process.stderr.write(`${one}\n`)
const [violation] = violations
const report = { seeds, seed: first, ...counts, violations: violations.length }
process.stdout.write(`${JSON.stringify(violation === undefined ? report : { ...report, violation })}\n`)
process.exitCode = violation === undefined ? 0 : 3
