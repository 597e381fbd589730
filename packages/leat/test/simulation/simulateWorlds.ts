// `npm run simulate -- --seeds N [--seed S] [--mutant NAME] [--first] [--json]`: the worlds of N seeds from S on, told over memory on virtual
// time and judged; with a mutant, that bug is planted first; with `--first`, the first seed that fails is the last one. The last line of stdout is a report. The first seeds that fail are named on stderr, each
// with the smallest story in which the same thing goes wrong. Exit code 0: nothing was wrong; 3: something was; 2: a wrong call.
import { createHash } from "node:crypto"
import { parseArgs } from "node:util"
import type { MishapFact, Verdict, World } from "leat/testing"
import { mutantCalled, plantInProcess } from "../mutants/plant.ts"

/** Failing seeds that are shrunk and told. */
const toldMax = 3

/** Lines of a screen. */
const screenLines = 50

/** With so many seeds or more, each occasion has to have come `occasionsMin` times. */
const fullSeeds = 5000
const occasionsMin = 50

function misuse(sentence: string): never {
  process.stderr.write(
    `leat: ${sentence}; say npm run simulate -- --seeds N [--seed S] [--mutant NAME] [--first] [--json]\n`
  )
  process.exit(2)
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: "string", default: "300" },
        seed: { type: "string", default: "1" },
        mutant: { type: "string" },
        first: { type: "boolean", default: false },
        json: { type: "boolean", default: false }
      },
      strict: true
    })
    return { ...values, seeds: whole("seeds", values.seeds), seed: whole("seed", values.seed) }
  } catch (error) {
    const [sentence = ""] = (error instanceof Error ? error.message : String(error)).split(/\. To|\n/)
    return misuse(sentence)
  }
}

function whole(flag: string, text: string): number {
  const value = Number(text)
  return Number.isSafeInteger(value) && value > 0
    ? value
    : misuse(`--${flag} ${text}: it must be a whole number above 0`)
}

const { seeds, seed: from, mutant, first: isFirstOnly, json } = readArguments()
if (mutant !== undefined) plantInProcess(mutantCalled(mutant))

// After the hook: static imports would load the sources before it.
const { drawWorld, occasionName, shrinkWorld, storyLines, worldLines } = await import("leat/testing")
const { occasions } = await import("./occasions.ts")
const { tellInMemory } = await import("./worlds.ts")

const history = createHash("sha256")
const faults: Record<string, Record<string, number>> = {}
const reached = new Map(occasions.map((occasion) => [occasionName(occasion), 0]))
const failing: Array<string> = []
let events = 0
let legs = 0
let violations = 0

/** Every second world is after an occasion, one after the other; the others are as they are drawn. */
function worldOf(seed: number): World {
  return drawWorld(seed, seed % 2 === 0 ? occasions[(seed / 2) % occasions.length] : undefined)
}

function count({ mishap, states }: MishapFact): void {
  const byState = (faults[mishap] ??= { times: 0 })
  byState["times"] = (byState["times"] ?? 0) + 1
  for (const state of states) byState[state] = (byState[state] ?? 0) + 1
}

/** Tells the smallest story in which the same kind of thing goes wrong. */
function tellSmallest(world: World, { kind, evidence }: Verdict): void {
  const small = shrinkWorld(world, (smaller) => tellInMemory(smaller).verdicts.some((one) => one.kind === kind))
  const told = tellInMemory(small)
  const head = [
    `seed ${world.seed}: ${kind}: ${evidence}`,
    `again: npm run simulate -- --seeds 1 --seed ${world.seed}${mutant === undefined ? "" : ` --mutant "${mutant}"`}`,
    "the smallest story:",
    ...worldLines(small)
  ]
  const tail = told.verdicts.slice(0, 5).map((verdict) => `=> ${verdict.kind}: ${verdict.evidence}`)
  const about = told.verdicts.find((one) => one.kind === kind)?.evidence ?? ""
  const lines = [
    ...head,
    ...excerpt(storyLines(told.chronicle), about, screenLines - head.length - tail.length),
    ...tail
  ]
  process.stderr.write(`${lines.map((line) => line.slice(0, 300)).join("\n")}\n`)
}

/** As many lines as there is room for: those that name the event that the evidence is about, and as many as fit before the last of them. */
function excerpt(lines: ReadonlyArray<string>, evidence: string, most: number): ReadonlyArray<string> {
  if (lines.length <= most) return lines
  const [event = "nothing"] = /event \d+/.exec(evidence) ?? []
  const names = lines.map((line) => new RegExp(`${event}\\b`).test(line))
  const kept = new Set(names.flatMap((isNamed, index) => (isNamed ? [index] : [])).slice(0, most - 1))
  for (let index = Math.max(lines.length - 1, ...kept); index >= 0 && kept.size < most - 1; index--) kept.add(index)
  return [...lines.filter((_, index) => kept.has(index)), `(${lines.length - kept.size} other lines are left out)`]
}

for (let seed = from; seed < from + seeds; seed++) {
  const world = worldOf(seed)
  const { verdicts, occasions: come, chronicle, trace } = tellInMemory(world)
  events += chronicle.calls.size
  legs += chronicle.legs.size
  for (const fact of chronicle.mishaps) count(fact)
  for (const [name, times] of come) if (reached.has(name)) reached.set(name, (reached.get(name) ?? 0) + times)
  history.update(`${seed} ${trace}\n${storyLines(chronicle).join("\n")}\n`)
  violations += verdicts.length
  const [verdict] = verdicts
  if (verdict === undefined) continue
  failing.push(`seed ${seed}: ${verdict.kind}: ${verdict.evidence}`.slice(0, 500))
  if (failing.length <= toldMax) tellSmallest(world, verdict)
  if (isFirstOnly) break
}

const [[rarest, rarestTimes] = ["", 0]] = Array.from(reached).toSorted(([, one], [, other]) => one - other)
const isScarce = seeds >= fullSeeds && rarestTimes < occasionsMin
const found =
  failing.length > 0
    ? failing.slice(0, toldMax).join("; ")
    : isScarce
      ? `"${rarest}" came ${rarestTimes} times, and has to come ${occasionsMin} times`
      : undefined
const report = {
  seeds,
  seed: from,
  events,
  legs,
  faults,
  rarest: { occasion: rarest, times: rarestTimes },
  violations,
  traceHash: history.digest("hex").slice(0, 32)
}
const result = found === undefined ? report : { ...report, failing: failing.length, violation: found }
process.stdout.write(`${json ? JSON.stringify(result) : JSON.stringify(result, undefined, 2)}\n`)
process.exitCode = found === undefined ? 0 : 3
