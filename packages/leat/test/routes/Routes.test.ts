import { readdirSync, readFileSync } from "node:fs"
import { Ajv2020 } from "ajv/dist/2020.js"
import { Effect, Result } from "effect"
import fc from "fast-check"
import { type Driver, memory, RouteError, type RouteFault, routeJsonSchema, Routes } from "leat"
import type { ContractInfo, Need } from "leat/contract"
import type { Capabilities } from "leat/transport"
import { describe, expect, it } from "vitest"
import { parse } from "yaml"
import { memoryCapabilities } from "../../src/transport/memory/MemoryTransport.js"
import { decodeDocument } from "../../src/routes/decodeDocument.js"
import { noteContract } from "../contracts/Note.js"

interface LegText {
  readonly cluster: string
  readonly topic: string
  readonly [setting: string]: unknown
}
interface RouteText {
  readonly match: { readonly stream: string; readonly source?: string }
  readonly to: ReadonlyArray<LegText>
  readonly [setting: string]: unknown
}

const leg = (settings: object = {}): LegText => ({ cluster: "local", topic: "{stream}", ...settings })
const route = (stream: string, to: ReadonlyArray<LegText> = [leg()]): RouteText => ({ match: { stream }, to })
const documentOf = (routes: ReadonlyArray<RouteText>, settings: object = {}) => ({
  version: 1,
  clusters: { local: { transport: "memory" } },
  routes,
  ...settings
})
const retry = { times: 5, base: "50 millis", factor: 2, deadline: "1 minute", maxDelay: "10 s", jitter: 0.1 }
/** A document that says everything that a document can say. */
const full = documentOf(
  [
    {
      match: { stream: "risk.*", source: "mobile-*" },
      level: "queued",
      partitioner: "bucket",
      objective: { loss: 0.01, window: "7 days" },
      to: [
        leg({ policy: "keep", buffer: { bytes: 1_000_000, overflow: "reject" }, linger: "1 milli", read: true }),
        leg({
          topic: "copy.{stream}",
          required: false,
          wire: "cloudevents",
          timeout: "5s",
          epoch: 2,
          batch: { bytes: 9 }
        })
      ]
    },
    route("*")
  ],
  {
    policies: {
      keep: [
        { on: ["Timeout"], retry, then: "drop" },
        { on: ["*"], then: "halt" }
      ]
    },
    subscriptions: [
      {
        match: { stream: "risk.*", group: "g*" },
        policy: "keep",
        from: { time: "2026-11-24T08:00:00Z" },
        crashLoop: 2
      },
      { match: { stream: "*" }, from: "latest", concurrency: 4, buffer: { bytes: 9 }, settleEvery: "1 s", drain: "1 m" }
    ]
  }
)

const compile = (document: unknown, contracts: ReadonlyArray<ContractInfo> = [], driver: Driver = memory) =>
  Routes.compile(document, { drivers: [driver], contracts })
const tableOf = (document: unknown): Routes => Result.getOrThrow(compile(document))
function faultsOf(document: unknown, contracts?: ReadonlyArray<ContractInfo>, driver?: Driver) {
  const compiled = compile(document, contracts, driver)
  return Result.isFailure(compiled) ? compiled.failure.faults : []
}
const pathsOf = (faults: ReadonlyArray<RouteFault>): ReadonlyArray<string> => faults.map(({ path }) => path).toSorted()

const segment = fc.stringMatching(/^[a-c]{1,2}$/)
const streams = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("."))
const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withTypedArray: true
})

