// One figure of `streams.ts`, in a process of its own: `spread COUNT`, `bare COUNT` (as `spread`, on a transport that keeps nothing), `idle COUNT`
// or `keys COUNT`; answers as one JSON object.
import { setTimeout as sleep } from "node:timers/promises"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { open, type PromiseLeat, type PromiseStream } from "leat/promise"
import { keepingNothing } from "./keepingNothing.ts"
import { round } from "./measure.ts"
import { sighting } from "./sighting.ts"

export interface CaseFigures {
  readonly count: number
  /** Processor time: in microseconds an event, or, of `idle`, as a part of one core. */
  readonly cpu: number
  /** Resident memory since before the streams were opened. */
  readonly mebibytesGrown: number
  /** Of that, what is reached: the heap after a collection. */
  readonly mebibytesHeld: number
}

const events = 200_000
/** Events after which a publisher gives way, as a server between two requests. */
const turn = 500
const idleSeconds = 10

const routes = {
  version: 1,
  clusters: { local: { transport: "memory", partitions: 8 } },
  routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "{stream}" }] }]
}
const resident = (): number => process.memoryUsage().rss / 1024 / 1024
function held(): number {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 1024 / 1024
}
const usOf = ({ user, system }: NodeJS.CpuUsage): number => user + system
const [kind = "", countText = ""] = process.argv.slice(2)
const count = Number(countText)
const beforeMib = resident()
const beforeHeldMib = held()
const bare = keepingNothing({ partitions: 8 })
const leat = await open({ source: "benchmark", ...(kind === "bare" ? { drivers: [bare] } : { routes }) })

async function openStreams(from: PromiseLeat): Promise<ReadonlyArray<PromiseStream<BeaconSighting>>> {
  const streams: Array<PromiseStream<BeaconSighting>> = []
  for (let index = 0; index < count; index++)
    streams.push(await from.stream({ ...BeaconSighting, stream: `benchmark.s${index}` }))
  return streams
}

function offer(stream: PromiseStream<BeaconSighting> | undefined, event: BeaconSighting): void {
  if (stream?.offer(event).admitted !== true) throw new Error("the benchmark's buffer is too small")
}

/** The second of two passes: the first one warms up and opens what opens with the first record. */
async function spread(): Promise<number> {
  const streams = await openStreams(leat)
  const all = Array.from({ length: 1000 }, (_, index) => sighting(index))
  let us = 0
  for (let pass = 0; pass < 2; pass++) {
    const before = process.cpuUsage()
    for (let index = 0; index < events; index++) {
      offer(streams[index % count], all[index % 1000] ?? sighting(0))
      if (index % turn === turn - 1) await new Promise((resolve) => setImmediate(resolve))
    }
    await leat.flush()
    us = usOf(process.cpuUsage(before)) / events
  }
  return us
}

async function idle(): Promise<number> {
  const streams = await openStreams(leat)
  // What opening them left for the collector is not a cost of streams that stand: it took up to a tenth of a core of the ten seconds.
  for (let turns = 0; turns < 3; turns++) {
    globalThis.gc?.()
    await sleep(500)
  }
  const before = process.cpuUsage()
  const startMs = performance.now()
  for (let sent = 0; performance.now() - startMs < idleSeconds * 1000; sent++) {
    offer(streams[(sent * 7919) % count], sighting(sent))
    await sleep(10)
  }
  return usOf(process.cpuUsage(before)) / (performance.now() - startMs) / 1000
}

/** One stream, so many keys, a handler with nothing to do: the second of two rounds of the same keys. */
async function keys(): Promise<number> {
  const stream = await leat.stream(BeaconSighting)
  const total = Math.max(events, count)
  let handled = 0
  let done = () => {}
  await stream.handle("benchmark", () => {
    if (++handled % total === 0) done()
  })
  let us = 0
  for (let pass = 0; pass < 2; pass++) {
    const before = process.cpuUsage()
    const allHandled = new Promise<void>((resolve) => (done = resolve))
    for (let index = 0; index < total; index++) {
      offer(stream, { ...sighting(index), beaconId: `beacon-${index % count}` })
      if (index % turn === turn - 1) await new Promise((resolve) => setImmediate(resolve))
    }
    await leat.flush()
    await allHandled
    us = usOf(process.cpuUsage(before)) / total
  }
  return us
}

const cases: Readonly<Record<string, () => Promise<number>>> = { spread, bare: spread, idle, keys }
const cpu = round((await cases[kind]?.()) ?? Number.NaN)
const mebibytesGrown = Math.round(resident() - beforeMib)
const figures: CaseFigures = { count, cpu, mebibytesGrown, mebibytesHeld: Math.round(held() - beforeHeldMib) }
process.stdout.write(JSON.stringify(figures))
await leat.close()
