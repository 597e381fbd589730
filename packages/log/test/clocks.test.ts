import { logTransport } from "@leat/log"
import { Effect } from "effect"
import { batchOf } from "leat/testing"
import { sendEffect } from "leat/transport"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, describe, expect, it, vi } from "vitest"
import { Beats } from "../src/store/groups/Beats.js"
import { AgeClock } from "../src/store/tables/AgeClock.js"
import { noLimits, storeWithTopic } from "./support/openStore.js"
import { Server } from "./support/Server.js"
import { temporaryDirectory } from "./support/temporary.js"

const hourMs = 3_600_000
const now = Date.now.bind(Date)
const jump = (byMs: () => number) => vi.spyOn(Date, "now").mockImplementation(() => now() + byMs())

afterEach(() => vi.restoreAllMocks())

describe("clocks that jump", () => {
  it("evict nobody and are no reason to be evicted, in either of two processes", async () => {
    const directory = mkdtempSync(join(tmpdir(), "leat-clocks-"))
    const leaseMs = 600
    let aheadMs = 0
    jump(() => aheadMs)
    const servers = [new Server(directory, leaseMs), new Server(directory, leaseMs)]
    for (const server of servers) {
      server.call({ name: "topic", topic: "t" })
      server.call({ name: "join", subscription: 1, member: 1, topic: "t", group: "g", from: "earliest", drainMs: 50 })
    }
    try {
      // The first has given up two of its four.
      await expect.poll(() => servers.map(({ given }) => given), { timeout: 5000 }).toEqual([4, 2])
      const before = servers.map(({ events }) => events.length)
      for (const ms of [hourMs, -hourMs, 48 * hourMs, 0, -48 * hourMs, hourMs]) {
        aheadMs = ms
        await new Promise((resolve) => setTimeout(resolve, leaseMs / 2))
      }
      expect(servers.map(({ events }) => events.length)).toEqual(before)
    } finally {
      for (const server of servers) server.close()
      rmSync(directory, { recursive: true })
    }
  })

  it.each([hourMs, -hourMs])("by %i ms between two threads of a process expire no send, and keep none for ever", (ms) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const transport = yield* logTransport({ directory: yield* temporaryDirectory })
        const writer = yield* transport.openWriter("t")
        jump(() => ms)
        const runs = yield* sendEffect(writer, 0, batchOf([{ key: "k", value: "v" }]), 0, 1, 5000)
        expect(runs.map(({ fate }) => fate)).toEqual(["stored"])
      }).pipe(Effect.scoped)
    )
  )

  it("ahead for less than an hour take nothing away by its age, and may do so after it", () => {
    let passedMs = 0
    let aheadMs = 0
    vi.spyOn(Date, "now").mockImplementation(() => 1_800_000_000_000 + passedMs + aheadMs)
    const clock = new AgeClock(() => passedMs)
    const look = (afterMs: number, setMs = aheadMs) => {
      passedMs += afterMs
      aheadMs = setMs
      return clock.nowMs - 1_800_000_000_000 - passedMs
    }
    expect([look(0), look(1000, 30_000), look(1000, 55_000)]).toEqual([0, 30_000, 55_000])
    expect([look(1000, 48 * hourMs), look(hourMs - 1000), look(500, 0)]).toEqual([55_000, 55_000, 0])
    expect([look(500, 48 * hourMs), look(hourMs - 1), look(1), look(1, -hourMs)]).toEqual([0, 0, 48 * hourMs, -hourMs])
  })

  it("by two days for a moment leave what is kept for an hour where it is", () => {
    using open = storeWithTopic()
    const limits = { ...noLimits, retentionMs: hourMs }
    open.append([{ key: "k", value: "1" }], limits)
    jump(() => 48 * hourMs)
    open.append([{ key: "k", value: "2" }], limits)
    vi.restoreAllMocks()
    open.append([{ key: "k", value: "3" }], limits)
    expect(open.read().flatMap(({ records }) => records)).toHaveLength(3)
  })

  it("a beat stands when it was seen to stand for a lease, and a pause of who looks is no such sight", () => {
    let nowMs = 0
    const beats = new Beats(() => nowMs)
    const look = (afterMs: number, beat: number) => {
      nowMs += afterMs
      return beats.isStill("other", beat, 1000)
    }
    expect([look(0, 1), look(400, 1), look(400, 1), look(400, 1)]).toEqual([false, false, false, true])
    // One that moves begins anew.
    expect([look(400, 2), look(400, 2), look(400, 3), look(400, 3), look(400, 3)]).toEqual(Array(5).fill(false))
    expect(look(400, 3)).toBe(true)
    // The whole machine was suspended: nobody could have beaten.
    expect([look(0, 4), look(hourMs, 4), look(400, 4), look(400, 4)]).toEqual([false, false, false, true])
  })
})
