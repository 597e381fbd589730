/** What a sink that never answers costs the process: its budget, and no more. */
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { Effect } from "effect"
import { type Driver, Leat, memory } from "leat"

const budgetBytes = 16 * 1024 * 1024
const events = 2_000_000

export interface DeadSinkFigures {
  readonly budgetBytes: number
  readonly offered: number
  readonly dropped: number
  /** Most that the buffer held. */
  readonly bufferBytesMax: number
  /** What the process grew by, after a collection. */
  readonly processBytesGrown: number
}

/** A cluster that takes a send and says nothing more. */
const dead: Driver = {
  ...memory,
  name: "dead",
  open: (cluster, config) =>
    Effect.map(memory.open(cluster, config), (transport) => ({
      ...transport,
      openWriter: (topic) => Effect.map(transport.openWriter(topic), (writer) => ({ ...writer, send: () => undefined }))
    }))
}

const routes = {
  version: 1,
  clusters: { far: { transport: "dead" } },
  routes: [
    {
      match: { stream: "*" },
      to: [
        { cluster: "far", topic: "{stream}", buffer: { bytes: budgetBytes, overflow: "dropOldest" }, timeout: "1 hour" }
      ]
    }
  ]
}

export const benchDeadSink: Effect.Effect<DeadSinkFigures> = Effect.gen(function* () {
  const leat = yield* Leat.make({ source: "benchmark", routes, drivers: [dead], drain: "1 milli" })
  const stream = yield* leat.stream(BeaconSighting)
  let bufferBytesMax = 0
  collect()
  const before = process.memoryUsage().rss
  for (let index = 0; index < events; index++) {
    const told = stream.offer({
      beaconId: `beacon-${index % 100}`,
      sensorId: "b827eb4521b4",
      rssiDbm: -60,
      seenAtUs: BigInt(index),
      inputRef: ""
    })
    if (!told.admitted) return yield* Effect.die(new Error(`the benchmark's event was rejected: ${told.reason}`))
    if (index % 10_000 !== 0) continue
    bufferBytesMax = Math.max(bufferBytesMax, leat.sinks()[0]?.bufferedBytes ?? Number.NaN)
    yield* Effect.yieldNow
  }
  collect()
  const processBytesGrown = process.memoryUsage().rss - before
  const [leg] = leat.ledger.snapshot().legs
  return { budgetBytes, offered: events, dropped: leg?.dropped["overflow"] ?? 0, bufferBytesMax, processBytesGrown }
}).pipe(Effect.scoped, Effect.orDie)

function collect(): void {
  globalThis.gc?.()
}
