import { inspectLog, log, type LogOptions, logTransport } from "@leat/log"
import { Cause, Effect, Exit, Scope, Stream } from "effect"
import { batchOf, waitUntil } from "leat/testing"
import { type Lane, type Transport, TransportError, type TransportReason, sendEffect } from "leat/transport"
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { describe, expect, it } from "vitest"
import { readOnly, smallVolume } from "./support/mounts.ts"
import { temporaryDirectory } from "./support/temporary.ts"

/** Runs a test in a directory of its own. */
const inDirectory = <A, E>(run: (directory: string) => Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(temporaryDirectory, run)))

const failureOf = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<TransportError> =>
  Effect.map(Effect.exit(Effect.scoped(effect)), (exit) => {
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    if (!(error instanceof TransportError)) throw new Error(`expected a TransportError, got ${String(error)}`)
    return error
  })

const send = Effect.fnUntraced(function* (transport: Transport, count: number, bytes = 100, withinMs = 20_000) {
  const writer = yield* transport.openWriter("t")
  const records = Array.from({ length: count }, () => ({ key: "k", value: new Uint8Array(bytes) }))
  return yield* sendEffect(writer, 0, batchOf(records), 0, count, withinMs)
})

/** A log with one batch in it, closed again. */
const written = (directory: string, options: Partial<LogOptions> = {}) =>
  Effect.scoped(Effect.flatMap(logTransport({ directory, ...options }), (transport) => send(transport, 3)))

/** Opening `directory` fails so, says where, and changes nothing. */
const refused = (directory: string, reason: TransportReason, says: string) =>
  Effect.map(failureOf(logTransport({ directory })), (error) => {
    expect(error.reason).toBe(reason)
    expect(error.detail).toContain(says)
    expect(error.detail).toContain(directory)
    return true
  })

describe("a log is not opened", () => {
  it("where a file stands", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const file = join(directory, "file")
        writeFileSync(file, "mine")
        yield* refused(file, "Unsupported", "file")
        yield* refused(join(file, "below"), "Unsupported", "file")
        expect(readFileSync(file, "utf8")).toBe("mine")
      })
    ))

  it("in a directory that holds something else", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        writeFileSync(join(directory, "thesis.txt"), "mine")
        yield* refused(directory, "Unsupported", "thesis.txt")
        expect(readdirSync(directory)).toEqual(["thesis.txt"])
      })
    ))

  it("over another program's database", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const path = join(directory, "log.sqlite")
        const other = new DatabaseSync(path)
        other.exec("CREATE TABLE mine (a); INSERT INTO mine VALUES (1)")
        other.close()
        const before = readFileSync(path)
        yield* refused(directory, "Unsupported", "another program")
        expect(readFileSync(path).equals(before)).toBe(true)
      })
    ))

  it("over a file that is no database", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const path = join(directory, "log.sqlite")
        writeFileSync(path, "not a database at all, but long enough to be looked at".repeat(100))
        const before = readFileSync(path)
        yield* refused(directory, "Corrupt", "no leat log")
        expect(readFileSync(path).equals(before)).toBe(true)
      })
    ))

  it.for([
    [99, "update @leat/log"],
    [0, "no longer reads"]
  ] as const)("in format %s", ([format, advice]) =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        yield* written(directory)
        const other = new DatabaseSync(join(directory, "log.sqlite"))
        other.exec(`PRAGMA user_version = ${format}`)
        other.close()
        expect(yield* refused(directory, "Unsupported", advice)).toBe(true)
      })
    )
  )

  it("when its header does not verify", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        yield* written(directory)
        const other = new DatabaseSync(join(directory, "log.sqlite"))
        other.exec("UPDATE header SET created_ms = created_ms + 1")
        other.close()
        expect(yield* refused(directory, "Corrupt", "header")).toBe(true)
      })
    ))

  it("when the name of a topic was changed behind its back", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        yield* written(directory)
        const other = new DatabaseSync(join(directory, "log.sqlite"))
        other.exec("UPDATE topic SET name = 'u'")
        other.close()
        expect(yield* refused(directory, "Corrupt", "topics")).toBe(true)
      })
    ))

  it("when it was cut to nothing and its write-ahead log is still there", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        yield* written(directory)
        truncateSync(join(directory, "log.sqlite"), 0)
        writeFileSync(join(directory, "log.sqlite-wal"), new Uint8Array(5000))
        expect(yield* refused(directory, "Corrupt", "was cut")).toBe(true)
      })
    ))

  it.skipIf(readOnly === undefined)("where nothing may be written", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const [empty, full] = ["empty", "full"].map((name) => join(directory, name))
        if (empty === undefined || full === undefined || readOnly === undefined) return
        mkdirSync(empty)
        yield* written(full)
        for (const one of [empty, full]) {
          const mounted = yield* readOnly(one)
          yield* refused(mounted, "Unauthorized", mounted)
        }
        const { topics } = yield* inspectLog(full)
        expect(topics[0]?.partitions[0]?.end).toBe(3n)
      })
    )
  )
})

