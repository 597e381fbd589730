import { logTransport } from "@leat/log"
import { Cause, Duration, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { batchOf, waitUntil } from "leat/testing"
import { type Lane, TransportError, type Writer, sendEffect } from "leat/transport"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { describe, expect, it } from "vitest"
import { settingsOf, transportOf } from "../src/LogTransport.js"
import { LogWorker } from "../src/LogWorker.js"
import { temporaryDirectory } from "./support/temporary.js"

const inDirectory = <A, E>(run: (directory: string) => Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(temporaryDirectory, run)))

const send = (writer: Writer, values: ReadonlyArray<string>, withinMs = 10_000) =>
  sendEffect(writer, 0, batchOf(values.map((value) => ({ key: "k", value }))), 0, values.length, withinMs)

const reasonOf = <A, E>(exit: Exit.Exit<A, E>): string | undefined => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  return error instanceof TransportError ? error.reason : undefined
}

/** Holds the log as another process in the middle of a write would. */
const holdLog = (directory: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const sql = new DatabaseSync(join(directory, "log.sqlite"))
      sql.exec("BEGIN IMMEDIATE")
      return sql
    }),
    (sql) => Effect.sync(() => sql.close())
  )

const valuesIn = (transport: ReturnType<typeof transportOf>) =>
  Effect.map(Stream.runCollect(transport.read("t", 0, { fromPosition: 0n })), (batches) =>
    Array.from(batches).flatMap(({ records }) =>
      records.map(({ value }) => new TextDecoder().decode(value ?? undefined))
    )
  )

describe("a worker", () => {
  it("that dies answers all that waits, and whatever is asked later", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const worker = yield* LogWorker.open(settingsOf({ directory })).pipe(Scope.provide(scope))
        const transport = transportOf(worker, { directory })
        const writer = yield* transport.openWriter("t").pipe(Scope.provide(scope))
        const lanes: Array<Lane> = []
        const subscribing = yield* transport.subscribe({ topic: "t", group: "g", from: "earliest", drainMs: 100 }).pipe(
          Stream.runForEach((lane) => Effect.sync(() => lanes.push(lane))),
          Effect.exit,
          Effect.forkIn(scope),
          Scope.provide(scope)
        )
        yield* waitUntil(
          "a lane is given",
          Effect.sync(() => lanes.length === 4)
        )
        const [lane] = lanes
        const pulling = yield* Effect.forkChild(Effect.exit(Stream.runDrain(lane?.batches ?? Stream.empty)))
        yield* holdLog(directory)
        const sending = yield* Effect.forkChild(send(writer, ["a"]))
        const fencing = yield* Effect.forkChild(Effect.exit(writer.fence(0)))
        yield* Effect.yieldNow
        yield* worker.kill
        const [run] = yield* Fiber.join(sending)
        expect([run?.fate, run?.error?.reason]).toEqual(["unknown", "Disconnected"])
        expect(reasonOf(yield* Fiber.join(fencing))).toBe("Disconnected")
        expect(reasonOf(yield* Fiber.join(pulling))).toBe("Disconnected")
        expect(reasonOf(yield* Fiber.join(subscribing))).toBe("Disconnected")
        const [later] = yield* send(writer, ["b"])
        expect([later?.fate, later?.error?.reason]).toEqual(["notStored", "Closed"])
        expect(reasonOf(yield* Effect.exit(transport.bounds("t")))).toBe("Closed")
        yield* Scope.close(scope, Exit.void)
      })
    ))

  it("that cannot write by the deadline takes back what waits: after the fence it has not landed, and never will", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const transport = yield* logTransport({ directory })
        const writer = yield* transport.openWriter("t")
        yield* send(writer, ["before"])
        const held = yield* holdLog(directory)
        const spent = yield* Effect.all(
          { sending: Effect.timed(send(writer, ["late"], 150)), sleeping: Effect.timed(Effect.sleep(150)) },
          { concurrency: 2 }
        )
        const [sendingTime, [run]] = spent.sending
        expect(run?.error?.reason).toBe("Timeout")
        // The worker may look between two waits for the log, and then it can tell for sure.
        expect(["unknown", "notStored"]).toContain(run?.fate)
        expect(Duration.toMillis(sendingTime)).toBeLessThan(10 * Duration.toMillis(spent.sleeping[0]))
        const fencing = yield* Effect.forkChild(writer.fence(0))
        held.exec("ROLLBACK")
        expect(yield* Fiber.join(fencing)).toBe(1n)
        yield* send(writer, ["after"])
        expect(yield* valuesIn(transport)).toEqual(["before", "after"])
      })
    ))

  it("waits for another process that holds the log, and loses nothing by it", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const transport = yield* logTransport({ directory })
        const writer = yield* transport.openWriter("t")
        const held = yield* holdLog(directory)
        const sending = yield* Effect.forkChild(send(writer, ["a"]))
        const heldMs = Date.now()
        // Longer than SQLite itself waits.
        yield* waitUntil(
          "SQLite has given up once",
          Effect.sync(() => Date.now() - heldMs > 600)
        )
        held.exec("ROLLBACK")
        expect((yield* Fiber.join(sending))[0]?.fate).toBe("stored")
      })
    ))

  it("lets go of what is old although nobody sends, one process at a time", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const options = { directory, partitions: 1, retention: { timeMs: 200 } }
        const [transport] = [yield* logTransport(options), yield* logTransport(options)]
        const writer = yield* transport.openWriter("t")
        yield* send(writer, ["old"])
        const bounds = Effect.map(transport.bounds("t"), ([first]) => first)
        expect(yield* bounds).toMatchObject({ start: 0n, end: 1n })
        yield* waitUntil(
          "the record is gone",
          Effect.map(bounds, (found) => found?.start === 1n && found.end === 1n),
          { withinMs: 15_000, everyMs: 100 }
        )
        const sql = new DatabaseSync(join(directory, "log.sqlite"), { readOnly: true })
        expect(sql.prepare("SELECT count(*) AS n FROM owner").get()?.["n"]).toBe(1)
        sql.close()
      })
    ))

  it("that is closed has written what was sent, and ends", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const transport = yield* logTransport({ directory }).pipe(Scope.provide(scope))
        const writer = yield* transport.openWriter("t").pipe(Scope.provide(scope))
        const sending = yield* Effect.forkChild(
          Effect.all(
            Array.from({ length: 50 }, (_, index) => send(writer, [`${index}`])),
            { concurrency: "unbounded" }
          )
        )
        yield* Effect.yieldNow
        yield* Scope.close(scope, Exit.void)
        expect((yield* Fiber.join(sending)).map(([run]) => run?.fate)).toEqual(
          Array.from({ length: 50 }, () => "stored")
        )
        expect((yield* send(writer, ["later"]))[0]).toMatchObject({ fate: "notStored", error: { reason: "Closed" } })
        const again = yield* logTransport({ directory })
        expect(yield* valuesIn(again)).toEqual(Array.from({ length: 50 }, (_, index) => `${index}`))
      })
    ))
})