/** A copy of `value` in which what stands at the end of a random walk is another thing; undefined: is gone. */
function mutated(value: unknown, turns: ReadonlyArray<number>, instead: unknown): unknown {
  const [turn, ...rest] = turns
  if (turn === undefined || typeof value !== "object" || value === null) return instead
  const before: ReadonlyArray<readonly [string, unknown]> = [...Object.entries(value), ["surplus", undefined]]
  const at = turn % before.length
  const entries = before
    .map(([key, item], index) => [key, index === at ? mutated(item, rest, instead) : item] as const)
    .filter(([, item]) => item !== undefined)
  return Array.isArray(value) ? entries.map(([, item]) => item) : Object.fromEntries(entries)
}
const mutationsWith = (instead: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc
    .tuple(fc.array(fc.nat(20), { minLength: 1, maxLength: 6 }), fc.option(instead, { nil: undefined }))
    .map(([turns, value]) => mutated(full, turns, value))

/** Whether compiling gives a table, or faults that a person can read. */
function isTold(document: unknown): boolean {
  const compiled = compile(document)
  if (Result.isSuccess(compiled)) return compiled.success instanceof Routes
  const { faults, message: all } = compiled.failure
  const told = faults.every(({ path, message }) => message !== "" && all.includes(path) && all.includes(message))
  return told && faults.length > 0 && compiled.failure instanceof RouteError
}

describe("a document that nobody has checked", () => {
  it("is told by its faults alone: a key that is a list warns of nothing beside them", async () => {
    const warned: Array<string> = []
    const note = ({ message }: Error) => void warned.push(message)
    process.on("warning", note)
    expect(Result.isFailure(Routes.compile("version: 1\n? [a, b]\n: c\n", { drivers: [memory] }))).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 5))
    process.off("warning", note)
    expect(warned).toEqual([])
  })

  it("never makes compile throw: any value, JSON or text", () => {
    fc.assert(
      fc.property(fc.oneof(anything, fc.jsonValue(), fc.json(), fc.string()), (document) => {
        expect(isTold(document)).toBe(true)
      }),
      { numRuns: 500 }
    )
  })

  it("never makes compile throw: a valid one with something in it changed", () => {
    fc.assert(
      fc.property(mutationsWith(anything), (document) => {
        expect(isTold(document)).toBe(true)
      }),
      { numRuns: 500 }
    )
  })

  it("never makes compile throw: the text of a valid one, damaged", () => {
    const text = JSON.stringify(full)
    const damage = fc.tuple(fc.nat(text.length), fc.nat(5), fc.string({ maxLength: 3 }))
    fc.assert(
      fc.property(damage, ([at, length, instead]) => {
        expect(isTold(text.slice(0, at) + instead + text.slice(at + length))).toBe(true)
      }),
      { numRuns: 300 }
    )
  })

  it.each([
    ["version: 1\nroutes: [a, b\nclusters: {}", "line 3"],
    ["a: 1\na: 2", "line 2"],
    ["--- a\n--- b", "line 2"],
    ["[".repeat(20_000), "line 1"],
    ["x".repeat(4 * 1024 * 1024 + 1), ""],
    ["a: &a [x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c]", ""]
  ])("is a fault and no throw where the text cannot be read: %#", (text, path) => {
    const faults = faultsOf(text)
    expect(pathsOf(faults)).toEqual([path])
    expect(faults[0]?.message).toMatch(/^not YAML or JSON|the limit is/)
  })

  it.each([
    ["version: 1\nroutes: [{ match: { stream: * } }]", "line 2", /write it in quotes, as stream: "\*"$/],
    ["version: 1\nroutes: [{ match: { stream: *all } }]", "", /write it in quotes, as stream: "\*"$/],
    ["version: 1\n---\nversion: 2", "line 2", /several documents, divided by ---; a route document is one$/]
  ])("says what to do, and not how a program is written, where it can: %#", (text, path, sentence) => {
    const faults = faultsOf(text)
    expect(pathsOf(faults)).toEqual([path])
    expect(faults[0]?.message).toMatch(sentence)
  })

  it("says that a merge key of YAML 1.1 merges nothing", () => {
    const text = "version: 1\nclusters:\n  a: &a { transport: memory }\n  b: { <<: *a, partitions: 2 }\nroutes: []"
    const [fault] = faultsOf(text).filter(({ path }) => path === "clusters.b.transport")
    expect(fault?.message).toMatch(/^is missing; .*; << merges nothing in YAML 1.2, so write the fields out$/)
  })

  it.each(["__proto__", "constructor", "toString", "hasOwnProperty"])("may call a cluster and a policy %s", (name) => {
    const text = JSON.stringify(
      documentOf([route("*", [leg({ cluster: "NAME", policy: "NAME" })])], {
        clusters: { NAME: { transport: "memory" } },
        policies: { NAME: [{ on: ["*"], then: "drop" }] }
      })
    ).replaceAll("NAME", name)
    for (const document of [text, JSON.parse(text)]) {
      const found = tableOf(document).lookup("a", "b")?.legs[0]
      expect(found?.sink).toBe(`${name}/a`)
      expect(found?.policy).toEqual([{ on: ["*"], then: "drop" }])
    }
    const absent = documentOf([route("*", [leg({ cluster: name, policy: name })])])
    expect(pathsOf(faultsOf(absent))).toEqual(["routes[0].to[0].cluster", "routes[0].to[0].policy"])
    expect({}).not.toHaveProperty("transport")
  })
})

