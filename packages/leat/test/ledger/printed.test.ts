/** What a status page prints: positions are bigints, of which JSON has none. */
import { open } from "leat/promise"
import { expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"

it("a snapshot and what is halted are written as JSON, with positions as text", async () => {
  await using leat = await open({ source: "test", logger: () => undefined })
  const notes = await leat.stream(noteContract())
  await notes.publish({ key: "a", text: "1" })
  const done = await notes.handle("g", () => undefined)
  await done.caughtUp()
  const stands = await notes.handle("h", () => Promise.reject(new Error("bad")), { policy: [] })
  await stands.caughtUp().catch(() => undefined)

  const { lanes } = leat.ledger.snapshot()
  const row = lanes.find(({ group, positions }) => group === "g" && positions === 1)
  expect(row).toMatchObject({ start: 0n, end: 1n })
  expect(Object.keys(row ?? {})).not.toContain("toJSON")
  const read = JSON.parse(JSON.stringify(leat.ledger.snapshot())) as { readonly lanes: ReadonlyArray<object> }
  expect(read.lanes).toContainEqual({ ...row, start: "0", end: "1" })

  const [halt] = stands.halted()
  expect(JSON.parse(JSON.stringify(halt))).toEqual({ ...halt, position: "0" })
  expect(structuredClone(leat.ledger.snapshot())).toEqual(leat.ledger.snapshot())
})
