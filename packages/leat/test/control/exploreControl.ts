// `npm run model -- [--json] [--small | --large] [--setup NAME] [--mutant NAME]`: all states of the model of the control stream, setup by setup, and the mutants
// of its protocol, each with a shortest story in which it breaks an invariant. The last line of stdout is a report. Exit code 0: the protocol
// holds and each mutant is found; 3: it does not, or one is not; 2: a wrong call.
import { parseArgs } from "node:util"
import { explore, type Explored } from "./explore.ts"
import { loadMachine, rightConduct } from "./Machine.ts"
import { plantByAddress, type ProtocolMutant, protocolMutants } from "./protocolMutants.ts"
import { setups, statesMax } from "./setups.ts"
import type { Setup } from "./World.ts"

/** A mutant has to be found within so many states. */
const mutantStatesMax = 1_000_000

const call = "npm run model -- [--json] [--small | --large] [--setup NAME] [--mutant NAME]"

function misuse(sentence: string): never {
  process.stderr.write(`leat: ${sentence}; say ${call}\n`)
  process.exit(2)
}

function readArguments() {
  const flag = { type: "boolean", default: false } as const
  try {
    const { values } = parseArgs({
      options: { json: flag, small: flag, large: flag, setup: { type: "string" }, mutant: { type: "string" } },
      strict: true
    })
    return values
  } catch (error) {
    const [sentence = ""] = (error instanceof Error ? error.message : String(error)).split(/\. To|\n/)
    return misuse(sentence)
  }
}

const { json, small, large, setup: setupName, mutant: mutantName } = readArguments()
const say = (text: string): void => void (json ? process.stderr : process.stdout).write(`${text}\n`)

function setupCalled(name: string): Setup {
  return setups.find((setup) => setup.name === name) ?? misuse(`there is no setup ${name}`)
}

function tell(title: string, { states, depth, isCut, seconds, violation }: Explored): void {
  const extent = violation !== undefined ? "broken at depth" : isCut ? "cut at depth" : "all, up to depth"
  const size = `${states.toLocaleString("en")} states, ${extent} ${depth}, ${seconds} s`
  say(`${title}: ${size}${violation === undefined ? "" : `: ${violation.what}`}`)
}

function tellStory({ violation }: Explored): void {
  for (const [index, line] of (violation?.story ?? []).entries()) say(`  ${String(index + 1).padStart(2)}. ${line}`)
}

async function explored(): Promise<ReadonlyArray<Explored>> {
  const machine = await loadMachine()
  const chosen = setupName === undefined ? setups : [setupCalled(setupName)]
  const max = statesMax[small ? "small" : large ? "large" : "ci"]
  return chosen.map((setup) => {
    const found = explore(setup, { machine, statesMax: max })
    tell(`${setup.name} (${setup.says})`, found)
    tellStory(found)
    return found
  })
}

interface Found {
  readonly mutant: string
  readonly setup: string
  readonly breaks: string
  readonly found: string | undefined
  readonly states: number
  readonly steps: number
}

async function foundMutant(mutant: ProtocolMutant): Promise<Found> {
  const machine = await loadMachine(`?mutant=${protocolMutants.indexOf(mutant)}`)
  const conduct = { ...rightConduct, ...mutant.conduct }
  const found = explore(setupCalled(mutant.in), { machine, conduct, statesMax: mutantStatesMax })
  tell(`mutant "${mutant.name}" in ${mutant.in}`, found)
  if (mutantName !== undefined || !small) tellStory(found)
  const { states, violation } = found
  const { name, in: setup, breaks } = mutant
  return { mutant: name, setup, breaks, found: violation?.what, states, steps: violation?.story.length ?? 0 }
}

/** All; where little time is wanted, the first for each invariant. */
function chosenMutants(): ReadonlyArray<ProtocolMutant> {
  if (mutantName !== undefined) {
    const named = protocolMutants.filter(({ name }) => name === mutantName)
    return named.length === 0 ? misuse(`there is no mutant ${mutantName}`) : named
  }
  if (setupName !== undefined) return []
  const isFirst = ({ breaks }: ProtocolMutant, index: number): boolean =>
    protocolMutants.findIndex((one) => one.breaks === breaks) === index
  return small ? protocolMutants.filter(isFirst) : protocolMutants
}

plantByAddress()
const runs = mutantName === undefined ? await explored() : []
const mutants: Array<Found> = []
for (const mutant of chosenMutants()) mutants.push(await foundMutant(mutant))
const violations = runs.filter(({ violation }) => violation !== undefined)
const missed = mutants.filter(({ found, breaks }) => found?.startsWith(`${breaks}:`) !== true)
const [bad] = violations
const violation =
  bad !== undefined
    ? `${bad.setup}: ${bad.violation?.what ?? ""}`
    : missed.length > 0
      ? `not found, or for another reason: ${missed.map(({ mutant, found }) => `${mutant} (${found ?? "nothing"})`).join(", ")}`
      : undefined
const report = {
  states: runs.reduce((sum, { states }) => sum + states, 0),
  depth: Math.max(0, ...runs.map(({ depth }) => depth)),
  seconds: Math.round(runs.reduce((sum, { seconds }) => sum + seconds, 0)),
  violations: violations.length,
  mutants: mutants.length,
  found: mutants.length - missed.length,
  ...(violation === undefined ? {} : { violation }),
  setups: runs.map(({ violation: what, ...run }) => ({ ...run, ...(what === undefined ? {} : { violation: what }) })),
  byMutant: mutants
}
if (json) process.stdout.write(`${JSON.stringify(report)}\n`)
else if (violation !== undefined) say(violation)
else if (mutantName !== undefined) say("found")
else say(`${report.states.toLocaleString("en")} states hold; ${mutants.length} mutants are found`)
process.exitCode = violation === undefined ? 0 : 3