type Fault = readonly [path: string, document: typeof full | object]
/** Changes that each make one fault, in what the schema says ... */
const shapeFaults: ReadonlyArray<readonly [path: string, change: object]> = [
  ["version", { version: 0 }],
  ["surplus", { surplus: 1 }],
  ["policies.keep[0].then", { policies: { keep: [{ on: ["*"], then: "explode" }] } }],
  ["subscriptions[0].crashLoop", { subscriptions: [{ match: { stream: "*" }, crashLoop: 0.5 }] }],
  ["routes[0].to[0].linger", { routes: [route("*", [leg({ linger: "soon" })])] }]
]
/** ... and in what it means. */
const meaningFaults: ReadonlyArray<readonly [path: string, change: object]> = [
  ["clusters.far.transport", { clusters: { local: { transport: "memory" }, far: { transport: "carrier-pigeon" } } }],
  ["policies.keep[0].retry.base", { policies: { keep: [{ on: ["*"], retry: { base: "2 days" }, then: "halt" }] } }],
  ["subscriptions[0].from.time", { subscriptions: [{ match: { stream: "*" }, from: { time: "yesterday" } }] }],
  ["routes[0].to[0].policy", { routes: [route("*", [leg({ policy: "absent" })])] }]
]

describe("the faults of a document", () => {
  it.each([
    ["of shape", shapeFaults],
    ["of meaning", meaningFaults]
  ])("are all reported at once, each with its path: those %s", (_, all) => {
    fc.assert(
      fc.property(fc.subarray([...all], { minLength: 1 }), (chosen) => {
        const document = Object.assign(documentOf([route("*")]), ...chosen.map(([, change]) => change)) as Fault[1]
        expect(pathsOf(faultsOf(document))).toEqual(chosen.map(([path]) => path).toSorted())
      })
    )
  })

  it.each<readonly [string, ReadonlyArray<LegText>, string]>([
    ["a cluster that is not there", [leg({ cluster: "far" })], ".to[0].cluster"],
    ["a policy that is not there", [leg({ policy: "constructor" })], ".to[0].policy"],
    ["two legs to read", [leg({ read: true }), leg({ topic: "b", read: true })], ".to"],
    ["no required leg", [leg({ required: false })], ".to"],
    ["two legs to one sink", [leg(), leg()], ".to[1]"],
    ["a buffer too small", [leg({ buffer: { bytes: 100 } })], ".to[0].buffer.bytes"],
    [
      "a batch larger than the buffer",
      [leg({ buffer: { bytes: 65_536 }, batch: { bytes: 65_537 } })],
      ".to[0].batch.bytes"
    ],
    ["a time-out no one can keep", [leg({ timeout: "9 millis" })], ".to[0].timeout"]
  ])("have the path of %s", (_, to, path) => {
    expect(pathsOf(faultsOf(documentOf([route("*", to)])))).toEqual([`routes[0]${path}`])
  })

  it("tell of one sink with two settings, but not when they are the same", () => {
    const twice = (linger: string) =>
      documentOf(
        ["5 millis", linger].map((one, at) =>
          route("ab"[at] ?? "", [leg({ topic: "t", wire: "cloudevents", linger: one })])
        )
      )
    expect(pathsOf(faultsOf(twice("6 millis")))).toEqual(["routes[1].to[0]"])
    expect(faultsOf(twice("5 millis"))).toEqual([])
  })

  it("are those of the driver too, under the cluster's path", () => {
    const clusters = { local: { transport: "memory", partitions: 0, surplus: true } }
    expect(pathsOf(faultsOf(documentOf([route("*")], { clusters })))).toEqual([
      "clusters.local.partitions",
      "clusters.local.surplus"
    ])
  })
})