describe("a log that is full", () => {
  const fill = Effect.fnUntraced(function* (transport: Transport) {
    let stored = 0
    for (let batch = 0; batch < 400; batch++) {
      const [run] = yield* send(transport, 10, 2000)
      if (run?.fate === "stored") stored++
      else return { stored, run }
    }
    throw new Error("8 MB went into less")
  })

  it("by its own limit says so, keeps what it has, and takes more once there is room", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const { stored, run } = yield* Effect.scoped(
          Effect.flatMap(logTransport({ directory, bytesMax: 2 * 1024 ** 2 }), fill)
        )
        expect(run).toMatchObject({ fate: "notStored", error: { reason: "Full" } })
        const transport = yield* logTransport({ directory })
        const [bounds] = yield* transport.bounds("t")
        expect(bounds?.end).toBe(BigInt(stored * 10))
        expect((yield* send(transport, 10, 2000))[0]?.fate).toBe("stored")
        const records = yield* Stream.runFold(
          transport.read("t", 0, { fromPosition: 0n }),
          () => 0,
          (count, batch) => count + batch.records.length
        )
        expect(records).toBe((stored + 1) * 10)
      })
    ))

  it.skipIf(smallVolume === undefined)("because its volume is full says so, and keeps what it has", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        if (smallVolume === undefined) return
        const volume = yield* smallVolume(directory, 4)
        const scope = yield* Scope.make()
        const transport = yield* logTransport({ directory: join(volume, "log") }).pipe(Scope.provide(scope))
        const { stored, run } = yield* fill(transport)
        expect(run).toMatchObject({ fate: "notStored", error: { reason: "Full" } })
        const records = yield* Stream.runFold(
          transport.read("t", 0, { fromPosition: 0n }),
          () => 0,
          (count, batch) => count + batch.records.length
        )
        expect(records).toBe(stored * 10)
        yield* Scope.close(scope, Exit.void)
        const { topics, quarantined } = yield* inspectLog(join(volume, "log"))
        expect(topics[0]?.partitions[0]?.end).toBe(BigInt(stored * 10))
        expect(quarantined).toEqual([])
      })
    )
  )
})

describe("a log whose room comes and goes while it is open", () => {
  it.skipIf(smallVolume === undefined)("takes records again by itself once there is room on its volume", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        if (smallVolume === undefined) return
        const volume = yield* smallVolume(directory, 4)
        const ballast = join(volume, "ballast")
        writeFileSync(ballast, new Uint8Array(2 * 1024 ** 2))
        const transport = yield* logTransport({ directory: join(volume, "log") })
        const full: Array<unknown> = []
        let stored = 0
        while (full.length === 0 && stored < 400) {
          const [run] = yield* send(transport, 10, 2000)
          if (run?.fate === "stored") stored++
          else full.push(run)
        }
        expect(full).toMatchObject([{ fate: "notStored", error: { reason: "Full" } }])
        rmSync(ballast)
        expect((yield* send(transport, 10, 2000))[0]?.fate).toBe("stored")
        expect((yield* transport.bounds("t"))[0]?.end).toBe(BigInt((stored + 1) * 10))
      })
    )
  )
})

describe("looking at a log", () => {
  it("fails where there is none, and creates none", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        for (const one of [directory, join(directory, "none")])
          expect((yield* failureOf(inspectLog(one))).reason).toBe("UnknownTopic")
        expect(readdirSync(directory)).toEqual([])
      })
    ))

  it("tells topics, bounds, groups and members while it is in use, and after", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const transport = yield* logTransport({ directory, leaseMs: 700 })
        yield* send(transport, 5)
        const scope = yield* Scope.make()
        const lanes: Array<Lane> = []
        yield* transport.subscribe({ topic: "t", group: "g", from: "earliest", drainMs: 100 }).pipe(
          Stream.runForEach((lane) => Effect.sync(() => lanes.push(lane))),
          Effect.forkIn(scope),
          Scope.provide(scope)
        )
        yield* waitUntil(
          "four lanes are given",
          Effect.sync(() => lanes.length === 4)
        )
        const [lane] = lanes.filter(({ partition }) => partition === 0)
        yield* Stream.runDrain(Stream.take(lane?.batches ?? Stream.empty, 1))
        yield* lane?.settle(2n) ?? Effect.void
        const { formatVersion, topics, quarantined } = yield* inspectLog(directory)
        expect([formatVersion, quarantined]).toEqual([5, []])
        const [topic] = topics
        expect(topic?.topic).toBe("t")
        expect(topic?.partitions[0]).toMatchObject({ start: 0n, end: 5n, batches: 1 })
        const [group] = topic?.groups ?? []
        expect(group?.members).toMatchObject([{ leaseMs: 700 }])
        expect(group?.lanes[0]).toMatchObject({ settled: 2n, lag: 3n, state: "held", generation: 1 })
        yield* Scope.close(scope, Exit.void)
        const after = yield* inspectLog(directory)
        expect(after.topics[0]?.groups[0]?.members).toEqual([])
        expect(after.topics[0]?.groups[0]?.lanes[0]).toMatchObject({ settled: 2n, state: "free" })
      })
    ))
})

describe("the cluster section", () => {
  it("is checked whole, each fault with its path", () => {
    expect(log.inspect({ directory: "./data", partitions: 2, retention: { timeMs: 1000 } })).toMatchObject({
      keepsMs: 1000,
      capabilities: { acks: ["fsync"], dedupe: { windowMs: 604_800_000 } }
    })
    const inspected = log.inspect({ partitions: 0, retention: { days: 7, bytes: "many" }, extra: 1 })
    const paths = "issues" in inspected ? inspected.issues.map(({ path }) => path) : []
    expect(paths.toSorted()).toEqual(["directory", "extra", "partitions", "retention.bytes", "retention.days"])
  })
})
