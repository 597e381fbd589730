// `npm run prove -- [crash|spill|retries|move|move-worlds|corrupt|simulation|day|hostile|topics|memory|isolation|model|mutants|chaos] [--n N] [--minutes M] [--seed S] [--json]`, with `--pair`, `--driver`, `--nodes`, `--outages` and `--order` for moves, and `--share` for mutants: the long proofs. Each is a program of its own,
// which a fault may bring down. Exit code 0: proven; 3: a violation, and how to see it again; 2: a wrong call.
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const ownFlags = {
  /** What a stream moves between. */
  pair: ["logs", "log-kafka", "kafka"],
  /** Through which client Kafka is reached. */
  driver: ["kafkajs", "confluent"],
  /** Of each Kafka. */
  nodes: ["1", "3"],
  /** Whether no process reaches a cluster all the time, and each has a spill. */
  outages: ["none", "spilled"],
  /** Whether moves keep the order of keys. */
  order: ["keep", "relaxed"],
  /** Of the mutants: of each four days one after the other, by the seed of the day. */
  share: ["all", "quarter"]
} as const
type OwnFlag = keyof typeof ownFlags
const ownNames = ["pair", "driver", "nodes", "outages", "order", "share"] as const
const movesOwn = ["pair", "driver", "nodes", "outages", "order"] as const

interface Proof {
  readonly name: string
  readonly says: string
  readonly script: URL
  /** How its script is called; the size and the seed, one after the other, when absent. */
  readonly parameters?: (times: number, seed: number) => ReadonlyArray<string>
  /** Flags of its own, which its script is given as they are. */
  readonly own?: ReadonlyArray<OwnFlag>
  /** Flags of node. */
  readonly node?: ReadonlyArray<string>
  /** The flag that says how much: so many trials, or for so many minutes. */
  readonly flag: "n" | "minutes"
  /** How much CI runs. */
  readonly times: number
  /** Longest time for one of `times`, in milliseconds, all of them taken together. */
  readonly msMax: number
  /** Longest time before and after all of them, in milliseconds. */
  readonly aroundMsMax: number
  /** What else its report must say; a sentence when it does not. */
  readonly fault: (report: Readonly<Record<string, unknown>>) => string | undefined
}

const leat = new URL("../../packages/leat/test/", import.meta.url)
const scripts = new URL("../../packages/log/test/", import.meta.url)
const call =
  "npm run prove -- [crash|spill|retries|move|move-worlds|corrupt|simulation|day|hostile|topics|memory|isolation|model|mutants|chaos] [--n N] [--minutes M] [--seed S] [--json]"