const glob = fc.string({ unit: fc.constantFrom("a", "b", "*"), minLength: 1, maxLength: 4 })
const matches = fc.array(fc.record({ stream: glob, source: glob }, { requiredKeys: ["stream"] }), {
  minLength: 1,
  maxLength: 8
})
/** Every text of up to four letters: `z`, in no glob, stands for whatever else there is. */
const texts = [0, 1, 2, 3]
  .reduce(
    (all) => [...new Set([...all, ...all.flatMap((text) => ["a", "b", "z"].map((letter) => text + letter))])],
    ["a", "b", "z"]
  )
  .filter((text) => text.length <= 4)
const naive = (pattern: string, text: string): boolean =>
  new RegExp(
    `^${pattern
      .split("*")
      .map((part) => part.replaceAll(".", "\\."))
      .join(".*")}$`
  ).test(text)
const naiveCovers = (outer = "*", inner = "*"): boolean =>
  texts.every((text) => naive(outer, text) || !naive(inner, text))

/** The routes without those that compile calls unreachable. */
function reachable(all: ReadonlyArray<RouteText["match"]>): ReadonlyArray<RouteText["match"]> {
  const faults = faultsOf(documentOf(all.map((match) => ({ match, to: [leg()] }))))
  return all.filter((_, index) => !faults.some(({ path }) => path === `routes[${index}]`))
}

describe("matching", () => {
  it("takes the first route that matches stream and source", () => {
    const text = fc.constantFrom(...texts)
    fc.assert(
      fc.property(matches, text, text, (all, stream, source) => {
        const kept = reachable(all)
        const table = tableOf(documentOf(kept.map((match) => ({ match, to: [leg()] }))))
        const first = kept.findIndex((one) => naive(one.stream, stream) && naive(one.source ?? "*", source))
        expect(table.lookup(stream, source)?.index ?? -1).toBe(first)
        expect(table.lookup(stream, source)).toBe(table.lookup(stream, source))
      }),
      { numRuns: 300 }
    )
  })

  it("takes the earlier of two routes that match", () => {
    const table = tableOf(documentOf([route("orders.*"), route("*")]))
    expect(["orders.eu", "refunds"].map((stream) => table.lookup(stream, "s")?.index)).toEqual([0, 1])
  })

  it("finds a route unreachable exactly when an earlier one takes all that it could", () => {
    fc.assert(
      fc.property(matches, (all) => {
        const expected = all.filter((match, index) =>
          all
            .slice(0, index)
            .some((one) => naiveCovers(one.stream, match.stream) && naiveCovers(one.source, match.source))
        )
        expect(all.filter((match) => !reachable(all).includes(match))).toEqual(expected)
      }),
      { numRuns: 100 }
    )
  })

  it("explains the route that lookup takes", () => {
    fc.assert(
      fc.property(fc.array(glob, { minLength: 1, maxLength: 5 }), streams, (globs, stream) => {
        const kept = reachable(globs.map((one) => ({ stream: one })))
        const table = tableOf(documentOf(kept.map((match) => ({ match, to: [leg()] }))))
        const taken = /routes\[(\d+)\][^\n]*: yes/.exec(table.explain(stream, "s"))?.[1]
        expect(taken).toBe(table.lookup(stream, "s")?.index.toString())
        expect(table.explain(stream, "s")).toContain(
          taken === undefined ? "no route matches" : `-> local/${stream} (required, compact`
        )
      })
    )
  })

  it("takes stars in stride: a hostile glob costs no time", () => {
    const table = tableOf(documentOf([route("*a".repeat(100) + "b")]))
    const before = performance.now()
    expect(table.lookup("a".repeat(20_000), "s")).toBeUndefined()
    expect(performance.now() - before).toBeLessThan(1000)
  })
})

