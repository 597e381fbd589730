import { logTransport } from "@leat/log"
import { Effect, Exit, Scope, Stream } from "effect"
import { batchOf, waitUntil } from "leat/testing"
import { type Lane, sendEffect, type Transport, type TransportError } from "leat/transport"
import fs, { copyFileSync, mkdirSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { describe, expect, it, vi } from "vitest"
import { GroupCommit } from "../src/store/GroupCommit.js"
import { storeWithTopic } from "./support/openStore.js"
import { temporaryDirectory } from "./support/temporary.js"

/** A log of its own in the folder `data`, with one record. */
const withLog = <A, E>(
  run: (transport: Transport, directory: string) => Effect.Effect<A, E, Scope.Scope>
): Promise<A> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const directory = join(yield* temporaryDirectory, "data")
        const transport = yield* logTransport({ directory, partitions: 1, leaseMs: 600 })
        yield* send(transport)
        return yield* run(transport, directory)
      })
    )
  )

const send = (transport: Transport) =>
  Effect.gen(function* () {
    const writer = yield* transport.openWriter("t")
    const [run] = yield* sendEffect(writer, 0, batchOf([{ key: "k", value: "v" }]), 0, 1, 5000)
    return run
  })
const end = (transport: Transport) => Effect.map(transport.bounds("t"), ([first]) => first?.end)
const reasonOf = (effect: Effect.Effect<unknown, TransportError>) =>
  Effect.match(effect, { onFailure: ({ reason, detail }) => `${reason}: ${detail}`, onSuccess: () => "fine" })

const refused = { fate: "notStored", error: { reason: "Unavailable" } }

