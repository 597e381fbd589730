import { create, createFileRegistry } from "@bufbuild/protobuf"
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema
} from "@bufbuild/protobuf/wkt"
import { expect, it } from "vitest"
import { layoutOf } from "../src/layoutOf.ts"

const { STRING, BYTES, MESSAGE, ENUM } = FieldDescriptorProto_Type
const label = FieldDescriptorProto_Label.OPTIONAL
const text = (name: string, number: number) => ({ name, number, type: STRING, label })
const id = text("id", 1)
const place = { name: "place", number: 2, type: MESSAGE, typeName: ".test.Place", label }
const colour = { name: "colour", number: 3, type: ENUM, typeName: ".test.Colour", label }
const code = text("code", 1)
const values = [
  { name: "GREY", number: 0 },
  { name: "RED", number: 1 }
]

/** The layout of a message of these fields, one of which may be a message, and one a choice. */
function layout(fields: ReadonlyArray<object>, ofPlace: ReadonlyArray<object> = [code], choices = values): string {
  const file = create(FileDescriptorProtoSchema, {
    name: "test.proto",
    package: "test",
    syntax: "proto3",
    messageType: [
      { name: "Other", field: [id] },
      { name: "Event", field: [...fields] },
      { name: "Place", field: [...ofPlace] }
    ],
    enumType: [{ name: "Colour", value: choices }]
  })
  const event = createFileRegistry(file, () => undefined).getMessage("test.Event")
  if (event === undefined) throw new Error("there is no test.Event")
  return layoutOf(event)
}

const first = layout([id, place, colour])

it("is the same whatever the order of the fields, and beside other messages", () => {
  expect(first).toMatch(/^[0-9a-f]{16}$/)
  expect(layout([colour, id, place])).toBe(first)
})

it.for([
  ["with one field more", layout([id, place, colour, text("amount", 4)])],
  ["with a field under another number", layout([{ ...id, number: 9 }, place, colour])],
  ["with a field of another name", layout([{ ...id, name: "key" }, place, colour])],
  ["with a field of another type", layout([{ ...id, type: BYTES }, place, colour])],
  ["with a field that repeats", layout([{ ...id, label: FieldDescriptorProto_Label.REPEATED }, place, colour])],
  ["with one field more in a message inside", layout([id, place, colour], [code, text("floor", 2)])],
  ["with one choice more", layout([id, place, colour], [code], [...values, { name: "BLUE", number: 2 }])]
])("is another %s", ([, other]) => {
  expect(other).not.toBe(first)
})
