import { readFileSync } from "node:fs"
import { expect, it } from "@effect/vitest"
import { Effect, Exit, Metric, Scope, Tracer } from "effect"
import { Leat, MemoryBroker, memoryDriver } from "leat"
import { type FaultPlan, faultDriver, waitUntil } from "leat/testing"
import { describe } from "vitest"
import { metricNames } from "../src/Telemetry.js"
import { noteContract } from "./contracts/Note.js"

const openNotes = (faults: FaultPlan = {}) =>
  Effect.gen(function* () {
    const leat = yield* Leat.make({
      source: "test",
      drivers: [faultDriver(memoryDriver(new MemoryBroker({ partitions: 1 })), faults)]
    })
    return { leat, notes: yield* leat.stream(noteContract()) }
  })

/** A tracer that keeps what was traced. */
const recorded = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return { spans, tracer }
}

const published = (trace: string) => ({ traceparent: `00-${trace.repeat(32)}-${trace.repeat(16)}-01` })

describe("spans", () => {
  it.live("are one per batch sent, per event processed and per settle, each a root with links", () =>
    Effect.gen(function* () {
      const { spans, tracer } = recorded()
      yield* Effect.gen(function* () {
        const { notes } = yield* openNotes()
        yield* notes.publishAll([{ key: "k", text: "0" }], published("a"))
        const traced = notes.publishAll([
          { key: "k", text: "1" },
          { key: "k", text: "2" }
        ])
        yield* Effect.withSpan(traced, "request")
        const subscription = yield* notes.handle("g", () => Effect.void)
        yield* waitUntil(
          "settled",
          Effect.map(subscription.lag, (lag) => lag === 0n)
        )
        yield* subscription.stop
      }).pipe(Effect.scoped, Effect.provideService(Tracer.Tracer, tracer))
      const named = (name: string) => spans.filter((span) => span.name === name)
      const [request] = named("request")
      const sends = named("send test.notes")
      expect(sends.map(({ kind, attributes }) => [kind, attributes.get("messaging.batch.message_count")])).toEqual([
        ["client", 1],
        ["client", 2]
      ])
      expect(sends.map(({ links }) => links.map(({ span }) => span.traceId))).toEqual([
        ["a".repeat(32)],
        [request?.traceId, request?.traceId]
      ])
      const processed = named("process test.notes")
      expect(processed).toHaveLength(3)
      for (const [index, span] of processed.entries()) {
        expect(span.kind).toBe("consumer")
        expect(span.parent._tag).toBe("None")
        expect(Object.fromEntries(span.attributes)).toMatchObject({
          "messaging.system": "memory",
          "messaging.operation.name": "process",
          "messaging.operation.type": "process",
          "messaging.destination.name": "test.notes",
          "messaging.destination.partition.id": "0",
          "messaging.consumer.group.name": "g",
          "leat.position": `${index}`,
          "leat.attempt": 1
        })
        expect(span.attributes.get("messaging.message.id")).toMatch(new RegExp(`/test\\.notes/\\d+/${index}$`))
      }
      expect(processed[0]?.links.map(({ span }) => span.traceId)).toEqual(["a".repeat(32)])
      expect(named("commit test.notes").length).toBeGreaterThan(0)
    })
  )

  it.live("say which error a batch met, and carry the trace into what a handler publishes", () =>
    Effect.gen(function* () {
      const { spans, tracer } = recorded()
      const traceparents: Array<string | undefined> = []
      yield* Effect.gen(function* () {
        const { leat, notes } = yield* openNotes({
          send: ({ call }) => (call === 0 ? { kind: "fail", reason: "Unavailable" } : undefined)
        })
        const replies = yield* leat.stream(noteContract({ stream: "test.replies", name: "test.Reply" }))
        yield* notes.publish({ key: "k", text: "0" })
        yield* notes.handle("g", (event) => Effect.asVoid(Effect.orDie(replies.publish(event))))
        yield* replies.handle("g", (_, { traceparent }) => Effect.sync(() => void traceparents.push(traceparent)))
        yield* waitUntil(
          "answered",
          Effect.sync(() => traceparents.length > 0)
        )
      }).pipe(Effect.scoped, Effect.provideService(Tracer.Tracer, tracer))
      const sends = spans.filter(({ name }) => name === "send test.notes")
      expect(sends.map(({ attributes }) => attributes.get("error.type"))).toEqual(["Unavailable", undefined])
      const [processed] = spans.filter(({ name }) => name === "process test.notes")
      expect(traceparents).toEqual([`00-${processed?.traceId}-${processed?.spanId}-01`])
    })
  )

  it.live("are not made where nobody has installed a tracer", () =>
    Effect.gen(function* () {
      const { notes } = yield* openNotes()
      const spans: Array<unknown> = []
      yield* notes.handle("g", () =>
        Effect.map(Effect.option(Effect.currentSpan), (span) => void spans.push(span._tag))
      )
      yield* notes.publish({ key: "k", text: "0" })
      yield* waitUntil(
        "handled",
        Effect.sync(() => spans.length > 0)
      )
      expect(spans).toEqual(["None"])
    })
  )
})

