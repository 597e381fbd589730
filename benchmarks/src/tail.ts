/** From `offer` in this process to the handler in another, on one log directory, under a light steady load. */
import { log } from "@leat/log"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { Effect } from "effect"
import { Leat } from "leat"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { inFolder, logRoutes } from "./log.ts"
import { sighting } from "./sighting.ts"

const events = 1000
const everyMs = 5

export interface TailFigures {
  readonly events: number
  /** Milliseconds; both processes read the machine's monotonic clock. */
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p99Ms: number
}

export function benchTail(): Promise<TailFigures> {
  return inFolder(async (directory) => {
    const script = fileURLToPath(new URL("tailConsumer.ts", import.meta.url))
    const consumer = spawn(process.execPath, ["--conditions=@leat/source", script, directory, String(events)], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    const deadline = setTimeout(() => consumer.kill("SIGKILL"), 60_000)
    const [ready] = (await once(consumer.stdout, "data")) as [Buffer]
    if (!ready.toString().startsWith("ready")) throw new Error(`the consumer said ${ready.toString()}`)
    const told = once(consumer.stdout, "data") as Promise<[Buffer]>
    const program = Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "benchmark", routes: logRoutes(directory, 100), drivers: [log] })
      const stream = yield* leat.stream(BeaconSighting)
      for (let index = 0; index < events; index++) {
        stream.offer({ ...sighting(index), seenAtUs: process.hrtime.bigint() / 1000n })
        yield* Effect.sleep(everyMs)
      }
    }).pipe(Effect.scoped)
    await Effect.runPromise(program)
    const [report] = await told
    clearTimeout(deadline)
    return JSON.parse(report.toString()) as TailFigures
  })
}
