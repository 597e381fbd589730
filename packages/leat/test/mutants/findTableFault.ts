import assert from "node:assert/strict"
import { Result } from "effect"
import { memory, Policy, readMeta, Routes } from "leat"
import { EventIdCursor, RecordBatch } from "leat/transport"
import { noHeaders } from "../../src/record/ContextHeaders.ts"
import { contractFault } from "../../src/contract/contractFault.ts"
import { dropNotice, DroppedRanges, readDropNotice } from "../../src/record/DropNotice.ts"
import { wireWriter } from "../../src/record/WireWriter.ts"
import { planRoutes } from "../../src/routes/planRoutes.ts"
import { partitionFault } from "../../src/routes/partitionFault.ts"
import { noteContract } from "../contracts/Note.ts"

const clusters = { a: { transport: "memory" }, b: { transport: "memory" } }
const leg = (settings: object = {}) => ({ cluster: "a", topic: "{stream}", ...settings })
const route = (stream: string, settings: object = {}, source = "*") => ({
  match: { stream, source },
  to: [leg(settings)]
})
const documentOf = (routes: ReadonlyArray<object>, settings: object = {}) => ({
  version: 2,
  clusters,
  routes,
  ...settings
})
const compile = (document: object) => Routes.compile(document, { drivers: [memory] })
const table = (...routes: ReadonlyArray<object>) => Result.getOrThrow(compile(documentOf(routes)))
const contract = (stream: string, compacted = false) => noteContract({ stream, name: `test.${stream}`, compacted })
/** Whether the second stream may be opened beside the first. */
const mayMeet = (routes: Routes, second = contract("y"), source = "s") => {
  const meetings = routes.meetings(source)
  return meetings.add(contract("x")).length === 0 && meetings.add(second).length === 0
}
const isRefused = (document: object) => Result.isFailure(compile(document))

function checkMeetings(): void {
  assert(mayMeet(table(route("*"))))
  assert(!mayMeet(table(route("*", { topic: "t" }))), "two compact streams in one topic")
  const events = { topic: "t", wire: "cloudevents" }
  assert(mayMeet(table(route("*", events))))
  assert(!mayMeet(table(route("*", events)), contract("y", true)), "a compacted stream beside another")
  const apart = { topic: "y", wire: "cloudevents" }
  assert(!mayMeet(table(route("x", { topic: "y" }), route("*", { wire: "cloudevents" }))), "two wires")
  assert(!mayMeet(table(route("x", apart), route("*", { wire: "cloudevents", linger: "9 ms" }))), "two lingers")
  assert(!mayMeet(table({ match: { stream: "*" }, to: [leg({ wire: "cloudevents" }), leg(apart)] })), "one topic twice")
  assert(isRefused(documentOf([{ match: { stream: "x" }, to: [leg(), leg({ topic: "x" })] }])), "one topic twice")
  const [mobile, other] = [route("x", {}, "mobile-*"), route("*")]
  assert.equal(table(mobile, other).routesOf("x").length, 2)
  assert.equal(table(route("x"), route("*", {}, "mobile")).routesOf("x").length, 1)
}

function checkDocuments(): void {
  for (const settings of [{ linger: "30 s" }, { topic: "{strem}" }, { timeout: "2 h" }, { epoch: 2 ** 40 }])
    assert(isRefused(documentOf([route("*", settings)])), JSON.stringify(settings))
  assert(isRefused(documentOf([route("*", { cluster: "c/d" })], { clusters: { "c/d": clusters.a } })))
  assert.equal(Policy.faults([{ on: ["*"], then: "drop", retry: { baseMs: Number.NaN } }]).length, 1)
  const again = Policy.decide([{ on: ["*"], then: "drop", retry: { baseMs: 0 } }], {
    tag: "T",
    attempts: 50,
    elapsedMs: 0,
    random: 0
  })
  assert("retryAfterMs" in again && again.retryAfterMs >= 10)
}

