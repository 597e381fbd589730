import { Result } from "effect"
import fc from "fast-check"
import { type Leg, memory, MemoryBroker, memoryDriver, type RouteFault, Routes } from "leat"
import type { Driver } from "leat/transport"
import { describe, expect, it } from "vitest"
import { globMatches, globsMeet } from "../../src/routes/Glob.js"
import { noteContract } from "../contracts/Note.js"

/** Clusters with a `broker` in common are one place; `broker` is no other setting. */
const placed: Driver = {
  ...memory,
  name: "placed",
  inspect: ({ broker, ...config }) => ({
    ...memory.inspect(config),
    addresses: [broker].flat().filter((one) => typeof one === "string")
  })
}
const clusters = {
  one: { transport: "placed", broker: "k1" },
  same: { transport: "placed", broker: ["k2", "k1"] },
  other: { transport: "placed" }
}
const drivers = [placed]
const leg = (settings: object = {}) => ({ cluster: "one", topic: "{stream}", ...settings })
const route = (stream: string, to: ReadonlyArray<object>, source = "*") => ({ match: { stream, source }, to })
const documentOf = (...routes: ReadonlyArray<object>) => ({ version: 1, clusters, routes })
const contract = (stream: string, compacted = false) => noteContract({ name: `test.${stream}`, stream, compacted })
function faultsOf(document: unknown, streams: ReadonlyArray<string> = [], source?: string): ReadonlyArray<RouteFault> {
  const options = {
    drivers,
    contracts: streams.map((stream) => contract(stream)),
    ...(source === undefined ? {} : { source })
  }
  const compiled = Routes.compile(document, options)
  return Result.isFailure(compiled) ? compiled.failure.faults : []
}
const pathsOf = (faults: ReadonlyArray<RouteFault>) => faults.map(({ path }) => path)

describe("two legs of one route to one topic are refused", () => {
  it("when the stream's name is filled in, or two names are one place", () => {
    const legs = [leg(), leg({ topic: "orders" })]
    const [fault] = faultsOf(documentOf(route("*", legs)), ["orders"])
    expect(fault).toEqual({
      path: "routes[0].to[1]",
      message: "the route already has a leg to one/orders, routes[0].to[0]"
    })
    expect(pathsOf(faultsOf(documentOf(route("orders", legs))))).toEqual(["routes[0].to[1]"])
    expect(faultsOf(documentOf(route("*", legs)), ["refunds"])).toEqual([])
    const aliased = faultsOf(documentOf(route("*", [leg(), leg({ cluster: "same" })])))
    expect(aliased.map(({ message }) => message)).toEqual([
      "the route already has a leg to same/{stream}, routes[0].to[0]; clusters one and same are one place".replace(
        "{stream}",
        "*"
      )
    ])
    expect(faultsOf(documentOf(route("*", [leg(), leg({ cluster: "other" })])))).toEqual([])
  })

  it("when the stream is opened later", () => {
    const table = Result.getOrThrow(
      Routes.compile(documentOf(route("*", [leg(), leg({ topic: "orders" })])), { drivers })
    )
    expect(table.meetings("s").add(contract("refunds"))).toEqual([])
    expect(pathsOf(table.meetings("s").add(contract("orders")))).toEqual(["routes[0].to[1]"])
  })
})

