import { expect, it } from "vitest"
import { contractFault, noContract } from "../../src/contract/contractFault.js"
import { noteContract } from "../contracts/Note.js"

const contract = noteContract()

it("two copies of one contract are one contract", () => {
  expect(contractFault(contract, noteContract({ needs: [] }))).toBeUndefined()
  expect(
    contractFault(noteContract({ needs: ["order", "replay"] }), noteContract({ needs: ["replay", "order"] }))
  ).toBeUndefined()
})

it.each(["shop/orders", "shop.*", "shop.{name}"])("a stream is not named %s", (stream) => {
  expect(noContract(noteContract({ stream }))).toContain(`the name "${stream}" of a stream holds a `)
})

it.each([
  [{ name: "test.Other" }, "the contract test.Note; a stream has one contract, and not test.Other too"],
  [
    { buckets: 16 },
    "the contract test.Note (8 buckets); a stream has one contract, and not test.Note (16 buckets) too"
  ],
  [{ keyPath: "id" }, "the contract test.Note (key key); a stream has one contract, and not test.Note (key id) too"],
  [
    { compacted: true },
    "the contract test.Note (not compacted); a stream has one contract, and not test.Note (compacted) too"
  ],
  [
    { unordered: true, keyPath: undefined },
    "the contract test.Note (key key, ordered); a stream has one contract, and not test.Note (key none, unordered) too"
  ],
  [
    { needs: ["order" as const] },
    "the contract test.Note (needs nothing); a stream has one contract, and not test.Note (needs order) too"
  ]
])("a second contract of a stream is told with what differs: %o", (other, told) => {
  expect(contractFault(contract, noteContract(other))).toBe(`stream test.notes is open with ${told}`)
})

const sentence = (what: string) =>
  `stream test.notes is open with another generation of the contract test.Note, which ${what}; let all code of this process import the same one`

it("two generations of one contract are two: their fields are told apart by the layout, or else by the code", () => {
  const other = { encodeInto: () => undefined }
  const generated = noteContract({ layout: "1" })
  expect(contractFault(generated, noteContract({ layout: "1" }))).toBeUndefined()
  // As a bundler writes the same code otherwise.
  expect(contractFault(generated, noteContract({ layout: "1", ...other }))).toBeUndefined()
  expect(contractFault(generated, noteContract({ layout: "2" }))).toBe(sentence("has other fields"))
  expect(contractFault(contract, generated)).toBeUndefined()
  for (const before of [contract, generated])
    for (const changed of [other, { decode: () => ({ key: "", text: "" }) }, { key: () => "k" }])
      expect(contractFault(before, noteContract(changed))).toBe(sentence("has other fields"))
})

it("a contract that masks other personal data is another one", () => {
  const masking = noteContract({ layout: "1", personal: ["text", "key"] })
  expect(contractFault(masking, noteContract({ layout: "1", personal: ["key", "text"] }))).toBeUndefined()
  expect(contractFault(masking, noteContract({ layout: "1", personal: ["key"] }))).toBe(
    sentence("masks other personal data")
  )
})
