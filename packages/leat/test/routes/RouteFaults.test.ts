import { Result } from "effect"
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

it.each(["2026", "2026-11-24T08:00:00", "yesterday", "1", "2026-13-01"])("%s is no time to read from", (time) => {
  const subscriptions = [{ match: { stream: "*" }, from: { time } }]
  expect(faultsOf(documentOf(leg(), { subscriptions })).map(({ path }) => path)).toEqual(["subscriptions[0].from.time"])
})

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

describe("the name of a topic", () => {
  it.each([
    [" {stream}", "begins or ends with a space"],
    ["a\nb", "holds a control character"],
    ["a\u0000{stream}", "holds a control character"],
    ["\u001b[31m", "holds a control character"],
    ["\ud800{stream}", "half of a surrogate pair"],
    ["\ufeff{stream}", "begins or ends with a space"],
    ["  ", "a topic needs a name"],
    ["é".repeat(249) + "e".repeat(20), "Expected a value with a length of at most 249"],
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
