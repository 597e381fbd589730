import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Readable, Writable } from "node:stream"
import { fileURLToPath } from "node:url"
import { describeKafka } from "@leat/brokers/vitest"
import { run } from "@leat/cli"
import { confluent } from "@leat/confluent"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { kafkajs } from "@leat/kafkajs"
import { Effect, Stream } from "effect"
import { Leat } from "leat"
import { batchOf, type DeadLetter, deadLetterHeaders, type Driver, sendEffect } from "leat/transport"
import { afterAll, expect, it } from "vitest"
import { numbers, sightingAmong } from "./sightings.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const sighting = sightingAmong(3)
const count = 40

/** Somebody's service: a route document, contracts, and the packages that are installed there. */
const folder = mkdtempSync(join(tmpdir(), "leat-dlq-"))
mkdirSync(join(folder, "node_modules"))
symlinkSync(join(root, "node_modules/@leat"), join(folder, "node_modules/@leat"))
mkdirSync(join(folder, "proto/risk/v1"), { recursive: true })
writeFileSync(
  join(folder, "proto/risk/v1/beacon.proto"),
  readFileSync(join(root, "proto/risk/v1/beacon.proto"), "utf8")
)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs a command there; gives its exit code and what it printed. */
async function leat(...args: ReadonlyArray<string>) {
  const told = { stdout: "", stderr: "" }
  const into = (name: keyof typeof told) =>
    new Writable({
      decodeStrings: false,
      write: (chunk: unknown, _, done) => {
        told[name] += String(chunk)
        done()
      }
    })
  const before = process.cwd()
  process.chdir(folder)
  const streams = { stdin: Readable.from([""]), stdout: into("stdout"), stderr: into("stderr") }
  const code = await run(args, streams, new AbortController().signal).finally(() => process.chdir(before))
  return { code, ...told }
}

let topics = 0

for (const driver of [kafkajs, confluent])
  describeKafka(
    `leat dlq on a real Kafka through ${driver.name}`,
    (bootstrap) => {
      it("lists, drops and replays", async () => {
        const topic = `dlq-${process.pid}-${topics++}`
        writeFileSync(join(folder, "routes.json"), JSON.stringify(routesOf(driver, "${env:LEAT_TEST_BROKERS}", topic)))
        process.env["LEAT_TEST_BROKERS"] = bootstrap
        await Effect.runPromise(Effect.scoped(setAside(driver, bootstrap, topic)))
        const whose = ["--routes", "routes.json", "--stream", "risk.beacons.sighting", "--group", "positions"]
        const all = await leat("dlq", "list", ...whose)
        expect({ ...all, stdout: all.stdout.split("\n").at(-2) }).toEqual({
          code: 0,
          stdout: `${count} open dead letters`,
          stderr: ""
        })
        expect(all.stdout).toMatch(
          /^0\/0 handle NoPosition \S+ dlq-[\d-]+\/0@0 b0 \{"beaconId":"b0",.*"inputRef":"0"\}\n/
        )
        const found = JSON.parse(
          (await leat("dlq", "list", "--routes", "routes.json", "--stream", "risk.beacons.sighting", "--json")).stdout
        )
        expect(found).toMatchObject({ open: count, topics: [{ topic, group: "positions", open: count }] })
        const dropped = await leat("dlq", "drop", ...whose, "--where", "position=0/3", "--reason", "a test")
        expect(dropped).toEqual({ code: 0, stdout: "dropped 1 dead letter\n", stderr: "" })
        const replayed = await leat("dlq", "replay", ...whose)
        expect(replayed).toEqual({ code: 0, stdout: `replayed ${count - 1}\n`, stderr: "" })
        expect((await leat("dlq", "list", ...whose)).stdout).toBe("0 open dead letters\n")
        const refs = await Effect.runPromise(Effect.scoped(replaysOf(driver, bootstrap, topic)))
        expect(refs).toEqual(numbers(0, count).filter((number) => number !== 3))
      })
    },
    { isConfluent: driver === confluent }
  )

const routesOf = (driver: Driver, brokers: string, topic: string) => ({
  version: 1,
  clusters: { kafka: { transport: driver.name, brokers } },
  routes: [{ match: { stream: "*" }, to: [{ cluster: "kafka", topic }] }]
})

const transportOf = (driver: Driver, brokers: string, topic: string) =>
  Effect.flatMap(Leat.make({ source: "dlq", routes: routesOf(driver, brokers, topic), drivers: [driver] }), (open) =>
    open.transport("kafka")
  )

/** Publishes events and sets all of them aside, as a subscription does that can handle none. */
const setAside = Effect.fnUntraced(function* (driver: Driver, brokers: string, topic: string) {
  const open = yield* Leat.make({ source: "dlq", routes: routesOf(driver, brokers, topic), drivers: [driver] })
  const transport = yield* open.transport("kafka")
  yield* transport.ensure({ topic, partitions: 1 })
  const { outcome } = yield* (yield* open.stream(BeaconSighting)).publishAll(numbers(0, count).map(sighting))
  yield* outcome
  const deadLetters = `${topic}.positions.dlq`
  yield* transport.ensure({ topic: deadLetters, partitions: 1 })
  const writer = yield* transport.openWriter(deadLetters)
  yield* Stream.runForEach(transport.read(topic, 0, { fromPosition: 0n }), ({ records }) => {
    const letters = records.map(({ key, value, headers, position, timeMs }) => {
      const said = {
        topic,
        partition: 0,
        position,
        timeMs,
        group: "positions",
        stage: "handle",
        tag: "NoPosition"
      } as const
      const letter: DeadLetter = { by: "leat", replays: 0, ...said }
      return { key, value, headers: [...deadLetterHeaders(letter), ...headers], timeMs }
    })
    return sendEffect(writer, 0, batchOf(letters), 0, letters.length, 10_000)
  })
})

/** What the events say that lie where the group takes replays from. */
const replaysOf = Effect.fnUntraced(function* (driver: Driver, brokers: string, topic: string) {
  const transport = yield* transportOf(driver, brokers, topic)
  const batches = yield* Stream.runCollect(transport.read(`${topic}.positions.replay`, 0, { fromPosition: 0n }))
  return batches.flatMap(({ records }) =>
    records.map(({ value }) => Number(BeaconSighting.decode(value ?? new Uint8Array()).inputRef))
  )
})
