/** A stream whose best-effort legs go to dead clusters, at 10,000 events a second: what the process takes, and where every event was. */
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { Clock, Effect } from "effect"
import { Leat, type LegRow } from "leat"
import { SickDriver, sicknesses } from "./SickDriver.ts"

const eventsPerSecond = 10_000
const stepMs = 20

/** Buffer of the cluster that is well: what is offered at once, before the first look, has room in it. */
const wellBytes = 16 * 1024 * 1024

/** What the issue allows beside one and a half times the budgets. */
const slackBytes = 64 * 1024 * 1024

/** What may be used besides while the sinks give away what they held: the heap of young objects grows with the rate. */
const recoverySlackBytes = 128 * 1024 * 1024

/** Longest time that a sink may take to give away what it held, once its cluster is well; it is asked every 30 seconds at the rarest. */
const recoveryMsMax = 120_000

export interface Report {
  readonly events: number
  /** Of the process, in bytes: at rest before the first event, at most while the sinks were dead, and at most afterwards. */
  readonly rssAtStart: number
  readonly rssMax: number
  readonly rssAllowed: number
  readonly rssMaxRecovering: number
  /** By sickness. */
  readonly ends: Readonly<
    Record<string, { readonly stored: number; readonly letters: number; readonly dropped: number }>
  >
  readonly violations: ReadonlyArray<string>
}

const policy = [
  { on: ["Rejected"], then: "deadLetter" },
  { on: ["*"], retry: { base: "100 millis", factor: 2, maxDelay: "5 seconds" }, then: "halt" }
]

const routesOf = (budgetBytes: number) => ({
  version: 1,
  clusters: Object.fromEntries(sicknesses.map((name) => [name, { transport: name }])),
  policies: { aside: policy },
  routes: [
    {
      match: { stream: "*" },
      to: sicknesses.map((name, at) => ({
        cluster: name,
        topic: "{stream}",
        required: name === "none",
        timeout: "2 seconds",
        buffer: { bytes: name === "none" ? wellBytes : budgetBytes, overflow: at % 2 === 0 ? "dropOldest" : "reject" },
        policy: "aside"
      }))
    }
  ]
})

/**
 * Publishes for so long, with each cluster dead but one; then they are well, and everything is given away. From then on garbage is
 * collected at each look, or each so many.
 */
export const withDeadSinks = Effect.fnUntraced(function* (
  seconds: number,
  budgetBytes: number,
  looksPerCollection = 1
) {
  const sick = sicknesses.map((sickness) => ({ sickness, far: new SickDriver(sickness) }))
  const leat = yield* Leat.make({
    source: "memory",
    routes: routesOf(budgetBytes),
    drivers: sick.map(({ far }) => far.driver),
    drain: "10 seconds"
  })
  const stream = yield* leat.stream(BeaconSighting)
  const violations = new Set<string>()
  let offered = 0
  const offerTo = (upTo: number) => {
    for (; offered < upTo; offered++) {
      const told = stream.offer(sighting(offered))
      if (!told.admitted) violations.add(`an event was rejected: ${told.reason}`)
    }
  }
  // Code that runs for the first time is compiled, and its memory is no buffer.
  offerTo(20_000)
  yield* Effect.sleep("1 second")
  collect()
  const rssAtStart = process.memoryUsage.rss()
  const rssAllowed = rssAtStart + 1.5 * (budgetBytes * (sicknesses.length - 1) + wellBytes) + slackBytes
  let rssMax = rssAtStart
  const look = (allowed: number) => {
    rssMax = Math.max(rssMax, process.memoryUsage.rss())
    if (rssMax > allowed) violations.add(`the process takes more than the ${allowed} bytes that are allowed`)
    for (const { sink, bufferedBytes, bufferBytesMax } of leat.sinks())
      if (bufferedBytes > bufferBytesMax) violations.add(`${sink} buffers ${bufferedBytes} of ${bufferBytesMax} bytes`)
    if (!leat.ledger.snapshot().balanced) violations.add("the ledger is out of balance")
  }
  const warm = offered
  const beganMs = yield* Clock.currentTimeMillis
  for (let turn = 1, elapsed = 0; elapsed < seconds; turn++) {
    yield* Effect.sleep(stepMs)
    elapsed = Math.min(seconds, ((yield* Clock.currentTimeMillis) - beganMs) / 1000)
    offerTo(warm + elapsed * eventsPerSecond)
    if (turn % 10 === 0) look(rssAllowed)
  }
  const rssMaxDead = rssMax
  for (const { far } of sick) far.getWell()
  const pendingOf = (leg: LegRow) => leg.queued + leg.inFlight + leg.inDoubt + leg.deadLettering
  const pending = () => leat.ledger.snapshot().legs.filter((leg) => pendingOf(leg) > 0)
  for (let looks = 0; looks * 200 < recoveryMsMax && pending().length > 0; looks++) {
    yield* Effect.sleep(200)
    // What is held is looked at, and not the garbage of letters that are written as fast as it goes.
    if (looks % looksPerCollection === 0) collect()
    look(rssAllowed + recoverySlackBytes)
  }
  for (const leg of pending()) violations.add(`${leg.sink} still holds ${pendingOf(leg)} events`)
  const { legs } = leat.ledger.snapshot()
  const ends = Object.fromEntries(legs.map((leg) => [leg.sink.split("/")[0], endOf(leg)]))
  for (const leg of legs) for (const fault of faultsOf(leg, offered)) violations.add(fault)
  for (const { sickness, far } of sick) {
    const told = ends[sickness]
    if (far.stored !== told?.stored || far.letters !== told.letters)
      violations.add(
        `${sickness} has ${far.stored} events and ${far.letters} letters, told are ${JSON.stringify(told)}`
      )
  }
  const rss = { rssAtStart, rssMax: rssMaxDead, rssAllowed, rssMaxRecovering: rssMax }
  const report: Report = { events: offered, ...rss, ends, violations: Array.from(violations) }
  return report
}, Effect.scoped)

const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((all, count) => all + count, 0)

function endOf({ stored, deadLettered, dropped }: LegRow) {
  return { stored, letters: sum(deadLettered), dropped: sum(dropped) }
}

/** What a leg should not say at the end. */
function faultsOf(leg: LegRow, offered: number): ReadonlyArray<string> {
  const { stored, letters: aside, dropped } = endOf(leg)
  const at = leg.sink.split("/")[0]
  const faults: Array<string> = []
  if (leg.admitted !== offered || stored + aside + dropped !== offered)
    faults.push(
      `${leg.sink}: of ${offered} events ${leg.admitted} were admitted, ${stored} stored, ${aside} set aside, ${dropped} dropped`
    )
  if (at === "none" ? stored !== offered : dropped === 0)
    faults.push(`${leg.sink}: ${stored} stored and ${dropped} dropped`)
  return faults
}

function sighting(index: number): BeaconSighting {
  return {
    beaconId: `beacon-${index % 1000}`,
    sensorId: "b827eb4521b4",
    rssiDbm: -60 - (index % 30),
    seenAtUs: BigInt(index),
    inputRef: ""
  }
}

function collect(): void {
  globalThis.gc?.()
}
