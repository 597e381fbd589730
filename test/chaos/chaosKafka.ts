// Three real Kafka nodes under a steady load through each driver, and one mishap after the other. Exit code 0: no acknowledged
// event is lost, first deliveries keep their order, no more copies than attempts, and every equation holds; 3: not, or something has not
// come to rest, and stdout says what.
//   node --conditions=@leat/source test/chaos/chaosKafka.ts [minutes] [seed]
import { confluent } from "@leat/confluent"
import { startKafka } from "@leat/brokers"
import { kafkajs } from "@leat/kafkajs"
import { Effect, Logger } from "effect"
import { seededRandom } from "leat/testing"
import { setTimeout as sleep } from "node:timers/promises"
import { Leaders } from "./Leaders.ts"
import { Load, textOf } from "./Load.ts"
import { type Mishap, mishaps, type Scene } from "./mishaps.ts"

const minutes = Number(process.argv[2] ?? 3)
const seed = Number(process.argv[3] ?? 1)

/** Events that each driver's load publishes per second. */
const eventsPerSecond = 400

/** Time that everything has to go well between two mishaps, in milliseconds. */
const calmMs = 1500

/** How long the loads may take to end once all brokers are well again, in milliseconds: what they wait for has shorter bounds of its own. */
const endMsMax = 330_000

/** How long the judging may take, in milliseconds. */
const judgeMsMax = 120_000

/** How long the process may take to end once the verdict is said, in milliseconds. */
const exitMsMax = 30_000

const random = seededRandom(seed)

/** Something that did not end in time: a violation, and no defect of this program. */
class NotEnded extends Error {}

function say(sentence: string): void {
  process.stderr.write(`  ${sentence}\n`)
}

function shuffled(): ReadonlyArray<Mishap> {
  return mishaps
    .map((mishap) => ({ mishap, at: random() }))
    .toSorted((left, right) => left.at - right.at)
    .map(({ mishap }) => mishap)
}

/** One mishap after the other until the time is over, or `isOver`; each kind comes before any comes again. */
async function disturb(scene: Scene, untilMs: number, isOver: () => boolean): Promise<ReadonlyArray<string>> {
  const told: Array<string> = []
  for (;;)
    for (const { name, happen } of shuffled()) {
      if (isOver() || performance.now() >= untilMs) return told
      const sentence = `${name}: ${await happen(scene)}`
      say(sentence)
      told.push(sentence)
      await sleep(calmMs)
    }
}

/** Runs a load, and says at once when it fails. */
async function runLoad(load: Load) {
  // stdout is for the verdict.
  const warnings = Logger.layer([Logger.make(({ message }) => say(`${load.driver}: ${String(message)}`))])
  try {
    return await Effect.runPromise(Effect.provide(Effect.scoped(load.run), warnings))
  } catch (error) {
    say(`the load of ${load.driver} failed: ${String(error)}; ${textOf(load.state)}`)
    throw error
  }
}

/** Fails with `NotEnded`, and the state of what hangs, when the time is over. */
async function inTime<A>(work: Promise<A>, what: string, msMax: number, state: () => string): Promise<A> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NotEnded(`${what} did not end within ${msMax} ms: ${state()}`)), msMax)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

async function prove(brokers: Awaited<ReturnType<typeof startKafka>>, leaders: Leaders) {
  const proxied = brokers.proxied?.bootstrap ?? ""
  const byConfluent = new Load({ driver: confluent, brokers: proxied, eventsPerSecond })
  const byKafkajs = new Load({ driver: kafkajs, brokers: proxied, eventsPerSecond })
  const loads = [byConfluent, byKafkajs]
  let hasFailed = false
  const ended = Promise.all([runLoad(byConfluent), runLoad(byKafkajs)])
  ended.catch(() => {
    hasFailed = true
  })
  // A load ends before it is told to only when it fails, and then nothing else is to be waited for.
  await Promise.race([leaders.wait(loads.map(({ topic }) => topic)), ended])
  const scene: Scene = { kafka: brokers, random, leader: () => leaders.most(), inSync: () => leaders.inSync() }
  const happened = await disturb(scene, performance.now() + minutes * 60_000, () => hasFailed)
  await Promise.race([leaders.inSync(), ended])
  for (const load of loads) load.stop()
  const states = () => loads.map(({ state }) => textOf(state)).join("; ")
  const [first, second] = await inTime(ended, "the loads", endMsMax, states)
  // What one client wrote the other reads.
  const judging = Effect.all(
    [byConfluent.judge(first, kafkajs, brokers.bootstrap), byKafkajs.judge(second, confluent, brokers.bootstrap)],
    { concurrency: "unbounded" }
  )
  const reports = await inTime(Effect.runPromise(judging), "the judging", judgeMsMax, states)
  const violations = reports.flatMap((report) => report.violations.map((one) => `${report.driver}: ${one}`))
  const told = reports.map(({ driver, admitted, rejected, stored, handled, copies }) => {
    return { driver, admitted, rejected, stored, handled, copies }
  })
  return { mishaps: happened.length, loads: told, violations: violations.slice(0, 20) }
}

const kafka = await startKafka({ nodes: 3, proxied: true })
const leaders = await Leaders.connect(kafka)
let summary: Awaited<ReturnType<typeof prove>> | { readonly violations: ReadonlyArray<string> }
try {
  summary = await prove(kafka, leaders)
} catch (error) {
  if (!(error instanceof NotEnded)) throw error
  summary = { violations: [error.message] }
} finally {
  await leaders.close()
  await kafka.close()
}
process.stdout.write(`${JSON.stringify({ minutes, seed, ...summary })}\n`)
process.exitCode = summary.violations.length > 0 ? 3 : 0
// Whoever has closed everything ends; a thread of the addon that hangs would keep `process.exit` waiting too.
setTimeout(() => {
  say(`the process does not end by itself after ${exitMsMax} ms: ${process.getActiveResourcesInfo().join(", ")}`)
  process.kill(process.pid, "SIGKILL")
}, exitMsMax).unref()
