import { Result } from "effect"
import fc from "fast-check"
import { memory, type PlannedStream, planRoutes, Routes } from "leat"
import { describe, expect, it } from "vitest"

const leg = (settings: object = {}) => ({ cluster: "a", topic: "{stream}", ...settings })
const mirror = (settings: object = {}) => leg({ cluster: "b", ...settings })
const clusters = { a: { transport: "memory", partitions: 4 }, b: { transport: "memory" }, c: { transport: "memory" } }
const documentOf = (to: ReadonlyArray<object> = [leg()], settings: object = {}, route: object = {}) => ({
  version: 2,
  clusters,
  routes: [{ match: { stream: "*" }, to, ...route }],
  ...settings
})
const tableOf = (document: object): Routes => Result.getOrThrow(Routes.compile(document, { drivers: [memory] }))
const open: ReadonlyArray<PlannedStream> = [{ stream: "orders", source: "s", groups: ["g", "h"] }]
const plan = (before: object, after: object, streams = open) => planRoutes(tableOf(before), tableOf(after), streams)
const nowhere = { sinks: [], clusters: [] }
const none = { streams: [], groups: [], clusters: [], opened: nowhere, closed: nowhere, refused: [] }
/** As `plan`, of a document with a higher number. */
const change = (before: object, after: object) => plan(before, { ...after, version: 3 })
const orders = { stream: "orders", source: "s", level: undefined, hasOtherObjective: false, legs: [], moves: [] }
const refusal = (before: object, after: object, inUse: ReadonlyArray<string> = ["a"]) => {
  const table = tableOf(before)
  const used = new Map(Array.from(table.clusters).filter(([name]) => inUse.includes(name)))
  return planRoutes(table, tableOf(after), open, used).refused
}

/** A change of a document, and what of the stream it changes. */
const single: ReadonlyArray<readonly [name: string, after: object, expected: object | undefined]> = [
  ["nothing", documentOf(), undefined],
  ["the order of keys", { routes: documentOf().routes, clusters, version: 2 }, undefined],
  ["a leg written out", documentOf([leg({ topic: "orders" })]), undefined],
  ["a level", documentOf([leg()], {}, { level: "queued" }), { level: "queued" }],
  [
    "an objective",
    documentOf([leg()], {}, { objective: { loss: 0.001, window: "2 days" } }),
    { hasOtherObjective: true }
  ],
  [
    "another stream's route",
    documentOf([leg()], { routes: [{ match: { stream: "x" }, to: [leg({ topic: "y" })] }, ...documentOf().routes] }),
    undefined
  ]
]
const ofLegs = [
  ["policy", { policy: "p" }, ["policy"]],
  ["buffer", { buffer: { bytes: 1_000_000, overflow: "reject" } }, ["bufferBytesMax", "overflow"]],
  ["linger", { linger: "7 millis" }, ["lingerMs"]],
  ["batch", { batch: { bytes: 10, records: 3 } }, ["batchBytes", "batchRecords"]],
  ["timeout", { timeout: "3 s" }, ["timeoutMs"]],
  ["wire", { wire: "cloudevents" }, ["wire"]],
  ["breaker", { breaker: {} }, ["breaker"]]
] as const
const fallingBack = (back: string) => ({ policy: "p", fallback: { cluster: "c", back } })
const ofPlaces: ReadonlyArray<readonly [string, object, path: string]> = [
  ["topic", documentOf([leg({ topic: "other.{stream}" })]), "routes[0].to"],
  ["cluster", documentOf([mirror()]), "routes[0].to"],
  ["read leg", documentOf([leg(), mirror({ read: true })]), "routes[0].to"],
  ["epoch", documentOf([leg({ epoch: 2 })]), "routes[0].to[0].epoch"],
  ["partitioner", documentOf([leg()], {}, { partitioner: "bucket" }), "routes[0].partitioner"],
  [
    "fallback",
    documentOf([leg(fallingBack("redrive"))], { policies: { p: [{ on: ["*"], then: "fallback" }] } }),
    "routes[0].to[0].fallback"
  ],
  ["route", documentOf([leg()], {}, { match: { stream: "x" } }), "routes"]
]

