import { logTransport } from "@leat/log"
import { Effect, Stream } from "effect"
import { readMeta } from "leat"
import { seededRandom } from "leat/testing"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it, onTestFinished } from "vitest"
import { Child } from "./support/Child.js"
import { noteContract } from "./support/Note.ts"

const kills = 4

it(
  `${kills} processes that are killed while their cluster is away lose nothing that was told safe, and the next one sends it in order`,
  { timeout: 120_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "leat-spill-"))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const places = ["far", "spill", "away"].map((name) => join(folder, name))
    const [far = "", , away = ""] = places
    const random = seededRandom(Number(process.env["LEAT_SEED"] ?? 1))
    const safe: Array<unknown> = []
    writeFileSync(away, "")
    for (let round = 0; round < kills; round++) {
      using child = new Child("spill/publisher.ts", [...places, String(round), "5000"])
      let ended: string | number | null | undefined
      void child.ended.then((code) => (ended = code))
      while (child.lines.length < 20) {
        await new Promise((resolve) => setTimeout(resolve, 5))
        if (ended !== undefined) throw new Error(`it ended by itself with ${ended}: ${child.errors}`)
      }
      await new Promise((resolve) => setTimeout(resolve, random() * 150))
      child.signal("SIGKILL")
      expect(await child.ended).toBe("SIGKILL")
      safe.push(...child.lines)
    }
    rmSync(away)
    using last = new Child("spill/publisher.ts", [...places, "last", "0"])
    expect({ ended: await last.ended, errors: last.errors }).toMatchObject({ ended: 0 })
    const [told] = last.lines as ReadonlyArray<{ readonly recovered: number; readonly balanced: boolean }>
    expect(told?.balanced).toBe(true)
    expect(told?.recovered).toBeGreaterThanOrEqual(safe.length)

    const events = await Effect.runPromise(Effect.scoped(read(far)))
    const texts = new Set(events.map(({ text }) => text))
    expect(safe.filter((text) => !texts.has(String(text)))).toEqual([])
    expect(safe.length).toBeGreaterThanOrEqual(kills * 20)
    const highest = new Map<string, number>()
    for (const { bucket, seq } of events) {
      expect({ bucket, seq, after: highest.get(bucket) ?? -1 }).toSatisfy(() => seq > (highest.get(bucket) ?? -1))
      highest.set(bucket, seq)
    }
  }
)

/** All events of the topic, in the order of each partition; the log has stored none twice. */
const read = Effect.fnUntraced(function* (directory: string) {
  const transport = yield* logTransport({ directory })
  const rows = yield* transport.bounds("notes")
  const batches = yield* Effect.forEach(rows, ({ partition }) =>
    Stream.runCollect(transport.read("notes", partition, { fromPosition: 0n }))
  )
  return batches.flat().flatMap(({ records }) =>
    records.flatMap(({ headers, value }) => {
      const { id } = readMeta(headers, noteContract.stream)
      if (id === undefined || value === null) return []
      const { incarnation, bucket, seq } = id
      return [{ bucket: `${incarnation} ${bucket}`, seq, text: noteContract.decode(value).text }]
    })
  )
})
