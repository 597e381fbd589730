import { expect, it } from "vitest"
import { Project } from "./Project.js"
import { eventProto } from "./protos.js"

const fields = `string id = 1;
  string note = 2;
  Level level = 3;
  Part part = 4;
  repeated int32 counts = 5;
  map<string, int32> held = 6;
  oneof choice { string text = 7; string code = 8; }
  optional int32 size = 9;
  message Part { string name = 1; }
  enum Level { LEVEL_UNSPECIFIED = 0; LEVEL_LOW = 1; LEVEL_HIGH = 2; }`

/** Texts of the fields, and what stands for each afterwards. */
type Change = ReadonlyArray<readonly [from: string, to: string]>

const pathOf = (index: number) => `proto/shop/v1/case_${index}.proto`

function textOf(index: number, change: Change): string {
  const changed = change.reduce((text, [from, to]) => {
    expect(text).toContain(from)
    return text.replace(from, to)
  }, fields)
  return eventProto(`Case${index}`, `stream: "shop.case${index}" key: "id"`, changed)
}

/** What is said of each change, without its place; all of them are made at once, each to a contract of its own. */
async function violations(
  changes: ReadonlyArray<Change>,
  before: ReadonlyArray<Change> = changes.map(() => [])
): Promise<ReadonlyArray<ReadonlyArray<string>>> {
  const files = (each: ReadonlyArray<Change>) =>
    Object.fromEntries(each.map((change, index) => [pathOf(index), textOf(index, change)]))
  using project = new Project(files(before))
  await project.commit()
  project.write(files(changes))
  const { report, stderr } = await project.leatJson(["contracts", "check", "--against", "HEAD"])
  const found = (report as { readonly violations?: ReadonlyArray<string> }).violations
  if (found === undefined) throw new Error(stderr)
  const told = changes.map((_, index) =>
    found.filter((one) => one.startsWith(pathOf(index))).map((one) => one.replace(/^[^:]+:\d+:\d+:/, ""))
  )
  expect(told.flat()).toHaveLength(found.length)
  return told.map((some) => some.toSorted())
}

const removed: Change = [["string note = 2;", 'reserved 2; reserved "note";']]

it("what is removed and reserved is no violation, and neither is what every reader bears", async () => {
  const changes: Readonly<Record<string, Change>> = {
    field: removed,
    "field in a range": [["string note = 2;", 'reserved 2, 20 to 30; reserved "note", "other";']],
    "enum's value": [["LEVEL_HIGH = 2;", 'reserved 2; reserved "LEVEL_HIGH";']],
    "field of a oneof": [["string code = 8; }", '} reserved 8; reserved "code";']],
    oneof: [["oneof choice { string text = 7; string code = 8; }", 'reserved 7, 8; reserved "text", "code";']],
    map: [["map<string, int32> held = 6;", 'reserved 6; reserved "held";']],
    "field of a message inside": [["string name = 1; }", 'reserved 1; reserved "name"; }']],
    "field and the message that was its type": [
      ["Part part = 4;", 'reserved 4; reserved "part";'],
      ["message Part { string name = 1; }", ""]
    ],
    "field and the enum that was its type": [
      ["Level level = 3;", 'reserved 3; reserved "level";'],
      ["enum Level { LEVEL_UNSPECIFIED = 0; LEVEL_LOW = 1; LEVEL_HIGH = 2; }", ""]
    ],
    "list that is not packed any more": [["counts = 5;", "counts = 5 [packed = false];"]],
    "new field, value and case": [
      ["string note = 2;", "string note = 2; string more = 20;"],
      ["LEVEL_HIGH = 2;", "LEVEL_HIGH = 2; LEVEL_TOP = 3;"],
      ["string code = 8;", "string code = 8; int32 number = 21;"]
    ]
  }
  const told = await violations(Object.values(changes))
  expect(Object.fromEntries(Object.keys(changes).map((name, index) => [name, told[index]]))).toEqual(
    Object.fromEntries(Object.keys(changes).map((name) => [name, []]))
  )
})