describe("the plan of two tables", () => {
  it.each(single)("is what %s makes", (_, after, expected) => {
    const streams = expected === undefined ? [] : [{ ...orders, ...expected }]
    expect(change(documentOf(), after)).toEqual({ ...none, streams })
  })

  it.each(ofLegs)("lists the settings of a leg: %s", (_, settings, names) => {
    const policies = { p: [{ on: ["*"], then: "drop" }] }
    const before = documentOf([leg()], { policies })
    const { streams, ...others } = change(before, documentOf([leg(settings)], { policies }))
    const { streams: _none, ...nothing } = none
    expect(others).toEqual(nothing)
    expect(streams).toMatchObject([{ ...orders, legs: [{ sink: "a/orders", change: "settings", settings: names }] }])
  })

  it("lists a leg that becomes best effort as one with another setting", () => {
    const { streams, refused } = change(documentOf([leg(), mirror()]), documentOf([leg(), mirror({ required: false })]))
    expect(streams).toMatchObject([{ legs: [{ sink: "b/orders", change: "settings", settings: ["required"] }] }])
    expect(refused).toEqual([])
  })

  it("lists legs that come and go, and what is opened and closed for them", () => {
    const [one, two] = [documentOf([leg()]), documentOf([leg(), mirror({ required: false })])]
    const places = { sinks: ["b/orders"], clusters: ["b"] }
    const told = (of: string) => [{ ...orders, legs: [{ sink: "b/orders", change: of, settings: [] }] }]
    expect(change(one, two)).toMatchObject({ ...none, streams: told("added"), opened: places })
    expect(change(two, one)).toMatchObject({ ...none, streams: told("removed"), closed: places })
  })

  it("opens and closes nothing that another stream has", () => {
    const shared = (to: ReadonlyArray<object>) =>
      documentOf([], {
        routes: [
          { match: { stream: "orders" }, to },
          { match: { stream: "*" }, to: [mirror({ wire: "cloudevents", topic: "all" })] }
        ]
      })
    const [one, two] = [shared([leg()]), shared([leg(), mirror({ wire: "cloudevents", topic: "all" })])]
    const both = [...open, { stream: "refunds", source: "s", groups: [] }]
    expect(plan(one, { ...two, version: 3 }, both)).toMatchObject({ opened: nowhere, refused: [] })
    expect(plan(two, { ...one, version: 3 }, both)).toMatchObject({ closed: nowhere, refused: [] })
    expect(plan(one, { ...two, version: 3 })).toMatchObject({ opened: { sinks: ["b/all"], clusters: ["b"] } })
  })

  it("opens what a stream needs that has no route yet, as a tool asks before the stream is there", () => {
    const { streams, opened, refused } = change(documentOf([leg()], {}, { match: { stream: "x" } }), documentOf())
    expect(streams).toMatchObject([{ stream: "orders", legs: [{ sink: "a/orders", change: "added" }], moves: [] }])
    expect([opened, refused]).toEqual([{ sinks: ["a/orders"], clusters: ["a"] }, []])
  })

  it.each(ofPlaces)("refuses a stream that would go to another %s", (_, after, path) => {
    const { refused, streams } = change(documentOf(), after)
    expect(refused.map((fault) => fault.path)).toEqual([path])
    expect(streams.flatMap(({ moves }) => moves)).toEqual(refused)
    expect(refused[0]?.message).toMatch(/^stream orders is open/)
  })

  it("takes the legs in another order", () => {
    const read = [leg(), mirror({ read: true })]
    expect(change(documentOf(read), documentOf(read.toReversed())).streams).toEqual([])
  })

  it("lists the groups that read differently, and nobody else", () => {
    const subscriptions = [{ match: { stream: "*", group: "g" }, concurrency: 3, drain: "1 s" }]
    expect(change(documentOf(), documentOf([leg()], { subscriptions })).groups).toEqual([
      { stream: "orders", group: "g", settings: ["concurrency", "drainMs"] }
    ])
  })

  it("of a table and itself is nothing, and what one way opens the other way closes", () => {
    const documents = fc.constantFrom<object>(
      ...single.map(([, after]) => after),
      ...ofPlaces.map(([, after]) => after),
      documentOf([leg(), mirror()]),
      documentOf([leg(), mirror({ required: false }), leg({ cluster: "c" })])
    )
    fc.assert(
      fc.property(documents, documents, (one, other) => {
        expect(plan(one, one)).toEqual(none)
        const there = plan(one, other)
        const back = plan(other, one)
        expect([there.opened, there.closed]).toEqual([back.closed, back.opened])
        const legs = ({ streams }: typeof there, of: string) =>
          streams.flatMap((stream) => stream.legs.filter(({ change: kind }) => kind === of).map(({ sink }) => sink))
        expect(legs(there, "added").toSorted()).toEqual(legs(back, "removed").toSorted())
        expect(legs(there, "settings").toSorted()).toEqual(legs(back, "settings").toSorted())
        expect(there.groups).toEqual(back.groups)
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
    const after = tableOf({
      ...documentOf([leg({ cluster: "memory" })], { clusters: { memory: { transport: "memory" } } }),
      version: 1
    })
    expect(planRoutes(Routes.inMemory(memory), after, open).refused).toEqual([])
  })

  it("when a cluster that is open becomes one that can do other things, and not when its section only says something else", () => {
    const of = (section: object, version = 3) => ({
      ...documentOf([leg()], { clusters: { ...clusters, b: section } }),
      version
    })
    const before = of({ transport: "memory", partitions: 4, recordBytesMax: 1000 }, 2)
    expect(refusal(before, of({ recordBytesMax: 1000, partitions: 4, transport: "memory" }), ["a", "b"])).toEqual([])
    expect(refusal(before, of({ transport: "memory", partitions: 8, recordBytesMax: 1000 }), ["a", "b"])).toEqual([])
    const other = of({ transport: "memory", partitions: 4, recordBytesMax: 2000 })
    expect(refusal(before, other, ["a"])).toEqual([])
    expect(refusal(before, other, ["a", "b"]).map(({ path }) => path)).toEqual(["clusters.b"])
    expect(plan(before, other).clusters).toEqual([{ cluster: "b", change: "changed" }])
    const without = { ...documentOf([leg()], { clusters: { a: clusters.a } }), version: 3 }
    const gone = [
      { cluster: "b", change: "removed" },
      { cluster: "c", change: "removed" }
    ]
    expect(plan(before, without).clusters).toEqual(gone)
    expect(refusal(before, without, ["a", "b"])).toEqual([])
    expect(plan(without, before).clusters).toEqual(gone.map((one) => ({ ...one, change: "added" })))
  })

  it("when a cluster that streams use does, where nobody says which are open", () => {
    const other = { transport: "memory", partitions: 4, recordBytesMax: 2000 }
    const ofStream = documentOf([leg()], { clusters: { ...clusters, a: other } })
    expect(change(documentOf(), ofStream).refused.map(({ path }) => path)).toEqual(["clusters.a"])
    const unused = documentOf([leg()], { clusters: { ...clusters, b: other } })
    expect(change(documentOf(), unused).refused).toEqual([])
  })
})
