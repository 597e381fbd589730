import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { monotonicMs } from "../src/clock.js"
import { pathsOf } from "../src/store/tables/Directory.js"
import { Groups } from "../src/store/groups/Groups.js"
import { Store } from "../src/store/tables/Store.js"
import { Server } from "./support/Server.js"

const leaseMs = 1500
/** What a newcomer waits beyond the lease of a member that died. */
const withinMs = 500

let directory = ""
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "leat-lease-"))
})
afterEach(() => rmSync(directory, { recursive: true }))

function newcomer(): Server {
  const server = new Server(directory, leaseMs)
  server.call({ name: "topic", topic: "t" })
  server.call({ name: "join", subscription: 1, member: 1, topic: "t", group: "g", from: "earliest", drainMs: 50 })
  return server
}

/** Leaves a member that holds all lanes behind, as a process that was killed does. */
function killed(): void {
  const store = new Store({ paths: pathsOf(directory), isReadOnly: false })
  const groups = new Groups(store)
  store.db.begin()
  store.refresh()
  store.topics.create({ topic: "t", partitions: 4 })
  groups.enter({ id: 7, group: "g", owner: "killed", leaseMs })
  groups.join(store.topics.get("t"), "g", 7, { drainMs: 50, from: "earliest" })
  store.db.commit()
  store.db.close()
}

function change(sql: string): void {
  const db = new DatabaseSync(pathsOf(directory).database, { timeout: 5000 })
  db.exec(sql)
  db.close()
}

/** Milliseconds until the newcomer has all four lanes. */
async function untilGiven(server: Server): Promise<number> {
  const fromMs = monotonicMs()
  await expect.poll(() => server.given, { timeout: 4 * leaseMs, interval: 5 }).toBe(4)
  return monotonicMs() - fromMs
}

describe("a newcomer to a group", () => {
  it("is given the lanes of a dead member at once, when its lease has expired long ago", async () => {
    killed()
    change("UPDATE member SET at_ms = at_ms - 48000")
    const server = newcomer()
    try {
      expect(await untilGiven(server)).toBeLessThan(withinMs)
    } finally {
      server.close()
    }
  })

  it("is given them when the lease expires, and not before", async () => {
    const livedMs = monotonicMs()
    killed()
    // Late when this machine is busy, as the newcomer is.
    const expired = new Promise<number>((resolve) => {
      setTimeout(() => resolve(monotonicMs()), leaseMs)
    })
    const server = newcomer()
    try {
      await untilGiven(server)
      const givenMs = monotonicMs()
      expect(givenMs - livedMs).toBeGreaterThanOrEqual(leaseMs)
      expect(givenMs - (await expired)).toBeLessThan(withinMs)
    } finally {
      server.close()
    }
  })

  it.each(["clock = 'of another boot', at_ms = 0", "at_ms = at_ms + 1000000"])(
    "watches a member for a whole lease, where it does not share its clock: %s",
    async (stored) => {
      killed()
      change(`UPDATE member SET ${stored}`)
      const server = newcomer()
      try {
        expect(await untilGiven(server)).toBeGreaterThanOrEqual(leaseMs)
      } finally {
        server.close()
      }
    }
  )

  it("leaves a member alone that beats, however old its entry is", async () => {
    const first = newcomer()
    await untilGiven(first)
    await new Promise((resolve) => setTimeout(resolve, leaseMs * 1.5))
    const second = newcomer()
    try {
      await expect.poll(() => second.given, { timeout: 5000 }).toBe(2)
      // Two are shared with the newcomer, and no more.
      const lanes = (kind: "lost" | "revoked") =>
        first.events.flatMap((one) => (one.event === kind && "lane" in one ? [one.lane] : []))
      await expect.poll(() => lanes("lost")).toEqual([2, 3])
      expect([lanes("revoked"), first.given]).toEqual([[2, 3], 4])
    } finally {
      second.close()
      first.close()
    }
  })
})
