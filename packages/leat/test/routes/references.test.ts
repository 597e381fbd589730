import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import { expect, it } from "@effect/vitest"
import { Effect, Exit, Logger, Result, Tracer } from "effect"
import fc from "fast-check"
import { type Driver, Leat, memory, RouteError, Routes, TransportError } from "leat"
import { afterAll, beforeAll, describe } from "vitest"
import {
  malformedReferences,
  type ReferenceReaders,
  References,
  resolveReferences
} from "../../src/routes/References.ts"
import type { ClusterConfig } from "../../src/transport/index.ts"
import { withhold } from "../../src/routes/redact.ts"
import { noteContract } from "../contracts/Note.ts"

const readers = (
  variables: Readonly<Record<string, string>>,
  files: Readonly<Record<string, string>> = {}
): ReferenceReaders => ({
  variable: (name) => variables[name],
  file: (path) => (files[path] === undefined ? Effect.fail("is not there") : Effect.succeed(files[path]))
})

const resolved = (config: ClusterConfig, from: ReferenceReaders) =>
  Result.map(Effect.runSync(Effect.result(resolveReferences(config, from))), (section) => section.config)

describe("references of a section", () => {
  it("are resolved wherever a text stands, and nowhere else", () => {
    const broker = new (class Broker {
      address = "${env:HOST}"
    })()
    const config = {
      brokers: ["${env:HOST}:${env:PORT}", "k2:9092"],
      "${env:HOST}": "key",
      sasl: { password: "${file:./pw}", note: "costs $${5}" },
      partitions: 4,
      broker
    }
    const told = resolved(config, readers({ HOST: "k1", PORT: "9092" }, { "./pw": "hunter2\n" }))
    expect(Result.getOrThrow(told)).toEqual({
      brokers: ["k1:9092", "k2:9092"],
      "${env:HOST}": "key",
      sasl: { password: "hunter2", note: "costs ${5}" },
      partitions: 4,
      broker
    })
    expect(config.brokers[0]).toBe("${env:HOST}:${env:PORT}")
  })

  it("of files lose one line feed at the end, and only one", () => {
    const files = { a: "x\n", b: "x\r\n", c: "x\n\n", d: "x", e: "\n" }
    const config = { all: Object.keys(files).map((name) => `\${file:${name}}`) }
    expect(Result.getOrThrow(resolved(config, readers({}, files)))).toEqual({ all: ["x", "x", "x\n", "x", ""] })
  })

  it("that cannot be read are told all at once, each with its place and what to do", () => {
    const config = {
      brokers: ["k1:9092", "${env:HOST}"],
      tls: { key: "${file:/run/key}" },
      name: "${env:SET}${env:HOST}"
    }
    const told = Effect.runSync(Effect.flip(resolveReferences(config, readers({ SET: "hunter2" }))))
    expect(told).toEqual([
      { path: "brokers[1]", message: "the environment variable HOST is not set; set it where this process is started" },
      { path: "tls.key", message: "the file /run/key is not there; correct the path, or put the file there" },
      { path: "name", message: "the environment variable HOST is not set; set it where this process is started" }
    ])
  })

  it("are not looked for in what they give", () => {
    const told = resolved({ a: "${env:A}" }, readers({ A: "${env:B} $${ ${" }))
    expect(Result.getOrThrow(told)).toEqual({ a: "${env:B} $${ ${" })
  })

  it("leave a section without them as it is, whatever is in it", () => {
    const text = fc.string().filter((one) => !one.includes("${"))
    const leaf = fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null))
    const { section } = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 3 }, leaf, fc.array(tie("value")), fc.dictionary(fc.string(), tie("value"))),
      section: fc.dictionary(fc.string(), tie("value"))
    }))
    fc.assert(
      fc.property(section, (config) => {
        const before = structuredClone(config)
        expect(Result.getOrThrow(resolved(config as ClusterConfig, readers({})))).toEqual(before)
        expect(malformedReferences(config as ClusterConfig)).toEqual([])
      })
    )
  })

  it("resolve to what a second resolution leaves as it is, unless what they give looks like one", () => {
    const value = fc.string().filter((one) => !one.includes("$"))
    const written = fc.array(fc.oneof(value, fc.constantFrom("${env:A}", "${env:B}", "${file:c}")))
    fc.assert(
      fc.property(fc.record({ A: value, B: value }), value, fc.array(written), ({ A, B }, c, texts) => {
        const from = readers({ A, B }, { c })
        const once = resolved({ texts: texts.map((parts) => parts.join("")) }, from)
        expect(resolved(Result.getOrThrow(once), from)).toEqual(once)
      })
    )
  })

  it("stand in values that stand in two places, or in themselves", () => {
    const shared: { password: string; self?: unknown } = { password: "${env:P}" }
    shared.self = shared
    const told = Result.getOrThrow(resolved({ one: shared, other: shared }, readers({ P: "hunter2" })))
    expect(told["one"]).toBe(told["other"])
    expect(told["one"]).toMatchObject({ password: "hunter2" })
    const malformed = Object.fromEntries([["__proto__", "${oops}"]])
    expect(malformedReferences(malformed).map(({ path }) => path)).toEqual(["__proto__"])
  })
})