describe("metrics", () => {
  /** With a registry of its own: the metrics of a process are those of leats that other files have left open, too. */
  const alone = <A, E, R>(test: Effect.Effect<A, E, R>) => Effect.provideService(test, Metric.MetricRegistry, new Map())
  const valueOf = (id: string, attributes: Readonly<Record<string, string>> = {}) =>
    Effect.map(Metric.snapshot, (metrics) => {
      const found = metrics.filter(
        (metric) =>
          metric.id === id && Object.entries(attributes).every(([name, value]) => metric.attributes?.[name] === value)
      )
      return found.map(({ state }) => ("count" in state ? state.count : "value" in state ? state.value : undefined))
    })

  it.live("are the ledger's own numbers, pulled when somebody looks", () =>
    Effect.gen(function* () {
      const { notes } = yield* openNotes({
        send: ({ call }) => (call === 0 ? { kind: "fail", reason: "Unavailable" } : undefined)
      })
      // Histograms are the whole process's.
      const countOf = (name: string) => Effect.map(valueOf(name), ([count = 0]) => Number(count))
      const before = [
        yield* countOf("messaging.process.duration"),
        yield* countOf("messaging.client.operation.duration")
      ]
      notes.offer({ key: "", text: "rejected" })
      yield* notes.publishAll(["0", "1", "2"].map((text) => ({ key: "k", text })))
      const stream = { "leat.stream": "test.notes" }
      expect(yield* valueOf("leat.offered", stream)).toEqual([4])
      expect(yield* valueOf("leat.rejected", { ...stream, "leat.reason": "emptyKey" })).toEqual([1])
      expect(yield* valueOf("leat.admitted", { ...stream, "leat.sink": "memory/test.notes" })).toEqual([3])
      expect(yield* valueOf("messaging.client.sent.messages", stream)).toEqual([3])
      expect(yield* valueOf("leat.dropped", stream)).toEqual([])
      expect(yield* valueOf("leat.retries", { "leat.sink": "memory/test.notes" })).toEqual([3])
      expect(yield* valueOf("leat.buffer.bytes", { "leat.sink": "memory/test.notes" })).toEqual([0])
      const subscription = yield* notes.handle("g", () => Effect.void)
      yield* waitUntil(
        "settled",
        Effect.map(subscription.lag, (lag) => lag === 0n)
      )
      expect(
        yield* valueOf("messaging.client.consumed.messages", { ...stream, "messaging.consumer.group.name": "g" })
      ).toEqual([3])
      expect((yield* countOf("messaging.process.duration")) - (before[0] ?? 0)).toBe(3)
      expect((yield* countOf("messaging.client.operation.duration")) - (before[1] ?? 0)).toBeGreaterThanOrEqual(2)
    }).pipe(Effect.scoped, alone)
  )

  it.live("of what was consumed do not go back where a lane is handed over and its last events come again", () =>
    Effect.gen(function* () {
      const { notes } = yield* openNotes()
      const names = { "leat.stream": "test.notes", "messaging.consumer.group.name": "g" }
      const counted = valueOf("messaging.client.consumed.messages", names)
      let attempts = 0
      const handler = ({ text }: { readonly text: string }) =>
        text === "0" && attempts++ === 0 ? Effect.fail("again") : Effect.void
      const policy = [{ on: ["*"], retry: { baseMs: 60_000 }, then: "halt" }] as const
      const first = yield* notes.handle("g", handler, { policy })
      yield* notes.publishAll(["0", "1", "2", "3"].map((text) => ({ key: `k${text}`, text })))
      yield* waitUntil(
        "all but the first handled",
        Effect.map(counted, ([count]) => count === 3)
      )
      const second = yield* notes.handle("g", () => Effect.never)
      yield* first.stop
      expect(yield* counted).toEqual([3])
      yield* notes.handle("g", handler, { policy })
      yield* Effect.forkChild(second.stop)
      yield* notes.publish({ key: "k4", text: "4" })
      yield* waitUntil(
        "all handled",
        Effect.map(counted, ([count]) => count === 5)
      )
    }).pipe(Effect.scoped, alone)
  )

  it.live("are the series of a metric of the same name and attributes", () =>
    Effect.gen(function* () {
      const { notes } = yield* openNotes()
      notes.offer({ key: "k", text: "0" })
      const offered = Metric.counter("leat.offered", { attributes: { "leat.stream": "test.notes" }, incremental: true })
      expect(yield* Metric.value(offered)).toEqual({ count: 1, incremental: true })
    }).pipe(Effect.scoped, alone)
  )

  it.live("carry what the context adds to all metrics", () =>
    Effect.gen(function* () {
      yield* openNotes()
      expect(yield* valueOf("leat.offered", { "leat.stream": "test.notes", service: "app" })).toEqual([0])
    }).pipe(Effect.scoped, Effect.provideService(Metric.CurrentMetricAttributes, { service: "app" }), alone)
  )

  it.live("stay when another leat has taken their place and the first one goes", () =>
    Effect.gen(function* () {
      const first = yield* Scope.make()
      yield* Scope.provide(openNotes(), first)
      const { notes } = yield* openNotes()
      yield* Scope.close(first, Exit.void)
      notes.offer({ key: "k", text: "0" })
      expect(yield* valueOf("leat.offered", { "leat.stream": "test.notes" })).toEqual([1])
    }).pipe(Effect.scoped, alone)
  )

  it.live("tell the time of a send, from where it was handed over to its answer", () =>
    Effect.gen(function* () {
      const seconds = Effect.map(Metric.snapshot, (metrics) =>
        metrics.reduce(
          (total, { id, state }) =>
            total + (id === "messaging.client.operation.duration" && "sum" in state ? state.sum : 0),
          0
        )
      )
      const { notes } = yield* openNotes({ send: () => ({ kind: "delay", ms: 60 }) })
      const before = yield* seconds
      yield* notes.publish({ key: "k", text: "0" })
      expect((yield* seconds) - before).toBeGreaterThan(0.05)
    }).pipe(Effect.scoped, alone)
  )

  it.live("go with their leat", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(openNotes())
      expect(yield* valueOf("leat.offered")).toEqual([])
    }).pipe(alone)
  )

  it.live("of what a leat stores and drops while it closes are in the sums of those that stay", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 1 })
      const routes = {
        version: 1,
        clusters: { local: { transport: "memory" } },
        policies: { drop: [{ on: ["*"], then: "drop" }] },
        routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "t", linger: "1 second", policy: "drop" }] }]
      }
      const openOne = Effect.fnUntraced(function* (faults: FaultPlan) {
        const leat = yield* Leat.make({ source: "test", routes, drivers: [faultDriver(memoryDriver(broker), faults)] })
        return yield* leat.stream(noteContract())
      })
      yield* openOne({})
      for (const fault of [undefined, { kind: "fail", reason: "Rejected" } as const])
        yield* Effect.scoped(
          Effect.map(openOne({ send: () => fault }), (notes) => {
            for (const text of ["1", "2", "3"]) notes.offer({ key: "k", text })
          })
        )
      const stream = { "leat.stream": "test.notes" }
      expect(yield* valueOf("messaging.client.sent.messages", stream)).toEqual([3])
      expect(yield* valueOf("leat.dropped", { ...stream, "leat.sink": "local/t", "leat.reason": "Rejected" })).toEqual([
        3
      ])
    }).pipe(Effect.scoped, alone)
  )

  it.live("are summed over the leats of a process, and do not go back while one of them is open", () =>
    Effect.gen(function* () {
      const first = yield* Scope.make()
      const one = yield* Scope.provide(openNotes(), first)
      const two = yield* openNotes()
      const looks: Array<unknown> = []
      const look = Effect.gen(function* () {
        const stream = { "leat.stream": "test.notes" }
        looks.push([...(yield* valueOf("leat.offered", stream)), ...(yield* valueOf("leat.pending", stream))])
      })
      yield* one.notes.publish({ key: "k", text: "1" })
      yield* two.notes.publish({ key: "k", text: "2" })
      yield* look
      yield* Scope.close(first, Exit.void)
      yield* look
      yield* two.notes.publish({ key: "k", text: "3" })
      yield* look
      expect(looks).toEqual([
        [2, 0],
        [2, 0],
        [3, 0]
      ])
    }).pipe(alone)
  )
})

it.each([...Object.values(metricNames), "messaging.process.duration", "messaging.client.operation.duration"])(
  "the guide tells of the metric %s",
  (name) => {
    const page = readFileSync(new URL("../../../docs/guide/observing.md", import.meta.url), "utf8")
    expect(page).toContain(`\`${name}\``)
  }
)
