import { Buffer } from "node:buffer"
import fc from "fast-check"
import { batchOf, type PlainRecord } from "leat/testing"
import { existsSync, mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it, vi } from "vitest"
import { Block } from "../src/Block.js"
import { append } from "../src/store/append.js"
import { Deleting } from "../src/store/Deleting.js"
import { GroupCommit } from "../src/store/GroupCommit.js"
import { trim } from "../src/store/retention.js"
import { ModelVolume } from "./support/ModelVolume.js"
import { noLimits, OpenStore } from "./support/openStore.js"
import { Wire } from "./support/Wire.js"

const kilobytes = 1024
const megabytes = 1024 ** 2

const record = (bytes: number): PlainRecord => ({ key: "k", value: Buffer.alloc(bytes, 120) })

/** A process with a log open, as far as its writes go. */
class Process {
  readonly open: OpenStore
  readonly told: Array<string> = []
  readonly #volume: ModelVolume
  #commit: GroupCommit
  #deleting: Deleting

  constructor(directory: string, volume: ModelVolume) {
    this.open = new OpenStore(directory)
    this.#volume = volume
    ;[this.#commit, this.#deleting] = this.#begin()
  }

  #begin(): [GroupCommit, Deleting] {
    this.#volume.put(this.open.store)
    const commit = new GroupCommit(this.open.store, { before: () => undefined, after: () => undefined })
    return [commit, new Deleting(this.open.store, commit)]
  }

  /** An append that waits for its turn. */
  push(...records: ReadonlyArray<PlainRecord>): void {
    const packed = Block.pack(batchOf(records).columns(0, records.length)).bytes
    this.#commit.push({
      wakes: "readers",
      bytes: packed.length,
      run: () => append(this.open.store, noLimits, "t", 0, packed),
      done: () => this.told.push("stored"),
      failed: ({ reason }) => this.told.push(reason)
    })
  }

  write(): void {
    this.#commit.drain(5000)
  }

  append(...records: ReadonlyArray<PlainRecord>): string | undefined {
    this.push(...records)
    this.write()
    return this.told.at(-1)
  }

  /** Deletes all but the last `left` records; returns how it ended. */
  trim(left: number): string {
    let told = ""
    const step = (before: number) =>
      this.#deleting.push({
        run: (rowsMax) => trim(this.open.store, 0, before, rowsMax),
        done: (rest) => (rest === undefined ? (told = "done") : step(rest)),
        failed: ({ reason }) => (told = reason)
      })
    step(this.open.store.look(() => this.open.store.heads.get(0).end) - left)
    this.write()
    return told
  }

  /** As the maintenance does every 5 seconds. */
  keep(): void {
    this.open.store.room.keep()
  }

  /** Ends without a word, and another one begins. */
  restart(): void {
    this.open.reopen()
    ;[this.#commit, this.#deleting] = this.#begin()
  }

  /** What `other` has waiting is written just before the next write of this process. */
  after(other: Process): void {
    const { db } = this.open.store
    const begin = db.begin.bind(db)
    db.begin = (waitMs) => {
      db.begin = begin
      other.write()
      begin(waitMs)
    }
  }
}

/** A log on a volume of so many bytes, and processes that have it open. */
class World {
  /** In memory where there is such a folder: its many writes are not about a disk. */
  readonly first = new OpenStore(mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "leat-volume-")))
  readonly volume: ModelVolume
  readonly processes: ReadonlyArray<Process>

  constructor(totalBytes: number, processes: number) {
    const { directory } = this.first
    this.first.write((store) => store.topics.create({ topic: "t", partitions: 1 }))
    this.volume = new ModelVolume(directory, totalBytes)
    this.processes = Array.from({ length: processes }, () => new Process(directory, this.volume))
  }

  /** What the volume has when the next checkpoint has taken what it needs. */
  get sparedBytes(): number {
    return this.volume.freeBytes - this.volume.unwrittenBytes(this.first.store)
  }

  process(number: number): Process {
    const found = this.processes[number % this.processes.length]
    if (found === undefined) throw new Error("no such process")
    return found
  }

  [Symbol.dispose](): void {
    for (const { open } of this.processes) open.close()
    this.first[Symbol.dispose]()
  }
}

