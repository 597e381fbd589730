import { Effect } from "effect"
import { waitUntil } from "leat/testing"
import { describe, expect, it } from "vitest"
import { Refusal } from "../src/Fault.js"
import { monotonicMs } from "../src/clock.js"
import { GroupCommit, type Work } from "../src/store/GroupCommit.js"
import { Store } from "../src/store/tables/Store.js"
import { storeWithTopic, type OpenStore } from "./support/openStore.js"

/** An error as `node:sqlite` throws it. */
const sqliteError = (errcode: number) => Object.assign(new Error("planted"), { code: "ERR_SQLITE_ERROR", errcode })

/** A queue over a store, and what it told of each work, in order. */
class Bench {
  readonly told: Array<string> = []
  /** How many had been told of at each announcement. */
  readonly announcedAfter: Array<number> = []
  readonly #commit: GroupCommit

  constructor({ store }: OpenStore, announce: () => void = () => undefined) {
    this.#commit = new GroupCommit(store, {
      before: () => {
        this.announcedAfter.push(this.told.length)
        announce()
      },
      after: () => undefined
    })
  }

  push(name: string, work: Partial<Work<void>> = {}): void {
    this.#commit.push({
      wakes: "nobody",
      run: () => undefined,
      done: () => this.told.push(`${name} done`),
      failed: ({ reason }, mayBeStored) => this.told.push(`${name} ${reason}${mayBeStored ? ", in doubt" : ""}`),
      ...work
    })
  }

  drain(): void {
    this.#commit.drain(1000)
  }

  append(name: string, run: () => void): void {
    this.#commit.push({
      wakes: "readers",
      bytes: 100,
      run,
      done: () => this.told.push(`${name} done`),
      failed: ({ reason }, mayBeStored) => this.told.push(`${name} ${reason}${mayBeStored ? ", in doubt" : ""}`)
    })
  }

  /** Waits until so many works have been told of. */
  readonly toldAll = (count: number) =>
    Effect.runPromise(
      waitUntil(
        `${count} works are told`,
        Effect.sync(() => this.told.length >= count)
      )
    )
}

/** Lets the next commits end so; undefined: as they do. */
function plantCommits(open: OpenStore, ...errors: ReadonlyArray<number | undefined>): void {
  const { db } = open.store
  const commit = db.commit.bind(db)
  const left = [...errors]
  Object.assign(db, {
    commit: () => {
      const error = left.shift()
      if (error !== undefined) throw sqliteError(error)
      commit()
    }
  })
}

/** Lets one call of a method fail as a device does, after `well` that do not. */
function failOnce<K extends string>(
  of: Record<K, (...given: ReadonlyArray<never>) => unknown>,
  name: K,
  well = 0
): void {
  const real = of[name].bind(of)
  let calls = 0
  of[name] = (...given) => {
    if (calls++ === well) throw sqliteError(10)
    return real(...given)
  }
}

const barrierOf = ({ store }: OpenStore) => store.db.prepare("SELECT barrier FROM header").get()?.["barrier"]
const note = (open: OpenStore, value: number) => () =>
  void open.store.db.prepare("INSERT INTO quarantine VALUES (?, 0, 0, 'block', 0)").run(value)
const notes = ({ store }: OpenStore) =>
  store.db
    .prepare("SELECT partition FROM quarantine ORDER BY partition")
    .all()
    .map(({ partition }) => partition)

