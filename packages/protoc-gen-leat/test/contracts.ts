/** The generated contracts under test, without their types: for what holds of all of them. */
import { Buffer } from "node:buffer"
import protobuf from "protobufjs/minimal.js"
import type { DescMessage } from "@bufbuild/protobuf"
import type { Contract } from "leat/contract"
import { Bare } from "./gen/bare.js"
import { Edition } from "./gen/edition.js"
import {
  EveryCase,
  EveryList,
  EveryMap,
  EveryOptional,
  EverySingle,
  EveryTime,
  EveryUnpacked
} from "./gen/test/v1/every.js"
import { Kinds } from "./gen/test/v1/kinds.js"
import * as names from "./gen/test/v1/names.js"
import { Person } from "./gen/test/v1/options.js"
import { descOf, type Fields } from "./oracle.js"

export interface Subject {
  readonly contract: Contract<Fields>
  readonly desc: DescMessage
}

export const subjects: ReadonlyArray<Subject> = [
  subject(Kinds),
  subject(EverySingle),
  subject(EveryOptional),
  subject(EveryList),
  subject(EveryUnpacked),
  subject(EveryMap),
  subject(EveryCase),
  subject(EveryTime),
  subject(Bare),
  subject(Edition),
  subject(Person),
  subject(names.Locals),
  subject(names.Names),
  subject(names.Map),
  subject(names.Contract),
  subject(names.Uint8Array),
  subject(names.string$),
  subject(names.default$),
  subject(names.Outer_Inner)
]

/** For `describe.each`: the name first. */
export const named: ReadonlyArray<readonly [string, Subject]> = subjects.map((one) => [one.contract.name, one])

export function subject<T>(contract: Contract<T>): Subject {
  return { contract: contract as unknown as Contract<Fields>, desc: descOf(contract.name) }
}

/** A writer that begins at `pos` of these bytes, and leaves them for others when they have no room. */
export function writerOn(bytes: Buffer, pos = 0): protobuf.Writer {
  return Object.assign(protobuf.Writer.create(), { buf: bytes, view: null, states: null, pos })
}

export function encode<T>(contract: Contract<T>, event: T): Uint8Array {
  const writer = writerOn(Buffer.allocUnsafeSlow(128))
  contract.encodeInto(event, writer)
  return new Uint8Array(writer.buf.subarray(0, writer.pos))
}
