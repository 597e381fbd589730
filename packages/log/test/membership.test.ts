import { logTransport, inspectLog } from "@leat/log"
import { Effect, Exit, Fiber, Queue, Scope, Stream } from "effect"
import { waitUntil } from "leat/testing"
import type { Lane, Transport } from "leat/transport"
import { DatabaseSync } from "node:sqlite"
import { describe, expect, it } from "vitest"
import { pathsOf } from "../src/store/tables/Directory.js"
import { Groups } from "../src/store/groups/Groups.js"
import { Store } from "../src/store/tables/Store.js"
import { temporaryDirectory } from "./support/temporary.js"

const subscribe = Effect.fnUntraced(function* (transport: Transport, topic: string) {
  const lanes = yield* Queue.unbounded<Lane>()
  yield* transport.subscribe({ topic, group: "g", from: "earliest", drainMs: 1000 }).pipe(
    Stream.runForEach((lane) => Queue.offer(lanes, lane)),
    Effect.forkScoped
  )
  return lanes
})

const rowsOf = (directory: string, table: string): number => {
  const sql = new DatabaseSync(pathsOf(directory).database, { readOnly: true })
  try {
    return Number(sql.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"])
  } finally {
    sql.close()
  }
}

const run = (test: (directory: string, transport: Transport) => Effect.Effect<void, unknown, Scope.Scope>) =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        yield* test(directory, yield* logTransport({ directory, partitions: 2 }))
      })
    )
  )

describe("the member of a group", () => {
  it("is one for 60 streams, and goes with the last of them", () =>
    run((directory, transport) =>
      Effect.gen(function* () {
        const scopes: Array<Scope.Closeable> = []
        for (let topic = 0; topic < 60; topic++) {
          const scope = yield* Scope.make()
          scopes.push(scope)
          const lanes = yield* subscribe(transport, `t${topic}`).pipe(Scope.provide(scope))
          yield* Effect.all([Queue.take(lanes), Queue.take(lanes)])
        }
        expect([rowsOf(directory, "member"), rowsOf(directory, "member_topic")]).toEqual([1, 60])
        const { topics } = yield* inspectLog(directory)
        const members = topics.flatMap(({ groups }) => groups.flatMap((group) => group.members.map(({ id }) => id)))
        expect([members.length, new Set(members).size]).toEqual([60, 1])
        for (const scope of scopes.slice(1)) yield* Scope.close(scope, Exit.void)
        expect([rowsOf(directory, "member"), rowsOf(directory, "member_topic")]).toEqual([1, 1])
        for (const scope of scopes.slice(0, 1)) yield* Scope.close(scope, Exit.void)
        expect([rowsOf(directory, "member"), rowsOf(directory, "member_topic")]).toEqual([0, 0])
      })
    ))

  it("that was evicted enters again with all that it reads, as one", () =>
    run((directory, transport) =>
      Effect.gen(function* () {
        const queues = yield* Effect.forEach(["a", "b", "c"], (topic) => subscribe(transport, topic))
        const before = yield* Effect.forEach(queues, (lanes) => Effect.all([Queue.take(lanes), Queue.take(lanes)]))
        const store = new Store({ paths: pathsOf(directory), isReadOnly: false })
        const groups = new Groups(store)
        store.db.begin()
        store.refresh()
        for (const { id } of groups.members("g")) groups.evict("g", id)
        store.db.commit()
        store.db.close()
        for (const lane of before.flat()) yield* lane.revoked
        const after = yield* Effect.forEach(queues, (lanes) => Effect.all([Queue.take(lanes), Queue.take(lanes)]))
        expect(
          after
            .flat()
            .map(({ id }) => id)
            .toSorted()
        ).toEqual(
          before
            .flat()
            .map(({ id }) => id)
            .toSorted()
        )
        expect([rowsOf(directory, "member"), rowsOf(directory, "member_topic")]).toEqual([1, 3])
      })
    ))

  it("that cannot enter again because of damage says so to all that it reads, and ends", () =>
    run((directory, transport) =>
      Effect.gen(function* () {
        const given = yield* Queue.unbounded<Lane>()
        const ends = yield* Effect.forEach(["a", "b"], (topic) =>
          transport.subscribe({ topic, group: "g", from: "earliest", drainMs: 1000 }).pipe(
            Stream.runForEach((lane) => Queue.offer(given, lane)),
            Effect.scoped,
            Effect.flip,
            Effect.forkScoped
          )
        )
        yield* Effect.all([Queue.take(given), Queue.take(given), Queue.take(given), Queue.take(given)])
        // SQLite tells this as it tells of rows that contradict each other.
        const sql = new DatabaseSync(pathsOf(directory).database, { timeout: 5000 })
        sql.exec(`CREATE TRIGGER planted BEFORE INSERT ON member BEGIN SELECT RAISE(ABORT, 'planted'); END;
          BEGIN IMMEDIATE; DELETE FROM member; COMMIT`)
        sql.close()
        const errors = yield* Effect.forEach(ends, Fiber.join)
        expect(errors.map(({ reason, operation }) => [reason, operation])).toEqual([
          ["Corrupt", "subscribe"],
          ["Corrupt", "subscribe"]
        ])
      })
    ))

  it("goes on when one of its topics cannot be subscribed to", () =>
    run((directory, transport) =>
      Effect.gen(function* () {
        const lanes = yield* subscribe(transport, "a")
        const [lane] = yield* Effect.all([Queue.take(lanes), Queue.take(lanes)])
        const refused = transport.subscribe({ topic: "x".repeat(600), group: "g", from: "earliest", drainMs: 1000 })
        expect((yield* Effect.flip(Effect.scoped(Stream.runDrain(refused)))).operation).toBe("openWriter")
        const writer = yield* transport.openWriter("a")
        expect(writer.partitions).toBe(2)
        yield* lane.release
        expect((yield* Queue.take(lanes)).id).toBe(lane.id)
        yield* waitUntil(
          "one row",
          Effect.sync(() => rowsOf(directory, "member") === 1)
        )
      })
    ))
})