describe("legs", () => {
  const flags = fc.array(fc.record({ required: fc.boolean(), read: fc.boolean() }), { minLength: 1, maxLength: 6 })
  const legsOf = (all: ReadonlyArray<object>) => all.map((one, index) => leg({ topic: `${index}.{stream}`, ...one }))

  it("are refused when two are read or none is required", () => {
    fc.assert(
      fc.property(flags, (all) => {
        const faults = [all.filter(({ read }) => read).length > 1, all.every(({ required }) => !required)]
        const paths = faults.filter(Boolean).map(() => "routes[0].to")
        expect(pathsOf(faultsOf(documentOf([route("*", legsOf(all))])))).toEqual(paths)
      })
    )
  })

  it("come required ones first, otherwise as written, and one of them is read", () => {
    fc.assert(
      fc.property(flags, fc.nat(), fc.option(fc.nat()), streams, (all, wanted, reading, stream) => {
        const read = reading === null ? undefined : reading % all.length
        const required = all.map((one, index) => one.required || index === wanted % all.length)
        const to = legsOf(required.map((one, index) => ({ required: one, ...(index === read ? { read: true } : {}) })))
        const found = tableOf(documentOf([route("*", to)])).lookup(stream, "s")
        const order = [...required.keys()].toSorted((a, b) => Number(required[b]) - Number(required[a]))
        expect(found?.legs.map(({ topic }) => topic)).toEqual(order.map((index) => `${index}.${stream}`))
        expect(found?.legs.map((one) => one.required)).toEqual(order.map((index) => required[index]))
        expect(found?.readLeg.topic).toBe(`${read ?? 0}.${stream}`)
        expect(found?.legs).toContain(found?.readLeg)
      })
    )
  })

  it("have every default filled in, and go to the topic that the stream's own name makes", () => {
    fc.assert(
      fc.property(fc.oneof(streams, fc.constantFrom("a$&b", "$$", "$'")), (stream) => {
        expect(Routes.inMemory(memory).lookup(stream, "s")?.readLeg).toMatchObject({
          cluster: "memory",
          topic: stream,
          sink: `memory/${stream}`,
          required: true,
          wire: "compact",
          overflow: "block",
          lingerMs: 5,
          timeoutMs: 30_000,
          epoch: 1
        })
      })
    )
  })

  it("have durations in any of their spellings", () => {
    const spelling = fc.constantFrom<readonly [string, number]>(
      ...["ms", "milli", "millis", "millisecond", "milliseconds"].map((unit) => [unit, 1] as const),
      ...["s", "second", "seconds"].map((unit) => [unit, 1000] as const),
      ...["m", "minute", "minutes"].map((unit) => [unit, 60_000] as const),
      ...["h", "hour", "hours"].map((unit) => [unit, 3_600_000] as const),
      ...["d", "day", "days"].map((unit) => [unit, 86_400_000] as const)
    )
    const amount = fc.oneof(
      fc.nat(300).map(String),
      fc.tuple(fc.nat(99), fc.nat(9)).map(([a, b]) => `${a}.${b}`)
    )
    fc.assert(
      fc.property(amount, spelling, fc.constantFrom("", " "), (number, [unit, unitMs], space) => {
        const rules = [{ on: ["*"], retry: { base: "0 s", deadline: number + space + unit }, then: "drop" }]
        const document = documentOf([route("*", [leg({ policy: "p" })])], { policies: { p: rules } })
        const [rule] = tableOf(document).lookup("a", "s")?.readLeg.policy ?? []
        expect(rule?.retry?.deadlineMs).toBeCloseTo(Number(number) * unitMs, 5)
      })
    )
    expect(tableOf(documentOf([route("*", [leg({ linger: "10 millis" })])])).lookup("a", "s")?.readLeg.lingerMs).toBe(
      10
    )
  })

  it.each(["", "10", "millis", "-1 s", "1 fortnight", "1 s 2 ms", "ten seconds"])("have no duration %j", (linger) => {
    expect(pathsOf(faultsOf(documentOf([route("*", [leg({ linger })])])))).toEqual(["routes[0].to[0].linger"])
  })
})