function checkChanges(): void {
  const before = table(route("*"))
  const streams = [{ stream: "x", source: "s", groups: ["g"] }]
  const faults = (document: object) => {
    const after = Result.getOrThrow(compile(document))
    return planRoutes(before, after, streams, before.clusters).refused.map(({ path, message }) =>
      message.includes("is older") ? "older" : path
    )
  }
  assert.deepEqual(faults(documentOf([route("*")])), [])
  assert.deepEqual(faults(documentOf([route("*", { linger: "6 ms" })], { version: 3 })), [])
  assert.deepEqual(faults(documentOf([route("*")], { version: 1 })), ["older"])
  assert.deepEqual(faults(documentOf([route("*", { linger: "6 ms" })])), ["version"])
  assert.deepEqual(faults(documentOf([route("*", { epoch: 2 })], { version: 3 })), ["routes[0].to[0].epoch"])
  const [mirror, both] = [leg({ cluster: "b" }), [leg(), leg({ cluster: "b" })]]
  assert.deepEqual(faults(documentOf([{ match: { stream: "*" }, to: both }], { version: 3 })), [])
  assert.deepEqual(faults(documentOf([{ match: { stream: "*" }, to: [mirror] }], { version: 3 })), ["routes[0].to"])
  const two = table({ match: { stream: "*" }, to: both })
  assert.deepEqual(
    planRoutes(two, before, streams).streams[0]?.legs.map(({ sink, change }) => [sink, change]),
    [["b/x", "removed"]]
  )
  const other = { ...clusters, a: { transport: "memory", recordBytesMax: 1000 } }
  assert.deepEqual(faults(documentOf([route("*")], { version: 3, clusters: other })), ["clusters.a"])
  assert(contractFault(contract("x"), noteContract({ stream: "x", name: "test.x", buckets: 9 })) !== undefined)
  const found = before.lookup("x", "s")
  assert(found !== undefined && partitionFault(contract("x"), found, found.readLeg, 3) !== undefined)
}

/** One record of a stream, as a reader of another and a backend see it. */
function checkRecords(): void {
  for (const wire of ["compact", "cloudevents"] as const) {
    const streams = ["x", "y"].map((stream) => {
      const batch = new RecordBatch(1024)
      const identity = { incarnation: new Uint8Array(16).fill(7), source: "s", stream, type: "t", epoch: 3 }
      batch.place(300, 70_000, Float64Array.of(1_795_000_000_000))
      const end = wireWriter(wire, identity).write(batch, 0, noHeaders)
      batch.commit(false, 0, end, end, "event")
      const cursor = new EventIdCursor()
      assert(cursor.read(batch.arena, 0))
      assert.deepEqual([cursor.bucket, cursor.seq], [300, 70_000])
      const meta = readMeta(batch.headers(0), stream)
      const { id, epoch, timeMs } = meta
      assert.deepEqual([id?.stream, id?.bucket, id?.seq, epoch, timeMs], [stream, 300, 70_000, 3, 1_795_000_000_000])
      assert.equal(meta.isOtherStream, undefined)
      assert.equal(readMeta(batch.headers(0), "z").isOtherStream, true)
      return cursor.stream
    })
    assert.notEqual(streams[0], streams[1])
  }
}

function checkDrops(): void {
  const drops = new DroppedRanges()
  for (const seq of [0, 1]) for (const bucket of [4, 5]) drops.add(bucket, seq, "overflow")
  drops.add(4, 2, "Timeout")
  const taken = drops.take()
  drops.add(5, 2, "overflow")
  drops.putBack(taken)
  const told = [
    { bucket: 4, from: 0, to: 2, reason: "overflow" },
    { bucket: 4, from: 2, to: 3, reason: "Timeout" },
    { bucket: 5, from: 0, to: 3, reason: "overflow" }
  ]
  assert.deepEqual(readDropNotice(dropNotice(drops.all)), told)
}

/** The first thing that is wrong with tables, records or notices; undefined when nothing is. Pure, and done in milliseconds. */
export function findTableFault(): string | undefined {
  for (const check of [checkMeetings, checkDocuments, checkChanges, checkRecords, checkDrops]) {
    try {
      check()
    } catch (error) {
      return `${check.name}: ${String(error)}`.slice(0, 500)
    }
  }
  return undefined
}
