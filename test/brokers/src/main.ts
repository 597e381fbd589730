// `npm run broker -- kafka [--nodes 1|3]`: a broker to try leat with. Stdout gets one line, `bootstrap=HOST:PORT[,...]`, when the
// broker serves; everything else goes to stderr. Exit code 0: stopped by a signal; 1: no broker here; 2: a wrong call.
import { parseArgs } from "node:util"
import { startKafka } from "./startKafka.ts"

const lookMs = 500
const call = "npm run broker -- kafka [--nodes 1|3]"

function end(sentence: string, exitCode: 1 | 2): never {
  process.stderr.write(`leat: ${sentence}\n`)
  process.exit(exitCode)
}

function readArguments(): { readonly nodes: 1 | 3 } {
  try {
    const { values, positionals } = parseArgs({
      options: { nodes: { type: "string", default: "1" }, help: { type: "boolean", default: false } },
      allowPositionals: true,
      strict: true
    })
    if (values.help) {
      process.stdout.write(
        `${call}\nA real Kafka on this machine, without containers, until Ctrl-C. Prints bootstrap=HOST:PORT.\n`
      )
      process.exit(0)
    }
    const [broker, ...more] = positionals
    if (broker === undefined) return end(`which broker? say ${call}`, 2)
    if (broker !== "kafka" || more.length > 0) {
      return end(`there is no broker "${positionals.join(" ")}", only kafka; say ${call}`, 2)
    }
    if (values.nodes !== "1" && values.nodes !== "3") {
      return end(`--nodes ${values.nodes} is not possible, only 1 or 3; say ${call}`, 2)
    }
    return { nodes: values.nodes === "1" ? 1 : 3 }
  } catch (error) {
    const [sentence = ""] = (error instanceof Error ? error.message : String(error)).split(/\. To|\n/)
    return end(`${sentence}; say ${call}`, 2)
  }
}

const { nodes } = readArguments()
// From here on, so that a signal during the start is not lost either. The watchdog cleans up if it comes before `close` exists.
const stopped = new Promise<void>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve())
  // npm may be killed so that it cannot pass the signal on: whoever it ran for is gone then, too.
  const { ppid } = process
  const look = () => {
    if (process.ppid !== ppid) resolve()
  }
  if (process.env["npm_lifecycle_event"] === "broker") setInterval(look, lookMs)
})
const say = (sentence: string) => void process.stderr.write(`leat: ${sentence}\n`)
say(`starting Kafka, ${nodes === 1 ? "one node" : `${nodes} nodes`}`)
const kafka = await Promise.race([startKafka({ nodes }, say), stopped]).catch((error: unknown) =>
  end(error instanceof Error ? error.message : String(error), 1)
)
if (kafka !== undefined) {
  process.stdout.write(`bootstrap=${kafka.bootstrap}\n`)
  say(`Kafka runs until Ctrl-C, as process ${kafka.nodes.map(({ pid }) => pid).join(", ")}`)
  // Signals alone do not keep this process alive.
  setInterval(() => undefined, 60_000)
  await stopped
  await kafka.close()
}
process.exit(0)
