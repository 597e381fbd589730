import { Effect, Exit } from "effect"
import type { DeadLetters } from "leat"
import { describe, expect, it } from "vitest"
import { parseWhere } from "../src/dlq/where.ts"

const atMs = Date.UTC(2026, 10, 24, 9)
const letter = (position: bigint, more: Partial<DeadLetters.ListedLetter["letter"]>, key: string | null) => ({
  deadLetters: "t.g.dlq",
  partition: Number(position) % 2,
  position,
  timeMs: atMs + 86_400_000,
  letter: { by: "leat" as const, replays: 0, ...more },
  key: key === null ? null : Buffer.from(key),
  value: null,
  headers: [],
  duplicates: 0
})
const letters = [
  letter(0n, { tag: "CardDeclined", stage: "handle", atMs }, "o-1"),
  letter(1n, { tag: "Malformed", stage: "decode", atMs: atMs + 3_600_000 }, "o-2"),
  // Written by who does not say when.
  letter(2n, {}, null)
]

describe("--where", () => {
  it.each([
    [["tag=CardDeclined"], [0]],
    [["stage=decode"], [1]],
    [["stage=handle", "tag=Malformed"], []],
    [["key=o-2"], [1]],
    [["key=0x6f2d32"], [1]],
    [["since=2026-11-24T10:00:00Z"], [1, 2]],
    [["since=2026-11-25"], [2]],
    [["until=2026-11-24T10:00:00Z"], [0]],
    [["partition=0"], [0, 2]],
    [["position=1/1"], [1]],
    [["position=0/1"], []],
    [["position=0/0..2"], [0, 2]],
    [[], [0, 1, 2]]
  ])("%j holds for the letters at %j", async (texts, positions) => {
    const where = await Effect.runPromise(parseWhere(texts))
    expect(letters.filter(where.holds).map(({ position }) => Number(position))).toEqual(positions)
  })

  it.each([
    ["partition=1", 1],
    ["position=1/1..7", 1],
    ["tag=position=1/1", undefined]
  ])("%s leaves only partition %s to read", async (text, partition) => {
    expect((await Effect.runPromise(parseWhere([text]))).partition).toBe(partition)
  })

  it.each(["tag", "tag=", "tags=x", "stage=handel", "since=now", "position=17", "partition=a", "constructor=x", ""])(
    "%j is refused, with what can be said",
    async (text) => {
      const exit = await Effect.runPromiseExit(parseWhere([text]))
      expect(Exit.isFailure(exit) && String(exit.cause)).toContain(
        `--where ${text} is no condition; say tag=CardDeclined, `
      )
    }
  )
})
