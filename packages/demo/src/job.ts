import { readFileSync } from "node:fs"
import { Clock, Effect, Stream } from "effect"
import { type EventStream, Leat, type OpenLeat } from "leat"
import type { JobArguments } from "./arguments.ts"
import { openStreams, startConsumers, type Streams } from "./consumers.ts"
import { differences, estimateText, Expected, securityText, sosText } from "./Expected.ts"
import { floorPlanFor } from "./input/floorPlan.ts"
import { generateSample } from "./input/sample.ts"
import { fileSource, inSequence, type InputSource, sampleSource, type TimedLine } from "./input/source.ts"
import { measure, replay } from "./replay.ts"
import type { Report, Summary } from "./Report.ts"

const defaultRoutes = new URL("../routes/memory.yaml", import.meta.url)

/** How long the consumers may take to catch up after the last line, in milliseconds. */
const catchUpMsMax = 120_000

/** Runs the whole job: plays the input, consumes it, and compares what came out with what the input says. */
export const runJob = Effect.fnUntraced(function* (args: JobArguments, report: Report, isStopped: () => boolean) {
  const startedAtMs = yield* Clock.currentTimeMillis
  const leat = yield* Leat.make({ source: "demo", routes: readFileSync(args.config ?? defaultRoutes, "utf8") })
  const streams = yield* openStreams(leat)
  const plan = floorPlanFor(args.beacons)
  const expected = new Expected(plan)
  const { handled, subscriptions } = yield* startConsumers(streams, plan, report)
  let malformed = 0
  report.start(args, leat)
  const status = yield* Effect.forkChild(
    Effect.forever(
      Effect.delay(
        Effect.sync(() => report.status(leat)),
        "2 seconds"
      )
    )
  )
  const play = ({ line }: TimedLine) => {
    if (line.kind === "malformed") {
      malformed++
      report.malformed(line.ref, line.reason)
      return Effect.void
    }
    if (line.kind === "sighting") {
      expected.sighting(line.event)
      return publish(streams.sightings, line.event, report)
    }
    expected.log(line.event)
    return publish(streams.logs, line.event, report)
  }
  const inputs = yield* Effect.promise(() => sources(args))
  const spans = args.speed === "minute" ? yield* measure(inputs) : inputs.map((source) => ({ source, spanUs: 0 }))
  yield* replay(spans, args.speed, isStopped, play)
  yield* leat.flush
  yield* caughtUp(subscriptions)
  status.interruptUnsafe()
  for (const subscription of subscriptions) yield* subscription.stop
  const faults = [
    ...differences(
      "sightings stored",
      expected.sightings,
      yield* stored(leat, streams.sightings, ({ inputRef }) => inputRef)
    ),
    ...differences("log lines stored", expected.lines, yield* stored(leat, streams.logs, ({ inputRef }) => inputRef)),
    ...differences("sightings handled", expected.sightings, handled.positions),
    ...differences("log lines handled", expected.lines, handled.security),
    ...differences("estimates", expected.estimates, yield* stored(leat, streams.estimates, estimateText)),
    ...differences("SOS alerts", expected.sosAlerts, yield* stored(leat, streams.sosAlerts, sosText)),
    ...differences(
      "security alerts",
      expected.securityAlerts,
      yield* stored(leat, streams.securityAlerts, securityText)
    )
  ]
  const consumed = handled.positions.length + handled.sos.length + handled.security.length
  const seconds = ((yield* Clock.currentTimeMillis) - startedAtMs) / 1000
  const summary: Summary = {
    ...totals(leat),
    transport: transportOf(leat, streams),
    malformed,
    consumed,
    seconds,
    faults
  }
  report.finish(summary, leat)
  return summary
})

async function sources({ beacons, logs, isSample }: JobArguments): Promise<ReadonlyArray<InputSource>> {
  if (isSample) return generateSample().map(sampleSource)
  const recordings = beacons.map((path) => fileSource(path, "beacons"))
  return [await inSequence("beacons", recordings), ...logs.map((path) => fileSource(path, "logs"))]
}

/** Waits for the buffer only, not for the broker: `flush` waits for that once, at the end. */
function publish<T>(stream: EventStream<T>, event: T, report: Report): Effect.Effect<void> {
  if (stream.offer(event).admitted) return Effect.void
  return stream.publish(event, { level: "queued" }).pipe(
    Effect.catch((error) => Effect.sync(() => report.trouble(error.message))),
    Effect.asVoid
  )
}

/** Completes when every group has settled everything, or has stood still for too long. */
const caughtUp = (subscriptions: Effect.Success<ReturnType<typeof startConsumers>>["subscriptions"]) =>
  Effect.gen(function* () {
    for (;;) {
      const lags = yield* Effect.forEach(subscriptions, ({ lag }) => lag)
      if (lags.every((lag) => lag === 0n)) return
      if (subscriptions.some(({ halted }) => halted().length > 0)) return
      yield* Effect.sleep(20)
    }
  }).pipe(Effect.timeoutOption(catchUpMsMax))

/** Every event of a stream, read back without a group. */
const stored = Effect.fnUntraced(function* <T>(leat: OpenLeat, stream: EventStream<T>, text: (event: T) => string) {
  const leg = leat.routes().lookup(stream.contract.stream, leat.source)?.readLeg
  if (leg === undefined) return []
  const transport = yield* leat.transport(leg.cluster)
  const found: Array<string> = []
  for (const { partition, start, end } of yield* transport.bounds(leg.topic)) {
    yield* Stream.runForEach(
      transport.read(leg.topic, partition, { fromPosition: start, toPosition: end }),
      ({ records }) =>
        Effect.sync(() => {
          for (const { value } of records) if (value !== null) found.push(text(stream.contract.decode(value)))
        })
    )
  }
  return found
})

function totals(leat: OpenLeat) {
  const { streams, legs, balanced } = leat.ledger.snapshot()
  const sum = (counts: Readonly<Record<string, number>>) =>
    Object.values(counts).reduce((total, count) => total + count, 0)
  const add = <A>(rows: ReadonlyArray<A>, of: (row: A) => number) => rows.reduce((total, row) => total + of(row), 0)
  return {
    offered: add(streams, ({ offered }) => offered),
    rejected: add(streams, ({ rejected }) => sum(rejected)),
    admitted: add(streams, ({ admitted }) => admitted),
    stored: add(legs, ({ stored: count }) => count),
    deadLettered: add(legs, ({ deadLettered }) => sum(deadLettered)),
    dropped: add(legs, ({ dropped }) => sum(dropped)),
    pending: add(legs, ({ queued, inFlight, inDoubt }) => queued + inFlight + inDoubt),
    balanced
  }
}

function transportOf(leat: OpenLeat, { sightings }: Streams): string {
  const cluster = leat.routes().lookup(sightings.contract.stream, leat.source)?.readLeg.cluster
  return leat.routes().clusters.get(cluster ?? "")?.driver.name ?? "none"
}
