import { Result } from "effect"
import fc from "fast-check"
import { memory, Routes } from "leat"
import { reasons } from "leat/transport"
import { describe, expect, it } from "vitest"
import { partitionFault } from "../../src/routes/partitionFault.js"
import { noteContract } from "../contracts/Note.js"

const leg = (settings: object = {}) => ({ cluster: "local", topic: "{stream}", ...settings })
const documentOf = (to: object = leg(), settings: object = {}) => ({
  version: 1,
  clusters: { local: { transport: "memory" } },
  routes: [{ match: { stream: "*" }, to: [to] }],
  ...settings
})
function faultsOf(document: unknown) {
  const compiled = Routes.compile(document, { drivers: [memory], contracts: [noteContract()] })
  return Result.isFailure(compiled) ? compiled.failure.faults : []
}

const inLeg = (path: string, setting: (value: unknown) => object) => ({
  path: `routes[0].to[0].${path}`,
  of: (value: unknown) => documentOf(leg(setting(value)))
})
const inSubscription = (path: string, setting: (value: unknown) => object) => ({
  path: `subscriptions[0].${path}`,
  of: (value: unknown) => documentOf(leg(), { subscriptions: [{ match: { stream: "*" }, ...setting(value) }] })
})
const inRetry = (name: string) => ({
  path: `policies.p[0].retry.${name}`,
  of: (value: unknown) =>
    documentOf(leg(), { policies: { p: [{ on: ["*"], retry: { base: "1 s", [name]: value }, then: "drop" }] } })
})
const whole = [
  { path: "version", of: (version: unknown) => documentOf(leg(), { version }) },
  inLeg("buffer.bytes", (bytes) => ({ buffer: { bytes } })),
  inLeg("batch.bytes", (bytes) => ({ batch: { bytes } })),
  inLeg("batch.records", (records) => ({ batch: { records } })),
  inLeg("epoch", (epoch) => ({ epoch })),
  inSubscription("concurrency", (concurrency) => ({ concurrency })),
  inSubscription("buffer.bytes", (bytes) => ({ buffer: { bytes } })),
  inSubscription("crashLoop", (crashLoop) => ({ crashLoop }))
]
const durations = [
  inLeg("linger", (linger) => ({ linger })),
  inLeg("timeout", (timeout) => ({ timeout })),
  inSubscription("settleEvery", (settleEvery) => ({ settleEvery })),
  inSubscription("drain", (drain) => ({ drain })),
  ...["base", "deadline", "maxDelay"].map(inRetry)
]

describe("a number of a document that is out of its bounds is a fault with its path:", () => {
  it.each(whole)("$path", ({ path, of }) => {
    for (const value of [Number.NaN, Infinity, -Infinity, -1, 0, 0.5, 1e300, "5", null]) {
      const faults = faultsOf(of(value))
      expect({ value, paths: [...new Set(faults.map((fault) => fault.path))] }).toEqual({ value, paths: [path] })
      expect(faults.every(({ message }) => message.length > 10)).toBe(true)
    }
  })

  it.each(durations)("$path", ({ path, of }) => {
    for (const value of ["-1 s", "NaN ms", "Infinity s", "", "1000 days", `${"9".repeat(400)} ms`, 5, null]) {
      const faults = faultsOf(of(value))
      expect({ value, paths: faults.map((fault) => fault.path) }).toEqual({ value, paths: [path] })
    }
    expect(faultsOf(of("1 s"))).toEqual([])
  })

  it("says the bounds", () => {
    expect(faultsOf(documentOf(leg({ timeout: "9 millis", linger: "0 ms" })))).toEqual([
      { path: "routes[0].to[0].timeout", message: "9 is not between 10 and 3600000 millis" }
    ])
    expect(faultsOf(inRetry("base").of("2 d"))[0]?.message).toBe("172800000 is not milliseconds from 0 to 86400000")
  })

  it("factor and jitter of a retry", () => {
    for (const name of ["factor", "jitter"])
      for (const value of [Number.NaN, Infinity, -1, 1e300])
        expect(faultsOf(inRetry(name).of(value)).map(({ path }) => path)).toEqual([`policies.p[0].retry.${name}`])
  })
})

