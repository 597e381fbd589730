import { describe, expect, it } from "vitest"
import { quietText, toldQuiet } from "../src/move/planText.ts"

describe("a process that may be gone", () => {
  const quiet = { incarnation: "01a2", seenMs: 1_795_416_249_000, goneMs: 1_795_416_301_000 }

  it("is told with what a start waits for", () => {
    expect(quietText(quiet, 1_795_416_271_400)).toBe(
      "note: process 01a2 has not beaten for 22 seconds; a start waits until it does, or for 30 seconds: then it counts as gone, and would be passed over"
    )
  })

  it("is told as JSON with times", () => {
    expect(toldQuiet(quiet)).toEqual({
      incarnation: "01a2",
      seenAt: "2026-11-23T06:44:09.000Z",
      goneAt: "2026-11-23T06:45:01.000Z"
    })
  })
})