describe("two streams in one topic", () => {
  const shared = (settings: object, other: object = settings) =>
    documentOf(
      route("orders", [leg({ topic: "t", ...settings })]),
      route("refunds", [leg({ topic: "t", cluster: "same", ...other })])
    )

  it("of the compact wire are refused as soon as both are known", () => {
    expect(pathsOf(faultsOf(shared({})))).toEqual(["routes[1].to[0].topic"])
    const star = documentOf(route("*", [leg({ topic: "t" })]))
    expect(faultsOf(star, ["orders"])).toEqual([])
    expect(pathsOf(faultsOf(star, ["orders", "refunds"]))).toEqual(["routes[0].to[0].topic"])
    const meetings = Result.getOrThrow(Routes.compile(star, { drivers })).meetings("s")
    expect([meetings.add(contract("orders")), meetings.add(contract("orders"))]).toEqual([[], []])
    expect(meetings.add(contract("refunds"))[0]?.message).toContain(
      "streams orders and refunds meet in topic one/t with wire compact"
    )
    meetings.delete("orders")
    expect(meetings.add(contract("refunds"))).toEqual([])
    expect(meetings.add(contract("orders"))).toHaveLength(1)
  })

  it("may be there with wire cloudevents, but not with two wires", () => {
    const wire = "cloudevents"
    expect(faultsOf(shared({ wire }))).toEqual([])
    expect(pathsOf(faultsOf(shared({ wire }, {})))).toEqual(["routes[1].to[0].wire"])
    expect(pathsOf(faultsOf(documentOf(route("*", [leg({ wire })], "a"), route("*", [leg()]))))).toEqual([
      "routes[1].to[0].wire"
    ])
  })

  it("are refused in any wire when one of them is compacted: a key of one would replace the same key of the other", () => {
    const table = Result.getOrThrow(Routes.compile(shared({ wire: "cloudevents" }), { drivers }))
    for (const compacted of ["orders", "refunds"]) {
      const meetings = table.meetings("s")
      expect(meetings.add(contract("orders", compacted === "orders"))).toEqual([])
      expect(meetings.add(contract("refunds", compacted === "refunds"))[0]?.message).toContain(
        `${compacted} is compacted`
      )
    }
  })

  it.each([
    ["policy", { policy: "p" }, "policy"],
    ["buffer", { buffer: { bytes: 700_000, overflow: "reject" } }, "buffer.bytes and buffer.overflow"],
    ["breaker", { breaker: { minSends: 5 } }, "breaker"],
    ["linger", { linger: "6 millis" }, "linger"],
    ["batch", { batch: { bytes: 1000, records: 5 } }, "batch.bytes and batch.records"],
    ["timeout", { timeout: "1 s" }, "timeout"]
  ])("have one %s there", (_, settings, told) => {
    const policies = { p: [{ on: ["*"], then: "drop" }] }
    const of = (...routes: ReadonlyArray<object>) => ({ ...documentOf(...routes), policies })
    const wire = "cloudevents"
    const twice = of(route("orders", [leg({ topic: "t", wire })]), route("*", [leg({ wire, ...settings })]))
    expect(faultsOf(twice, ["orders", "refunds"])).toEqual([])
    const [fault, ...others] = faultsOf(twice, ["orders", "t"])
    expect(others).toEqual([])
    expect(fault?.path).toBe("routes[1].to[0]")
    expect(fault?.message).toContain(`another ${told}; make them the same`)
    // Another place, or another process, has a sink of its own.
    const elsewhere = of(
      route("orders", [leg({ topic: "t", wire })]),
      route("*", [leg({ wire, cluster: "same", ...settings })])
    )
    expect(faultsOf(elsewhere, ["orders", "t"])).toEqual([])
    const apart = of(route("orders", [leg({ topic: "t", wire })], "a*"), route("*", [leg({ wire, ...settings })], "b*"))
    expect(faultsOf(apart, ["orders", "t"])).toEqual([])
  })
})

it("two clusters on one broker in memory are one place", () => {
  const both = { a: { transport: "memory" }, b: { transport: "memory" } }
  const document = { version: 1, clusters: both, routes: [route("*", [leg({ cluster: "a" }), leg({ cluster: "b" })])] }
  const faults = (driver: Driver) => Result.isFailure(Routes.compile(document, { drivers: [driver] }))
  expect([faults(memory), faults(memoryDriver(new MemoryBroker()))]).toEqual([false, true])
})