describe("several processes at one log on a small volume", () => {
  it("do not take the same free space: the second of two asks again when its turn has come", () => {
    using world = new World(2 * megabytes, 2)
    const [one, other] = [world.process(0), world.process(1)]
    expect(one.append(record(500 * kilobytes))).toBe("stored")
    one.push(record(500 * kilobytes))
    other.push(record(500 * kilobytes))
    one.after(other)
    one.write()
    expect([...one.told, ...other.told]).toEqual(["stored", "Full", "stored"])
    expect(world.sparedBytes).toBeGreaterThan(0)
  })

  it("have room again for what is trimmed, where others fill the volume to its last byte", () => {
    using world = new World(3 * megabytes, 2)
    const [one, other] = [world.process(0), world.process(1)]
    for (let told: string | undefined; told !== "Full";) told = one.append(record(20 * kilobytes))
    one.keep()
    world.volume.foreignBytes += world.volume.freeBytes
    expect(world.volume.freeBytes).toBe(0)
    other.restart()
    for (let round = 0; round < 5; round++) {
      expect(other.trim(1)).toBe("done")
      for (let index = 0; index < 30; index++) expect(one.append(record(kilobytes))).toBe("stored")
      const events = Array.from({ length: 500 }, (_, index) => Wire.event(index % 128, 10 * round + (index >> 7)))
      expect(other.append(...events)).toBe("stored")
      one.keep()
      // What was taken for it is there again before others can have it.
      world.volume.foreignBytes += world.volume.freeBytes
    }
  })

  it("have room for a checkpoint although others have taken it while the database waited for one", () => {
    using world = new World(3 * megabytes, 1)
    const one = world.process(0)
    const { db } = one.open.store
    while (!existsSync(db.paths.reserve)) expect(one.append(record(20 * kilobytes))).toBe("stored")
    // A reader keeps the write-ahead log from the database while it grows.
    const reader = vi.spyOn(db, "checkpoint").mockReturnValue(undefined)
    for (let index = 0; index < 2; index++) expect(one.append(record(20 * kilobytes))).toBe("stored")
    expect(world.volume.unwrittenBytes(one.open.store)).toBeGreaterThanOrEqual(40 * kilobytes)
    world.volume.foreignBytes += world.volume.freeBytes
    reader.mockRestore()
    expect(one.trim(0)).toBe("done")
    expect(one.append(record(20 * kilobytes))).toBe("stored")
    expect(world.sparedBytes).toBeGreaterThanOrEqual(0)
  })

  it("never leave less than the next checkpoint needs, and have room for what is trimmed, whatever others take", () => {
    const bytes = fc.constantFrom(200, 3000, 20_000, 90_000, 300_000)
    const process = fc.nat(2)
    const move = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constant("append" as const),
          process,
          bytes,
          count: fc.integer({ min: 1, max: 12 })
        })
      },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant("both" as const),
          process,
          bytes,
          count: fc.integer({ min: 1, max: 6 })
        })
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("trim" as const), process, left: fc.nat(20) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("restart", "others take", "others give"), process }) }
    )
    fc.assert(
      fc.property(fc.array(move, { minLength: 10, maxLength: 30 }), fc.integer({ min: 2, max: 6 }), (moves, size) => {
        using world = new World(size * megabytes, 3)
        const { volume } = world
        for (const one of moves) {
          const at = world.process(one.process)
          if (one.kind === "trim") at.trim((one as { left: number }).left)
          else if (one.kind === "restart") at.restart()
          else if (one.kind === "others give") volume.foreignBytes = 0
          else if (one.kind === "others take") {
            at.keep()
            volume.foreignBytes += Math.max(0, volume.freeBytes)
          } else {
            const { bytes: each, count } = one as { bytes: number; count: number }
            const other = world.process(one.process + 1)
            for (let index = 0; index < count; index++) {
              at.push(record(each))
              if (one.kind === "both") other.push(record(each))
            }
            if (one.kind === "both") at.after(other)
            at.write()
            other.write()
          }
          expect(world.sparedBytes).toBeGreaterThanOrEqual(0)
        }
        const { store } = world.first
        const trimmedBytes = store.look(() => store.heads.get(0).bytes)
        expect(world.process(1).trim(0)).toBe("done")
        const count = Math.min(20, Math.floor(trimmedBytes / (4 * kilobytes)))
        for (let index = 0; index < count; index++)
          expect(world.process(index).append(record(kilobytes))).toBe("stored")
        expect(world.sparedBytes).toBeGreaterThanOrEqual(0)
      }),
      { numRuns: 25 }
    )
  })
})
