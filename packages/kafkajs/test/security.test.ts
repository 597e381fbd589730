import { type Kafka, type SecureAccess, SleptClock, startKafka } from "@leat/brokers"
import { describeOwnKafka } from "@leat/brokers/vitest"
import type { KafkaSasl, KafkaTls } from "@leat/kafka"
import { kafkajsTransport } from "@leat/kafkajs"
import { Effect, Layer, Logger, Redacted, References } from "effect"
import type { TransportError } from "leat/transport"
import { readFileSync } from "node:fs"
import { inspect } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { newName, numbered, recordsOf, run, send } from "./support/bench.ts"

const password = "a-secret-of-alice"
const token = (claims: object) => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
  return `${part({ alg: "none" })}.${part(claims)}.`
}
const bearer = () => {
  const nowS = Math.floor(Date.now() / 1000)
  return Redacted.make(token({ sub: "alice", iat: nowS, exp: nowS + 600 }))
}

await describeOwnKafka("a cluster that asks who one is", () => {
  let kafka: Kafka
  let access: SecureAccess
  const tls = (): KafkaTls => ({ ca: readFileSync(access.caFile, "utf8") })
  const own = (): KafkaTls => ({
    cert: readFileSync(access.clientCertFile, "utf8"),
    key: Redacted.make(readFileSync(access.clientKeyFile, "utf8"))
  })

  /** Opens, stores and reads one record. */
  const use = Effect.fnUntraced(function* (options: { readonly tls?: KafkaTls; readonly sasl?: KafkaSasl }) {
    const transport = yield* kafkajsTransport({ brokers: [access.bootstrap], connectMs: 3000, ...options })
    const topic = newName("secure")
    yield* transport.ensure({ topic, partitions: 1 })
    const writer = yield* transport.openWriter(topic)
    expect((yield* send(writer, numbered(1))).fate).toBe("stored")
    return (yield* recordsOf(transport, topic)).length
  })
  const refused = (options: { readonly tls?: KafkaTls; readonly sasl?: KafkaSasl }) =>
    run(Effect.flip(use(options)) as Effect.Effect<TransportError>)

  describe("by a password, and again before the session ends", () => {
    beforeAll(async () => {
      kafka = await startKafka({
        security: { tls: false, sasl: ["SCRAM-SHA-512"], users: { alice: password } },
        properties: { "connections.max.reauth.ms": "3000" }
      })
      access = kafka.secure as SecureAccess
    })
    afterAll(() => kafka.close())

    it("goes on beyond the end of a session", () =>
      run(
        Effect.gen(function* () {
          const sasl = { mechanism: "SCRAM-SHA-512", username: "alice", password: Redacted.make(password) } as const
          const transport = yield* kafkajsTransport({ brokers: [access.bootstrap], sasl })
          const topic = newName("sessions")
          yield* transport.ensure({ topic, partitions: 1 })
          const writer = yield* transport.openWriter(topic)
          for (let count = 0; count < 10; count++) {
            const told = yield* send(writer, numbered(1))
            expect([told.fate, told.error?.message]).toEqual(["stored", undefined])
            yield* Effect.sleep(500)
          }
        })
      ))
  })

  describe("by TLS, a certificate and a password", () => {
    beforeAll(async () => {
      const sasl = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] as const
      kafka = await startKafka({ security: { tls: true, mtls: true, sasl, users: { alice: password } } })
      access = kafka.secure as SecureAccess
    })
    afterAll(() => kafka.close())

    it.each(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const)("lets in by %s", async (mechanism) => {
      const sasl = { mechanism, username: "alice", password: Redacted.make(password) }
      expect(await run(use({ tls: { ...tls(), ...own() }, sasl }))).toBe(1)
    })

    it("lets in by OAUTHBEARER, with a token that is asked for by each connection", async () => {
      let asked = 0
      const one = Effect.sync(() => {
        asked++
        return bearer()
      })
      expect(await run(use({ tls: { ...tls(), ...own() }, sasl: { mechanism: "OAUTHBEARER", token: one } }))).toBe(1)
      expect(asked).toBeGreaterThan(1)
    })

    it.each(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const)(
      "refuses a wrong password by %s as Unauthenticated, and no word of it is in the error",
      async (mechanism) => {
        const wrong = "a-secret-that-is-wrong"
        const sasl = { mechanism, username: "alice", password: Redacted.make(wrong) }
        const error = await refused({ tls: { ...tls(), ...own() }, sasl })
        expect(error.reason).toBe("Unauthenticated")
        expect(error.isRetryable).toBe(false)
        expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(wrong)
      }
    )

    it("is not taken for refusing when it hangs up", async () => {
      const sasl = { mechanism: "PLAIN", username: "alice", password: Redacted.make(password) } as const
      // Without a certificate of the client the broker ends the connection while we authenticate, by an alert or a reset.
      const { reason } = await refused({ tls: tls(), sasl })
      expect(["Unauthenticated", "Unavailable"]).toContain(reason)
    })

    it("is refused where its certificate is not known, or is another's", async () => {
      const sasl = { mechanism: "PLAIN", username: "alice", password: Redacted.make(password) } as const
      expect((await refused({ tls: own(), sasl })).reason).toBe("Unauthenticated")
      expect((await refused({ tls: { ...tls(), ...own(), serverName: "other.example" }, sasl })).reason).toBe(
        "Unauthenticated"
      )
    })

    it("is not reached without encryption, and that is said within the time it is given", async () => {
      using clock = new SleptClock()
      expect((await refused({})).reason).toBe("Unavailable")
      expect(clock.ms).toBeLessThan(4500)
    })

    it("is told nothing of in the log that is a secret", async () => {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => void lines.push(message))
      const sasl = { mechanism: "SCRAM-SHA-256", username: "alice", password: Redacted.make(password) } as const
      const logged = use({ tls: { ...tls(), ...own() }, sasl }).pipe(
        Effect.provide(Layer.merge(Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, "Trace")))
      )
      await run(logged)
      const text = inspect(lines, { depth: 10 })
      expect(lines.length).toBeGreaterThan(3)
      expect(text).not.toContain(password)
      expect(text).not.toContain("PRIVATE KEY")
    })
  })
})