const proofs: ReadonlyArray<Proof> = [
  {
    name: "crash",
    says: "a publishing process is killed: nothing acknowledged is lost, and what it had announced adds up",
    script: new URL("crash/crashLog.ts", scripts),
    flag: "n",
    times: 30,
    msMax: 10_000,
    aroundMsMax: 30_000,
    fault: () => undefined
  },
  {
    name: "spill",
    says: "a process is killed while its cluster comes and goes: nothing that was told safe is lost, and the next one sends it in order",
    script: new URL("spill/crashSpill.ts", scripts),
    flag: "n",
    times: 12,
    msMax: 20_000,
    aroundMsMax: 60_000,
    fault: ({ recovered }) => (Number(recovered) > 0 ? undefined : "nothing was left in the spill")
  },
  {
    name: "retries",
    says: "a process is killed while it moves events to a retry topic and handles them again: none is lost, and they come out in order",
    script: new URL("retries/crashRetries.ts", scripts),
    flag: "n",
    times: 8,
    msMax: 15_000,
    aroundMsMax: 90_000,
    fault: ({ moved }) => (Number(moved) > 0 ? undefined : "nothing was moved")
  },
  {
    name: "move",
    says: "a stream moves between two logs, or brokers, while processes that publish and read it are killed, stopped and cut off: nothing stored is lost, and order holds",
    script: new URL("../move/proveMove.ts", import.meta.url),
    own: movesOwn,
    flag: "n",
    // Each mishap once.
    times: 8,
    // Where somebody was killed, a move waits for a lease, and for a person.
    msMax: 120_000,
    aroundMsMax: 300_000,
    fault: ({ moves, opened, kills, stops, cuts, passedOver }) => {
      if (!(Number(opened) > 1)) return "no move was opened"
      return Number(moves) < 8 || [kills, stops, cuts].every((count) => Number(count) > 0)
        ? undefined
        : `${String(kills)} kills, ${String(stops)} stops, ${String(cuts)} cuts and ${String(passedOver)} writers that were passed over are too few`
    }
  },
  {
    name: "move-worlds",
    says: "worlds in which a stream moves while processes begin, close, are killed and cut off, on virtual time: nothing told stored is lost, no order is broken, every move ends",
    script: new URL("moves/proveMoveWorlds.ts", leat),
    flag: "n",
    times: 40,
    msMax: 60_000,
    aroundMsMax: 60_000,
    fault: ({ seeds, opened, kills, aborted, carries, streams, mirrored, pauses }) => {
      // Some worlds have none of these. 40 of them carried what a spill held 45 to 63 times.
      const isRich =
        Number(seeds) < 20 ||
        (Number(kills) > 0 &&
          Number(aborted) > 0 &&
          Number(carries) >= Number(seeds) / 4 &&
          Number(streams) > Number(seeds) &&
          Number(mirrored) > 0 &&
          Number(pauses) > 0)
      return isRich && Number(opened) > 2 * Number(seeds)
        ? undefined
        : `${String(opened)} epochs, ${String(kills)} kills, ${String(aborted)} moves that were called off, ${String(carries)} spills that were carried, ${String(streams)} streams, ${String(mirrored)} events in mirrors and ${String(pauses)} pauses are too few`
    }
  },
  {
    name: "corrupt",
    says: "bits are flipped and files cut: a typed error, correct bytes, or a counted quarantine",
    script: new URL("corrupt/corruptLog.ts", scripts),
    flag: "n",
    times: 120,
    msMax: 5_000,
    aroundMsMax: 30_000,
    fault: () => undefined
  },
  {
    name: "simulation",
    says: "worlds of many publishers, groups and faults, on virtual time: nothing is lost, doubled, reordered or told wrongly, and each fault meets each state of a lane",
    script: new URL("simulation/simulateWorlds.ts", leat),
    parameters: (times, seed) => ["--seeds", String(times), "--seed", String(seed), "--each", "50", "--json"],
    flag: "n",
    times: 600,
    msMax: 500,
    // Three times as many worlds come after that, until each fault has met each state often enough; and a seed that fails is shrunk.
    aroundMsMax: 900_000,
    fault: ({ legs, seeds, rarest, waysOfLetters }) =>
      Number(legs) > 10 * Number(seeds) && timesOf(rarest) >= 50 && timesOf(waysOfLetters) >= 20
        ? undefined
        : `${String(legs)} legs are too few, or a fault met a state, or dead letters went a way, too seldom: ${JSON.stringify({ rarest, waysOfLetters })}`
  },
  {
    name: "day",
    says: "24 hours of a hundred publishers, on virtual time, with a few retries, then drop: less than 0.001 % is lost, every drop is counted, the audit misses nothing",
    script: new URL("simulation/liveDay.ts", leat),
    flag: "n",
    // Hours.
    times: 24,
    msMax: 15_000,
    aroundMsMax: 60_000,
    fault: ({ offered, hours }) =>
      Number(offered) > 15_000 * Number(hours) ? undefined : `${String(offered)} events are too few`
  },
  {
    name: "hostile",
    says: "payloads, headers, documents, policies and blocks that are not what they should be: a value or a typed error, and the heap stays",
    script: new URL("../hostile/hostileInputs.ts", import.meta.url),
    // An input that asks for much breaks a small heap.
    node: ["--expose-gc", "--max-old-space-size=256"],
    flag: "n",
    times: 150_000,
    msMax: 5,
    aroundMsMax: 60_000,
    fault: ({ answers }) =>
      typeof answers === "object" && answers !== null && Object.keys(answers).length >= 10
        ? undefined
        : "not every kind of input was given"
  },
  {
    name: "topics",
    says: "mutated records beside healthy ones, in a topic, its dead letters, replays and retries: each healthy event is handled once and in order",
    script: new URL("../hostile/hostileTopics.ts", import.meta.url),
    node: ["--expose-gc", "--max-old-space-size=256"],
    flag: "n",
    times: 8000,
    msMax: 50,
    aroundMsMax: 120_000,
    fault: ({ memory, log }) => (memory !== undefined && log !== undefined ? undefined : "it did not run")
  },
  {
    name: "memory",
    says: "clusters that are dead in five ways, at 10,000 events a second: the process keeps to its buffers, and every event ends somewhere",
    script: new URL("../memory/holdDeadSinks.ts", import.meta.url),
    node: ["--expose-gc"],
    flag: "minutes",
    times: 1,
    // So long, five times as long on virtual time, and what the sinks held is given away.
    msMax: 240_000,
    aroundMsMax: 600_000,
    fault: ({ real }) => (real === undefined ? "it did not run" : undefined)
  },
  {
    name: "isolation",
    says: "what publish takes beside clusters that are dead in five ways, against what it takes beside one that is well",
    script: new URL("../isolation/measureNeighbours.ts", import.meta.url),
    flag: "n",
    // Turns of each kind: four seconds.
    times: 3,
    msMax: 60_000,
    aroundMsMax: 120_000,
    fault: ({ p99Ms }) =>
      typeof p99Ms === "object" && p99Ms !== null && Object.keys(p99Ms).length === 5 ? undefined : "it did not run"
  },
  {
    name: "model",
    says: "all states of small fleets that move a stream: I1 to I11 hold in each, and each bug of the protocol has a counter-example",
    script: new URL("control/exploreControl.ts", leat),
    parameters: () => ["--json"],
    flag: "n",
    times: 1,
    msMax: 600_000,
    aroundMsMax: 60_000,
    fault: ({ states, mutants, found }) =>
      Number(states) > 1_000_000 && Number(mutants) >= 12 && mutants === found
        ? undefined
        : `${String(states)} states, ${String(found)} of ${String(mutants)} mutants`
  },
  {
    name: "mutants",
    says: "a bug is planted in a copy of the sources: the fast proofs find each of them",
    script: new URL("mutants/proveMutants.ts", leat),
    own: ["share"],
    flag: "n",
    // Stories, or worlds, until one finds it.
    times: 60,
    msMax: 30_000,
    aroundMsMax: 600_000,
    fault: ({ total, killed }) =>
      Number(total) >= 100 && total === killed ? undefined : `${String(killed)} of ${String(total)} were killed`
  },
  {
    name: "chaos",
    says: "three Kafka nodes are killed, stopped and cut off under load, through both drivers: nothing acknowledged is lost, order holds",
    script: new URL("../chaos/chaosKafka.ts", import.meta.url),
    flag: "minutes",
    times: 2,
    msMax: 60_000,
    // The last mishap may take four minutes, coming to rest and ending five and a half, the judging two.
    aroundMsMax: 720_000,
    fault: ({ loads }) => {
      const idle = Array.isArray(loads) && loads.find(({ stored }: { readonly stored: number }) => stored < 1000)
      return idle ? `a load stored next to nothing: ${JSON.stringify(idle)}` : undefined
    }
  }
]

