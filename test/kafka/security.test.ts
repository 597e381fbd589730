import { type Kafka, startKafka } from "@leat/brokers"
import { describeOwnKafka } from "@leat/brokers/vitest"
import { confluent } from "@leat/confluent"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { kafkajs } from "@leat/kafkajs"
import { type Duration, Effect, Exit, Logger, Tracer } from "effect"
import { Leat } from "leat"
import { waitUntil } from "./waitUntil.ts"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import { afterAll, beforeAll, expect, it } from "vitest"

/** Planted: it may appear nowhere. */
const password = "Hunter2-of-the-planted-secret"
const wrongPassword = "Mallory-guessed-this-secret"
const users = { alice: password }

/** A token as Kafka's own validator for tests takes it: unsigned, and valid for an hour. */
function unsignedToken(): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
  const nowS = Math.floor(Date.now() / 1000)
  return `${part({ alg: "none" })}.${part({ sub: "alice", iat: nowS, exp: nowS + 3600, scope: "planted-scope" })}.`
}

/** Everything that a run lets anybody see: logs of leat and of the clients, spans, errors, the ledger, the routes. */
interface Seen {
  readonly exit: Exit.Exit<number, unknown>
  readonly text: string
}

const sasls = {
  "SASL PLAIN": { mechanism: "PLAIN", username: "alice", password: "${env:LEAT_TEST_PASSWORD}" },
  "SCRAM-SHA-256": { mechanism: "SCRAM-SHA-256", username: "alice", password: "${env:LEAT_TEST_PASSWORD}" },
  "SCRAM-SHA-512, the password in a file": {
    mechanism: "SCRAM-SHA-512",
    username: "alice",
    password: "${file:PASSWORD}"
  },
  "OAUTHBEARER with a token in a file": { mechanism: "OAUTHBEARER", token: "${file:TOKEN}" }
} as const

/** Publishes ten events and handles them on a secured cluster, with an eye on everything that is told. */
async function run(
  driver: typeof kafkajs,
  cluster: object,
  topic: string,
  within: Duration.Input = "25 seconds"
): Promise<Seen> {
  const told: Array<string> = []
  const catching = (stream: NodeJS.WriteStream) => {
    const write = stream.write.bind(stream)
    stream.write = (chunk: string | Uint8Array, ...rest: ReadonlyArray<unknown>) => {
      told.push(String(chunk))
      const [last] = rest.slice(-1)
      if (typeof last === "function") last()
      return true
    }
    return () => {
      stream.write = write
    }
  }
  const restore = [catching(process.stdout), catching(process.stderr)]
  const logger = Logger.make((entry) => told.push(inspect(entry, { depth: 10 })))
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      told.push(options.name)
      const end = span.end.bind(span)
      span.end = (...args) => {
        end(...args)
        told.push(inspect([[...span.attributes], span.status], { depth: 10 }))
      }
      return span
    }
  })
  const routes = {
    version: 1,
    clusters: { secured: { transport: driver.name, topic: { partitions: 2 }, connectMs: 5000, ...cluster } },
    policies: { short: [{ on: ["*"], retry: { times: 2, base: "50 millis" }, then: "halt" }] },
    routes: [{ match: { stream: "*" }, to: [{ cluster: "secured", topic, policy: "short", timeout: "5 seconds" }] }]
  }
  const program = Effect.gen(function* () {
    const leat = yield* Leat.make({ source: "secured", routes, drivers: [driver] })
    told.push(leat.routes().explain(BeaconSighting.stream, "secured"), inspect(leat.routes().document, { depth: 20 }))
    const sightings = yield* leat.stream(BeaconSighting)
    let handled = 0
    yield* sightings.handle("group", () => Effect.sync(() => handled++))
    for (let number = 0; number < 10; number++)
      yield* sightings.publish({
        beaconId: `b${number}`,
        sensorId: "s",
        rssiDbm: -60,
        seenAtUs: 1n,
        inputRef: `r:${number}`
      })
    yield* waitUntil(
      "ten events are handled",
      Effect.sync(() => handled === 10),
      { withinMs: 15_000 }
    )
    told.push(inspect(leat.ledger.snapshot(), { depth: 10 }))
    return handled
  }).pipe(
    Effect.scoped,
    Effect.timeout(within),
    Effect.provide(Logger.layer([logger])),
    Effect.provideService(Tracer.Tracer, tracer)
  )
  try {
    const exit = await Effect.runPromiseExit(program)
    told.push(inspect(exit, { depth: 20, showHidden: true }), JSON.stringify(exit) ?? "", String(exit))
    return { exit, text: told.join("\n") }
  } finally {
    for (const one of restore) one()
  }
}

