import { logTransport } from "@leat/log"
import { Effect } from "effect"
import { batchOf } from "leat/testing"
import { sendEffect } from "leat/transport"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, describe, expect, it, vi } from "vitest"
import { Beats } from "../src/store/groups/Beats.js"
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
