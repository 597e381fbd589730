import { Buffer } from "node:buffer"
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { faultOf } from "../../src/Fault.js"
import { OpenStore } from "../support/openStore.js"
import { Wire } from "../support/Wire.js"

const batches = 300
const pageBytes = 4096

interface Page {
  readonly number: number
  readonly table: string
  readonly kind: string
  readonly rows: number
}

let whole = ""
let pages: ReadonlyArray<Page> = []

/** A log of one partition with batches small and large, so that its trees have inner pages and overflow. */
beforeAll(() => {
  using open = new OpenStore()
  open.write((store) => store.topics.create({ topic: "t", partitions: 1 }))
  for (let batch = 0; batch < batches; batch++) open.append([{ ...Wire.event(1, batch), value: valueAt(batch) }])
  open.close()
  const path = join(open.directory, "log.sqlite")
  const sql = new DatabaseSync(path)
  pages = sql
    .prepare(
      "SELECT pageno, name, pagetype, ncell FROM dbstat WHERE name IN ('bytes', 'batch', 'id_range', 'head', 'topic', 'header', 'sqlite_schema')"
    )
    .all()
    .map((row) => ({
      number: Number(row["pageno"]),
      table: String(row["name"]),
      kind: String(row["pagetype"]),
      rows: Number(row["ncell"])
    }))
  sql.close()
  whole = join(mkdtempSync(join(tmpdir(), "leat-pages-")), "whole.sqlite")
  copyFileSync(path, whole)
})
afterAll(() => rmSync(join(whole, ".."), { recursive: true }))

function valueAt(position: number): string {
  return `${position}/`.padEnd(position % 10 === 0 ? 9000 : 50, "x")
}

/** The log with one page replaced; what a reader then sees, as text. */
function readWithout({ number }: Page, fill: (page: Buffer) => void) {
  using open = new OpenStore()
  open.close()
  const bytes = Buffer.from(readFileSync(whole))
  fill(bytes.subarray((number - 1) * pageBytes, number * pageBytes))
  writeFileSync(join(open.directory, "log.sqlite"), bytes)
  let lost = 0
  let at = 0
  try {
    open.reopen()
    for (const { records, next, gap } of open.read()) {
      for (const { position, value } of records) {
        if (Number(position) !== at) return `jumps from ${at} to ${position}`
        if (Buffer.from(value ?? []).toString() !== valueAt(at)) return `holds other bytes at ${at}`
        at++
      }
      if (Number(next) !== at && gap !== "corrupt") return `has a gap at ${at} for ${gap ?? "no reason"}`
      lost += Number(next) - at
      at = Number(next)
    }
    return at === batches ? { lost } : `was read to ${at}`
  } catch (error) {
    return { reason: faultOf(error, "log").reason }
  }
}

/** Records that were lost; more than there are, when it is not that. */
function lostOf(seen: ReturnType<typeof readWithout>): number {
  return typeof seen === "object" && "lost" in seen ? seen.lost : Number.POSITIVE_INFINITY
}

const fills: ReadonlyArray<readonly [name: string, fill: (page: Buffer) => void]> = [
  ["zeros", (page) => page.fill(0)],
  ["ones", (page) => page.fill(255)],
  ["another page's bytes", (page) => page.fill("the quick brown fox jumps over the lazy dog")],
  ["half of it gone", (page) => page.fill(0, page.length / 2)]
]

describe("a log with a page of", () => {
  it.for(fills)("%s serves the rest, or says that it is corrupt", ([, fill]) => {
    const wrong = pages.flatMap((page) => {
      const seen = readWithout(page, fill)
      if (typeof seen === "string") return [`page ${page.number} of ${page.table}: ${seen}`]
      if ("reason" in seen) return seen.reason === "Corrupt" ? [] : [`page ${page.number}: ${seen.reason}`]
      return []
    })
    expect(wrong).toEqual([])
  })

  it.for(["overflow", "leaf"])("zeros where bytes are (%s) costs the batches on it, and nothing else", (kind) => {
    for (const page of pages.filter((one) => one.table === "bytes" && one.kind === kind)) {
      const seen = readWithout(page, (bytes) => bytes.fill(0))
      expect(lostOf(seen)).toBeGreaterThan(0)
      expect(lostOf(seen)).toBeLessThanOrEqual(kind === "leaf" ? page.rows : 1)
    }
  })

  it("zeros in the index costs what it pointed to, and nothing else", () => {
    for (const page of pages.filter(({ table, kind }) => table === "batch" && kind === "leaf")) {
      const seen = readWithout(page, (bytes) => bytes.fill(0))
      expect(lostOf(seen)).toBeGreaterThan(0)
      // And a row on each side of it, which stand a level higher and are looked for on this page first.
      expect(lostOf(seen)).toBeLessThanOrEqual(page.rows + 2)
    }
  })
})