describe("a log that is taken away while it is open", () => {
  it.each<[string, (directory: string) => void]>([
    ["the directory is removed", (directory) => rmSync(directory, { recursive: true })],
    ["the directory is renamed", (directory) => renameSync(directory, `${directory}.old`)],
    [
      "a file stands in place of the directory",
      (directory) => {
        renameSync(directory, `${directory}.old`)
        writeFileSync(directory, "")
      }
    ],
    ["the database is removed", (directory) => rmSync(join(directory, "log.sqlite"))],
    [
      "another database is put in place",
      (directory) => {
        const path = join(directory, "log.sqlite")
        copyFileSync(path, `${path}.new`)
        renameSync(`${path}.new`, path)
      }
    ],
    ["the write-ahead log is removed", (directory) => rmSync(join(directory, "log.sqlite-wal"))],
    ["the index of the write-ahead log is removed", (directory) => rmSync(join(directory, "log.sqlite-shm"))]
  ])("takes no record when %s", (_, takeAway) =>
    withLog((transport, directory) =>
      Effect.gen(function* () {
        const writer = yield* transport.openWriter("t")
        takeAway(directory)
        const [run] = yield* sendEffect(writer, 0, batchOf([{ key: "k", value: "lost" }]), 0, 1, 5000)
        expect(run).toMatchObject(refused)
        expect(run?.error?.detail).toMatch(
          /(was removed or renamed|was replaced by another|cannot be reached).*nothing was written; put the open log back/
        )
        expect(yield* reasonOf(writer.fence(0))).toContain("Unavailable")
      })
    )
  )

  it("tells no record stored once its write-ahead log is emptied, nor once its database is", () =>
    withLog((transport, directory) =>
      Effect.gen(function* () {
        const emptied = { error: { detail: expect.stringContaining("was emptied or overwritten by another program") } }
        const writer = yield* transport.openWriter("t")
        const next = () => sendEffect(writer, 0, batchOf([{ key: "k", value: "lost" }]), 0, 1, 5000)
        truncateSync(join(directory, "log.sqlite-wal"))
        // The first is written behind the hole, so nobody knows; the next is not written.
        expect(yield* next()).toMatchObject([{ fate: "unknown", ...emptied }])
        expect(yield* next()).toMatchObject([{ fate: "notStored", ...emptied }])
        truncateSync(join(directory, "log.sqlite"))
        expect(yield* next()).toMatchObject([{ fate: "notStored", ...emptied }])
      })
    ))

  it("takes a checkpoint of its own for no damage", () =>
    withLog((transport, directory) =>
      Effect.gen(function* () {
        const other = new DatabaseSync(join(directory, "log.sqlite"))
        for (let round = 0; round < 3; round++) {
          expect(yield* send(transport)).toMatchObject({ fate: "stored" })
          other.exec("PRAGMA wal_checkpoint(TRUNCATE)")
          expect(statSync(join(directory, "log.sqlite-wal")).size).toBe(0)
        }
        other.close()
      })
    ))

  it("says so to whoever reads, and to the groups; goes on, with all it had, once it is back", () =>
    withLog((transport, directory) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const lanes: Array<Lane> = []
        yield* transport.subscribe({ topic: "t", group: "g", from: "latest", drainMs: 100 }).pipe(
          Stream.runForEach((lane) => Effect.sync(() => lanes.push(lane))),
          Effect.forkIn(scope),
          Scope.provide(scope)
        )
        yield* waitUntil(
          "a lane is given",
          Effect.sync(() => lanes.length === 1)
        )
        const writer = yield* transport.openWriter("t")
        renameSync(directory, `${directory}.old`)
        expect(yield* reasonOf(Stream.runDrain(lanes[0]?.batches ?? Stream.empty))).toMatch(
          /^Unavailable: .*was removed or renamed; put/
        )
        expect(yield* reasonOf(transport.bounds("t"))).toContain("was removed or renamed")
        // Another log in its place is not taken for it.
        mkdirSync(directory)
        writeFileSync(join(directory, "log.sqlite"), "")
        expect((yield* sendEffect(writer, 0, batchOf([{ key: "k", value: "v" }]), 0, 1, 5000))[0]).toMatchObject(
          refused
        )
        rmSync(directory, { recursive: true })
        renameSync(`${directory}.old`, directory)
        expect(yield* send(transport)).toMatchObject({ fate: "stored", base: 1n })
        expect(yield* end(transport)).toBe(2n)
        yield* lanes[0]?.release ?? Effect.void
        yield* waitUntil(
          "the lane is given again",
          Effect.sync(() => lanes.length === 2)
        )
        expect(lanes[1]?.start).toBe(1n)
        yield* Scope.close(scope, Exit.void)
      })
    ))

  it.each(["EACCES", "EIO", "ESTALE"])("goes on after its files cannot be looked at for a moment: %s", (code) => {
    using open = storeWithTopic()
    const { db, room } = open.store
    const told: Array<string> = []
    const commit = new GroupCommit(open.store, { before: () => undefined, after: () => undefined })
    const write = () => {
      commit.push({
        wakes: "readers",
        bytes: 100,
        run: () => undefined,
        done: () => told.push("done"),
        failed: ({ reason, detail }) => told.push(`${reason}: ${detail.includes(code) ? code : detail}`)
      })
      commit.drain(1000)
    }
    const failing = vi.spyOn(fs, "statSync").mockImplementation(() => {
      throw Object.assign(new Error(code), { code })
    })
    // A full volume, where the size of the files matters.
    vi.spyOn(room, "volume").mockReturnValue({ freeBytes: 1, totalBytes: 1 })
    syncBuiltinESMExports()
    try {
      write()
    } finally {
      vi.restoreAllMocks()
      syncBuiltinESMExports()
    }
    expect(failing).toHaveBeenCalled()
    expect(db.presence.missing()).toBeUndefined()
    write()
    expect(told).toEqual([`Unavailable: ${code}`, "done"])
  })

  it("in the middle of a commit leaves what was written in doubt", async () => {
    using open = storeWithTopic()
    const { directory, store } = open
    const { db } = store
    const commit = db.commit.bind(db)
    Object.assign(db, {
      commit: () => {
        commit()
        renameSync(directory, `${directory}.old`)
      }
    })
    const told: Array<string> = []
    new GroupCommit(store, { before: () => undefined, after: () => undefined }).push({
      wakes: "nobody",
      run: () => undefined,
      done: () => told.push("done"),
      failed: ({ reason }, mayBeStored) => told.push(`${reason} ${mayBeStored}`)
    })
    await Effect.runPromise(
      waitUntil(
        "it is told",
        Effect.sync(() => told.length > 0)
      )
    )
    renameSync(`${directory}.old`, directory)
    expect(told).toEqual(["Disconnected true"])
  })
})