describe("a driver that the application does not allow", () => {
  const named = (transport: string) => faultsOf(documentOf(leg(), { clusters: { local: { transport } } }))

  it.each([
    [
      "@leat/log",
      'no driver named @leat/log; the application allows memory; in code it is allowed by import { log } from "@leat/log" and drivers: [log] for open'
    ],
    ["memmory", "no driver named memmory; the application allows memory; did you mean memory?"],
    ["pigeon", "no driver named pigeon; the application allows memory"],
    ["@leat/log/deep", "no driver named @leat/log/deep; the application allows memory"]
  ])("is told with what to do: %s", (transport, message) => {
    expect(named(transport)).toEqual([{ path: "clusters.local.transport", message }])
  })
})

describe("an objective", () => {
  const withObjective = (objective: unknown) =>
    documentOf(leg(), { routes: [{ match: { stream: "*" }, objective, to: [leg()] }] })

  it.each([
    { loss: 0.0001, window: "1 day" },
    { loss: 0.05, window: "30 days" },
    { loss: 0.000001, window: "36 hours" }
  ])("may be $loss in $window", (objective) => {
    expect(faultsOf(withObjective(objective))).toEqual([])
  })

  it.each([
    [
      "loss",
      { loss: 0, window: "1 day" },
      "0 leaves nothing that may be lost; say the share of events that may be lost: 0.0001 is 0.01 %"
    ],
    [
      "loss",
      { loss: 0.06, window: "1 day" },
      "0.06 is not between 0.000001 and 0.05; say the share of events that may be lost: 0.0001 is 0.01 %"
    ],
    ["loss", { loss: Number.NaN, window: "1 day" }, "Expected a finite number"],
    [
      "loss",
      { loss: -0.1, window: "1 day" },
      "-0.1 is not between 0.000001 and 0.05; say the share of events that may be lost: 0.0001 is 0.01 %"
    ],
    ["loss", { loss: "0.01 %", window: "1 day" }, "is a text, and must be a number, as 0.0001"],
    ["loss", { window: "1 day" }, "is missing; the objective of a route has loss, window"],
    ["window", { loss: 0.0001 }, "is missing; the objective of a route has loss, window"],
    [
      "window",
      { loss: 0.0001, window: "1 hour" },
      "1 hour is not between 1 day and 30 days; an alert looks at an hour at least, which is too much of a shorter window"
    ],
    [
      "window",
      { loss: 0.0001, window: "31 days" },
      "31 days is not between 1 day and 30 days; an alert looks at an hour at least, which is too much of a shorter window"
    ],
    [
      "window",
      { loss: 0.0001, window: "a day" },
      "is no duration; write it as `50 millis`, `30 seconds` or `10 minutes`"
    ],
    [
      "los",
      { los: 1, loss: 0.0001, window: "1 day" },
      "is no field of the objective of a route, which has loss, window; did you mean loss?"
    ]
  ])("has its fault told at %s: %j", (field, objective, message) => {
    expect(faultsOf(withObjective(objective))).toEqual([{ path: `routes[0].objective.${field}`, message }])
  })

  it("is an object", () => {
    expect(faultsOf(withObjective(0.0001))).toEqual([
      { path: "routes[0].objective", message: "is a number, and must be an object, as { loss: 0.0001, window: 1 day }" }
    ])
  })
})

it("a linger is below the time-out, within which what was published is to be sent", () => {
  expect(faultsOf(documentOf(leg({ linger: "2 s", timeout: "2 s" }))).map(({ path }) => path)).toEqual([
    "routes[0].to[0].linger"
  ])
  expect(faultsOf(documentOf(leg({ linger: "40 s" }))).map(({ path }) => path)).toEqual(["routes[0].to[0].linger"])
  expect(faultsOf(documentOf(leg({ linger: "1999 ms", timeout: "2 s" })))).toEqual([])
})

