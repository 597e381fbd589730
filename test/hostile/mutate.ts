/** Draws of what nobody expects: bytes, texts and values, changed from something valid. */

/** What every draw is made with: numbers in [0, 1). */
export type Draw = () => number

export function upTo(draw: Draw, count: number): number {
  return Math.floor(draw() * count)
}

export function oneOf<A>(draw: Draw, choices: ReadonlyArray<A>): A {
  if (choices.length === 0) throw new Error("there is nothing to choose from")
  return choices[upTo(draw, choices.length)] as A
}

/** Tags, lengths and numbers that decoders have stumbled over. */
const pieces: ReadonlyArray<Uint8Array> = [
  Uint8Array.of(0),
  new Uint8Array(11).fill(0x80),
  new Uint8Array(9).fill(0xff),
  Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f),
  Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x07),
  Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x10),
  Uint8Array.of(0x7f, 0xff, 0xff, 0xff),
  Uint8Array.of(0xed, 0xa0, 0x80),
  Uint8Array.of(0x0b),
  Uint8Array.of(0x0c),
  Buffer.from("__proto__"),
  Buffer.from("constructor")
]

/** A few bits, bytes or pieces of valid bytes changed; now and then bytes that never were valid. */
export function mutateBytes(draw: Draw, valid: Uint8Array, other: Uint8Array): Uint8Array {
  if (draw() < 0.03) return randomBytes(draw, upTo(draw, 64))
  let bytes: Uint8Array = Uint8Array.from(valid)
  for (let change = upTo(draw, 3); change >= 0; change--) bytes = changed(draw, bytes, other)
  return bytes
}

function changed(draw: Draw, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  const at = upTo(draw, bytes.length + 1)
  switch (upTo(draw, 7)) {
    case 0:
      return bytes.map((byte, index) => (index === at ? byte ^ (1 << upTo(draw, 8)) : byte))
    case 1:
      return bytes.map((byte, index) => (index === at ? oneOf(draw, [0, 1, 0x7f, 0x80, 0xff]) : byte))
    case 2:
      return bytes.subarray(0, at)
    case 3:
      return Buffer.concat([bytes.subarray(0, at), oneOf(draw, pieces), bytes.subarray(at + upTo(draw, 4))])
    case 4:
      return Buffer.concat([bytes.subarray(0, at), other.subarray(upTo(draw, other.length + 1))])
    case 5:
      // As deep as decoders count.
      return Buffer.concat([bytes.subarray(0, at), nested(draw, bytes.subarray(at, at + 8))])
    default:
      return Buffer.concat([bytes, bytes.subarray(at)])
  }
}

function randomBytes(draw: Draw, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => upTo(draw, 256))
}

/** The same message field around these bytes, again and again. */
function nested(draw: Draw, inner: Uint8Array): Uint8Array {
  const tag = (1 + upTo(draw, 15)) * 8 + 2
  let bytes = inner
  for (let level = upTo(draw, 120); level > 0 && bytes.length < 16_000; level--)
    bytes = Buffer.concat([Buffer.from([tag, ...varint(bytes.length)]), bytes])
  return bytes
}

function varint(value: number): ReadonlyArray<number> {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]
}

/** Texts that are no names, and that names are mistaken for. */
export const oddTexts: ReadonlyArray<string> = [
  "",
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "\0",
  "\uD800",
  "\uFEFF",
  "a".repeat(5000),
  "*".repeat(200),
  "{stream}".repeat(50),
  "env:PATH",
  "${HOME}",
  "1e999",
  "-0",
  "9".repeat(400),
  "0x10",
  "../../etc/passwd",
  "null",
  "🫠".repeat(64),
  "a/b//c",
  "[[[[[",
  "&a [*a]",
  "<<: *a",
  "%TAG ! x",
  "\t- \t- :"
]

/** Values that are not what a field is said to be. */
export const oddValues: ReadonlyArray<unknown> = [
  undefined,
  null,
  true,
  0,
  -0,
  -1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 53,
  2 ** 31,
  -(2 ** 31) - 1,
  1n,
  2n ** 64n,
  -(2n ** 63n) - 1n,
  Symbol("odd"),
  () => 1,
  {},
  [],
  [[]],
  [undefined],
  new Map(),
  new Map([["__proto__", { polluted: 1 }]]),
  new Set([1]),
  new Date(Number.NaN),
  new Uint8Array(3),
  new Uint8Array(new SharedArrayBuffer(2)),
  Object.create(null),
  Object.freeze({ length: 1e9 }),
  { length: -1 },
  { case: "nothing", value: 1 },
  { case: "__proto__", value: {} },
  { toString: () => "odd", valueOf: () => 1 },
  Object.assign([], { length: 3 }),
  JSON.parse('{"__proto__": {"polluted": 1}}'),
  JSON.parse('{"constructor": {"prototype": {"polluted": 1}}}')
]

/** An odd value, or an odd text. */
export function oddValue(draw: Draw): unknown {
  return draw() < 0.7 ? oneOf(draw, oddValues) : oneOf(draw, oddTexts)
}

/** A copy of plain data, one place of which is something else, is gone, or is there twice. */
export function mutateValue(draw: Draw, value: unknown): unknown {
  if (Array.isArray(value)) {
    const items: ReadonlyArray<unknown> = value
    if (items.length === 0 || draw() < 0.15) return oddValue(draw)
    const at = upTo(draw, items.length)
    if (draw() < 0.1) return [...items, ...items]
    return items.map((item, index) => (index === at ? mutateValue(draw, item) : item))
  }
  const isPlain = typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype
  if (!isPlain || draw() < 0.08) return oddValue(draw)
  const names = Object.keys(value)
  const chosen = names[upTo(draw, names.length + 1)]
  const entries: ReadonlyArray<readonly [string, unknown]> = Object.entries(value)
  const drawn = draw()
  if (chosen === undefined) return withOwn(entries, oneOf(draw, oddTexts), oddValue(draw))
  if (drawn < 0.1) return Object.fromEntries(entries.filter(([name]) => name !== chosen))
  if (drawn < 0.2) return withOwn(entries, chosen.slice(1), oddValue(draw))
  return withOwn(entries, chosen, mutateValue(draw, entries.find(([name]) => name === chosen)?.[1]))
}

/** Defined, so that `__proto__` is a field of its own, as in parsed JSON. */
function withOwn(entries: ReadonlyArray<readonly [string, unknown]>, name: string, value: unknown): object {
  const copy = Object.fromEntries(entries)
  return Object.defineProperty(copy, name, { value, enumerable: true, configurable: true, writable: true })
}

/** Text with characters, lines or odd texts changed. */
export function mutateText(draw: Draw, valid: string): string {
  let text = valid
  for (let change = upTo(draw, 3); change >= 0; change--) {
    const at = upTo(draw, text.length + 1)
    const drawn = draw()
    if (drawn < 0.4) text = text.slice(0, at) + oneOf(draw, oddTexts) + text.slice(at + upTo(draw, 8))
    else if (drawn < 0.6) text = text.slice(0, at) + text.slice(at + 1 + upTo(draw, 6))
    else if (drawn < 0.8) text = text.slice(0, at) + text.slice(at, at + 40) + text.slice(at)
    else text = text.slice(0, at) + String.fromCharCode(upTo(draw, 128)) + text.slice(at)
  }
  return text
}
