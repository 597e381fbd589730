import fc from "fast-check"
import { type ContractInfo, maskEvent, printEvent } from "leat"
import { describe, expect, it } from "vitest"
import { anyEventOf, anyShape, pathsOf, secret, type Shape } from "./personalShapes.js"
import { noteContract } from "../contracts/Note.js"

const contractWith = (personal: ReadonlyArray<string>): ContractInfo => noteContract({ personal })
const plain = contractWith([])

/** Events of any shape with secrets in all personal places, and the contract that says where these are. */
const personalEvents = (oddity: "fitting" | "misfits") =>
  anyShape.chain((shape: Shape) =>
    anyEventOf(shape, oddity).map((event) => ({ contract: contractWith(pathsOf(shape)), event }))
  )

/** Whatever a caller may hand over. */
const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withNullPrototype: true,
  withObjectString: true,
  withSparseArray: true,
  withTypedArray: true,
  withUnicodeString: true,
  maxDepth: 5
})

describe("an event that is printed", () => {
  it("shows nothing personal, however deep, in lists, maps, oneofs and messages inside themselves", () => {
    fc.assert(
      fc.property(personalEvents("fitting"), ({ contract, event }) => {
        expect(printEvent(contract, event)).not.toMatch(secret)
      }),
      { numRuns: 500 }
    )
  })

  it("shows nothing personal where something else stands than the contract says", () => {
    fc.assert(
      fc.property(personalEvents("misfits"), ({ contract, event }) => {
        expect(printEvent(contract, event)).not.toMatch(secret)
      }),
      { numRuns: 500 }
    )
  })

  it("shows all that is not personal", () => {
    const values = fc.dictionary(
      fc.string({ maxLength: 5 }),
      fc.oneof(fc.string({ maxLength: 20 }), fc.integer(), fc.boolean()),
      {
        maxKeys: 20,
        noNullPrototype: true
      }
    )
    fc.assert(
      fc.property(values, fc.array(fc.string({ minLength: 1, maxLength: 3 })), (event, names) => {
        const isOwn = (name: string) => !/[.[\]{}<> =$]/.test(name)
        const personal = names.filter(isOwn)
        const expected = Object.entries(event).map(([name, value]) => [name, personal.includes(name) ? "***" : value])
        expect(maskEvent(contractWith(personal), event)).toEqual(
          JSON.parse(JSON.stringify(Object.fromEntries(expected)).toWellFormed())
        )
      })
    )
  })

  it("is one line of JSON with an end, the same as the masked value, whatever it is", () => {
    const paths = fc.array(fc.constantFrom("a", "b[].c", "c{}.a", "d<a>", "e = $", "b[].d = c{}"))
    fc.assert(
      fc.property(anything, paths, (event, personal) => {
        const text = printEvent(contractWith(personal), event)
        expect(text.length).toBeLessThanOrEqual(8192)
        expect(text).not.toMatch(/[\p{Cc}\u2028\u2029\u202e]/u)
        expect(JSON.parse(text)).toEqual(maskEvent(contractWith(personal), event))
      }),
      { numRuns: 1000 }
    )
  })
})