it("what readers or stored events rely on is a violation, which says what to reserve", async () => {
  const note = 'field "2" with name "note" on message'
  const cases: Readonly<Record<string, readonly [Change, ReadonlyArray<string>]>> = {
    "field removed": [
      [["string note = 2;", ""]],
      [`${note} .* without reserving the name "note"`, `${note} .* without reserving the number "2"`]
    ],
    "only its number reserved": [[["string note = 2;", "reserved 2;"]], ['without reserving the name "note"']],
    "only its name reserved": [[["string note = 2;", 'reserved "note";']], ['without reserving the number "2"']],
    "enum's value removed": [
      [["LEVEL_HIGH = 2;", ""]],
      ['without reserving the name "LEVEL_HIGH"', 'without reserving the number "2"']
    ],
    "field into a oneof": [
      [
        ["string note = 2;", ""],
        ["string code = 8;", "string code = 8; string note = 2;"]
      ],
      ["changed cardinality", "moved from outside to inside a oneof"]
    ],
    "field out of its oneof": [
      [["string code = 8; }", "} string code = 8;"]],
      ["changed cardinality", "moved from inside to outside a oneof"]
    ],
    "oneof removed with its fields": [
      [["oneof choice { string text = 7; string code = 8; }", ""]],
      ['the name "text"', 'the number "7"', 'the name "code"', 'the number "8"']
    ],
    type: [[["string note = 2;", "bytes note = 2;"]], ['changed type from "string" to "bytes"']],
    "type of the same wire": [[["int32 size", "int64 size"]], ['changed type from "int32" to "int64"']],
    name: [[["string note = 2;", "string remark = 2;"]], ["changed name from", 'changed option "json_name"']],
    "name that JSON does not see": [
      [["string note = 2;", 'string remark = 2 [json_name = "note"];']],
      ['changed name from "note" to "remark"']
    ],
    "name in JSON": [[["string note = 2;", 'string note = 2 [json_name = "remark"];']], ['changed option "json_name"']],
    number: [[["string note = 2;", "string note = 12;"]], ['the name "note"', 'the number "2"']],
    "values of a map": [[["map<string, int32>", "map<string, int64>"]], ["changed type"]],
    "keys of a map": [[["map<string, int32>", "map<int32, int32>"]], ["changed type"]],
    "map removed": [[["map<string, int32> held = 6;", ""]], ['the name "held"', 'the number "6"']],
    "list of one": [[["repeated int32 counts", "int32 counts"]], ["changed cardinality"]],
    presence: [[["optional int32 size", "int32 size"]], ["changed cardinality"]],
    "field of a message inside": [
      [["string name = 1; }", "string name = 2; }"]],
      ['the name "name"', 'the number "1"']
    ],
    "name of an enum's value": [
      [["LEVEL_HIGH = 2", "LEVEL_TOP = 2"]],
      ['changed name from "LEVEL_HIGH" to "LEVEL_TOP"']
    ]
  }
  const told = await violations(Object.values(cases).map(([change]) => change))
  const said = Object.keys(cases).map((name, index) => [name, told[index]])
  const expected = Object.entries(cases).map(([name, [, each]]) => [
    name,
    each.map((one) => expect.stringMatching(new RegExp(one)))
  ])
  expect(Object.fromEntries(said)).toEqual(Object.fromEntries(expected))
})

it("what was reserved stays so", async () => {
  expect(await violations([[]], [removed])).toEqual([
    ['Previously present reserved name "note"', 'Previously present reserved range "[2]"'].map((one) =>
      expect.stringContaining(one)
    )
  ])
})

it("a file may get another name", async () => {
  using project = new Project({ [pathOf(0)]: textOf(0, []) })
  await project.commit()
  project.remove(pathOf(0))
  project.write({ [pathOf(1)]: textOf(0, []) })
  const told = await project.leat(["contracts", "check", "--against", "HEAD"])
  expect(told).toEqual({ code: 0, stdout: "1 contract, no violations\n", stderr: "" })
})
