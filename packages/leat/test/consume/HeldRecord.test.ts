import { batchOf, ColumnBatch } from "leat/transport"
import { expect, it } from "vitest"
import { bytesOf, HeldRecord, takeApart } from "../../src/consume/HeldRecord.ts"

it("a record that is held for long, and is taken apart, stands for the bytes that were counted when it came", () => {
  const plain = [0, 1].map((key) => ({ key: Uint8Array.of(key), value: null }))
  const { columns: records } = new ColumnBatch(batchOf(plain).columns(0, 2), 0n)
  const bytes = bytesOf(records, 0)
  const held = new HeldRecord({ records, from: 0, to: 1, following: undefined }, "0", 0, 1, bytes)
  held.own()
  expect(takeApart(held)).toEqual([held])
  expect(held.bytes).toBe(bytes)
})