/** How often the rarest of its kind came, as a report says it. */
function timesOf(rarest: unknown): number {
  return Number((rarest as { readonly times?: number } | undefined)?.times)
}

function misuse(sentence: string): never {
  process.stderr.write(`leat: ${sentence}\n`)
  process.exit(2)
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      options: {
        n: { type: "string" },
        minutes: { type: "string" },
        seed: { type: "string" },
        pair: { type: "string" },
        driver: { type: "string" },
        nodes: { type: "string" },
        outages: { type: "string" },
        order: { type: "string" },
        share: { type: "string" },
        json: { type: "boolean", default: false }
      },
      allowPositionals: true,
      strict: true
    })
    return { ...values, names: positionals }
  } catch (error) {
    const [sentence = ""] = (error instanceof Error ? error.message : String(error)).split(/\. To|\n/)
    return misuse(`${sentence}; say ${call}`)
  }
}

function whole(flag: string, text: string): number {
  const value = Number(text)
  return Number.isSafeInteger(value) && value > 0
    ? value
    : misuse(`--${flag} ${text}: it must be a whole number above 0`)
}

/** What a proof has to say of a violation: its last line, or that part of it when it is a report. */
function violationOf(last: string): string {
  try {
    const report = JSON.parse(last) as unknown
    const isReport = typeof report === "object" && report !== null && "violation" in report
    return isReport && typeof report.violation === "string" ? report.violation : last
  } catch {
    return last
  }
}

