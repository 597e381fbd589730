import { readFileSync } from "node:fs"
import { confluent, confluentCapabilities } from "@leat/confluent"
import { Effect, Redacted } from "effect"
import { describe, expect, it, vi } from "vitest"
import { producerConfig, readerConfig } from "../src/client/clientConfig.ts"
import { loadClient, wantedVersion } from "../src/client/client.ts"
import { missingCodec } from "../src/client/compression.ts"
import { clientCodes, failureOf } from "../src/client/failure.ts"

const isThere = (() => {
  try {
    return loadClient() !== undefined
  } catch {
    return false
  }
})()

describe("inspecting a cluster section", () => {
  it("needs no addon, and tells what a cluster configured so can do", () => {
    const inspected = confluent.inspect({ brokers: "k1:9092,k2:9092", recordBytesMax: 5000, positions: true })
    expect(inspected).toEqual({
      capabilities: confluentCapabilities({ recordBytesMax: 5000, positions: true }),
      addresses: ["kafka:k1:9092", "kafka:k2:9092"]
    })
    expect(confluentCapabilities({}).appendWithPosition).toBe(false)
  })

  it.each([
    [{ brokers: ["k1"] }, ["brokers[0]"]],
    [{ brokers: ["k1:9092"], positions: "yes" }, ["positions"]],
    [{ brokers: ["k1:9092"], compression: "brotli" }, ["compression"]],
    [{ brokers: ["k1:9092"], tls: { serverName: "kafka" } }, ["tls.serverName"]],
    [{ brokers: ["k1:9092"], linger: 5 }, ["linger"]],
    [{ brokers: [], positions: 1, sessionMs: 1 }, ["brokers", "sessionMs", "positions"]]
  ])("%j has faults at %j", (section, paths) => {
    const inspected = confluent.inspect(section)
    expect("issues" in inspected ? inspected.issues.map(({ path }) => path) : []).toEqual(expect.arrayContaining(paths))
  })
})

describe("what librdkafka is told", () => {
  const secrets = { password: "s3cret-password", key: "s3cret-key", passphrase: "s3cret-passphrase" }
  const options = {
    brokers: ["k1:9092", "[::1]:9093"] as ReadonlyArray<string>,
    tls: { cert: "cert", key: Redacted.make(secrets.key), passphrase: Redacted.make(secrets.passphrase) },
    sasl: { mechanism: "SCRAM-SHA-512", username: "u", password: Redacted.make(secrets.password) }
  } as const

  it("carries the secrets, and the way to the cluster", () => {
    const config = producerConfig(options, false)
    expect(config).toMatchObject({
      "metadata.broker.list": "k1:9092,[::1]:9093",
      "security.protocol": "sasl_ssl",
      "sasl.password": secrets.password,
      "ssl.key.pem": secrets.key,
      "ssl.key.password": secrets.passphrase,
      "enable.ssl.certificate.verification": true
    })
  })

  it.skipIf(!isThere)("is known to it, every property", () => {
    const kafka = loadClient()
    const token = { mechanism: "OAUTHBEARER", token: Redacted.make("t") } as const
    for (const sasl of [undefined, options.sasl, token]) {
      const reached = { brokers: options.brokers, ...(sasl === undefined ? {} : { sasl }), tls: {} }
      for (const hasPositions of [false, true])
        expect(new kafka.Producer(producerConfig(reached, hasPositions))).toBeDefined()
      expect(new kafka.KafkaConsumer(readerConfig(reached))).toBeDefined()
    }
  })

  it("is the compression of the section, and none without one", () => {
    expect(producerConfig({ ...options, compression: "zstd" }, false)).toMatchObject({ "compression.codec": "zstd" })
    expect(producerConfig(options, true)).toMatchObject({ "compression.codec": "none" })
  })

  it.skipIf(!isThere)("is not repeated by what goes wrong with it", async () => {
    const wrong = { ...options, brokers: ["127.0.0.1:1"], connectMs: 100 }
    const error = await Effect.runPromise(
      Effect.flip(Effect.scoped(confluent.open("fronting", { ...wrong, ...plain(wrong) })))
    )
    const told = `${error.message} ${JSON.stringify(error)} ${String(error.cause)}`
    for (const secret of Object.values(secrets)) expect(told).not.toContain(secret)
  })

  function plain({ tls, sasl }: Pick<typeof options, "tls" | "sasl">) {
    return {
      tls: { cert: certificate, key: Redacted.value(tls.key), passphrase: Redacted.value(tls.passphrase) },
      sasl: { ...sasl, password: Redacted.value(sasl.password) }
    }
  }
})

