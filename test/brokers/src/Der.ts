/** The parts of DER, the binary form of certificates, that a test certificate needs. */
export function element(tag: number, ...contents: ReadonlyArray<Uint8Array>): Buffer {
  const content = Buffer.concat(contents)
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content])
  const size = length < 0x100 ? Buffer.of(0x81, length) : Buffer.of(0x82, length >> 8, length & 0xff)
  return Buffer.concat([Buffer.of(tag), size, content])
}

export const sequence = (...contents: ReadonlyArray<Uint8Array>): Buffer => element(0x30, ...contents)
export const set = (...contents: ReadonlyArray<Uint8Array>): Buffer => element(0x31, ...contents)
export const octets = (content: Uint8Array): Buffer => element(0x04, content)
export const bits = (content: Uint8Array): Buffer => element(0x03, Buffer.of(0), content)
export const text = (content: string): Buffer => element(0x0c, Buffer.from(content))
export const yes: Buffer = element(0x01, Buffer.of(0xff))

/** A positive integer, from bytes whose first bit is clear. */
export const integer = (content: Uint8Array): Buffer => element(0x02, content)

/** Years before 2050 only, which is what this form of time can hold. */
export const time = (date: Date): Buffer =>
  element(0x17, Buffer.from(`${date.toISOString().slice(2, 19).replaceAll(/[-:T]/g, "")}Z`))

export function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...others] = dotted.split(".").map(Number)
  return element(0x06, Buffer.from([first * 40 + second, ...others.flatMap(base128)]))
}

function base128(value: number): ReadonlyArray<number> {
  const groups = [value & 0x7f]
  for (let rest = value >> 7; rest > 0; rest >>= 7) groups.unshift((rest & 0x7f) | 0x80)
  return groups
}
