// Gives leat what nobody expects: mutated payloads, events, headers, documents, policies, blocks and batches. Each is answered by a value or
// a typed error, soon; no prototype is changed, and the heap does not grow. Exit code 0: so it was; 3: it was not, and the last line says
// what and which input. It wants `--expose-gc`, and a small heap (`--max-old-space-size=256`), which an input that asks for much would break.
//   node --expose-gc --max-old-space-size=256 --conditions=@leat/source test/hostile/hostileInputs.ts [inputs] [seed] [planted bug]
import { inspect } from "node:util"
import { plantInProcess } from "../../packages/leat/test/mutants/plant.ts"
import { plantedCalled } from "./planted.ts"
import type { Target } from "./Target.ts"

const inputs = Number(process.argv[2] ?? 20_000)
const seed = Number(process.argv[3] ?? 1)
const bug = process.argv[4]
if (bug !== undefined) plantInProcess(plantedCalled(bug))

// After the hook: static imports would load the sources before it.
const { seededRandom } = await import("leat/testing")
const { blockTargets } = await import("./blocks.ts")
const { documentTargets } = await import("./documents.ts")
const { headerTargets } = await import("./headers.ts")
const { payloadTargets } = await import("./payloads.ts")
const { isPolluted } = await import("./prototypes.ts")

/** Longest time that one input may take, in milliseconds of this process. */
const inputMsMax = 1000

/** Bytes that the heap may grow by, whatever was given. */
const heapGrowthMax = 64 * 1024 * 1024

/** Inputs between two looks at the heap and at the prototypes. */
const lookEvery = 1024

const targets: ReadonlyArray<Target> = [...payloadTargets, ...headerTargets, ...documentTargets, ...blockTargets]
const shares = targets.reduce((sum, { share }) => sum + share, 0)
const random = seededRandom(seed)
const answers: Record<string, Record<string, number>> = {}

function drawTarget(): Target {
  let at = random() * shares
  for (const target of targets) {
    at -= target.share
    if (at < 0) return target
  }
  throw new Error("shares do not add up")
}

/** What an input looks like, whoever prints it. */
function shown(input: unknown): string {
  const text = input instanceof Uint8Array ? Buffer.from(input).toString("hex") : inspect(input, { depth: 8 })
  return text.replaceAll("\n", " ").slice(0, 600)
}

/** What is wrong with everything together; undefined when nothing is. */
function look(heapAtStart: number): string | undefined {
  if (isPolluted()) return "a prototype was changed"
  if (heapUsed() - heapAtStart < heapGrowthMax) return undefined
  globalThis.gc?.()
  const grown = heapUsed() - heapAtStart
  return grown < heapGrowthMax ? undefined : `the heap has grown by ${grown} bytes`
}

function heapUsed(): number {
  const { heapUsed: used, external } = process.memoryUsage()
  return used + external
}

function giveOne(target: Target): string | undefined {
  let input: unknown
  const began = performance.now()
  const { user } = process.cpuUsage()
  try {
    const answer = target.give(random, (given) => (input = given))
    const own = (answers[target.name] ??= {})
    own[answer] = (own[answer] ?? 0) + 1
  } catch (error) {
    return `${String(error)}: ${shown(input)}`
  }
  // A machine with other work to do is not the fault of an input.
  const isSlow = performance.now() - began > inputMsMax && (process.cpuUsage().user - user) / 1000 > inputMsMax
  return isSlow ? `took more than ${inputMsMax} ms: ${shown(input)}` : undefined
}

function giveAll(): string | undefined {
  globalThis.gc?.()
  const heapAtStart = heapUsed()
  for (let input = 1; input <= inputs; input++) {
    const target = drawTarget()
    const wrong = giveOne(target) ?? (input % lookEvery === 0 || input === inputs ? look(heapAtStart) : undefined)
    if (wrong !== undefined) return `input ${input}, ${target.name}: ${wrong}`
  }
  return undefined
}

const violation = giveAll()
const report = { n: inputs, seed, answers }
process.stdout.write(`${JSON.stringify(violation === undefined ? report : { ...report, violation })}\n`)
process.exitCode = violation === undefined ? 0 : 3
