import type { Reader } from "protobufjs/minimal.js"
import { MalformedEvent } from "./CodecError.ts"
import { depthMax } from "./depthMax.ts"
import { need, readEnd, readTag, varint } from "./readFields.ts"

/** Passes over a field that the contract does not know. */
export function skipField(reader: Reader, tag: number, end: number, depth: number): void {
  switch (tag & 7) {
    case 0:
      varint(reader, end)
      return
    case 1:
      need(reader, end, 8)
      reader.pos += 8
      return
    case 2:
      reader.pos = readEnd(reader, end)
      return
    case 3:
      skipGroup(reader, tag, end, depth)
      return
    case 5:
      need(reader, end, 4)
      reader.pos += 4
      return
    default:
      throw new MalformedEvent("", reader.pos, `wire type ${tag & 7} where a field begins`)
  }
}

function skipGroup(reader: Reader, tag: number, end: number, depth: number): void {
  if (depth + 1 >= depthMax) throw new MalformedEvent("", reader.pos, `groups are more than ${depthMax} deep`)
  for (;;) {
    const inner = readTag(reader, end)
    if ((inner & 7) === 4) {
      if (inner >>> 3 !== tag >>> 3)
        throw new MalformedEvent("", reader.pos, "a group ends with another field's number")
      return
    }
    skipField(reader, inner, end, depth + 1)
  }
}