describe("names", () => {
  it.each(["", "a/b", "a b", "{stream}", "a\n", "x".repeat(250)])("%j is none of a cluster", (name) => {
    const document = documentOf(leg({ cluster: "local" }), {
      clusters: { local: { transport: "memory" }, [name]: { transport: "memory" } }
    })
    expect(faultsOf(document).map(({ path }) => path)).toEqual([`clusters.${name}`])
  })

  it.each(["{strem}", "{stream", "stream}", "a.{Stream}.{stream}", "{}"])(
    "%s stands for nothing in a topic",
    (topic) => {
      const [fault, ...others] = faultsOf(documentOf(leg({ topic })))
      expect(others).toEqual([])
      expect(fault?.path).toBe("routes[0].to[0].topic")
      expect(fault?.message).toMatch(/ stands for nothing; the one placeholder is \{stream\}$/)
    }
  )

  it("of policies with a budget of retries are for legs only", () => {
    const policies = { p: [{ on: ["*"], retry: { base: "1 s", budget: 0.2 }, then: "halt" }] }
    const subscriptions = [{ match: { stream: "*", group: "g" }, policy: ["standard", "p"] }]
    expect(faultsOf(documentOf(leg({ policy: "p" }), { policies }))).toEqual([])
    expect(faultsOf(documentOf(leg(), { policies, subscriptions }))).toEqual([
      {
        path: "subscriptions[0].policy",
        message:
          "the policy p bounds retries by a budget, which a subscription does not have: its concurrency bounds them; say times and maxDelay"
      }
    ])
  })

  it("of streams, topics, groups and policies are not empty", () => {
    const policies = { "": [{ on: ["*"], then: "drop" }] }
    expect(faultsOf(documentOf(leg(), { policies })).map(({ path }) => path)).toEqual(["policies"])
    expect(faultsOf(documentOf(leg({ topic: "" }))).map(({ path }) => path)).toEqual(["routes[0].to[0].topic"])
    const subscriptions = [{ match: { stream: "", group: "" } }]
    expect(faultsOf(documentOf(leg(), { subscriptions }))).toHaveLength(2)
  })

  it("of topics are at most as long as Kafka's, the stream's name filled in", () => {
    expect(faultsOf(documentOf(leg({ topic: `${"x".repeat(238)}.{stream}` })))).toEqual([])
    expect(faultsOf(documentOf(leg({ topic: `${"x".repeat(240)}.{stream}` }))).map(({ path }) => path)).toEqual([
      "routes[0].to[0].topic"
    ])
  })
})

describe("a name in `on` of a policy that a leg has", () => {
  const policyOf = (on: string, to: object = leg({ policy: "p" }), settings: object = {}) =>
    faultsOf(documentOf(to, { policies: { p: [{ on: ["Full", on], then: "halt" }] }, ...settings }))

  it.each([
    ["Unavailble", "did you mean Unavailable?"],
    ["timeout", "did you mean Timeout?"],
    ["passng", "did you mean passing?"],
    ["RangeError", "there is Unavailable, Timeout, Disconnected, Throttled, "]
  ])("%s is a fault, because no transport fails so", (on, hint) => {
    const [fault, ...others] = policyOf(on)
    expect(others).toEqual([])
    expect(fault?.path).toBe("policies.p[0].on")
    expect(fault?.message).toContain(`${on} is no failure of a transport; ${hint}`)
    expect(policyOf(on, leg({ policy: ["strict", "p"] })).map(({ path }) => path)).toEqual(["policies.p[0].on"])
  })

  it.each([...Object.keys(reasons), "passing", "*"])("may be %s", (on) => {
    expect(policyOf(on)).toEqual([])
  })

  it("may be anything where only subscriptions have the policy: handlers fail with names of their own", () => {
    expect(policyOf("RangeError", leg(), { subscriptions: [{ match: { stream: "*" }, policy: "p" }] })).toEqual([])
  })
})

it.each(["2026", "2026-11-24T08:00:00", "yesterday", "1", "2026-13-01", "2026-02-30", "2026-02-30T08:00:00Z"])(
  "%s is no time to read from",
  (time) => {
    const subscriptions = [{ match: { stream: "*" }, from: { time } }]
    expect(faultsOf(documentOf(leg(), { subscriptions })).map(({ path }) => path)).toEqual([
      "subscriptions[0].from.time"
    ])
  }
)

