import { batchOf } from "leat/testing"
import { sendEffect } from "leat/transport"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { onLog } from "./fillLog.js"
import { Project } from "./Project.js"

const incarnation = "0198c1d2-6a00-7000-8000-000000000000"

const document = (legs = 1, canary = "") => `version: 1
clusters:
  main: { transport: "@leat/log", directory: ./data }
  next: { transport: "@leat/log", directory: ./other }
routes:
  - match: { stream: "*" }
    to:
      - { cluster: main, topic: "{stream}" }
${`      - { cluster: next, topic: "{stream}"${canary} }\n`.repeat(legs)}`

/** Events of a bucket of two, offered a second apart, in a topic of one partition; of those that are named the value is another. */
const fill = (directory: string, sequences: ReadonlyArray<number>, others: ReadonlyArray<number> = [], bucket = 7) =>
  onLog(
    directory,
    Effect.fnUntraced(function* (log) {
      yield* log.ensure({ topic: "shop.orders", partitions: 1 })
      const writer = yield* log.openWriter("shop.orders")
      const records = sequences.map((seq) => ({
        key: "k",
        value: others.includes(seq) ? "w" : "v",
        timeMs: seq * 1000,
        headers: [["ce_id", Buffer.from(`${incarnation}/shop.orders/${bucket}/${seq}`)]] as const
      }))
      yield* sendEffect(writer, 0, batchOf(records), 0, records.length, 10_000)
    }, Effect.scoped)
  )

const asked = ["routes", "shadow", "--routes", "routes.yaml", "--stream", "shop.orders"]

describe("leat routes shadow", () => {
  it("says that a leg has the same, and ends with 0", async () => {
    using project = new Project({ "routes.yaml": document() })
    for (const folder of ["data", "other"]) await fill(`${project.folder}/${folder}`, [0, 1, 2])
    const { code, stdout, stderr } = await project.leat(asked)
    expect([code, stderr]).toEqual([0, ""])
    expect(stdout).toContain("next/shop.orders, compared with main/shop.orders\n")
    expect(stdout).toMatch(/\nall +3 +0 +0 +0 +0 +0\n/)
  })

  it("names what is missing, extra and different, by window, and ends with 4", async () => {
    using project = new Project({ "routes.yaml": document() })
    await fill(`${project.folder}/data`, [0, 1, 2, 4, 5])
    await fill(`${project.folder}/other`, [0, 2, 3, 4, 5], [4])
    const { code, stdout } = await project.leat([...asked, "--window", "2s"])
    expect(code).toBe(4)
    expect(stdout).toMatch(/\nall +3 +1 +1 +1 +0 +0\n/)
    expect(stdout).toContain(
      `different: ${incarnation}/shop.orders/7/4\nmissing: ${incarnation}/shop.orders/7/1\nextra: ${incarnation}/shop.orders/7/3`
    )
    const told = await project.leatJson([...asked, "--leg", "next/shop.orders", "--window", "2s"])
    expect([told.code, told.report]).toMatchObject([
      4,
      {
        leg: "next/shop.orders",
        missing: 1,
        windows: [
          { fromMs: 0, equal: 1, missing: 1 },
          { fromMs: 2000, equal: 1, extra: 1 },
          { fromMs: 4000, equal: 1, different: 1 }
        ]
      }
    ])
  })

  it("says that a leg stands that has nothing, or has had nothing for long, and ends with 4", async () => {
    using project = new Project({ "routes.yaml": document() })
    await fill(`${project.folder}/data`, [0, 1, 2, 3])
    await fill(`${project.folder}/other`, [])
    const empty = await project.leat(asked)
    expect(empty.code).toBe(4)
    expect(empty.stdout).toContain("nothing stands on both sides, so none of 4 events can be judged")
    await fill(`${project.folder}/other`, [0, 1])
    const late = await project.leat(asked)
    expect(late.code).toBe(4)
    expect(late.stdout).toContain("2 events have been on their way for more than 10 minutes")
  })

  it("looks for the share of a canary alone", async () => {
    using project = new Project({ "routes.yaml": document(1, ", canary: { buckets: 0-49% }") })
    await fill(`${project.folder}/data`, [0, 1, 2])
    await fill(`${project.folder}/data`, [0, 1, 2], [], 3)
    await fill(`${project.folder}/other`, [0, 1, 2], [], 3)
    const { code, report } = await project.leatJson([...asked, "--buckets", "8"])
    expect([code, report]).toMatchObject([0, { equal: 3, missing: 0, unauditable: 0, onItsWay: 0 }])
  })

  it.each([
    [document(), ["--window", "soon"], '--window soon is no time; say one as 1m or "10 minutes"'],
    [document(0), [], "stream shop.orders has one leg, main/shop.orders: there is nothing to compare it with"],
    [document(), ["--leg", "next/other"], "--leg next/other is none of next/shop.orders"]
  ])("is refused in one sentence: %#", async (text, flags, sentence) => {
    using project = new Project({ "routes.yaml": text })
    expect(await project.leat([...asked, ...flags])).toMatchObject({ code: 2, stderr: `leat: ${sentence}\n` })
  })
})
