// `npm run simulate -- --seeds N [--seed S] [--each N] [--misses N] [--after "MISHAP while STATE"] [--mutant NAME] [--first] [--json]`: the worlds of N
// seeds from S on, told over memory on virtual time and judged. Then more worlds, each after an occasion that has come less than `--each` times: each
// mishap has to meet each state so often (50 times from 5,000 seeds on, else not at all, when absent), and `--misses` worlds in a row may miss it.
// `--after`: all worlds are after that occasion, and no other has to come. With a mutant, that bug is planted first; with `--first`,
// the first seed that fails, and the first occasion that does not come, is the last one. The last line of stdout is a report. The first seeds that fail are named on stderr, each with the
// smallest story in which the same thing goes wrong. Exit code 0: nothing was wrong; 3: something was; 2: a wrong call.
import { createHash } from "node:crypto"
import { parseArgs } from "node:util"
import type { MishapFact, Verdict, World } from "leat/testing"
import { mutantCalled, plantInProcess } from "../mutants/plant.ts"

/** Failing seeds that are shrunk and told. */
const toldMax = 3

/** Lines of a screen. */
const screenLines = 50

/** With so many seeds or more, each occasion has to have come `fullEach` times when nothing else is said. */
const fullSeeds = 5000
const fullEach = 50

const call =
  'npm run simulate -- --seeds N [--seed S] [--each N] [--misses N] [--after "MISHAP while STATE"] [--mutant NAME] [--first] [--json]'

function misuse(sentence: string): never {
  process.stderr.write(`leat: ${sentence}; say ${call}\n`)
  process.exit(2)
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: "string", default: "300" },
        seed: { type: "string", default: "1" },
        each: { type: "string" },
        misses: { type: "string", default: "250" },
        after: { type: "string" },
        mutant: { type: "string" },
        first: { type: "boolean", default: false },
        json: { type: "boolean", default: false }
      },
      strict: true
    })
    const seeds = whole("seeds", values.seeds)
    const each = values.each === undefined ? (seeds < fullSeeds ? 0 : fullEach) : whole("each", values.each)
    return { ...values, seeds, each, seed: whole("seed", values.seed), misses: whole("misses", values.misses) }
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

const { seeds, seed: from, each, misses: missesMax, after, mutant, first: isFirstOnly, json } = readArguments()
if (mutant !== undefined) plantInProcess(mutantCalled(mutant))

// After the hook: static imports would load the sources before it.
const { drawWorld, occasionName, shrinkWorld, storyLines, worldLines } = await import("leat/testing")
const { occasions } = await import("./occasions.ts")
const { waysOfLetters } = await import("./waysOfLetters.ts")
const { tellInMemory, worldAfter } = await import("./worlds.ts")

const given = occasions.find((occasion) => occasionName(occasion) === after)
if (after !== undefined && given === undefined) misuse(`--after ${after}: there is no such occasion`)

const history = createHash("sha256")
const faults: Record<string, Record<string, number>> = {}
/** Those that have to come. */
const wanted = given === undefined ? occasions : [given]
const reached = new Map(wanted.map((occasion) => [occasionName(occasion), 0]))
const ways: Record<string, number> = {}
const failing: Array<string> = []
let worlds = 0
let events = 0
let legs = 0
let violations = 0

/** Every second world is after an occasion, one after the other; the others are as they are drawn. */
function worldOf(seed: number): World {
  const occasion = given ?? (seed % 2 === 0 ? occasions[(seed / 2) % occasions.length] : undefined)
  return occasion === undefined ? drawWorld(seed) : worldAfter(seed, occasion)
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
    `again: npm run simulate -- --seeds 1 --seed ${world.seed}${afterOf(world)}${mutant === undefined ? "" : ` --mutant "${mutant}"`}`,
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

/** What has to be said to get a world again that is not what its seed alone draws. */
function afterOf({ seed, focus }: World): string {
  const isOwn = given === undefined && worldOf(seed).focus === focus
  return isOwn || focus === undefined ? "" : ` --after "${occasionName(focus)}"`
}

/** Tells a world. Returns whether that was the last one. */
function tell(world: World): boolean {
  const { verdicts, occasions: come, chronicle, trace } = tellInMemory(world)
  worlds++
  events += chronicle.calls.size
  legs += chronicle.legs.size
  for (const fact of chronicle.mishaps) count(fact)
  for (const [name, times] of come) if (reached.has(name)) reached.set(name, (reached.get(name) ?? 0) + times)
  for (const [way, times] of Object.entries(waysOfLetters(chronicle))) ways[way] = (ways[way] ?? 0) + times
  history.update(`${world.seed} ${trace}\n${storyLines(chronicle).join("\n")}\n`)
  violations += verdicts.length
  const [verdict] = verdicts
  if (verdict === undefined) return false
  failing.push(`seed ${world.seed}: ${verdict.kind}: ${verdict.evidence}`.slice(0, 500))
  if (failing.length <= toldMax) tellSmallest(world, verdict)
  return isFirstOnly
}

function tellSeeds(): boolean {
  for (let seed = from; seed < from + seeds; seed++) if (tell(worldOf(seed))) return true
  return false
}

/** Worlds after each occasion that has not come often enough, until it has, or does not come. */
function tellScarce(): void {
  let seed = from + seeds
  for (const occasion of wanted) {
    const name = occasionName(occasion)
    const times = () => reached.get(name) ?? 0
    for (let misses = 0; times() < each && misses < missesMax; misses++) {
      const before = times()
      if (tell(worldAfter(seed++, occasion))) return
      if (times() > before) misses = -1
    }
    if (times() < each && isFirstOnly) return
  }
}

if (!tellSeeds()) tellScarce()

/** What came least, and how often. */
function rarestOf(counts: Iterable<readonly [string, number]>): readonly [string, number] {
  const [least = ["", 0] as const] = Array.from(counts).toSorted(([, one], [, other]) => one - other)
  return least
}

const [rarest, rarestTimes] = rarestOf(reached)
const [rarestWay, rarestWayTimes] = rarestOf(Object.entries(ways))
const scarce = Array.from(reached).flatMap(([name, times]) => (times < each ? [`"${name}" came ${times} times`] : []))
const found =
  failing.length > 0
    ? failing.slice(0, toldMax).join("; ")
    : scarce.length > 0
      ? `${scarce.join(", ")}: each has to come ${each} times`
      : undefined
const report = {
  seeds,
  seed: from,
  worlds,
  events,
  legs,
  faults,
  each,
  rarest: { occasion: rarest, times: rarestTimes },
  waysOfLetters: { count: Object.keys(ways).length, rarest: rarestWay, times: rarestWayTimes },
  violations,
  traceHash: history.digest("hex").slice(0, 32)
}
const result = found === undefined ? report : { ...report, failing: failing.length, violation: found }
process.stdout.write(`${json ? JSON.stringify(result) : JSON.stringify(result, undefined, 2)}\n`)
process.exitCode = found === undefined ? 0 : 3
