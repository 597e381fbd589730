import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { LaneEvent } from "../src/Message.js"
import { pathsOf } from "../src/store/tables/Directory.js"
import { GroupCommit } from "../src/store/GroupCommit.js"
import { Groups } from "../src/store/groups/Groups.js"
import { Membership } from "../src/store/groups/Membership.js"
import { Store } from "../src/store/tables/Store.js"

const leaseMs = 600
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

let directory = ""
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "leat-full-"))
})
afterEach(() => rmSync(directory, { recursive: true }))

/** The members of one process, on a volume that a test can fill. */
class Process {
  readonly events: Array<LaneEvent> = []
  readonly members: Membership
  isFull = false
  readonly #store = new Store({ paths: pathsOf(directory), isReadOnly: false })
  readonly #commit: GroupCommit
  readonly #looking: NodeJS.Timeout

  constructor(owner: string) {
    const { db } = this.#store
    const commit = db.commit.bind(db)
    db.commit = () => {
      if (this.isFull) throw Object.assign(new Error("full"), { code: "ERR_SQLITE_ERROR", errcode: 13 })
      commit()
    }
    const follow = () => setImmediate(() => this.members.follow())
    this.#commit = new GroupCommit(this.#store, { before: () => undefined, after: follow })
    const tell = (event: LaneEvent) => void this.events.push(event)
    this.members = new Membership(this.#store, new Groups(this.#store), this.#commit, { leaseMs, owner, tell })
    this.#store.whenChanged = follow
    this.#looking = setInterval(() => this.#store.look(() => undefined), 20)
  }

  create(topic: string): void {
    const run = () => this.#store.topics.create({ topic, partitions: 2 })
    this.#commit.push({ wakes: "nobody", run, done: () => undefined, failed: () => undefined })
  }

  join(subscription: number, topic: string): void {
    const ask = { subscription, member: 1, topic, group: "g", from: "earliest", drainMs: 50 } as const
    this.members.join(ask, { done: () => undefined, failed: () => undefined })
  }

  leave(subscription: number): void {
    this.members.leave(subscription, { done: () => undefined, failed: () => undefined })
  }

  count(kind: LaneEvent["event"]): number {
    return this.events.filter(({ event }) => event === kind).length
  }

  close(): void {
    clearInterval(this.#looking)
    this.members.leaveAll()
    this.#commit.drain(1000)
    this.#store.db.close()
  }
}

describe("the members of a group, on a volume that is full", () => {
  it("are not evicted by whoever is the first to write again: none of them could", async () => {
    const first = new Process("first")
    const second = new Process("second")
    try {
      first.create("t")
      first.join(1, "t")
      await expect.poll(() => first.count("given")).toBe(2)
      second.join(1, "t")
      await expect.poll(() => second.count("given")).toBe(1)
      first.isFull = second.isFull = true
      await pause(2 * leaseMs)
      first.isFull = second.isFull = false
      await pause(2 * leaseMs)
      // One lane went to the second when it came.
      expect([first.count("given"), second.count("given"), second.count("lost")]).toEqual([2, 1, 0])
    } finally {
      first.close()
      second.close()
    }
  })

  it("leave a topic later, when they read others: its lanes would stay with one that does not read it", async () => {
    const first = new Process("first")
    const second = new Process("second")
    try {
      for (const [index, topic] of ["t", "u"].entries()) {
        first.create(topic)
        first.join(index + 1, topic)
      }
      await expect.poll(() => first.count("given")).toBe(4)
      first.isFull = true
      first.leave(1)
      await pause(50)
      first.isFull = false
      second.join(1, "t")
      await expect.poll(() => second.count("given"), { timeout: 4 * leaseMs }).toBe(2)
      expect(first.count("lost")).toBe(0)
    } finally {
      first.close()
      second.close()
    }
  })
})
