import type { Run } from "leat/transport"
import { expect, it } from "vitest"
import { answeredRuns } from "../../src/transport/answeredRuns.js"

const odd: ReadonlyArray<unknown> = [null, 0, 7, "7", -1n, Number.NaN, {}, true]

it.each(odd.map((base) => [typeof base === "bigint" ? `${base}n` : JSON.stringify(base), base] as const))(
  "what is stored at no position that can be, %s, is stored, and nobody has said where",
  (_, base) => {
    const run = (from: number, to: number) => ({ from, to, fate: "stored", base }) as unknown as Run
    expect(answeredRuns([run(2, 6)], 2, 6)).toEqual([{ from: 2, to: 6, fate: "stored" }])
    const sound: Run = { from: 4, to: 6, fate: "stored", base: 0n }
    expect(answeredRuns([run(2, 4), sound], 2, 6)).toEqual([{ from: 2, to: 4, fate: "stored" }, sound])
  }
)

it("the rest of what was said twice stands where that part of it stands", () => {
  const first: Run = { from: 0, to: 3, fate: "stored", base: 10n }
  const overlapping: Run = { from: 1, to: 6, fate: "stored", base: 20n }
  expect(answeredRuns([first, overlapping], 0, 5)).toEqual([first, { from: 3, to: 5, fate: "stored", base: 22n }])
})
