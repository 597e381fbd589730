import { describe, expect, it } from "vitest"
import { BucketAudit } from "../../src/audit/BucketAudit.ts"

const at = (partition: number) => ({ partition, timeMs: 0, sinceMs: 0, isTakenAway: false })

describe("the audit of a bucket", () => {
  const seen = (all: ReadonlyArray<readonly [partition: number, seq: number]>) => {
    const bucket = new BucketAudit()
    const sightings = all.map(([partition, seq]) => bucket.see(seq, at(partition)))
    return { sightings, missing: bucket.missing.map(({ from, to }) => [from, to]) }
  }

  it("takes events of another partition, which is read later, for events in order", () => {
    const records = [0, 1, 4, 5].map((seq) => [0, seq] as const)
    expect(seen([...records, [1, 2], [1, 3]])).toEqual({
      sightings: ["first", "first", "first", "first", "first", "first"],
      missing: []
    })
  })

  it("tells what comes late in its partition, what comes twice, and what does not come", () => {
    const records = [0, 4, 2, 2, 1].map((seq) => [0, seq] as const)
    expect(seen(records)).toEqual({ sightings: ["first", "first", "late", "copy", "late"], missing: [[3, 4]] })
  })
})
