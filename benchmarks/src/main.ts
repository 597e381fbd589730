// `npm run bench -- [publish|deadSink|log|tail|reopen|handlers|streams|kafka|all] [--json] [--quick] [--save FILE]`: figures of one run. Ratios
// travel between machines, absolute figures do not. `--quick`: less of what takes minutes. `--save` keeps what the file has of other
// benchmarks. `npm run bench -- picture` draws benchmarks/results.json.
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { Effect, Logger } from "effect"
import { benchDeadSink } from "./deadSink.ts"
import { benchHandlers } from "./handlers.ts"
import { benchKafka } from "./kafka/benchKafka.ts"
import { full, quick } from "./kafka/plan.ts"
import { benchLog, benchReopen } from "./log.ts"
import { picture } from "./picture.ts"
import { benchPublish } from "./publish.ts"
import { type Results, table } from "./results.ts"
import { benchStreams } from "./streams.ts"
import { benchTail } from "./tail.ts"

interface Wishes {
  readonly isQuick: boolean
}

const say = (sentence: string) => void process.stderr.write(`leat: ${sentence}\n`)
const benches: { readonly [N in keyof Results]-?: (wishes: Wishes) => Promise<Results[N]> } = {
  publish: benchPublish,
  deadSink: () => Effect.runPromise(Effect.provideService(benchDeadSink, Logger.LogToStderr, true)),
  log: benchLog,
  tail: benchTail,
  reopen: benchReopen,
  handlers: benchHandlers,
  streams: benchStreams,
  kafka: ({ isQuick }) => benchKafka(isQuick ? quick : full, say)
}
const names = Object.keys(benches) as ReadonlyArray<keyof Results>
const byDefault: ReadonlyArray<keyof Results> = ["publish", "deadSink"]
const results = new URL("../results.json", import.meta.url)
const drawn = new URL("../results.svg", import.meta.url)

function misuse(sentence: string): never {
  process.stderr.write(`leat: ${sentence}\n`)
  process.exit(2)
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        json: { type: "boolean", default: false },
        quick: { type: "boolean", default: false },
        save: { type: "string" }
      },
      allowPositionals: true,
      strict: true
    })
  } catch (error) {
    return misuse(error instanceof Error ? (error.message.split(/\. To|\n/)[0] ?? "") : String(error))
  }
}

const { values, positionals } = readArguments()
if (positionals.includes("picture")) {
  writeFileSync(drawn, picture(JSON.parse(readFileSync(results, "utf8")) as Results))
} else {
  const unknown = positionals.find((name) => name !== "all" && !names.some((one) => one === name))
  if (unknown !== undefined) misuse(`${unknown}: there is ${names.join(", ")}, all and picture`)
  const chosen = positionals.includes("all")
    ? names
    : positionals.length === 0
      ? byDefault
      : names.filter((name) => positionals.includes(name))
  const figures: Record<string, unknown> = {}
  for (const name of chosen) {
    figures[name] = await benches[name]({ isQuick: values.quick })
    if (!values.json) console.log(table({ [name]: figures[name] }))
  }
  if (values.json) console.log(JSON.stringify(figures))
  if (values.save !== undefined) {
    const kept = existsSync(values.save) ? (JSON.parse(readFileSync(values.save, "utf8")) as Results) : {}
    writeFileSync(values.save, `${JSON.stringify({ ...kept, ...figures }, undefined, 2)}\n`)
  }
}
