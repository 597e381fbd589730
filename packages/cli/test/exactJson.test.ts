import { describe, expect, it } from "vitest"
import { Project } from "./Project.js"
import { eventProto } from "./protos.js"

const fields = `string id = 1;
  int64 big = 2;
  uint64 most = 3;
  int32 small = 4;
  uint32 plus = 5;
  double ratio = 6;
  float rough = 7;
  bytes raw = 8;
  bool flag = 9;
  Colour colour = 10;
  repeated sint64 many = 11;
  map<int64, fixed64> held = 12;
  Part part = 13;
  google.protobuf.Timestamp at = 14;
  google.protobuf.Duration lasted = 15;
  string noted_by = 16 [json_name = "writer"];
  optional int64 maybe = 17;
  oneof choice { int64 count = 18; string word = 19; }
  message Part { int64 size = 1; Part part = 2; }
  enum Colour { COLOUR_UNSPECIFIED = 0; COLOUR_RED = 1; }`
const imports = ["timestamp", "duration"].map((one) => `import "google/protobuf/${one}.proto";`).join("\n")
const files = {
  "proto/shop/v1/all.proto": eventProto("All", 'stream: "shop.all" key: "id"', fields).replace(
    "package shop.v1;",
    `package shop.v1;\n\n${imports}`
  )
}

/** Publishes each text as an event of its own, and gives what is stored of each, in protobuf's JSON; its fault where it is refused. */
async function stored(texts: ReadonlyArray<string>): Promise<ReadonlyArray<unknown>> {
  using project = new Project(files)
  const lines = texts.map((text, index) => `{"id":"${index}",${text}}`).join("\n")
  const { stderr } = await project.leat(["events", "publish", "--stream", "shop.all"], ".", lines)
  const told = await project.leat(["events", "tail", "--format", "jsonl"])
  const events = new Map(
    told.stdout.split("\n").flatMap((line) => {
      if (line === "") return []
      const { event } = JSON.parse(line) as { readonly event: { readonly id: string } }
      const { id, ...rest } = event
      return [[id, rest]]
    })
  )
  const faults = new Map(
    [...stderr.matchAll(/^leat: line (\d+): (.*)$/gm)].map(([, line, why]) => [Number(line) - 1, why])
  )
  return texts.map((_, index) => faults.get(index) ?? events.get(String(index)))
}

const least = "-9223372036854775808"