describe("the masked event", () => {
  const cases: ReadonlyArray<readonly [what: string, event: unknown, shown: unknown]> = [
    [
      "64-bit numbers as text",
      { a: 2n ** 64n - 1n, b: -(2n ** 63n) },
      { a: "18446744073709551615", b: "-9223372036854775808" }
    ],
    ["numbers beyond 64 bits as what they are", 2n ** 64n, "[bigint of more than 64 bits]"],
    [
      "numbers that JSON has not as text",
      [Number.NaN, Number.NEGATIVE_INFINITY, -0, 1.5],
      ["NaN", "-Infinity", 0, 1.5]
    ],
    [
      "bytes in hexadecimal, with their number",
      { a: Uint8Array.of(1, 255), b: new Uint8Array(0) },
      { a: "2 bytes 01ff", b: "0 bytes " }
    ],
    ["the first bytes of many", new Uint8Array(1000), `1000 bytes ${"00".repeat(32)}…`],
    ["the beginning of a long text", "a".repeat(1000), `${"a".repeat(256)}… (1000 characters)`],
    [
      "the beginning of a long list",
      Array.from({ length: 105 }, () => 1),
      [...Array.from({ length: 100 }, () => 1), "… 5 more"]
    ],
    [
      "maps as objects",
      new Map<unknown, unknown>([
        ["__proto__", 1],
        [5n, 2],
        [true, 3]
      ]),
      JSON.parse('{"__proto__":1,"5":2,"true":3}')
    ],
    ["oneofs as they are", { choice: { case: "text", value: "a" } }, { choice: { case: "text", value: "a" } }],
    ["nothing of what is not there", { a: undefined, b: null }, { b: null }],
    ["no functions and symbols", { a: () => 1, b: Symbol("b") }, { a: "[function]", b: "[symbol]" }],
    ["nothing at all as null", undefined, null],
    ["text without half characters", "a\uD800", "a\uFFFD"]
  ]
  it.each(cases)("shows %s", (_what, event, shown) => {
    expect(maskEvent(plain, event)).toEqual(shown)
  })

  it("escapes what a terminal or a log would act on", () => {
    expect(printEvent(plain, "\u001b[31m\u009b\u2028\u202e\n")).toBe('"\\u001b[31m\\u009b\\u2028\\u202e\\n"')
  })

  it.each([
    ["***", ["name"], { name: ["Ann", "Bob"] }, { name: "***" }],
    ["lists", ["people[].name"], { people: [{ name: "Ann", age: 5 }, {}] }, { people: [{ name: "***", age: 5 }, {}] }],
    ["maps", ["by{}.name"], { by: new Map([["x", { name: "Ann" }]]) }, { by: { x: { name: "***" } } }],
    [
      "oneofs",
      ["who<ann>", "who<bob>.name"],
      { who: { case: "ann", value: 1n } },
      { who: { case: "ann", value: "***" } }
    ],
    [
      "messages in oneofs",
      ["who<bob>.name"],
      { who: { case: "bob", value: { name: "B", age: 5 } } },
      { who: { case: "bob", value: { name: "***", age: 5 } } }
    ],
    [
      "other cases not",
      ["who<bob>.name"],
      { who: { case: "cat", value: { name: "Tom" } } },
      { who: { case: "cat", value: { name: "Tom" } } }
    ],
    ["messages like oneofs", ["who.value"], { who: { case: "bob", value: 1 } }, { who: { case: "bob", value: "***" } }],
    [
      "what is inside itself",
      ["name", "next = $"],
      { name: "A", next: { next: { name: "B", age: 5 } } },
      { name: "***", next: { next: { name: "***", age: 5 } } }
    ],
    [
      "what is like another",
      ["a.name", "b[] = a"],
      { a: { name: "A" }, b: [{ name: "B" }] },
      { a: { name: "***" }, b: [{ name: "***" }] }
    ],
    ["nothing in a message's place", ["a.name"], { a: null }, { a: null }],
    ["the event itself", ["name"], "Ann", "***"]
  ])("masks %s", (_what, personal, event, shown) => {
    expect(maskEvent(contractWith(personal), event)).toEqual(shown)
  })
})

describe("what cannot be read", () => {
  const cruel = {
    get() {
      throw new Error("cruel")
    },
    ownKeys() {
      throw new Error("cruel")
    }
  }

  it("is shown as unreadable, and the rest as it is", () => {
    const event = {
      before: 1,
      get broken(): never {
        throw new Error("broken")
      },
      proxy: new Proxy({}, cruel),
      key: new Map([[{ toString: () => expect.unreachable() }, 1]]),
      after: 2
    }
    const shown = { before: 1, broken: "[unreadable]", proxy: "[unreadable]", key: "[unreadable]", after: 2 }
    expect(maskEvent(plain, event)).toEqual(shown)
    expect(maskEvent(contractWith(["broken", "proxy.name"]), event)).toEqual({ ...shown, broken: "***" })
    expect(printEvent(plain, new Proxy({}, cruel))).toBe('"[unreadable]"')
  })

  it("is cut where it has no end", () => {
    const loop: Record<string, unknown> = { name: "Ann" }
    loop["self"] = loop
    loop["all"] = [loop, loop]
    expect(printEvent(contractWith(["name", "self = $", "all[] = $"]), loop)).not.toContain("Ann")
    let lists: unknown = []
    for (let level = 0; level < 100_000; level++) lists = [lists, lists]
    const many = Array.from({ length: 1000 }, (_, index) => ({ [`property ${index}`]: "\u009f".repeat(1000) }))
    for (const event of [loop, lists, many, Object.assign({}, many), new Map(many.entries())]) {
      expect(printEvent(plain, event).length).toBeLessThanOrEqual(8192)
    }
  })
})
