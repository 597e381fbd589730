import { Result } from "effect"
import fc from "fast-check"
import { memory, Routes } from "leat"
import { describe, expect, it } from "vitest"
import { difference, type OpenStream, swapFaults } from "../../src/routes/difference.js"

const leg = (settings: object = {}) => ({ cluster: "a", topic: "{stream}", ...settings })
const clusters = { a: { transport: "memory", partitions: 4 }, b: { transport: "memory" } }
const documentOf = (to: ReadonlyArray<object> = [leg()], settings: object = {}, route: object = {}) => ({
  version: 2,
  clusters,
  routes: [{ match: { stream: "*" }, to, ...route }],
  ...settings
})
const tableOf = (document: object): Routes => Result.getOrThrow(Routes.compile(document, { drivers: [memory] }))
const open: ReadonlyArray<OpenStream> = [{ stream: "orders", source: "s", groups: ["g", "h"] }]
const changes = (before: object, after: object) => difference(tableOf(before), tableOf(after), open)
const none = { moved: [], levels: [], objectives: [], legs: [], subscriptions: [], clusters: [] }
const refusal = (before: object, after: object, openClusters: ReadonlyArray<string> = ["a"]) =>
  swapFaults(tableOf(before), tableOf(after), changes(before, after), openClusters)

/** A change of a document, and what of the difference it makes. */
const single: ReadonlyArray<readonly [name: string, after: object, expected: object]> = [
  ["nothing", documentOf(), {}],
  ["the order of keys", { routes: documentOf().routes, clusters, version: 2 }, {}],
  ["a leg written out", documentOf([leg({ topic: "orders" })]), {}],
  ["a level", documentOf([leg()], {}, { level: "queued" }), { levels: [{ stream: "orders", level: "queued" }] }],
  [
    "an objective",
    documentOf([leg()], {}, { objective: { loss: 0.001, window: "2 days" } }),
    { objectives: [{ stream: "orders", objective: { loss: 0.001, windowMs: 172_800_000 } }] }
  ],
  [
    "another stream's route",
    documentOf([leg()], { routes: [{ match: { stream: "x" }, to: [leg({ topic: "y" })] }, ...documentOf().routes] }),
    {}
  ]
]
const ofLegs = [
  ["policy", { policy: "p" }, ["policy"]],
  ["buffer", { buffer: { bytes: 1_000_000, overflow: "reject" } }, ["bufferBytesMax", "overflow"]],
  ["linger", { linger: "7 millis" }, ["lingerMs"]],
  ["batch", { batch: { bytes: 10, records: 3 } }, ["batchBytes", "batchRecords"]],
  ["timeout", { timeout: "3 s" }, ["timeoutMs"]],
  ["wire", { wire: "cloudevents" }, ["wire"]]
] as const
const ofPlaces: ReadonlyArray<readonly [string, object]> = [
  ["topic", documentOf([leg({ topic: "other.{stream}" })])],
  ["cluster", documentOf([leg({ cluster: "b" })])],
  ["epoch", documentOf([leg({ epoch: 2 })])],
  ["partitioner", documentOf([leg()], {}, { partitioner: "bucket" })],
  ["further leg", documentOf([leg(), leg({ cluster: "b" })])]
]

