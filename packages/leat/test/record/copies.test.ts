import { batchOf } from "leat/testing"
import { expect, it } from "vitest"

it("a copy of a range begins with the bytes of its first record", () => {
  const batch = batchOf(["1", "22", "333"].map((value) => ({ key: "k", value })))
  const copy = batch.copy(1, 3)
  const textOf = (index: number) => Buffer.from(copy.value(index) ?? []).toString()
  expect([copy.count, copy.bytes, textOf(0), textOf(1)]).toEqual([2, batch.bytes - batch.rangeBytes(0, 1), "22", "333"])
})
