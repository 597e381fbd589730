/** What processes announce while the command looks, and how their loss objectives stand. */
import { hostname } from "node:os"
import { describe, expect, it } from "vitest"
import { CommandInProcess } from "./CommandInProcess.js"
import { Project } from "./Project.js"

const incarnationOf = (digit: number) => `0198c1d2-6a00-7000-8000-00000000000${digit}`

interface Counts {
  readonly admitted: number
  readonly rejected?: number
  readonly stored: number
  readonly dropped?: number
  readonly deadLettered?: number
}

/** What a process of this machine has written: this one, so it runs. */
function announcement(digit: number, announcedAtMs: number, counts: Counts, more: object = {}): string {
  const { admitted, rejected = 0, stored, dropped = 0, deadLettered = 0 } = counts
  const stream = "shop.orders"
  return JSON.stringify({
    format: 1,
    owner: { host: hostname(), pid: process.pid },
    clusters: [],
    incarnation: incarnationOf(digit),
    source: `shop-${digit}`,
    announcedAtMs,
    isClosed: false,
    streams: [
      {
        stream,
        offered: admitted + rejected,
        admitted,
        rejected: rejected === 0 ? {} : { overflow: rejected },
        waiting: 0,
        balanced: true,
        sequences: []
      }
    ],
    legs: [
      {
        stream,
        sink: "main/shop.orders",
        epoch: 1,
        admitted,
        stored,
        deadLettered: deadLettered === 0 ? {} : { Rejected: deadLettered },
        dropped: dropped === 0 ? {} : { Timeout: dropped },
        droppedMayBeStored: 0,
        queued: admitted - stored - dropped - deadLettered,
        inFlight: 0,
        inDoubt: 0,
        balanced: true
      }
    ],
    lanes: [],
    ...more
  })
}

const fileOf = (digit: number) => `data/ledger/${incarnationOf(digit)}.json`
const atMs = Date.UTC(2026, 10, 29)

/** Announces, and announces again once the command has read that. */
async function looked(args: ReadonlyArray<string>) {
  using project = new Project()
  const before = {
    [fileOf(1)]: announcement(1, atMs, { admitted: 1000, rejected: 5, stored: 990, dropped: 10 }),
    [fileOf(2)]: announcement(2, atMs, { admitted: 7, stored: 7 })
  }
  const after = {
    [fileOf(1)]: announcement(1, atMs + 9500, {
      admitted: 1100,
      rejected: 8,
      stored: 1068,
      dropped: 12,
      deadLettered: 20
    }),
    // Opened meanwhile.
    [fileOf(3)]: announcement(3, atMs + 9000, { admitted: 100, stored: 100 })
  }
  project.write(before)
  const command = new CommandInProcess(["ledger", "--for", "2 seconds", ...args], project.folder)
  await expect
    .poll(() => command.stderr, { timeout: 20_000 })
    .toBe("leat: counters are read; they are read again in 2s\n")
  project.write(after)
  const code = await command.ended
  return { code, stdout: command.stdout }
}

describe("leat ledger --for", () => {
  it("counts what came between two announcements of each process", async () => {
    const { code, stdout } = await looked(["--json"])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      betweenMs: [9500, 9500],
      processes: 2,
      silent: 1,
      streams: [{ stream: "shop.orders", offered: 203, admitted: 200, rejected: 3 }],
      legs: [
        { sink: "main/shop.orders", stream: "shop.orders", admitted: 200, stored: 178, deadLettered: 20, dropped: 2 }
      ]
    })
  })

  it("prints them", async () => {
    const { stdout } = await looked([])
    expect(stdout.replaceAll(/ +/g, " ")).toBe(
      "STREAM OFFERED ADMITTED REJECTED\nshop.orders 203 200 3\n\n" +
        "SINK STREAM ADMITTED STORED DEAD DROPPED LOSS\nmain/shop.orders shop.orders 200 178 20 2 1.0000 %\n\n" +
        "2 processes announced, 9.5 seconds apart; 1 announced nothing meanwhile: look for a longer time\n"
    )
  })

  it.each(["0 seconds", "2 hours", "soon"])("does not look for %s", async (time) => {
    using project = new Project()
    const { code, stderr } = await project.leat(["ledger", "--for", time])
    expect([code, stderr]).toEqual([
      2,
      `leat: --for ${time} is no time from 1 second to 1 hour; say one as "10 seconds"\n`
    ])
  })
})

describe("leat ledger", () => {
  it("tells how the loss objectives of processes stand that run", async () => {
    const burns = [
      { windowMs: 300_000, coversMs: 300_000, ended: 1000, lost: 0, burn: 0 },
      { windowMs: 3_600_000, coversMs: 3_610_000, ended: 12_000, lost: 9, burn: 7.5 }
    ]
    const objective = { stream: "shop.orders", sink: "main/shop.orders", epoch: 1, loss: 0.0001, windowMs: 86_400_000 }
    const objectives = [{ ...objective, state: "page", burns }]
    using project = new Project()
    project.write({
      [fileOf(1)]: announcement(1, atMs, { admitted: 7, stored: 7 }, { objectives }),
      [fileOf(2)]: announcement(2, atMs, { admitted: 7, stored: 7 }, { objectives, isClosed: true })
    })
    const { code, stdout } = await project.leat(["ledger"])
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /\n\nSINK +STREAM +SOURCE +OBJECTIVE +STATE +BURN\nmain\/shop\.orders +shop\.orders +shop-1 +0\.01 % in 1d +page +0 in 5m, 7\.5 in 1h\n\n/
    )
    const { report } = await project.leatJson(["ledger"])
    expect(report).toMatchObject({ incarnations: [{ objectives }, { objectives }] })
  })
})