it("partitions have to divide the buckets, unless nothing depends on it", () => {
  const routeOf = (partitioner: string) =>
    Result.getOrThrow(
      Routes.compile({ ...documentOf(), routes: [{ ...documentOf().routes[0], partitioner }] }, { drivers: [memory] })
    ).lookup("a", "s")
  const [murmur2, bucket] = [routeOf("murmur2"), routeOf("bucket")]
  if (murmur2 === undefined || bucket === undefined) throw new Error("there is a route")
  const contract = noteContract({ buckets: 12 })
  for (let partitions = 1; partitions <= 24; partitions++) {
    const fault = partitionFault(contract, murmur2, murmur2.readLeg, partitions)
    expect(fault?.path).toBe(12 % partitions === 0 ? undefined : "routes[0].partitioner")
    expect(partitionFault(contract, bucket, bucket.readLeg, partitions)).toBeUndefined()
    expect(partitionFault({ ...contract, unordered: true }, murmur2, murmur2.readLeg, partitions)).toBeUndefined()
  }
  expect(partitionFault(contract, murmur2, murmur2.readLeg, 5)?.message).toContain(
    "has 5 partitions, test.Note 12 buckets"
  )
})

describe("faults of form", () => {
  it("do not hide names of what is not there", () => {
    const document = documentOf(leg({ cluster: "there", linger: "soon", bufer: {} }), {
      subscriptions: [{ match: { stream: "*" }, policy: "lost", concurency: 4 }]
    })
    expect(
      faultsOf(document)
        .map(({ path }) => path)
        .toSorted()
    ).toEqual([
      "routes[0].to[0].bufer",
      "routes[0].to[0].cluster",
      "routes[0].to[0].linger",
      "subscriptions[0].concurency",
      "subscriptions[0].policy"
    ])
  })

  it("have no others that only follow from them", () => {
    expect(faultsOf(documentOf(leg({ policy: "p" }), { polices: { p: [] } })).map(({ path }) => path)).toEqual([
      "polices"
    ])
    expect(faultsOf(documentOf(leg({ linger: "40 s", timeout: "x" }))).map(({ path }) => path)).toEqual([
      "routes[0].to[0].timeout"
    ])
  })
})

describe("a document with several faults", () => {
  const wrong = [
    { path: "version", set: (d: Draft) => Object.assign(d, { version: "1" }) },
    { path: "routes[0].to[0].topic", set: (d: Draft) => Object.assign(d.routes[0].to[0], { topic: "{streem}" }) },
    { path: "routes[0].to[0].cluster", set: (d: Draft) => Object.assign(d.routes[0].to[0], { cluster: "there" }) },
    { path: "routes[0].to[0].timeout", set: (d: Draft) => Object.assign(d.routes[0].to[0], { timeout: "5" }) },
    { path: "routes[0].to[0].wire", set: (d: Draft) => Object.assign(d.routes[0].to[0], { wire: "odd" }) },
    {
      path: "routes[0].to[0].buffer.bytes",
      set: (d: Draft) => Object.assign(d.routes[0].to[0], { buffer: { bytes: 1 } })
    },
    { path: "routes[0].levl", set: (d: Draft) => Object.assign(d.routes[0], { levl: "stored" }) },
    { path: "routes[1].to[0].topic", set: (d: Draft) => Object.assign(d.routes[1].to[0], { topic: undefined }) },
    { path: "policies.p[0].then", set: (d: Draft) => Object.assign(d.policies.p[0], { then: "drp" }) },
    { path: "policies.p[0].retry.factor", set: (d: Draft) => Object.assign(d.policies.p[0].retry, { factor: 0 }) },
    { path: "policies.p[0].on", set: (d: Draft) => Object.assign(d.policies.p[0], { on: ["Timeot"] }) },
    { path: "subscriptions[0].from", set: (d: Draft) => Object.assign(d.subscriptions[0], { from: "begin" }) },
    {
      path: "subscriptions[0].concurrency",
      set: (d: Draft) => Object.assign(d.subscriptions[0], { concurrency: 10_001 })
    },
    { path: "clusters.local.transport", set: (d: Draft) => Object.assign(d.clusters.local, { transport: "pigeon" }) }
  ]
  const draft = () => ({
    version: 1,
    clusters: { local: { transport: "memory" } },
    policies: { p: [{ on: ["Full"], retry: { base: "1 s" }, then: "halt" }] as const },
    routes: [
      { match: { stream: "a.*" }, to: [leg({ policy: "p" })] },
      { match: { stream: "*" }, to: [leg()] }
    ] as const,
    subscriptions: [{ match: { stream: "*" }, policy: "p" }] as const
  })
  type Draft = ReturnType<typeof draft>

  it("has all of them told at once, and nothing else", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(wrong, { minLength: 1 }), (chosen) => {
        const document = draft()
        for (const { set } of chosen) set(document)
        const expected = chosen.map(({ path }) => path).toSorted()
        expect(
          faultsOf(document)
            .map(({ path }) => path)
            .toSorted()
        ).toEqual(expected)
      }),
      { numRuns: 500 }
    )
  })
})

