import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Readable, Writable } from "node:stream"
import { fileURLToPath } from "node:url"
import { describeKafka } from "@leat/brokers/vitest"
import { run } from "@leat/cli"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { kafkajs } from "@leat/kafkajs"
import { ledgerStore } from "@leat/log"
import { Effect } from "effect"
import { Leat } from "leat"
import { afterAll, expect, it } from "vitest"
import { numbers, sightingAmong } from "./sightings.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const sighting = sightingAmong(20)
const count = 100
const topic = `ledger-${process.pid}`

/** Somebody's service: a route document, and the packages that are installed there. */
const folder = mkdtempSync(join(tmpdir(), "leat-ledger-"))
mkdirSync(join(folder, "node_modules"))
symlinkSync(join(root, "node_modules/@leat"), join(folder, "node_modules/@leat"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs a command there; gives its exit code and the object that it printed. */
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
  const code = await run(["--json", ...args], streams, new AbortController().signal).finally(() =>
    process.chdir(before)
  )
  return { code, report: JSON.parse(told.stdout) as { readonly topics?: ReadonlyArray<{ readonly topic: string }> } }
}

interface Announced {
  readonly streams: ReadonlyArray<{ readonly sequences: ReadonlyArray<readonly [number, number]> }>
  readonly legs: ReadonlyArray<{ readonly admitted: number }>
}

describeKafka("leat ledger on a real Kafka", (brokers) => {
  it("sums what processes announced, finds in topics what was lost with one, and counts those where nobody announced", async () => {
    const routes = {
      version: 1,
      clusters: { kafka: { transport: kafkajs.name, brokers, topic: { partitions: 3 } } },
      routes: [{ match: { stream: "*" }, to: [{ cluster: "kafka", topic }] }]
    }
    writeFileSync(join(folder, "routes.json"), JSON.stringify(routes))
    const store = ledgerStore(join(folder, "ledgers"))
    const publishing = Effect.gen(function* () {
      const opened = yield* Leat.make({ source: "shop", routes, drivers: [kafkajs], ledger: { store } })
      const sightings = yield* opened.stream(BeaconSighting)
      yield* sightings.publishAll(numbers(0, count).map(sighting))
    })
    await Effect.runPromise(Effect.scoped(publishing))

    const withLedger = ["ledger", "--routes", "routes.json", "--ledger", "ledgers"]
    const leg = { sink: `kafka/${topic}`, stored: count, dropped: 0, pending: 0, unknown: 0 }
    expect(await leat(...withLedger)).toMatchObject({
      code: 0,
      report: { legs: [{ ...leg, admitted: count, crashLost: 0 }], incarnations: [{ state: "closed" }] }
    })

    // As if it had admitted two events more and been killed.
    const [name = ""] = readdirSync(join(folder, "ledgers/ledger"))
    const path = join(folder, "ledgers/ledger", name)
    const file = JSON.parse(readFileSync(path, "utf8")) as Announced
    const [stream, announced] = [file.streams[0], file.legs[0]]
    const [first = [0, 0], ...others] = stream?.sequences ?? []
    const killed = {
      ...file,
      isClosed: false,
      owner: { ...(file as { readonly owner?: object }).owner, pid: spawnSync("true").pid, begin: "before" },
      streams: [
        { ...stream, admitted: count + 2, offered: count + 2, sequences: [[first[0], first[1] + 2], ...others] }
      ],
      legs: [{ ...announced, admitted: count + 2, queued: 2 }]
    }
    writeFileSync(path, JSON.stringify(killed))
    expect(await leat(...withLedger)).toMatchObject({
      code: 0,
      report: { crashLost: 2, legs: [{ ...leg, admitted: count + 2, crashLost: 2 }], incarnations: [{ state: "gone" }] }
    })

    const { code, report } = await leat("ledger", "--routes", "routes.json")
    expect(code).toBe(0)
    expect(report.topics?.find((one) => one.topic === topic)).toEqual({
      topic,
      publishers: 1,
      stored: count,
      copies: 0,
      dropped: {},
      missing: 0,
      unauditable: 0,
      foreign: 0
    })
  })
})