it("a policy is compiled with its units, and found by its name", () => {
  const found = tableOf(full).lookup("risk.a", "mobile-app")
  expect(found?.level).toBe("queued")
  expect(found?.legs[0]?.policy).toEqual([
    {
      on: ["Timeout"],
      then: "drop",
      retry: { times: 5, baseMs: 50, factor: 2, deadlineMs: 60_000, maxDelayMs: 10_000, jitter: 0.1 }
    },
    { on: ["*"], then: "halt" }
  ])
})

it("a subscription is the first that matches stream and group, else the defaults", () => {
  const table = tableOf(full)
  const timeMs = Date.UTC(2026, 10, 24, 8)
  expect(table.subscription("risk.a", "g1")).toMatchObject({ from: { timeMs }, crashLoop: 2, concurrency: 16 })
  expect(table.subscription("risk.a", "other")).toMatchObject({ from: "latest", settleEveryMs: 1000, drainMs: 60_000 })
  expect(tableOf(documentOf([route("*")])).subscription("a", "g")).toMatchObject({ from: "earliest", crashLoop: 3 })
})

describe("contracts", () => {
  const contract = (stream: string, needs: ReadonlyArray<Need> = []): ContractInfo =>
    noteContract({ name: `test.${stream}`, stream, needs })
  const able = (need: Need): Partial<Capabilities> => {
    const none = memoryCapabilities()
    if (need === "order") return { ordering: "perPartition" }
    if (need === "replay") return { replay: { ...none.replay, offset: true } }
    return need === "compaction" ? { compaction: true } : { acks: [need] }
  }

  it("are refused a cluster that does not declare what they need, each need by its name", () => {
    const need = fc.constantFrom<Need>("order", "replay", "fsync", "quorum", "compaction")
    fc.assert(
      fc.property(fc.uniqueArray(need), fc.option(need), (needs, declared) => {
        const capabilities: Capabilities = {
          ...memoryCapabilities(),
          ordering: "none",
          replay: { offset: false, time: false },
          acks: [],
          compaction: false,
          ...(declared === null ? {} : able(declared))
        }
        const driver = { name: "memory", inspect: () => ({ capabilities }), open: () => Effect.die("not opened here") }
        const unmet = needs.filter((one) => one !== declared)
        const faults = faultsOf(documentOf([route("*")]), [contract("a", needs)], driver)
        expect(pathsOf(faults)).toEqual(unmet.length === 0 ? [] : ["routes[0].to[0].cluster"])
        expect(faults.map(({ message }) => message.replace(/, which.*/, ""))).toEqual(
          unmet.length === 0 ? [] : [`test.a needs ${unmet.join(" and ")}`]
        )
      })
    )
  })

  it("that need order are refused where a send in doubt may overtake, unless the policy gives nothing up", () => {
    const capabilities: Capabilities = { ...memoryCapabilities(), ordering: "exceptAfterInDoubt" }
    const driver = { name: "memory", inspect: () => ({ capabilities }), open: () => Effect.die("not opened here") }
    const faults = (rules: ReadonlyArray<object>) =>
      faultsOf(
        documentOf([route("*", [leg({ policy: "p" })])], { policies: { p: rules } }),
        [contract("a", ["order"])],
        driver
      )
    const again = { base: "1 second" }
    expect(faults([])).toEqual([])
    expect(faults([{ on: ["Timeout"], retry: again, then: "halt" }])).toEqual([])
    for (const on of ["Timeout", "TooLarge", "*"]) {
      const [fault] = faults([
        { on: ["Full"], then: "halt" },
        { on: [on], retry: again, then: "drop" }
      ])
      expect(fault).toEqual({
        path: "routes[0].to[0].policy",
        message:
          `test.a needs order, which cluster local keeps only where nothing is given up, and this policy gives up after ${on}; ` +
          "let it retry, spill, fall back or halt, or take a driver that keeps order in any case"
      })
    }
    expect(faultsOf(documentOf([route("*")]), [contract("a", ["order"])], driver)).toEqual([])
  })

  it("that need order are refused where each record of a batch is stored or not by itself", () => {
    const faults = (batch: Capabilities["batch"]) => {
      const capabilities: Capabilities = { ...memoryCapabilities(), batch }
      const driver = { name: "memory", inspect: () => ({ capabilities }), open: () => Effect.die("not opened here") }
      return faultsOf(documentOf([route("*")]), [contract("a", ["order"])], driver).map(({ message }) => message)
    }
    expect(faults("each")).toEqual(["test.a needs order, which cluster local does not declare"])
    expect([...faults("prefix"), ...faults("atomic")]).toEqual([])
  })

  it("need a route", () => {
    expect(pathsOf(faultsOf(documentOf([route("a.*")]), [contract("a.b"), contract("b")]))).toEqual(["routes"])
  })

  it("do not meet in one topic of the compact wire, which implies the type", () => {
    const meeting = (settings: object) =>
      faultsOf(documentOf([route("a", [leg(settings)]), route("*", [leg(settings)])]), [contract("a"), contract("b")])
    expect(pathsOf(meeting({ topic: "all" }))).toContain("routes[1].to[0].topic")
    expect(meeting({ topic: "all", wire: "cloudevents" })).toEqual([])
    expect(meeting({ topic: "{stream}" })).toEqual([])
  })
})

