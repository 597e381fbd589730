import { expect, it } from "vitest"
import { producedBy } from "../src/protocol/produce.ts"

const place = { topic: "t", partition: 0 }

/** A broker's answer to a produce request, version 8. */
function answer(
  code: number,
  refused: ReadonlyArray<readonly [index: number, why: string | null]>,
  said: string | null
) {
  const text = (value: string | null) => {
    const bytes = Buffer.from(value ?? "")
    const length = Buffer.alloc(2)
    length.writeInt16BE(value === null ? -1 : bytes.length)
    return Buffer.concat([length, bytes])
  }
  const numbers = (...all: ReadonlyArray<readonly [bits: 16 | 32 | 64, value: number]>) =>
    Buffer.concat(
      all.map(([bits, value]) => {
        const bytes = Buffer.alloc(bits / 8)
        bytes.writeIntBE(value, Math.max(0, bits / 8 - 6), Math.min(6, bits / 8))
        if (bits === 64 && value < 0) bytes.fill(0xff, 0, 2)
        return bytes
      })
    )
  const payload = Buffer.concat([
    numbers([32, 1]),
    text("t"),
    numbers([32, 1], [32, 0], [16, code], [64, -1], [64, -1], [64, 0], [32, refused.length]),
    ...refused.flatMap(([index, why]) => [numbers([32, index]), text(why)]),
    text(said),
    numbers([32, 0])
  ])
  return { payload }
}

const runsOf = (exchange: { readonly payload: Buffer }, from: number, to: number) =>
  producedBy(exchange, place, { from, to }).runs.map(({ from: at, to: end, fate, error }) => [
    at,
    end,
    fate,
    error?.reason,
    error?.detail
  ])

const said = "t/0: the broker says INVALID_TIMESTAMP"

it("a batch is refused because of some of its records: only these have an error, each its own", () => {
  const refused = [
    [4, "too late"],
    [1, null],
    [5, "as the one before"]
  ] as const
  expect(runsOf(answer(32, refused, "some are wrong"), 10, 17)).toEqual([
    [10, 11, "notStored", undefined, undefined],
    [11, 12, "notStored", "Rejected", `${said}: some are wrong`],
    [12, 14, "notStored", undefined, undefined],
    [14, 16, "notStored", "Rejected", `${said}: too late`],
    [16, 17, "notStored", undefined, undefined]
  ])
})

it("a batch of which no record is named is refused as a whole", () => {
  expect(runsOf(answer(32, [], null), 0, 3)).toEqual([[0, 3, "notStored", "Rejected", said]])
  // Of records that were not sent nothing can be said.
  expect(runsOf(answer(32, [[7, "x"]], "y"), 0, 3)).toEqual([[0, 3, "notStored", "Rejected", `${said}: y`]])
})

it("a batch that may be stored is in doubt as a whole, whatever the answer names", () => {
  expect(runsOf(answer(7, [[0, "x"]], null), 0, 2).map(([from, to, fate]) => [from, to, fate])).toEqual([
    [0, 2, "unknown"]
  ])
})
