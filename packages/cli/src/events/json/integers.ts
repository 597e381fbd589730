import { ScalarType } from "@bufbuild/protobuf"

interface IntegerRange {
  readonly name: string
  readonly least: bigint
  readonly most: bigint
}

const signed = (name: string, bits: bigint): IntegerRange => {
  return { name, least: -(2n ** (bits - 1n)), most: 2n ** (bits - 1n) - 1n }
}
const unsigned = (name: string, bits: bigint): IntegerRange => ({ name, least: 0n, most: 2n ** bits - 1n })

/** The integer types of protobuf. */
export const integerRanges: ReadonlyMap<ScalarType, IntegerRange> = new Map([
  [ScalarType.INT32, signed("int32", 32n)],
  [ScalarType.SINT32, signed("sint32", 32n)],
  [ScalarType.SFIXED32, signed("sfixed32", 32n)],
  [ScalarType.UINT32, unsigned("uint32", 32n)],
  [ScalarType.FIXED32, unsigned("fixed32", 32n)],
  [ScalarType.INT64, signed("int64", 64n)],
  [ScalarType.SINT64, signed("sint64", 64n)],
  [ScalarType.SFIXED64, signed("sfixed64", 64n)],
  [ScalarType.UINT64, unsigned("uint64", 64n)],
  [ScalarType.FIXED64, unsigned("fixed64", 64n)]
])

/** More digits than any integer type has, so that an exponent cannot make a text of gigabytes. */
const digitsMax = 40

/** The integer that a JSON number says (`1e3`, `-0`, `12.0`), exactly; throws where it says none, or none of the type. */
export function exactInteger(source: string, { name, least, most }: IntegerRange): bigint {
  const [, sign, whole = "", fraction = "", exponent = "0"] = numberParts.exec(source) ?? []
  if (sign === undefined) throw new Error(`${JSON.stringify(shown(source))} is no number`)
  const digits = (whole + fraction).replace(/^0+/, "")
  const significant = digits.replace(/0+$/, "")
  if (significant === "") return 0n
  const zeros = Number(exponent) - fraction.length + digits.length - significant.length
  if (zeros < 0) throw new Error(`${shown(source)} is no whole number, which ${name} is`)
  const value = significant.length + zeros > digitsMax ? undefined : BigInt(sign + significant + "0".repeat(zeros))
  if (value === undefined || value < least || value > most) {
    throw new Error(`${shown(source)} is out of range: ${name} is ${least} to ${most}`)
  }
  return value
}

/** Most characters of a number in a sentence. */
const shownMax = 60

/** A number of megabytes is told by its beginning. */
function shown(source: string): string {
  return source.length <= shownMax ? source : `${source.slice(0, shownMax)}... (${source.length} characters)`
}

const numberParts = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/

/** Whether a text is what JSON calls a number. */
export function isJsonNumber(text: string): boolean {
  return numberParts.test(text)
}