describe("this machine", () => {
  const folder = mkdtempSync(join(tmpdir(), "leat-references-"))
  beforeAll(() => {
    writeFileSync(join(folder, "password"), "hunter2\n")
    writeFileSync(join(folder, "binary"), Uint8Array.of(0xff, 0xfe, 0xff))
    writeFileSync(join(folder, "huge"), new Uint8Array(1024 * 1024 + 1))
    mkdirSync(join(folder, "folder"))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const read = (reference: string) =>
    Effect.gen(function* () {
      return yield* resolveReferences({ secret: reference }, yield* References)
    })

  it.effect("gives variables of the process and texts of files", () =>
    Effect.gen(function* () {
      expect((yield* read("${env:PATH}")).config).toEqual({ secret: process.env["PATH"] })
      expect((yield* read(`\${file:${join(folder, "password")}}`)).config).toEqual({ secret: "hunter2" })
      expect((yield* read("${file:package.json}")).config["secret"]).toContain("leat-workspace")
    })
  )

  it.effect.each([
    ["nothing", /is not there/],
    ["folder", /is a directory/],
    ["binary", /is not UTF-8 text/],
    ["huge", /is larger than 1048576 bytes/]
  ] as const)("says of the file %s why it is not read", ([name, words]) =>
    Effect.gen(function* () {
      const [fault] = yield* Effect.flip(read(`\${file:${join(folder, name)}}`))
      expect(fault?.message).toMatch(words)
      expect(fault?.message).toMatch(/; correct the path, or put the file there$/)
    })
  )

  it.effect.skipIf(process.platform === "win32")("reads no more of an endless file than the limit", () =>
    Effect.gen(function* () {
      const [fault] = yield* Effect.flip(read("${file:/dev/zero}"))
      expect(fault?.message).toMatch(/is larger than/)
    })
  )
})

describe("what is withheld", () => {
  const key = "-----BEGIN KEY-----\nMIIBabcdefgh\n-----END KEY-----"
  it.each([
    ["hunter2", "cannot log in as leat with hunter2", "cannot log in as leat with ${env:S}"],
    ["hunter2 ", '{"password":"hunter2"}', '{"password":"${env:S}"}'],
    [key, `{"key":${JSON.stringify(key)}}`, '{"key":"${env:S}"}'],
    [key, "bad line: MIIBabcdefgh", "bad line: ${env:S}"],
    ["a.c", "abc, and a.c:1", "abc, and ${env:S}:1"],
    ["7", "code 17, attempt 7", "code 17, attempt ${env:S}"],
    [".", "./data: no such file. Sorry", "${env:S}/data: no such file. Sorry"],
    ["env", "env: ${env:S}", "${env:S}: ${${env:S}:S}"],
    ["$&$1", "said $&$1", "said ${env:S}"],
    ["", "nothing to hide", "nothing to hide"]
  ])("of %j in %j leaves %j", (value, text, left) => {
    expect(withhold(text, new Map([[value, "${env:S}"]]))).toBe(left)
  })

  it("never leaves a value of four characters or more, whatever else was read", () => {
    const value = fc.string({ minLength: 4 }).filter((one) => one.trim() !== "" && !/[\r\n$]/.test(one))
    fc.assert(
      fc.property(value, fc.string(), fc.string(), fc.array(fc.string()), (secret, before, after, others) => {
        const read = new Map([...others.map((one) => [one, "#"] as const), [secret, "#"] as const])
        expect(
          withhold(`${before}${secret}${after}`, read).includes(secret) && !`${before}#${after}`.includes(secret)
        ).toBe(false)
      })
    )
  })
})

describe("a table with references", () => {
  it("is refused for those that cannot be one, each with its place", () => {
    const document = {
      version: 1,
      clusters: {
        main: { transport: "memory", partitions: 2, sasl: { password: "${vault:hunter2}" } },
        other: { transport: "memory", brokers: ["fine", "${env:}"] }
      },
      routes: [{ match: { stream: "*" }, to: [{ cluster: "main", topic: "{stream}" }] }]
    }
    const told = Routes.compile(document, { drivers: [lenient(memory)] })
    if (Result.isSuccess(told)) throw new Error("it compiled")
    const { faults, message } = told.failure
    expect(faults.map(({ path }) => path)).toEqual(["clusters.main.sasl.password", "clusters.other.brokers[1]"])
    expect(message).toMatch(/write \$\{env:NAME\} or \$\{file:PATH\}/)
    expect(message).not.toContain("hunter2")
  })
})

/** The memory driver with any section. */
function lenient(driver: Driver, open: Driver["open"] = (cluster) => driver.open(cluster, {})): Driver {
  return { name: driver.name, inspect: () => driver.inspect({}), open }
}

const secret = "hunter2-Zq9+/x"
const document = {
  version: 1,
  clusters: { main: { transport: "memory", brokers: "${env:HOST}:9092", sasl: { password: "${env:PASSWORD}" } } },
  routes: [{ match: { stream: "*" }, to: [{ cluster: "main", topic: "{stream}" }] }]
}
const variables = { HOST: "broker-one", PASSWORD: secret }

/** Runs with everything caught that leat tells anybody: logs, spans, and what `tell` adds. */
const listening = <A, E, R>(program: (tell: (...what: ReadonlyArray<unknown>) => void) => Effect.Effect<A, E, R>) => {
  const told: Array<string> = []
  const tell = (...what: ReadonlyArray<unknown>) =>
    void told.push(...what.map((one) => `${inspect(one, { depth: 10 })}${String(one)}${JSON.stringify(one, bigints)}`))
  const spans: Array<Tracer.Span> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  const logger = Logger.make((options) => tell(options.message, options.cause))
  return program(tell).pipe(
    Effect.withTracer(tracer),
    Effect.provide(Logger.layer([logger])),
    Effect.scoped,
    Effect.map((value) => {
      for (const { name, attributes, status } of spans) tell(name, attributes, status)
      return { value, told: told.join("\n") }
    })
  )
}
const bigints = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value)

describe("a cluster whose section has references", () => {
  it.live("is opened with what they stand for, and nobody else learns it", () =>
    Effect.gen(function* () {
      const opened: Array<ClusterConfig> = []
      const driver = lenient(memory, (cluster, config) => {
        opened.push(config)
        return memory.open(cluster, {})
      })
      const { told } = yield* listening((tell) =>
        Effect.gen(function* () {
          const leat = yield* Leat.make({ source: "test", routes: document, drivers: [driver] })
          const notes = yield* leat.stream(noteContract())
          const subscription = yield* notes.handle("readers", () => Effect.void)
          yield* notes.publish({ key: "k", text: "t" })
          while ((yield* subscription.lag) > 0n) yield* Effect.sleep(5)
          tell(leat.ledger.snapshot(), leat.routes(), leat.routes().document, [...leat.routes().clusters.values()])
          tell(leat.routes().explain("notes", "test"), leat.sinks(), leat.halted(), leat)
        })
      )
      expect(opened).toEqual([{ brokers: "broker-one:9092", sasl: { password: secret } }])
      expect(told).toContain("${env:PASSWORD}")
      expect(told).not.toContain(secret)
      expect(told).not.toContain("broker-one")
    }).pipe(Effect.provideService(References, readers(variables)))
  )

  const failing: ReadonlyArray<readonly [how: string, open: Driver["open"]]> = [
    [
      "fails with it in its detail and its cause",
      (_, config) => {
        const detail = `no login at ${JSON.stringify(config)}`
        const cause = new Error(detail, { cause: config })
        return Effect.fail(
          new TransportError({ reason: "Unauthenticated", transport: "memory", operation: "open", detail, cause })
        )
      }
    ],
    [
      "throws it",
      (_, config) => {
        throw new TypeError(`Invalid URL ${JSON.stringify(config)}`, { cause: config })
      }
    ],
    ["dies of it", (_, config) => Effect.die(config["sasl"])]
  ]
  it.live.each(failing)("says nothing of them when the driver %s", ([, open]) =>
    Effect.gen(function* () {
      const { value, told } = yield* listening((tell) =>
        Effect.gen(function* () {
          const leat = yield* Leat.make({ source: "test", routes: document, drivers: [lenient(memory, open)] })
          const exit = yield* Effect.exit(leat.stream(noteContract()))
          tell(exit, leat.routes(), leat.ledger.snapshot())
          if (Exit.isFailure(exit)) tell(exit.cause, ...exit.cause.reasons)
          return exit
        })
      )
      expect(Exit.isFailure(value)).toBe(true)
      expect(told).not.toContain(secret)
      expect(told).not.toContain("broker-one")
    }).pipe(Effect.provideService(References, readers(variables)))
  )

  it.live("is not opened while one cannot be read, and says which", () =>
    Effect.gen(function* () {
      const { value, told } = yield* listening((tell) =>
        Effect.gen(function* () {
          const leat = yield* Leat.make({ source: "test", routes: document, drivers: [lenient(memory)] })
          const error = yield* Effect.flip(leat.stream(noteContract()))
          tell(error)
          return error
        })
      )
      expect(value).toBeInstanceOf(RouteError)
      expect(value.message).toBe(
        "clusters.main.brokers: the environment variable HOST is not set; set it where this process is started"
      )
      expect(told).not.toContain(secret)
    }).pipe(Effect.provideService(References, readers({ PASSWORD: secret })))
  )

  const changing = { HOST: "first", PASSWORD: secret }
  it.live("has them read anew when it is opened again, and when the driver asks", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const driver = lenient(memory, (cluster, config, reread) => {
        seen.push(config["brokers"])
        if (seen.length > 1) {
          const asked =
            reread === undefined
              ? Effect.void
              : Effect.tap(reread, (again) => Effect.sync(() => seen.push(again["brokers"])))
          return Effect.andThen(asked, memory.open(cluster, {}))
        }
        changing.HOST = "second"
        return Effect.fail(
          new TransportError({ reason: "Unavailable", transport: "memory", operation: "open", detail: "not yet" })
        )
      })
      const leat = yield* Leat.make({ source: "test", routes: document, drivers: [driver] })
      yield* Effect.provideService(leat.transport("main"), References, readers({}))
      expect(seen).toEqual(["first:9092", "second:9092", "second:9092"])
    }).pipe(Effect.provideService(References, readers(changing)))
  )
})
