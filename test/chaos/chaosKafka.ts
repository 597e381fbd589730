// Three real Kafka nodes under a steady load through each driver, and one mishap after the other. Exit code 0: no acknowledged
// event is lost, first deliveries keep their order, no more copies than attempts, and every equation holds; 3: not, and stdout
// says what.
//   node --conditions=@leat/source test/chaos/chaosKafka.ts [minutes] [seed]
import { confluent } from "@leat/confluent"
import { startKafka } from "@leat/brokers"
import { kafkajs } from "@leat/kafkajs"
import { Effect, Fiber, Logger } from "effect"
import { seededRandom } from "leat/testing"
import { setTimeout as sleep } from "node:timers/promises"
import { Leaders } from "./Leaders.ts"
import { Load } from "./Load.ts"
import { type Mishap, mishaps, type Scene } from "./mishaps.ts"

const minutes = Number(process.argv[2] ?? 3)
const seed = Number(process.argv[3] ?? 1)

/** Events that each driver's load publishes per second. */
const eventsPerSecond = 400

/** Time that everything has to go well between two mishaps, in milliseconds. */
const calmMs = 1500

const random = seededRandom(seed)

function shuffled(): ReadonlyArray<Mishap> {
  return mishaps
    .map((mishap) => ({ mishap, at: random() }))
    .toSorted((left, right) => left.at - right.at)
    .map(({ mishap }) => mishap)
}

/** One mishap after the other until the time is over; each kind comes before any comes again. */
async function disturb(scene: Scene, untilMs: number): Promise<ReadonlyArray<string>> {
  const told: Array<string> = []
  while (performance.now() < untilMs)
    for (const { name, happen } of shuffled()) {
      if (performance.now() >= untilMs) break
      const sentence = `${name}: ${await happen(scene)}`
      process.stderr.write(`  ${sentence}\n`)
      told.push(sentence)
      await sleep(calmMs)
    }
  return told
}

const kafka = await startKafka({ nodes: 3, proxied: true })
const leaders = await Leaders.connect(kafka)
try {
  const brokers = kafka.proxied?.bootstrap ?? ""
  const loads = [confluent, kafkajs].map((driver) => new Load({ driver, brokers, eventsPerSecond }))
  const [byConfluent, byKafkajs] = loads
  if (byConfluent === undefined || byKafkajs === undefined) throw new Error("there are two loads")
  // stdout is for the verdict.
  const warnings = Logger.layer([Logger.make(({ message }) => void process.stderr.write(`  ${String(message)}\n`))])
  const runs = loads.map((load) => Effect.runFork(Effect.provide(Effect.scoped(load.run), warnings)))
  await leaders.wait(loads.map(({ topic }) => topic))
  const scene: Scene = { kafka, random, leader: () => leaders.most(), inSync: () => leaders.inSync() }
  const happened = await disturb(scene, performance.now() + minutes * 60_000)
  await leaders.inSync()
  for (const load of loads) load.stop()
  const [first, second] = await Promise.all(runs.map((run) => Effect.runPromise(Fiber.join(run))))
  if (first === undefined || second === undefined) throw new Error("a load gave no result")
  // What one client wrote the other reads.
  const reports = await Effect.runPromise(
    Effect.all([
      byConfluent.judge(first, kafkajs, kafka.bootstrap),
      byKafkajs.judge(second, confluent, kafka.bootstrap)
    ])
  )
  const violations = reports.flatMap((report) => report.violations.map((one) => `${report.driver}: ${one}`))
  const told = reports.map(({ driver, admitted, rejected, stored, handled, copies }) => {
    return { driver, admitted, rejected, stored, handled, copies }
  })
  const summary = { minutes, seed, mishaps: happened.length, loads: told, violations: violations.slice(0, 20) }
  process.stdout.write(`${JSON.stringify(summary)}\n`)
  if (violations.length > 0) process.exitCode = 3
} finally {
  await leaders.close()
  await kafka.close()
}
