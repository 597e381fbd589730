/**
 * Protobuf messages as tables of fields: what writes a message is what reads it. For records that come now and then; events have generated code.
 * Reading refuses with `MalformedEvent` what is cut off, has other wire types, or more entries than a bound, and passes over unknown fields.
 */
import type { Reader, Writer } from "protobufjs/minimal.js"
import { MalformedEvent } from "../codec/CodecError.ts"
import { halves } from "../codec/halves.ts"
import { readBytes, readEnd, readString, readTag, varint } from "../codec/readFields.ts"
import { skipField } from "../codec/skipField.ts"

const [varintType, lengthType] = [0, 2] as const

/** How a value is written behind its tag, and read. */
export interface Kind<A> {
  readonly wireType: typeof varintType | typeof lengthType
  /** What is left out: protobuf's default. */
  readonly isDefault: (value: A) => boolean
  readonly absent: () => A
  readonly write: (writer: Writer, value: A) => void
  readonly read: (reader: Reader, end: number) => A
}

/** A field of a message: what it is before anything was read, and how what is read is added. */
export interface Field<A> {
  readonly number: number
  readonly begin: () => A
  readonly write: (writer: Writer, value: A) => void
  readonly add: (before: A, reader: Reader, wireType: number, end: number) => A
}

export type Fields<T> = { readonly [K in keyof T]: Field<T[K]> }

/** A whole number up to 2^53. */
export const count: Kind<number> = {
  wireType: varintType,
  isDefault: (value) => value === 0,
  absent: () => 0,
  write: (writer, value) => void writer.uint64(value),
  read: (reader, end) => {
    varint(reader, end)
    const value = (halves[1] ?? 0) * 2 ** 32 + (halves[0] ?? 0)
    if (value > Number.MAX_SAFE_INTEGER) throw new MalformedEvent("", reader.pos, "a number is larger than 2^53")
    return value
  }
}

export const flag: Kind<boolean> = {
  wireType: varintType,
  isDefault: (value) => !value,
  absent: () => false,
  write: (writer, value) => void writer.bool(value),
  read: (reader, end) => count.read(reader, end) !== 0
}

export const text = (charsMax: number): Kind<string> => ({
  wireType: lengthType,
  isDefault: (value) => value === "",
  absent: () => "",
  write: (writer, value) => void writer.string(value),
  read: (reader, end) => {
    const value = readString(reader, end)
    if (value.length <= charsMax) return value
    throw new MalformedEvent("", reader.pos, `a text has more than ${charsMax} characters`)
  }
})

export const bytes: Kind<Uint8Array> = {
  wireType: lengthType,
  isDefault: ({ length }) => length === 0,
  absent: () => new Uint8Array(0),
  write: (writer, value) => void writer.bytes(value),
  read: readBytes
}

/** One of some words, as an enum that counts from 1. */
export const oneOf = <A extends string>(...words: readonly [A, ...ReadonlyArray<A>]): Kind<A> => ({
  wireType: varintType,
  isDefault: () => false,
  absent: () => words[0],
  write: (writer, value) => void writer.uint32(words.indexOf(value) + 1),
  read: (reader, end) => {
    const found = words[count.read(reader, end) - 1]
    if (found === undefined) throw new MalformedEvent("", reader.pos, "an enum has a value that is not known")
    return found
  }
})

export const message = <T extends object>(fields: Fields<T>): Kind<T> => ({
  wireType: lengthType,
  isDefault: () => false,
  absent: () => blank(fields),
  write: (writer, value) => {
    writer.fork()
    writeFields(writer, fields, value)
    writer.ldelim()
  },
  read: (reader, end) => readFields(reader, readEnd(reader, end), fields)
})

/** A message with one field, for what a field alone cannot say: that a list is there and empty. */
export const wrapped = <A>(only: Field<A>): Kind<A> => {
  const around = message<{ readonly only: A }>({ only })
  return {
    wireType: lengthType,
    isDefault: () => false,
    absent: only.begin,
    write: (writer, value) => around.write(writer, { only: value }),
    read: (reader, end) => around.read(reader, end).only
  }
}

/** Always there: its default is left out. */
export const one = <A>(number: number, kind: Kind<A>): Field<A> => ({
  number,
  begin: kind.absent,
  write: (writer, value) => {
    if (!kind.isDefault(value)) kind.write(tagged(writer, number, kind), value)
  },
  add: (_, reader, wireType, end) => checked(kind, reader, wireType).read(reader, end)
})

export const maybe = <A>(number: number, kind: Kind<A>): Field<A | undefined> => ({
  number,
  begin: () => undefined,
  write: (writer, value) => {
    if (value !== undefined) kind.write(tagged(writer, number, kind), value)
  },
  add: (_, reader, wireType, end) => checked(kind, reader, wireType).read(reader, end)
})

