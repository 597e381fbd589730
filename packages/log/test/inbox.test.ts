import { log } from "@leat/log"
import { open } from "leat/promise"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { expect, it, onTestFinished } from "vitest"
import { Child } from "./support/Child.js"
import { noteContract, routesTo } from "./support/Note.ts"

it(
  "processes that are killed in a transaction, and between it and its settle, leave each effect exactly once",
  { timeout: 120_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "leat-inbox-"))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const directory = join(folder, "log")
    const path = join(folder, "effects.sqlite")
    const database = new DatabaseSync(path)
    onTestFinished(() => database.close())
    database.exec(
      "pragma journal_mode = wal; create table effect (text text); create table seen (reader text, id text, at_ms integer, primary key (reader, id))"
    )
    const leat = await open({ source: "inbox", drivers: [log], routes: routesTo(directory) })
    onTestFinished(() => leat.close())
    const notes = await leat.stream(noteContract)
    const kills = [
      ["3", "inside", "handle"],
      ["5", "behind", "handle"],
      ["1", "behind", "batch"],
      ["6", "inside", "batch"],
      ["7", "behind", "batch"],
      ["1", "behind", "handle"]
    ] as const
    let published = 0
    const publish = async (count: number) => {
      const texts = Array.from({ length: count }, () => `${published++}`)
      await notes.publishAll(texts.map((text) => ({ key: `k${Number(text) % 7}`, text })))
    }
    const ends: Array<number | NodeJS.Signals | null> = []
    const consumer = async (...how: ReadonlyArray<string>) => {
      using child = new Child("inbox/consumer.ts", [directory, path, ...how])
      const end = await child.ended
      if (end !== 0 && end !== "SIGKILL") throw new Error(`it ended with ${end}: ${child.errors}`)
      ends.push(end)
    }
    for (const [index, kill] of kills.entries()) {
      await publish(20)
      // Beside another one now and then, so that lanes change hands.
      if (index % 3 === 0) await Promise.all([consumer(...kill), consumer("0", "", "handle")])
      else await consumer(...kill)
    }
    await consumer("0", "", "handle")
    expect(ends.filter((end) => end === "SIGKILL").length).toBeGreaterThanOrEqual(4)
    expect(ends.at(-1)).toBe(0)
    const effects = database
      .prepare("select text from effect")
      .all()
      .map(({ text }) => Number(text))
    expect(effects.toSorted((left, right) => left - right)).toEqual(Array.from({ length: published }, (_, at) => at))
    expect(database.prepare("select count(*) as count from seen").get()).toEqual({ count: published })
  }
)