function inOrder(times: number, seed: number): ReadonlyArray<string> {
  return [String(times), String(seed)]
}

/** Own flags of a proof, as its script is given them. */
function ownOf({ own = [] }: Proof): ReadonlyArray<string> {
  return own.flatMap((name) => (ownTold[name] === undefined ? [] : [`--${name}`, ownTold[name]]))
}

function prove(proof: Proof, times: number, seed: number) {
  const { name, script, flag, msMax, aroundMsMax, fault, node = [], parameters = inOrder } = proof
  const own = ownOf(proof)
  const program = [...node, "--conditions=@leat/source", fileURLToPath(script), ...parameters(times, seed), ...own]
  const { status, signal, stdout } = spawnSync(process.execPath, program, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    timeout: aroundMsMax + times * msMax,
    killSignal: "SIGKILL"
  })
  const again = `npm run prove -- ${name}${["", ...own].join(" ")} --${flag} ${times} --seed ${seed}`
  const last = stdout.trim().split("\n").at(-1) ?? ""
  if (status !== 0) {
    // What a proof has to say of a violation is its last line; one that died has said why on stderr.
    const how = `it ended with ${signal ?? `code ${String(status)}`}; see above`
    const why = last === "" ? how : status === 3 ? violationOf(last) : `${how}; its last line was ${last}`
    return { proof: name, proven: false, violation: why, again }
  }
  const report = JSON.parse(last) as Readonly<Record<string, unknown>>
  const violation = fault(report)
  return violation === undefined
    ? { proof: name, proven: true, ...report }
    : { proof: name, proven: false, violation, again, ...report }
}

const { names, n, minutes, seed: seedText, json, ...ownTold } = readArguments()
const unknown = names.find((name) => !proofs.some((one) => one.name === name))
if (unknown !== undefined) misuse(`${unknown}: there is ${proofs.map(({ name }) => name).join(", ")}`)
const chosen = names.length === 0 ? proofs : proofs.filter(({ name }) => names.includes(name))
// Of the day: what fails in CI fails again when it is run again. Ten thousand for each day, because some proofs count on from it.
const seed = seedText === undefined ? 10_000 * Math.floor(Date.now() / 86_400_000) : whole("seed", seedText)
const told = {
  n: n === undefined ? undefined : whole("n", n),
  minutes: minutes === undefined ? undefined : whole("minutes", minutes)
}
const useless = (["n", "minutes"] as const).find(
  (flag) => told[flag] !== undefined && !chosen.some((proof) => proof.flag === flag)
)
if (useless !== undefined)
  misuse(`--${useless}: ${chosen.map(({ name, flag }) => `${name} takes --${flag}`).join(", ")}`)
for (const name of ownNames) {
  const value = ownTold[name]
  if (value === undefined) continue
  const takers = proofs.filter(({ own = [] }) => own.includes(name))
  const allowed: ReadonlyArray<string> = ownFlags[name]
  if (!allowed.includes(value)) misuse(`--${name} ${value}: it is one of ${allowed.join(", ")}`)
  if (!chosen.some((proof) => takers.includes(proof)))
    misuse(`--${name}: only ${takers.map((proof) => proof.name).join(", ")} takes it`)
}

let failed = 0
const reports: Array<object> = []
for (const proof of chosen) {
  process.stderr.write(`prove ${proof.name} (seed ${seed}): ${proof.says}\n`)
  const result = prove(proof, told[proof.flag] ?? proof.times, seed)
  if (!result.proven) failed++
  reports.push(result)
  if (!json) process.stdout.write(`${result.proven ? "proven" : "VIOLATED"} ${proof.name}: ${JSON.stringify(result)}\n`)
}
if (json) process.stdout.write(`${JSON.stringify(reports.length === 1 ? reports[0] : { proofs: reports })}\n`)
else process.stdout.write(`${chosen.length - failed} passed, ${failed} failed\n`)
process.exitCode = failed === 0 ? 0 : 3