/** Numbers, packed; unpacked ones are read too, as protobuf says. */
export const counts = (number: number, max: number): Field<ReadonlyArray<number>> => ({
  number,
  begin: () => [],
  write: (writer, values) => {
    if (values.length === 0) return
    writer.uint32(tagOf(number, lengthType)).fork()
    for (const value of values) writer.uint64(value)
    writer.ldelim()
  },
  add: (before, reader, wireType, end) => {
    const values = [...before]
    const last = wireType === varintType ? reader.pos + 1 : lengthEnd(reader, wireType, end)
    while (reader.pos < last) {
      values.push(count.read(reader, wireType === varintType ? end : last))
      bounded(values.length, max, reader)
    }
    return values
  }
})

export const list = <A>(number: number, kind: Kind<A>, max: number): Field<ReadonlyArray<A>> => ({
  number,
  begin: () => [],
  write: (writer, values) => {
    for (const value of values) kind.write(tagged(writer, number, kind), value)
  },
  add: (before, reader, wireType, end) => {
    bounded(before.length + 1, max, reader)
    const value = checked(kind, reader, wireType).read(reader, end)
    // Its own: `begin` has made it.
    ;(before as Array<A>).push(value)
    return before
  }
})

export const setOf = (number: number, kind: Kind<string>, max: number): Field<ReadonlySet<string>> => {
  const all = list(number, kind, max)
  return {
    number,
    begin: () => new Set(),
    write: (writer, values) => all.write(writer, [...values]),
    add: (before, reader, wireType, end) => {
      bounded(before.size + 1, max, reader)
      return (before as Set<string>).add(checked(kind, reader, wireType).read(reader, end))
    }
  }
}

/** As protobuf has it, a list of entries with key and value; the last of one key counts. */
export const mapOf = <A>(
  number: number,
  key: Kind<string>,
  value: Kind<A>,
  max: number
): Field<ReadonlyMap<string, A>> => {
  const entry = message<{ readonly key: string; readonly value: A }>({ key: one(1, key), value: one(2, value) })
  return {
    number,
    begin: () => new Map(),
    write: (writer, values) => {
      for (const [name, item] of values) entry.write(tagged(writer, number, entry), { key: name, value: item })
    },
    add: (before, reader, wireType, end) => {
      const { key: name, value: found } = checked(entry, reader, wireType).read(reader, end)
      const next = (before as Map<string, A>).set(name, found)
      bounded(next.size, max, reader)
      return next
    }
  }
}

/** A map that is absent where nothing stands in it. */
export const maybeMapOf = <A>(...args: Parameters<typeof mapOf<A>>): Field<ReadonlyMap<string, A> | undefined> => {
  const { number, begin, write, add } = mapOf(...args)
  return {
    number,
    begin: () => undefined,
    write: (writer, values) => {
      if (values !== undefined) write(writer, values)
    },
    add: (before = begin(), reader, wireType, end) => add(before, reader, wireType, end)
  }
}

export const maybeSetOf = (...args: Parameters<typeof setOf>): Field<ReadonlySet<string> | undefined> => {
  const { number, begin, write, add } = setOf(...args)
  return {
    number,
    begin: () => undefined,
    write: (writer, values) => {
      if (values !== undefined) write(writer, values)
    },
    add: (before = begin(), reader, wireType, end) => add(before, reader, wireType, end)
  }
}

export function writeFields<T extends object>(writer: Writer, fields: Fields<T>, value: T): void {
  for (const name in fields) fields[name].write(writer, value[name])
}

export function readFields<T extends object>(reader: Reader, end: number, fields: Fields<T>): T {
  const found = blank(fields)
  while (reader.pos < end) {
    const tag = readTag(reader, end)
    if (!readField(reader, tag, end, fields, found)) skipField(reader, tag, end, 0)
  }
  return found
}

/** Reads the field of a tag into what was found so far; false: the message has no such field, and nothing was read. */
export function readField<T extends object>(
  reader: Reader,
  tag: number,
  end: number,
  fields: Fields<T>,
  found: T
): boolean {
  for (const key in fields) {
    if (fields[key].number !== tag >>> 3) continue
    found[key] = fields[key].add(found[key], reader, tag & 7, end)
    return true
  }
  return false
}

/** A message without any field. */
export function blank<T extends object>(fields: Fields<T>): T {
  const found: Partial<T> = {}
  for (const key in fields) found[key] = fields[key].begin()
  return found as T
}

const tagOf = (number: number, wireType: number): number => (number << 3) | wireType

function tagged<A>(writer: Writer, number: number, { wireType }: Kind<A>): Writer {
  return writer.uint32(tagOf(number, wireType))
}

function checked<A>(kind: Kind<A>, reader: Reader, wireType: number): Kind<A> {
  if (wireType === kind.wireType) return kind
  throw new MalformedEvent("", reader.pos, `wire type ${wireType} where ${kind.wireType} is known`)
}

function lengthEnd(reader: Reader, wireType: number, end: number): number {
  checked(bytes, reader, wireType)
  return readEnd(reader, end)
}

function bounded(length: number, max: number, reader: Reader): void {
  if (length > max) throw new MalformedEvent("", reader.pos, `a list has more than ${max} entries`)
}