describe("a machine on which the addon", () => {
  /** What opening a cluster says where Node throws this when the addon is loaded; inspecting it needs no addon. */
  const saidWhere = async (thrown: Error) => {
    vi.resetModules()
    vi.doMock("node:module", () => ({
      createRequire: () => () => {
        throw thrown
      }
    }))
    const without = await import("../src/ConfluentDriver.ts")
    const section = { brokers: ["127.0.0.1:1"] }
    expect(without.confluent.inspect(section)).toHaveProperty("capabilities")
    const error = await Effect.runPromise(Effect.flip(Effect.scoped(without.confluent.open("fronting", section))))
    vi.doUnmock("node:module")
    vi.resetModules()
    expect(error).toMatchObject({ reason: "Unsupported", operation: "open" })
    return error.detail
  }
  const notLoaded = (message: string) => Object.assign(new Error(message), { code: "ERR_DLOPEN_FAILED" })

  it("is not there: told how to get it", async () => {
    const said = await saidWhere(new Error("Could not locate the bindings file. Tried:\n → /a/b.node"))
    expect(said).toContain("the native addon of @confluentinc/kafka-javascript is not there")
    expect(said).toContain("npm run confluent")
    expect(said).toContain("CKJS_LINKING=dynamic npm rebuild @confluentinc/kafka-javascript")
  })

  // npm takes an optional package whose install script fails away again, and says nothing; `npm rebuild` of it then builds nothing, and succeeds.
  it("is not there because npm left its package out: told so, and how to see why", async () => {
    const absent = "Cannot find module '@confluentinc/kafka-javascript'\nRequire stack:\n- /a/client.js"
    const said = await saidWhere(Object.assign(new Error(absent), { code: "MODULE_NOT_FOUND" }))
    expect(said).toContain("the package @confluentinc/kafka-javascript is not installed")
    expect(said).toContain("npm install @confluentinc/kafka-javascript@1.10.1")
    expect(said).toContain("CKJS_LINKING=dynamic")
    expect(said).not.toContain("npm rebuild")
    const inside = Object.assign(new Error("Cannot find module 'bindings'"), { code: "MODULE_NOT_FOUND" })
    expect(await saidWhere(inside)).not.toContain("is not installed")
  })

  it("is named with the version that this package wants", () => {
    const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8")
    expect(JSON.parse(manifest)).toMatchObject({
      optionalDependencies: { "@confluentinc/kafka-javascript": wantedVersion }
    })
  })

  it("was built for another Node: told so, and to build it for this one", async () => {
    const said = await saidWhere(
      notLoaded(
        "The module '/a/b.node'\nwas compiled against a different Node.js version using\nNODE_MODULE_VERSION 137. " +
          "This version of Node.js requires\nNODE_MODULE_VERSION 127. Please try re-compiling."
      )
    )
    expect(said).toContain(
      `the native addon of @confluentinc/kafka-javascript does not load in Node ${process.versions.node}: The module ` +
        "'/a/b.node' was compiled against a different Node.js version using NODE_MODULE_VERSION 137. This"
    )
    expect(said).toContain("npm rebuild @confluentinc/kafka-javascript")
    expect(said).toContain("Please try re-compiling; run")
    expect(said).not.toContain("is not there")
  })

  it("lacks a library: told which", async () => {
    const said = await saidWhere(notLoaded("libssl.so.3: cannot open shared object file: No such file or directory"))
    expect(said).toContain(": libssl.so.3: cannot open shared object file: No such file or directory; ")
  })
})

describe("an addon that was built without a codec", () => {
  it("is refused with what it has, and where one with it comes from", () => {
    const found = missingCodec({ features: ["gzip", "ssl", "lz4"] }, "zstd")
    expect(found).toMatchObject({ reason: "Unsupported", operation: "open" })
    expect(found?.detail).toContain("was built without zstd; choose another `compression` (it has gzip, lz4)")
    expect(found?.detail).toContain("npm run confluent")
    expect(missingCodec({ features: ["gzip", "ssl", "lz4"] }, "gzip")).toBeUndefined()
    expect(missingCodec({ features: [] }, "none")).toBeUndefined()
  })

  it("tells a reader of records that it cannot decompress why", () => {
    const found = failureOf({ code: clientCodes.NOT_IMPLEMENTED, message: "" }, "read", "sightings/0")
    expect(found).toMatchObject({ reason: "Unsupported" })
    expect(found.detail).toContain(
      "sightings/0: NOT_IMPLEMENTED (-170); records are compressed by a codec, zstd usually"
    )
  })
})

const certificate = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----"
