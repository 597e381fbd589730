import { inspect } from "node:util"
import { Effect, Exit, Redacted, Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { addressesOf, inspectSection, type SectionIssue } from "../src/ClusterSection.js"
import { decodeSection, openSection } from "../src/decodeSection.js"

const certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
const written = {
  brokers: ["k1:9092", "[::1]:9093"],
  clientId: "gateway",
  tls: {
    ca: "${file:ca.pem}",
    cert: certificate,
    key: "${file:key.pem}",
    passphrase: "${env:PASSPHRASE}",
    verify: true
  },
  sasl: { mechanism: "SCRAM-SHA-512", username: "leat", password: "${env:KAFKA_PASSWORD}" },
  recordBytesMax: 4096,
  topic: { partitions: 12, replicationFactor: 3 },
  sessionMs: 10_000,
  connectMs: 1000,
  requestMs: 5000
}
const opened = {
  ...written,
  tls: { ...written.tls, ca: certificate, key: "the key", passphrase: "the passphrase" },
  sasl: { ...written.sasl, password: "the password" }
}

/** Paths of the faults, each with its sentence. */
const faults = (config: object, phase: "inspect" | "decode" = "inspect"): ReadonlyArray<string> => {
  const told = phase === "inspect" ? inspectSection({ ...config }) : decodeSection({ ...config })
  const issues = Result.isFailure<unknown, ReadonlyArray<SectionIssue>>(told) ? told.failure : []
  return issues.map(({ path, message }) => `${path}: ${message}`)
}

it("the addresses of a section are its brokers, in lists and texts alike; references stand as they are", () => {
  const addresses = ["kafka:k1:9092", "kafka:[::1]:9093", "kafka:${env:Host}:9092"]
  expect(addressesOf({ brokers: ["K1:9092", "[::1]:9093", "${env:Host}:9092"] })).toEqual(addresses)
  expect(addressesOf({ brokers: "k1:9092, [::1]:9093,${env:Host}:9092" })).toEqual(addresses)
})

describe("a section, as it is written", () => {
  it("passes when all is well", () => {
    expect(faults(written)).toEqual([])
    expect(faults({ brokers: "k1:9092, k2.example.com:9092" })).toEqual([])
    expect(
      faults({ brokers: "k1:9092", tls: true, sasl: { mechanism: "OAUTHBEARER", token: "${file:token}" } })
    ).toEqual([])
  })

  it("passes with references where text may stand", () => {
    expect(faults({ brokers: "${env:KAFKA_BROKERS}" })).toEqual([])
    expect(faults({ brokers: ["${env:HOST}:9092", "k2:9092"], clientId: "${env:POD}-leat" })).toEqual([])
    const asking = {
      tokenEndpoint: "${env:IDP}/token",
      clientId: "${env:ID}",
      clientSecret: "${env:SECRET}",
      scope: "kafka"
    }
    expect(faults({ brokers: "k1:9092", sasl: { mechanism: "OAUTHBEARER", ...asking } })).toEqual([])
  })

  it.each([
    ["nothing", {}, "brokers: is missing"],
    ["no brokers", { brokers: [] }, "brokers: is empty"],
    ["a time-out that is none", { brokers: "k1:9092", sessionMs: -1 }, "sessionMs: must be from 6000 to 1800000"],
    ["a broker without a port", { brokers: ["k1"] }, /^brokers\[0\]: is no address of a broker; write HOST:PORT/],
    ["a URL", { brokers: "SASL_SSL://k1:9092" }, /^brokers: is no list of brokers/],
    ["port 0", { brokers: "k1:0" }, /^brokers: /],
    ["port 65536", { brokers: "k1:65536" }, /^brokers: /],
    ["a bare IPv6 address", { brokers: ["::1:9092"] }, /^brokers\[0\]: .*brackets/],
    ["a trailing comma", { brokers: "k1:9092," }, /^brokers: /],
    ["an unknown key", { brokers: "k1:9092", acks: 1 }, /^acks: is no field here; there is brokers, clientId, tls/],
    [
      "a misspelt key",
      { brokers: "k1:9092", topic: { partition: 3 } },
      /^topic.partition: is no field here; there is partitions, replicationFactor; did you mean partitions\?$/
    ],
    [
      "an unknown key of tls",
      { brokers: "k1:9092", tls: { rejectUnauthorized: false } },
      /^tls.rejectUnauthorized: is no field here; there is ca, cert/
    ],
    [
      "an unknown mechanism",
      { brokers: "k1:9092", sasl: { mechanism: "GSSAPI" } },
      /^sasl.mechanism: must be PLAIN or SCRAM-SHA-256 or/
    ],
    ["a path for a certificate", { brokers: "k1:9092", tls: { ca: "./ca.pem" } }, /^tls.ca: .*write \$\{file:PATH\}/],
    ["a certificate without its key", { brokers: "k1:9092", tls: { cert: certificate } }, /^tls: cert and key/],
    ["a passphrase without a key", { brokers: "k1:9092", tls: { passphrase: "${env:P}" } }, /^tls: a passphrase/],
    [
      "a password for a bearer",
      { brokers: "k1:9092", sasl: { mechanism: "OAUTHBEARER", password: "${env:P}" } },
      /^sasl: OA/
    ],
    [
      "a user without a password",
      { brokers: "k1:9092", sasl: { mechanism: "PLAIN", username: "leat" } },
      /^sasl: PLAIN/
    ],
    ["a bearer without a token", { brokers: "k1:9092", sasl: { mechanism: "OAUTHBEARER" } }, /^sasl: give a token/],
    [
      "two ways to a token",
      { brokers: "k1:9092", sasl: { mechanism: "OAUTHBEARER", token: "${env:T}", clientId: "leat" } },
      /^sasl: give a token or/
    ],
    [
      "a token endpoint that everybody can listen to",
      {
        brokers: "k1:9092",
        sasl: { mechanism: "OAUTHBEARER", tokenEndpoint: "http://idp/t", clientId: "a", clientSecret: "${env:S}" }
      },
      /^sasl.tokenEndpoint: is no https URL/
    ],
    ["a session that no broker accepts", { brokers: "k1:9092", sessionMs: 5 }, /^sessionMs: /],
    ["a fraction of a byte", { brokers: "k1:9092", recordBytesMax: 1024.5 }, /^recordBytesMax: /]
  ] as const)("reports %s", (_, config, expected) => {
    expect(faults(config)).toEqual([expect.stringMatching(expected)])
  })

  it("reports every fault at once", () => {
    const sasl = { mechanism: "PLAIN", username: "", password: "hunter2" }
    expect(faults({ brokers: ["k1"], bootstrap: "k1:9092", sasl }).map((text) => text.split(":")[0])).toEqual(
      expect.arrayContaining(["brokers[0]", "bootstrap", "sasl.username", "sasl.password"])
    )
  })

  it.each([
    ["sasl.password", (secret: unknown) => ({ sasl: { mechanism: "PLAIN", username: "leat", password: secret } })],
    ["sasl.token", (secret: unknown) => ({ sasl: { mechanism: "OAUTHBEARER", token: secret } })],
    [
      "sasl.clientSecret",
      (secret: unknown) => ({
        sasl: { mechanism: "OAUTHBEARER", tokenEndpoint: "https://idp/t", clientId: "a", clientSecret: secret }
      })
    ],
    ["tls.key", (secret: unknown) => ({ tls: { cert: certificate, key: secret } })],
    ["tls.passphrase", (secret: unknown) => ({ tls: { cert: certificate, key: "${env:K}", passphrase: secret } })]
  ] as const)("never holds a secret in %s, nor repeats one", (path, section) => {
    const secrets = [
      "hunter2-hunter2",
      "x${env:A}",
      "$${env:hunter2}",
      "${vault:hunter2}",
      4_711_471_100,
      { deep: "hunter2" }
    ]
    for (const secret of secrets) {
      const told = faults({ brokers: "k1:9092", ...section(secret) })
      expect(told.map((text) => text.split(":")[0])).toContain(path)
      expect(told.join("\n")).not.toMatch(/hunter2|4711471100|vault/)
    }
  })

  it("repeats nothing of what it finds fault with, whatever that is", () => {
    const field = fc.constantFrom("brokers", "clientId", "tls", "sasl", "topic", "sessionMs", "somethingElse")
    const planted = fc.constantFrom<unknown>("Pl4nted", ["Pl4nted"], { mechanism: "Pl4nted" }, { password: "Pl4nted" })
    fc.assert(
      fc.property(fc.dictionary(field, planted), (config) => {
        expect(faults(config).join("\n")).not.toContain("Pl4nted")
        expect(faults(config, "decode").join("\n")).not.toContain("Pl4nted")
      })
    )
  })
})

describe("a section, when it is opened", () => {
  it("becomes options, with secrets that do not show", () => {
    const options = Result.getOrThrow(decodeSection(opened))
    expect({ ...options, tls: undefined, sasl: undefined }).toEqual({ ...written, tls: undefined, sasl: undefined })
    expect(options.tls?.ca).toBe(certificate)
    expect(options.tls?.key === undefined ? undefined : Redacted.value(options.tls.key)).toBe("the key")
    expect(options.sasl?.mechanism === "SCRAM-SHA-512" && Redacted.value(options.sasl.password)).toBe("the password")
    expect(inspect(options, { depth: 10, showHidden: true }) + JSON.stringify(options)).not.toMatch(/the (key|pass)/)
  })

  it("takes brokers apart, and tls: true as an option of no fields", () => {
    const { brokers, tls } = Result.getOrThrow(decodeSection({ brokers: "k1:9092, k2:9092", tls: true }))
    expect([brokers, tls]).toEqual([["k1:9092", "k2:9092"], {}])
    expect(Result.getOrThrow(decodeSection({ brokers: "k1:9092", tls: false })).tls).toBeUndefined()
  })

  it("takes no reference for an address any more", () => {
    expect(faults({ brokers: "${env:KAFKA_BROKERS}" }, "decode")).toEqual([expect.stringMatching(/^brokers: /)])
  })

  it("fails as a whole, with every fault, without what stood there", () => {
    const config = { brokers: ["k1"], sasl: { mechanism: "PLAIN", username: "leat", password: "" }, extra: "hunter2" }
    const exit = Effect.runSyncExit(openSection({ transport: "@leat/kafkajs", cluster: "main" }, config))
    const error = Exit.findErrorOption(exit)
    expect(error).toMatchObject({ value: { reason: "Unsupported", transport: "@leat/kafkajs", operation: "open" } })
    const text = inspect(error, { depth: 10 })
    expect(text).toMatch(/cluster main: .*brokers\[0\]: .*sasl.password: what its reference gives is empty/s)
    expect(text).not.toContain("hunter2")
  })

  it("reads a token anew whenever it is asked for", () => {
    let turn = 0
    const section = () => ({ brokers: "k1:9092", sasl: { mechanism: "OAUTHBEARER", token: `token ${++turn}` } })
    const { sasl } = Result.getOrThrow(decodeSection(section(), Effect.sync(section)))
    if (sasl === undefined || !("token" in sasl) || Redacted.isRedacted(sasl.token)) throw new Error("not an effect")
    expect(Redacted.value(Effect.runSync(sasl.token))).toBe("token 2")
    expect(Redacted.value(Effect.runSync(sasl.token))).toBe("token 3")
  })
})