describe("a group commit", () => {
  it("tells of everything in order, and what was refused keeps nobody else from being written", async () => {
    using open = storeWithTopic()
    const bench = new Bench(open)
    bench.push("a", { run: note(open, 1) })
    bench.push("b", {
      run: () => {
        throw new Refusal("TooLarge", "refused")
      }
    })
    bench.push("late", { run: note(open, 2), deadlineMs: monotonicMs() - 1 })
    bench.push("c", { run: note(open, 3) })
    await bench.toldAll(4)
    expect(bench.told).toEqual(["late Timeout", "a done", "b TooLarge", "c done"])
    expect(notes(open)).toEqual([1, 3])
  })

  it("is announced before anybody is answered", async () => {
    using open = storeWithTopic()
    const bench = new Bench(open)
    for (const name of ["a", "b"]) bench.push(name, { run: note(open, 1) })
    await bench.toldAll(2)
    bench.push("c")
    await bench.toldAll(3)
    expect(bench.announcedAfter).toEqual([0, 2])
  })

  it("that meets damage in one work writes the others all the same", async () => {
    using open = storeWithTopic()
    const bench = new Bench(open)
    bench.push("a", { run: note(open, 1) })
    bench.push("b", {
      run: () => {
        note(open, 2)()
        throw sqliteError(11)
      }
    })
    bench.push("c", { run: note(open, 3) })
    await bench.toldAll(3)
    expect(bench.told).toEqual(["a done", "b Corrupt", "c done"])
    expect(notes(open)).toEqual([1, 3])
  })

  it.each(["run", "commit"])(
    "that is too full for its appends writes the others all the same: at the %s",
    async (at) => {
      using open = storeWithTopic()
      const bench = new Bench(open)
      if (at === "commit") plantCommits(open, 13)
      const isFull = at === "run"
      bench.push("settle", { run: note(open, 1) })
      bench.append("append", () => {
        if (isFull) throw sqliteError(13)
      })
      bench.push("beat", { run: note(open, 2) })
      bench.append("late", () => undefined)
      await bench.toldAll(4)
      expect(bench.told).toEqual(["append Full", "late Full", "settle done", "beat done"])
      expect(notes(open)).toEqual([1, 2])
    }
  )

  it("whose outcome nobody knows is in doubt, and is written over before anybody is told of a fence", async () => {
    using open = storeWithTopic()
    const bench = new Bench(open)
    plantCommits(open, 1034)
    bench.push("a", { run: note(open, 1) })
    await bench.toldAll(1)
    expect(bench.told).toEqual(["a Unknown, in doubt"])
    expect(barrierOf(open)).toBe(0)
    bench.push("fence")
    await bench.toldAll(2)
    expect(bench.told[1]).toBe("fence done")
    expect(barrierOf(open)).toBe(1)
    expect(notes(open)).toEqual([])
    bench.push("again")
    await bench.toldAll(3)
    expect(barrierOf(open)).toBe(1)
  })

  it("on a full volume is not stored, and one that is busy is tried again", async () => {
    using open = storeWithTopic()
    const bench = new Bench(open)
    plantCommits(open, 13, 5, 517, undefined)
    bench.push("full", { run: note(open, 1) })
    await bench.toldAll(1)
    bench.push("busy", { run: note(open, 2) })
    await bench.toldAll(2)
    expect(bench.told).toEqual(["full Full", "busy done"])
    expect(notes(open)).toEqual([2])
  })

  describe("while another process holds the log", () => {
    /** Pushes works while the log is held, and lets it go after `heldMs`. Returns how long each begin was allowed to wait, and when it came. */
    const whileHeld = async (open: OpenStore, heldMs: number, push: () => void) => {
      const other = new Store({ paths: open.store.db.paths, isReadOnly: false })
      const waits: Array<{ readonly waitMs: number | "its longest"; readonly atMs: number }> = []
      const startMs = monotonicMs()
      const { db } = open.store
      const begin = db.begin.bind(db)
      db.begin = (waitMs) => {
        waits.push({ waitMs: waitMs ?? "its longest", atMs: monotonicMs() - startMs })
        begin(waitMs)
      }
      other.db.begin()
      push()
      await new Promise((resolve) => setTimeout(resolve, heldMs))
      const whileItWas = [...waits]
      other.db.rollback()
      other.db.close()
      return whileItWas
    }

    it("does not wait for patient works, and does them as soon as it can", async () => {
      using open = storeWithTopic()
      const bench = new Bench(open)
      const waits = await whileHeld(open, 50, () => bench.push("settle", { isPatient: true }))
      // A busy machine may be late.
      const early = waits.filter(({ atMs }) => atMs < 80)
      expect(new Set(early.map(({ waitMs }) => waitMs))).toEqual(new Set([0]))
      expect(bench.told).toEqual([])
      await bench.toldAll(1)
    })

    it("waits for other works", async () => {
      using open = storeWithTopic()
      const bench = new Bench(open)
      const waits = await whileHeld(open, 50, () => bench.push("beat"))
      expect(new Set(waits.map(({ waitMs }) => waitMs))).toEqual(new Set(["its longest"]))
      await bench.toldAll(1)
    })

    it("waits for patient works that have become old: who only looks now and then may find no gap for ever", async () => {
      using open = storeWithTopic()
      const bench = new Bench(open)
      const waits = await whileHeld(open, 250, () => bench.push("settle", { isPatient: true }))
      expect([waits[0]?.waitMs, waits.at(-1)?.waitMs]).toEqual([0, "its longest"])
      await bench.toldAll(1)
    })

    it("lets no work wait for the retry of a patient one, and keeps their order", async () => {
      using open = storeWithTopic()
      const bench = new Bench(open)
      const waits = await whileHeld(open, 60, () => {
        bench.push("settle", { isPatient: true })
        setTimeout(() => bench.push("beat"), 10)
      })
      expect([waits[0]?.waitMs, waits.at(-1)?.waitMs]).toEqual([0, "its longest"])
      await bench.toldAll(2)
      expect(bench.told).toEqual(["settle done", "beat done"])
    })

    it("waits for patient works too when the log is closed", () => {
      using open = storeWithTopic()
      const bench = new Bench(open)
      bench.push("settle", { isPatient: true })
      bench.drain()
      expect(bench.told).toEqual(["settle done"])
    })
  })

  it.each<[string, (open: OpenStore) => void, string]>([
    ["the announcement", ({ store }) => failOnce(store.heads, "reach"), "a Unknown, in doubt"],
    ["the look behind the commit", ({ store }) => failOnce(store.db.presence, "missing", 1), "a Unknown, in doubt"],
    [
      "the rollback",
      (open) => {
        plantCommits(open, 10)
        failOnce(open.store.db, "rollback", 1)
      },
      "a Unknown, in doubt"
    ],
    ["the look for room", ({ store }) => failOnce(store.room, "has"), "a Unknown"],
    ["the look behind the works", ({ store }) => failOnce(store.room, "stillHas"), "a Unknown"],
    ["the end", ({ store }) => failOnce(store.room, "settle"), "a done"]
  ])("goes on after a fault of the disk at %s, and tells each work once", (_, plant, first) => {
    using open = storeWithTopic()
    const bench = new Bench(open, () => open.store.heads.reach())
    plant(open)
    bench.append("a", note(open, 1))
    bench.drain()
    bench.append("b", note(open, 2))
    bench.drain()
    bench.drain()
    expect(bench.told).toEqual([first, "b done"])
  })

  it("writes down damage, but never stumbles over its own notes", async () => {
    using open = storeWithTopic()
    const bench = new Bench(open)
    open.store.quarantine.report({ partition: 7, base: 1, end: 2, what: "block" })
    bench.push("a")
    await bench.toldAll(1)
    expect(notes(open)).toEqual([7])
  })
})