describe("the difference of two tables", () => {
  it.each(single)("is what %s makes", (_, after, expected) => {
    expect(changes(documentOf(), after)).toEqual({ ...none, ...expected })
  })

  it.each(ofLegs)("lists the settings of a leg: %s", (_, settings, names) => {
    const policies = { p: [{ on: ["*"], then: "drop" }] }
    const { legs, ...others } = changes(documentOf([leg()], { policies }), documentOf([leg(settings)], { policies }))
    expect(others).toEqual({ moved: [], levels: [], objectives: [], subscriptions: [], clusters: [] })
    expect(legs.map(({ stream, leg: { sink }, settings: found }) => ({ stream, sink, found }))).toEqual([
      { stream: "orders", sink: "a/orders", found: [...names] }
    ])
  })

  it.each(ofPlaces)("lists a stream that would go to another %s", (_, after) => {
    expect(changes(documentOf(), after)).toMatchObject({
      moved: [{ stream: "orders", from: ["a/orders"], path: "routes[0].to" }]
    })
    expect(refusal(documentOf(), after).map(({ path }) => path)).toContain("routes[0].to")
  })

  it("lists the leg that is read as a place, and legs in another order as none", () => {
    const both = [leg(), leg({ cluster: "b" })]
    const read = [leg(), leg({ cluster: "b", read: true })]
    expect(changes(documentOf(both), documentOf(read)).moved).toHaveLength(1)
    expect(changes(documentOf(read), documentOf(read.toReversed())).moved).toEqual([])
  })

  it("lists a stream that has no route any more", () => {
    const after = documentOf([leg()], {}, { match: { stream: "x" } })
    expect(changes(documentOf(), after).moved).toEqual([
      { stream: "orders", from: ["a/orders"], to: [], path: "routes" }
    ])
  })

  it("lists the groups that read differently, and nobody else", () => {
    const subscriptions = [{ match: { stream: "*", group: "g" }, concurrency: 3, drain: "1 s" }]
    expect(changes(documentOf(), documentOf([leg()], { subscriptions })).subscriptions).toEqual([
      { stream: "orders", group: "g", settings: ["concurrency", "drainMs"] }
    ])
  })

  it("of a table and itself is nothing, and both ways it is of the same streams, legs and groups", () => {
    const documents = fc.constantFrom<object>(
      ...single.map(([, after]) => after),
      ...ofPlaces.map(([, after]) => after)
    )
    fc.assert(
      fc.property(documents, documents, (one, other) => {
        expect(changes(one, one)).toEqual(none)
        const there = changes(one, other)
        const back = changes(other, one)
        for (const part of ["moved", "levels", "objectives", "legs", "subscriptions", "clusters"] as const)
          expect(there[part].length).toBe(back[part].length)
        expect(there.moved.map(({ from, to }) => [from, to])).toEqual(back.moved.map(({ from, to }) => [to, from]))
      })
    )
  })
})

describe("a table is refused", () => {
  it("when it is older, or has the number of the one in force and another content", () => {
    const other = documentOf([leg({ linger: "6 millis" })])
    expect(refusal(documentOf(), { ...other, version: 3 })).toEqual([])
    expect(refusal(documentOf(), { routes: documentOf().routes, clusters, version: 2 })).toEqual([])
    expect(refusal(documentOf(), other).map(({ path }) => path)).toEqual(["version"])
    for (const document of [documentOf(), other]) {
      const [fault, ...more] = refusal(documentOf(), { ...document, version: 1 })
      expect(more).toEqual([])
      expect(fault?.message).toMatch(/^version 1 is older than 2, which is in force; /)
    }
  })

  it("never in favour of no document: the first one may have any number", () => {
    const table = Routes.inMemory(memory)
    const after = tableOf({
      ...documentOf([leg({ cluster: "memory" })], { clusters: { memory: { transport: "memory" } } }),
      version: 1
    })
    expect(swapFaults(table, after, difference(table, after, open), ["memory"])).toEqual([])
  })

  it("when a cluster that is open has another section, or none, and not when it is the same in another order", () => {
    const of = (section: object, version = 3) => ({
      ...documentOf([leg()], { clusters: { ...clusters, b: section } }),
      version
    })
    const before = of({ transport: "memory", partitions: 4, recordBytesMax: 1000 }, 2)
    expect(refusal(before, of({ recordBytesMax: 1000, partitions: 4, transport: "memory" }), ["a", "b"])).toEqual([])
    const other = of({ transport: "memory", partitions: 8 })
    expect(refusal(before, other, ["a"])).toEqual([])
    expect(refusal(before, other, ["a", "b"]).map(({ path }) => path)).toEqual(["clusters.b"])
    const without = { ...documentOf([leg()], { clusters: { a: clusters.a } }), version: 3 }
    expect(changes(before, without).clusters).toEqual([{ cluster: "b", change: "removed" }])
    expect(refusal(before, without, ["b"]).map(({ path }) => path)).toEqual(["clusters.b"])
    expect(changes(without, before).clusters).toEqual([{ cluster: "b", change: "added" }])
  })
})