/** Both drivers go to the same two, with topics of their own. */
let starting: Promise<readonly [Kafka, Kafka]> | undefined
const startBoth = () =>
  (starting ??= Promise.all([
    startKafka({ security: { tls: true, sasl: ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"], users } }),
    startKafka({ security: { tls: true, mtls: true } })
  ]))
afterAll(async () => {
  await Promise.all(((await starting) ?? []).map((kafka) => kafka.close()))
})

for (const driver of [kafkajs, confluent])
  await describeOwnKafka(
    `a secured Kafka through ${driver.name}`,
    () => {
      let kafka: Kafka
      let mutual: Kafka
      let folder = ""
      const file = (name: string, text: string) => {
        const path = join(folder, name)
        writeFileSync(path, text)
        return path
      }
      beforeAll(async () => {
        folder = mkdtempSync(join(tmpdir(), "leat-secrets-"))
        process.env["LEAT_TEST_PASSWORD"] = password
        ;[kafka, mutual] = await startBoth()
      }, 60_000)
      afterAll(() => {
        delete process.env["LEAT_TEST_PASSWORD"]
        rmSync(folder, { recursive: true, force: true })
      })
      const tls = () => ({ ca: `\${file:${kafka.secure?.caFile ?? ""}}` })
      const filled = (sasl: object) =>
        JSON.parse(
          JSON.stringify(sasl)
            .replace("PASSWORD}", `${file("password", `${password}\n`)}}`.replace("LEAT_TEST_", ""))
            .replace("TOKEN", file("token", unsignedToken()))
        ) as object

      const topic = (name: string) => `${driver.name.replace("@leat/", "")}-${name.replaceAll(/\W+/g, "-")}`

      it.each(Object.entries(sasls))("is reached by TLS and %s, and nobody sees the secret", async (name, sasl) => {
        const isEnvironment = JSON.stringify(sasl).includes("env:")
        const brokers = kafka.secure?.bootstrap ?? ""
        const seen = await run(driver, { brokers, tls: tls(), sasl: isEnvironment ? sasl : filled(sasl) }, topic(name))
        expect(seen.exit).toEqual(Exit.succeed(10))
        expect(seen.text).not.toContain(password)
        expect(seen.text).not.toContain(unsignedToken().split(".")[0])
      })

      it("refuses a wrong password as Unauthenticated, and nobody sees it", async () => {
        process.env["LEAT_TEST_WRONG"] = wrongPassword
        const sasl = { mechanism: "SCRAM-SHA-256", username: "alice", password: "${env:LEAT_TEST_WRONG}" }
        const brokers = kafka.secure?.bootstrap ?? ""
        const { exit, text } = await run(driver, { brokers, tls: tls(), sasl }, topic("wrong"))
        expect(Exit.isFailure(exit)).toBe(true)
        expect(text).toContain("Unauthenticated")
        expect(text).not.toContain(wrongPassword)
      })

      it("is not reached without trust in its certificate", async () => {
        const sasl = { mechanism: "SCRAM-SHA-256", username: "alice", password: "${env:LEAT_TEST_PASSWORD}" }
        const { exit, text } = await run(
          driver,
          { brokers: kafka.secure?.bootstrap, tls: true, sasl },
          topic("distrust")
        )
        expect(Exit.isFailure(exit)).toBe(true)
        expect(text).not.toContain(password)
      })

      it("is reached by mutual TLS", async () => {
        const { bootstrap, caFile, clientCertFile, clientKeyFile } = mutual.secure ?? {}
        const reference = (path: string | undefined) => `\${file:${path ?? ""}}`
        const mtls = { ca: reference(caFile), cert: reference(clientCertFile), key: reference(clientKeyFile) }
        const seen = await run(driver, { brokers: bootstrap, tls: { ...mtls } }, topic("mutual"))
        expect(seen.exit).toEqual(Exit.succeed(10))
        expect(seen.text).not.toContain("PRIVATE KEY")
        const { exit } = await run(
          driver,
          { brokers: bootstrap, tls: { ca: mtls.ca } },
          topic("anonymous"),
          "8 seconds"
        )
        expect(Exit.isFailure(exit)).toBe(true)
      })
    },
    { isConfluent: driver === confluent }
  )