describe("the JSON Schema for editors", () => {
  const isValid = new Ajv2020({ strict: false }).compile(routeJsonSchema() as object)
  const folder = new URL("../../../demo/", import.meta.url)
  const samples = readdirSync(folder).filter((name) => name.endsWith(".yaml"))

  it.each(samples)("accepts %s, and so does the compiler's own", (name) => {
    const document: unknown = parse(readFileSync(new URL(name, folder), "utf8"))
    expect(isValid(document) || isValid.errors).toBe(true)
    expect(decodeDocument(document).faults).toEqual([])
  })

  it.each([
    ["factor", 0, 100],
    ["jitter", 1.5, 1],
    ["budget", -0.1, 0]
  ])("says in which bounds %s of a retry is", (name, outside, within) => {
    const documentWith = (value: number) => ({
      ...documentOf([route("*", [leg({ policy: "p" })])]),
      policies: { p: [{ on: ["*"], retry: { base: "1 second", [name]: value }, then: "halt" }] }
    })
    expect([outside, within].map((value) => isValid(documentWith(value)))).toEqual([false, true])
  })

  it("accepts what the compiler accepts, and refuses what it refuses, the text of durations aside", () => {
    expect(isValid(full)).toBe(true)
    fc.assert(
      fc.property(mutationsWith(fc.jsonValue({ maxDepth: 2 })), (document) => {
        const { faults } = decodeDocument(document)
        const isOther = faults.some(({ message }) => !message.startsWith("is no duration"))
        expect(isValid(document)).toBe(!isOther)
      }),
      { numRuns: 500 }
    )
  })
})