describe("an event given to `leat events publish` as JSON", () => {
  it("is stored exactly as it was written, numbers and all", async () => {
    const cases: ReadonlyArray<readonly [text: string, event: unknown]> = [
      ['"big":9007199254740993', { big: "9007199254740993" }],
      ['"big":-9007199254740993', { big: "-9007199254740993" }],
      [`"big":${least}`, { big: least }],
      ['"most":18446744073709551615', { most: "18446744073709551615" }],
      ['"most":"18446744073709551615"', { most: "18446744073709551615" }],
      ['"big":1234567890123456800', { big: "1234567890123456800" }],
      ['"big":1e3,"small":2.5e1', { big: "1000", small: 25 }],
      ['"big":"1e3","small":"12.0"', { big: "1000", small: 12 }],
      ['"big":9.007199254740993e15', { big: "9007199254740993" }],
      ['"big":-0,"small":-0,"maybe":-0.0', { maybe: "0" }],
      // Stored, because it is no default; JavaScript prints it without its sign.
      ['"ratio":-0', { ratio: 0 }],
      ['"ratio":9007199254740993,"rough":1e10', { ratio: 9007199254740992, rough: 1e10 }],
      ['"ratio":"NaN","rough":"-Infinity"', { ratio: "NaN", rough: "-Infinity" }],
      ['"ratio":"1.5e3"', { ratio: 1500 }],
      ['"many":[9007199254740993,"-9007199254740993"]', { many: ["9007199254740993", "-9007199254740993"] }],
      [`"held":{"${least}":9007199254740993}`, { held: { [least]: "9007199254740993" } }],
      ['"part":{"part":{"size":9007199254740993}}', { part: { part: { size: "9007199254740993" } } }],
      ['"count":9007199254740993', { count: "9007199254740993" }],
      ['"colour":"COLOUR_RED"', { colour: "COLOUR_RED" }],
      ['"colour":1', { colour: "COLOUR_RED" }],
      ['"colour":7', { colour: 7 }],
      ['"raw":"-_-_"', { raw: "+/+/" }],
      ['"raw":"AQI"', { raw: "AQI=" }],
      ['"raw":""', {}],
      ['"noted_by":"a"', { writer: "a" }],
      ['"big":null,"part":null,"many":null,"maybe":null', {}],
      ['"at":"2024-02-29T23:59:60.5Z".', expect.stringContaining("no JSON")],
      [
        '"at":"2024-02-29T10:00:00.123456789+02:00","lasted":"-1.5s"',
        { at: "2024-02-29T08:00:00.123456789Z", lasted: "-1.500s" }
      ]
    ]
    expect(await stored(cases.map(([text]) => text))).toEqual(cases.map(([, event]) => event))
  })

  it("is refused where it is no JSON of its contract, or two things at once", async () => {
    const cases: ReadonlyArray<readonly [text: string, fault: string]> = [
      ['"big":9223372036854775808', "big: 9223372036854775808 is out of range: int64 is"],
      ['"big":"9223372036854775808"', "big: 9223372036854775808 is out of range"],
      ['"big":1e30', "big: 1e30 is out of range"],
      ['"big":1e999999999', "big: 1e999999999 is out of range"],
      ['"big":0.5', "big: 0.5 is no whole number, which int64 is"],
      ['"big":9007199254740993.5', "big: 9007199254740993.5 is no whole number"],
      ['"big":"0x10"', 'big: "0x10" is no number'],
      ['"big":" 1"', 'big: " 1" is no number'],
      ['"big":""', 'big: "" is no number'],
      ['"big":true', "big"],
      ['"most":-1', "most: -1 is out of range: uint64 is 0 to 18446744073709551615"],
      ['"small":2147483648', "small: 2147483648 is out of range"],
      ['"plus":-1', "plus: -1 is out of range"],
      ['"part":{"size":1.5}', "part.size: 1.5 is no whole number"],
      ['"many":[1,2.5]', "many[1]: 2.5 is no whole number"],
      ['"many":[null]', "many"],
      ['"held":{"1":1,"1.0":2}', "held: it has one key twice"],
      ['"held":{"x":1}', 'held[0]: "x" is no number'],
      ['"ratio":1e400', "ratio"],
      ['"ratio":"0x10"', 'ratio: "0x10" is no number'],
      ['"ratio":"Inf"', 'ratio: "Inf" is no number'],
      ['"rough":1e39', "rough"],
      ['"raw":"a"', "raw: it is no base64"],
      ['"raw":"AQ\\nI="', "raw: it is no base64"],
      ['"raw":"AQ=I"', "raw: it is no base64"],
      ['"raw":"+_+_"', "raw: it is no base64"],
      ['"flag":1', "flag"],
      ['"flag":"true"', "flag"],
      ['"colour":"RED"', 'colour: "RED" is no value of shop.v1.All.Colour; there is COLOUR_UNSPECIFIED, COLOUR_RED'],
      ['"colour":"COLOUR_BLUE"', "COLOUR_BLUE"],
      ['"colour":1.5', "colour: 1.5 is no whole number"],
      ['"colour":2147483648', "colour: 2147483648 is out of range"],
      ['"noted_by":9007199254740993', "noted_by"],
      ['"count":1,"word":"a"', "choice"],
      ['"nope":1', "nope"],
      ['"big":1,"big":2', 'it has the name "big" twice in one object'],
      ['"big":1,"b\\u0069g":2', 'it has the name "big" twice in one object'],
      ['"part":{"size":1,"size":1}', 'it has the name "size" twice in one object'],
      ['"writer":"a","noted_by":"b"', "noted_by"],
      ['"at":"2026-02-30T00:00:00Z"', "at: it is no time"],
      ['"at":"2026-01-01T24:00:00Z"', "at: it is no time"],
      ['"at":"0000-01-01T00:00:00Z"', "0001-01-01"],
      ['"at":1700000000', "at: it is no time"],
      ['"lasted":"1s later"', "lasted: it is no duration"],
      ['"lasted":"315576000001s"', "Duration"],
      [`"part":${'{"part":'.repeat(600)}1${"}".repeat(600)}`, "it is nested more than 500 deep"]
    ]
    expect(await stored(cases.map(([text]) => text))).toEqual(cases.map(([, fault]) => expect.stringContaining(fault)))
  })
})

it("a whole record given twice over, or with a time that no calendar has, is refused", async () => {
  using project = new Project()
  const record = (over: string) => `{"topic":"t","partition":0,"headers":[],"rawKey":null,"rawValue":"",${over}}`
  const lines = [record('"timeMs":1,"timeMs":2'), record('"timeMs":1e300'), record('"timeMs":8640000000000001')].join(
    "\n"
  )
  const { code, stderr } = await project.leat(["events", "publish"], ".", lines)
  expect([code, stderr.split("\n").slice(0, 3)]).toEqual([
    1,
    [
      'leat: line 1: it has the name "timeMs" twice in one object',
      "leat: line 2: its timeMs must be epoch milliseconds",
      "leat: line 3: its timeMs must be epoch milliseconds"
    ]
  ])
})