describe("the sentence of a fault says what there is, and what may have been meant", () => {
  const first = (document: unknown) => faultsOf(document).map(({ path, message }) => `${path}: ${message}`)
  const rule = (settings: object) =>
    documentOf(leg(), { policies: { p: [{ on: ["Full"], then: "halt", ...settings }] } })

  it.each([
    [
      { ...documentOf(), subscription: [] },
      "subscription: is no field of a route document, which has version, clusters, policies, routes, subscriptions; did you mean subscriptions?"
    ],
    [
      documentOf(leg({ linge: "5 s" })),
      expect.stringMatching(
        /^routes\[0\]\.to\[0\]\.linge: is no field of a leg, which has cluster, .*; did you mean linger\?$/
      )
    ],
    [
      rule({ retry: {} }),
      expect.stringMatching(/^policies\.p\[0\]\.retry\.base: is missing; a retry has times, deadline, base, /)
    ],
    [
      rule({ then: "drp" }),
      "policies.p[0].then: drp is none of drop, deadLetter, spill, fallback, halt; did you mean drop?"
    ],
    [rule({ on: [] }), "policies.p[0].on: is empty; it needs one entry at least"],
    [rule({ on: "Full" }), "policies.p[0].on: is a text, and must be a list, as [passing]"],
    [documentOf(leg({ required: "yes" })), "routes[0].to[0].required: is a text, and must be true or false"],
    [
      documentOf(leg(), { subscriptions: [{ match: { stream: "*" }, from: "earlist" }] }),
      'subscriptions[0].from: earlist is none of earliest, latest and { time: "2026-11-24T08:00:00Z" }; did you mean earliest?'
    ],
    [
      Buffer.from("version: 1"),
      'routes: is a Buffer; read the document as text: routes: readFileSync("routes.yaml", "utf8")'
    ],
    [new Uint8Array(2), expect.stringMatching(/^routes: is a Buffer/)]
  ])("%j", (document, told) => {
    const [sentence, ...others] = first(document)
    expect(others).toEqual([])
    expect(sentence).toEqual(told)
  })
})

describe("the name of a topic", () => {
  it.each([
    [" {stream}", "begins or ends with a space"],
    ["a\nb", "holds a control character"],
    ["a\u0000{stream}", "holds a control character"],
    ["\u001b[31m", "holds a control character"],
    ["\ud800{stream}", "half of a surrogate pair"],
    ["\ufeff{stream}", "begins or ends with a space"],
    ["  ", "a topic needs a name"],
    ["é".repeat(249) + "e".repeat(20), "has more than 249 characters"],
    ["€".repeat(200), "at most 512 bytes, and not 600"]
  ])("%j is a fault of the document", (topic, words) => {
    const faults = faultsOf(documentOf(leg({ topic })))
    expect(faults.map(({ path }) => path)).toEqual(["routes[0].to[0].topic"])
    expect(faults[0]?.message).toContain(words)
  })

  it.each(["a b", "täst.{stream}", "..", "__proto__", "{stream}-👍"])("may be %j", (topic) => {
    expect(faultsOf(documentOf(leg({ topic })))).toEqual([])
  })
})
