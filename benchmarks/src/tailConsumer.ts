// The other process of `tail.ts`: tailConsumer.ts <directory> <events>. Says `ready`, and at the end one JSON object.
import { log } from "@leat/log"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { Effect } from "effect"
import { Leat } from "leat"
import { waitUntil } from "leat/testing"
import { logRoutes } from "./log.ts"
import { round } from "./measure.ts"

const [directory = "", count = "0"] = process.argv.slice(2)
const latencies: Array<number> = []

const program = Effect.gen(function* () {
  const leat = yield* Leat.make({ source: "benchmark", routes: logRoutes(directory, 100), drivers: [log] })
  const stream = yield* leat.stream(BeaconSighting)
  yield* stream.handle("tail", ({ seenAtUs }) =>
    Effect.sync(() => void latencies.push(Number(process.hrtime.bigint() / 1000n - seenAtUs) / 1000))
  )
  process.stdout.write("ready\n")
  yield* waitUntil(
    "all came",
    Effect.sync(() => latencies.length >= Number(count)),
    { withinMs: 50_000 }
  )
  const sorted = latencies.toSorted((left, right) => left - right)
  const at = (part: number) => round(sorted[Math.floor(sorted.length * part)] ?? Number.NaN)
  process.stdout.write(
    `${JSON.stringify({ events: sorted.length, p50Ms: at(0.5), p90Ms: at(0.9), p99Ms: at(0.99) })}\n`
  )
}).pipe(Effect.scoped)

await Effect.runPromise(program)
