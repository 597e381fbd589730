import { startKafka } from "@leat/brokers"
import { describeOwnKafka } from "@leat/brokers/vitest"
import { confluent } from "@leat/confluent"
import { kafkajs } from "@leat/kafkajs"
import { log } from "@leat/log"
import { Effect } from "effect"
import { type Contract, Leat } from "leat"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { SecurityAlert, SosAlert } from "../src/gen/risk/v1/alert.ts"
import { BeaconSighting, PositionEstimate } from "../src/gen/risk/v1/beacon.ts"
import { LogLine } from "../src/gen/risk/v1/log.ts"
import { cleanUp, Job, temporary } from "./Job.ts"
import { type Walk, writeWalk } from "./walk.ts"

const sample = (name: string) => fileURLToPath(new URL(`../routes.${name}.yaml`, import.meta.url))
const names = ["log", "kafkajs", "confluent"] as const

/** What a consumer got of each stream: the events of each key, in the order in which they came. */
type Got = Readonly<Record<string, Readonly<Record<string, ReadonlyArray<string>>>>>

/** Handles every event of the five streams in a new group, through the document that the job ran with. */
function consume(routes: string): Promise<Got> {
  const got: Record<string, Record<string, Array<string>>> = {}
  const program = Effect.gen(function* () {
    const leat = yield* Leat.make({ source: "comparison", routes, drivers: [log, kafkajs, confluent] })
    const follow = <T>(contract: Contract<T>) =>
      Effect.gen(function* () {
        const stream = yield* leat.stream(contract)
        const byKey: Record<string, Array<string>> = (got[contract.stream] = {})
        const { caughtUp } = yield* stream.handle("comparison", (event, { key }) =>
          Effect.sync(() => {
            ;(byKey[key] ??= []).push(JSON.stringify(event, bigintAsText))
          })
        )
        yield* Effect.timeout(caughtUp, "90 seconds")
      })
    yield* follow(BeaconSighting)
    yield* follow(LogLine)
    yield* follow(PositionEstimate)
    yield* follow(SosAlert)
    yield* follow(SecurityAlert)
  })
  return Effect.runPromise(Effect.scoped(program)).then(() => got)
}

function bigintAsText(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value
}

let folder = ""
let walk: Walk
beforeAll(() => {
  folder = temporary()
  walk = writeWalk(join(folder, "input"), 40, 4)
})
afterAll(cleanUp)

describe("the sample documents", () => {
  it("differ in the cluster and in nothing else", () => {
    const texts = names.map((name) => {
      const lines = readFileSync(sample(name), "utf8").split("\n")
      return lines.filter((line) => !line.startsWith("#") && !/^ {2}local: \{ transport: "@leat\/\w+", /.test(line))
    })
    expect(texts[1]).toEqual(texts[0])
    expect(texts[2]).toEqual(texts[0])
    expect(texts[0]?.join("\n")).toContain("wire: cloudevents")
  })
})

await describeOwnKafka(
  "the same program on the same input",
  () => {
    /** Runs the job to its end. */
    async function run(args: ReadonlyArray<string>, brokers: Readonly<Record<string, string>>): Promise<string> {
      const { code, stdout, stderr } = await new Job(args, brokers).ended
      expect({ args, code, stderr: code === 0 ? "" : stderr }).toEqual({ args, code: 0, stderr: "" })
      return stdout
    }

    /** Runs the job and then a consumer; on Kafka on a broker of its own, because all use the same topics. */
    async function runOn(name: (typeof names)[number]): Promise<Got> {
      const directory = join(folder, "log")
      const where = name === "log" ? ["--directory", directory] : []
      const kafka = name === "log" ? undefined : await startKafka()
      try {
        const brokers = kafka === undefined ? {} : { KAFKA_BROKERS: kafka.bootstrap }
        const args = [...walk.args, "--config", sample(name), ...where, "--speed", "max", "--json"]
        const stdout = await run(args, brokers)
        expect(JSON.parse(stdout)).toMatchObject({
          transport: name,
          balanced: true,
          pending: 0,
          malformed: 1,
          dropped: 0
        })
        const text = readFileSync(sample(name), "utf8")
          .replaceAll('"{directory}"', JSON.stringify(directory))
          .replaceAll("${env:KAFKA_BROKERS}", kafka?.bootstrap ?? "")
        const got = await consume(text)
        // And in a new run beside this one.
        await run([...args, "--fresh"], brokers)
        expect(await consume(text.replaceAll("{stream}", "run-1.{stream}"))).toEqual(got)
        return got
      } finally {
        await kafka?.close()
      }
    }

    it("gives consumers the same events in the same order on the log, on kafkajs and on librdkafka", async () => {
      const [onLog, onKafkajs, onConfluent] = await Promise.all([runOn("log"), runOn("kafkajs"), runOn("confluent")])
      const counts = Object.values(onLog).map((byKey) => Object.values(byKey).flat().length)
      expect(counts.every((count) => count > 0)).toBe(true)
      expect(onKafkajs).toEqual(onLog)
      expect(onConfluent).toEqual(onLog)
    }, 300_000)
  },
  { isConfluent: true }
)
