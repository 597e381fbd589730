// `npm run prove -- [crash|corrupt] [--n N] [--seed S] [--json]`: the long proofs. Each is a program of its own, which a fault may
// bring down. Exit code 0: proven; 3: a violation, and how to see it again; 2: a wrong call.
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

interface Proof {
  readonly name: string
  readonly says: string
  readonly script: URL
  /** What CI runs. */
  readonly times: number
  /** Longest time for one of `times`, in milliseconds. */
  readonly msMax: number
  /** What else its report must say; a sentence when it does not. */
  readonly fault: (report: Readonly<Record<string, unknown>>) => string | undefined
}

const scripts = new URL("../../packages/log/test/", import.meta.url)

const proofs: ReadonlyArray<Proof> = [
  {
    name: "crash",
    says: "a publishing process is killed: nothing acknowledged is lost, and what it had announced adds up",
    script: new URL("crash/crashLog.ts", scripts),
    times: 50,
    msMax: 10_000,
    fault: ({ kills, inTheMiddle, openMsMax }) => {
      if (Number(inTheMiddle) < Number(kills) * 0.8)
        return `only ${String(inTheMiddle)} of ${String(kills)} kills fell between the first and the last acknowledgement`
      return Number(openMsMax) >= 1000 ? `the log took ${String(openMsMax)} ms to open again` : undefined
    }
  },
  {
    name: "corrupt",
    says: "bits are flipped and files cut: a typed error, correct bytes, or a counted quarantine",
    script: new URL("corrupt/corruptLog.ts", scripts),
    times: 200,
    msMax: 25_000,
    fault: () => undefined
  }
]

function misuse(sentence: string): never {
  process.stderr.write(`leat: ${sentence}\n`)
  process.exit(2)
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      options: { n: { type: "string" }, seed: { type: "string" }, json: { type: "boolean", default: false } },
      allowPositionals: true,
      strict: true
    })
    return { ...values, names: positionals }
  } catch (error) {
    const [sentence = ""] = (error instanceof Error ? error.message : String(error)).split(/\. To|\n/)
    return misuse(`${sentence}; say npm run prove -- [crash|corrupt] [--n N] [--seed S] [--json]`)
  }
}

function whole(flag: string, text: string): number {
  const value = Number(text)
  return Number.isSafeInteger(value) && value > 0
    ? value
    : misuse(`--${flag} ${text}: it must be a whole number above 0`)
}

function prove({ name, script, msMax, fault }: Proof, times: number, seed: number) {
  const parameters = ["--conditions=@leat/source", fileURLToPath(script), String(times), String(seed)]
  const { status, signal, stdout } = spawnSync(process.execPath, parameters, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    timeout: 30_000 + times * msMax,
    killSignal: "SIGKILL"
  })
  const again = `npm run prove -- ${name} --n ${times} --seed ${seed}`
  const last = stdout.trim().split("\n").at(-1) ?? ""
  if (status !== 0) {
    const why = last === "" ? `it ended with ${signal ?? `code ${String(status)}`}` : last
    return { proof: name, proven: false, violation: why, again }
  }
  const report = JSON.parse(last) as Readonly<Record<string, unknown>>
  const violation = fault(report)
  return violation === undefined
    ? { proof: name, proven: true, ...report }
    : { proof: name, proven: false, violation, again, ...report }
}

const { names, n, seed: seedText, json } = readArguments()
const unknown = names.find((name) => !proofs.some((one) => one.name === name))
if (unknown !== undefined) misuse(`${unknown}: there is ${proofs.map(({ name }) => name).join(", ")}`)
const chosen = names.length === 0 ? proofs : proofs.filter(({ name }) => names.includes(name))
const seed = seedText === undefined ? 1 + (Date.now() % 1_000_000) : whole("seed", seedText)
const times = n === undefined ? undefined : whole("n", n)

let failed = 0
const reports: Array<object> = []
for (const proof of chosen) {
  process.stderr.write(`prove ${proof.name} (seed ${seed}): ${proof.says}\n`)
  const told = prove(proof, times ?? proof.times, seed)
  if (!told.proven) failed++
  reports.push(told)
  if (!json) process.stdout.write(`${told.proven ? "proven" : "VIOLATED"} ${proof.name}: ${JSON.stringify(told)}\n`)
}
if (json) process.stdout.write(`${JSON.stringify(reports.length === 1 ? reports[0] : { proofs: reports })}\n`)
else process.stdout.write(`${chosen.length - failed} passed, ${failed} failed\n`)
process.exitCode = failed === 0 ? 0 : 3