describe("any table and streams", () => {
  const names = ["a", "b", "ab", "t", "a.t"]
  const legs = fc.record(
    {
      cluster: fc.constantFrom("one", "same", "other"),
      topic: fc.constantFrom("{stream}", "t", "a", "a.{stream}"),
      wire: fc.constantFrom("compact", "cloudevents"),
      linger: fc.constantFrom("5 millis", "6 millis")
    },
    { requiredKeys: ["cluster", "topic"] }
  )
  const routes = fc.record({
    match: fc.record({ stream: fc.constantFrom("*", "a*", "b", "a", "*t"), source: fc.constantFrom("*", "s", "s*") }),
    to: fc.array(legs, { minLength: 1, maxLength: 3 })
  })
  const documents = fc.array(routes, { minLength: 1, maxLength: 3 }).map((all) => documentOf(...all))
  const streams = fc.uniqueArray(fc.tuple(fc.constantFrom(...names), fc.boolean()), {
    selector: ([name]) => name,
    minLength: 1
  })
  const place = ({ cluster, topic }: Leg) => `${cluster === "same" ? "one" : cluster}/${topic}`

  /** As the rules are told, for each two legs. */
  function mayMeet(one: Leg, other: Leg, isOneStream: boolean, isCompacted: boolean): boolean {
    if (place(one) !== place(other)) return true
    if (isOneStream || isCompacted || one.wire !== other.wire || one.wire === "compact") return false
    return one.sink !== other.sink || one.lingerMs === other.lingerMs
  }

  it("are told exactly those that may not meet, however many there are and whoever comes first", () => {
    let refused = 0
    let admitted = 0
    fc.assert(
      fc.property(documents, streams, fc.constantFrom("s", "s1", "q"), (document, all, source) => {
        const compiled = Routes.compile(document, { drivers })
        fc.pre(Result.isSuccess(compiled))
        const table = Result.getOrThrow(compiled)
        const meetings = table.meetings(source)
        const open: Array<(typeof all)[number]> = []
        const legsOf = (stream: string) => table.lookup(stream, source)?.legs ?? []
        for (const [stream, isCompacted] of all) {
          const own = legsOf(stream)
          const isGood =
            own.every((one, at) => own.slice(0, at).every((other) => mayMeet(one, other, true, false))) &&
            open.every(([name, isOther]) =>
              own.every((one) => legsOf(name).every((other) => mayMeet(one, other, false, isCompacted || isOther)))
            )
          const faults = meetings.add(contract(stream, isCompacted))
          expect({ stream, isGood: faults.length === 0 }).toEqual({ stream, isGood })
          if (isGood) open.push([stream, isCompacted])
          if (isGood) admitted++
          else refused++
        }
      }),
      { numRuns: 1000 }
    )
    expect(Math.min(refused, admitted)).toBeGreaterThan(100)
  })

  it("are resolved for all sources to what they are resolved to for each", () => {
    fc.assert(
      fc.property(documents, fc.constantFrom(...names), (document, stream) => {
        const compiled = Routes.compile(document, { drivers })
        fc.pre(Result.isSuccess(compiled))
        const table = Result.getOrThrow(compiled)
        const found = new Set(["s", "s1", "q"].flatMap((source) => table.lookup(stream, source)?.index ?? []))
        expect(new Set(table.routesOf(stream).map(({ index }) => index))).toEqual(found)
        for (const source of ["s", "s1", "q"])
          expect(table.routesOf(stream, source)).toEqual([table.lookup(stream, source)].filter(Boolean))
        for (const { legs: all } of table.routesOf(stream)) {
          expect(all.every(({ topic }) => !topic.includes("{"))).toBe(true)
          expect(all.map(({ destination }) => destination)).toEqual(all.map(place))
        }
      })
    )
  })
})

it("a stream of one source is compared with all of that source, whatever another source has", () => {
  const at = (linger: string) => [leg({ topic: "t", wire: "cloudevents", linger })]
  const apart = [route("a", at("5 millis"), "mobile"), route("b", at("6 millis"), "web")]
  expect(faultsOf(documentOf(...apart))).toEqual([])
  expect(faultsOf(documentOf(...apart, route("c", at("5 millis"), "web")))).toEqual([
    {
      path: "routes[2].to[0]",
      message: "one/t is one sink and routes[1].to[0] gives it another linger; make them the same"
    }
  ])
})

it("two globs meet exactly when a text is matched by both", () => {
  const glob = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 4 })
  const texts = ["", "a", "b"]
  for (let length = 1; length < 8; length++)
    texts.push(...texts.filter((text) => text.length === length).flatMap((text) => [`${text}a`, `${text}b`]))
  fc.assert(
    fc.property(glob, glob, (one, other) => {
      expect(globsMeet(one, other)).toBe(texts.some((text) => globMatches(one, text) && globMatches(other, text)))
    }),
    { numRuns: 300 }
  )
})
