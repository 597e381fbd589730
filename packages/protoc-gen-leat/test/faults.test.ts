import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"

const leat = fileURLToPath(new URL("../../cli/bin/leat.js", import.meta.url))

interface Case {
  readonly syntax?: string
  readonly imports?: ReadonlyArray<string>
  readonly body: string
  /** What is said of the line that ends with `// here`, in order. */
  readonly faults: ReadonlyArray<string>
}

/** An event with an option and a few fields. */
const event = (option: string, fields = "string id = 1;") => `message Event { // here
  option (leat.v1.event) = { ${option} };
  ${fields}
}`
const fields = `
  string id = 1;
  double ratio = 2;
  bool flag = 3;
  repeated string ids = 4;
  map<string, string> names = 5;
  Place place = 6;
  repeated Place places = 7;
  map<string, Place> by_name = 8;
  oneof choice { string text = 9; Place other = 10; }
  Colour colour = 11;`
const keyed = (key: string): string =>
  `${event(`stream: "s.STREAM" key: "${key}"`, fields)}
message Place { string code = 1; oneof where { string room = 2; } }
enum Colour { COLOUR_UNSPECIFIED = 0; }`

const badKey = (key: string, fault: string): Case => ({ body: keyed(key), faults: [`the key ${key} ${fault}`] })
const badOption = (option: string, ...faults: ReadonlyArray<string>): Case => ({ body: event(option), faults })
const badType = (field: string, type: string, file: string): Case => ({
  imports: [`google/protobuf/${file}.proto`],
  body: `message Event {\n  ${field} // here\n}`,
  faults: [`is a google.protobuf.${type}, which is not supported; use Timestamp, Duration or a message of your own`]
})
const notAName = (stream: string): string =>
  `stream ${JSON.stringify(stream)} is not a name; write lower-case words with dots between them, at most 200 characters`
const wrongType = "is no string, bytes or integer; take a field that is"
const long = "a".repeat(201)

const cases: Readonly<Record<string, Case>> = {
  key_missing: badKey(
    "nope",
    "does not exist: PACKAGE.Event has id, ratio, flag, ids, names, place, places, by_name, text, other, colour; name one that it has"
  ),
  key_in_camel_case: badKey(
    "byName",
    "does not exist: PACKAGE.Event has id, ratio, flag, ids, names, place, places, by_name, text, other, colour; name one that it has"
  ),
  key_missing_inside: badKey("place.nope", "does not exist: PACKAGE.Place has code, room; name one that it has"),
  key_ends_with_dot: badKey("place.", "does not exist: PACKAGE.Place has code, room; name one that it has"),
  key_in_oneof: badKey(
    "text",
    "goes through the oneof choice, so that an event may have none; take a field that is always there"
  ),
  key_through_oneof: badKey(
    "other.code",
    "goes through the oneof choice, so that an event may have none; take a field that is always there"
  ),
  key_into_oneof: badKey(
    "place.room",
    "goes through the oneof where, so that an event may have none; take a field that is always there"
  ),
  key_double: badKey("ratio", wrongType),
  key_bool: badKey("flag", wrongType),
  key_enum: badKey("colour", wrongType),
  key_message: badKey("place", wrongType),
  key_list: badKey("ids", wrongType),
  key_map: badKey("names", wrongType),
  key_through_list: badKey("places.code", "goes through places, which holds many; take a field that an event has once"),
  key_through_map: badKey(
    "by_name.code",
    "goes through by_name, which holds many; take a field that an event has once"
  ),
  key_into_scalar: badKey("id.code", "goes into id, which is no message; take a field that an event has once"),
  no_key: badOption('stream: "s.STREAM"', "name a key, or say `unordered: true`"),
  compacted_no_key: badOption(
    'stream: "s.STREAM" compacted: true',
    "a compacted contract needs a key; name the field that later events replace each other by"
  ),
  compacted_unordered: badOption(
    'stream: "s.STREAM" compacted: true unordered: true',
    "it is unordered and compacted; a compacted contract needs a key"
  ),
  unordered_key: badOption(
    'stream: "s.STREAM" unordered: true key: "id"',
    "it is unordered and has the key id; remove one of the two"
  ),
  unordered_order: badOption(
    'stream: "s.STREAM" unordered: true needs: NEED_ORDER',
    "it is unordered and needs order; remove one of the two"
  ),
  no_need: badOption(
    'stream: "s.STREAM" key: "id" needs: NEED_UNSPECIFIED',
    "it needs NEED_UNSPECIFIED, which says nothing; remove it"
  ),
  no_stream: badOption('key: "id"', notAName("")),
  stream_upper: badOption('stream: "s.Upper" key: "id"', notAName("s.Upper")),
  stream_dots: badOption('stream: "s..dots" key: "id"', notAName("s..dots")),
  stream_end: badOption('stream: "s.end." key: "id"', notAName("s.end.")),
  stream_space: badOption('stream: "s. space" key: "id"', notAName("s. space")),
  stream_line: badOption('stream: "s.line\\n" key: "id"', notAName("s.line\n")),
  stream_long: badOption(`stream: "${long}" key: "id"`, notAName(long)),
  buckets: badOption('stream: "s.STREAM" key: "id" buckets: 65537', "65537 buckets are too many; the limit is 65536"),
  many_at_once: badOption(
    'stream: "S" buckets: 70000 compacted: true',
    notAName("S"),
    "70000 buckets are too many; the limit is 65536",
    "a compacted contract needs a key; name the field that later events replace each other by"
  ),
  stream_a: { body: event('stream: "s.twice" key: "id"').replace(" // here", ""), faults: [] },
  stream_b: badOption(
    'stream: "s.twice" key: "id"',
    "stream s.twice belongs to stream_a.v1.Event (proto/stream_a.proto:4) already; give each contract a stream of its own"
  ),
  type_any: badType("google.protobuf.Any x = 1;", "Any", "any"),
  type_wrapper: badType("optional google.protobuf.StringValue x = 1;", "StringValue", "wrappers"),
  type_list: badType("repeated google.protobuf.FieldMask x = 1;", "FieldMask", "field_mask"),
  type_map: badType("map<string, google.protobuf.Struct> x = 1;", "Struct", "struct"),
  type_enum: badType("google.protobuf.NullValue x = 1;", "NullValue", "struct"),
  type_empty: badType("oneof one { google.protobuf.Empty x = 1; } ", "Empty", "empty"),
  proto2_required: {
    syntax: 'syntax = "proto2";',
    body: "message Event {\n  required string x = 1; // here\n}",
    faults: ["is required, which proto3 does not have; make it optional"]
  },
  proto2_group: {
    syntax: 'syntax = "proto2";',
    body: "message Event {\n  optional group X = 1 { // here\n    optional string y = 1;\n  }\n}",
    faults: ["is a group; make it a message field"]
  },
  ...Object.fromEntries(
    [
      ["int32", "10"],
      ["int64", "-1"],
      ["bool", "true"],
      ["string", '"none"'],
      ["bytes", '"a"'],
      ["double", "nan"],
      ["Colour", "RED"]
    ].map(([type = "", value = ""], index): [string, Case] => [
      `proto2_default_${index}`,
      {
        syntax: 'syntax = "proto2";',
        body: `enum Colour { NONE = 0; RED = 1; }\nmessage Event {\n  optional ${type} x = 1 [default = ${value}]; // here\n}`,
        faults: [`has the default ${value.replaceAll('"', "")}, which other languages read where it is absent`]
      }
    ])
  ),
  proto2_default_of_the_type: {
    syntax: 'syntax = "proto2";',
    body: 'enum Colour { NONE = 0; }\nmessage Event {\n  optional int32 x = 1 [default = 0];\n  optional string y = 2 [default = ""];\n  optional Colour z = 3 [default = NONE]; // here\n}',
    faults: []
  },
  edition_default: {
    syntax: 'edition = "2023";',
    body: "message Event {\n  int32 x = 1 [default = 10]; // here\n}",
    faults: ["has the default 10, which other languages read where it is absent"]
  },
  edition_required: {
    syntax: 'edition = "2023";',
    body: "message Event {\n  string x = 1 [features.field_presence = LEGACY_REQUIRED]; // here\n}",
    faults: ["is required, which proto3 does not have; make it optional"]
  },
  edition_group: {
    syntax: 'edition = "2023";',
    body: "message Event {\n  Event x = 1 [features.message_encoding = DELIMITED]; // here\n}",
    faults: ["is a group; make it a message field"]
  },
  field_digit: {
    body: "message Event {\n  string _1 = 1; // here\n}",
    faults: ["has no name in TypeScript; let it begin with a letter"]
  },
  one_property: {
    body: "message Event { // here\n  string the_one = 1;\n  oneof theOne { string x = 2; }\n}",
    faults: ["the_one and theOne would both be the property theOne; rename one"]
  },
  one_name: {
    body: "message Event {\n  message Inner {}\n}\nmessage Event_Inner {} // here",
    faults: ["and PACKAGE.Event.Inner would both be Event_Inner in TypeScript; rename one"]
  },
  one_function: {
    body: "message readEvent {}\nmessage Event {} // here",
    faults: ["and PACKAGE.readEvent would both be readEvent in TypeScript; rename one"]
  },
  nested_after_map: {
    body: `message Outer {\n  map<string, string> names = 1;\n  ${event('stream: "s.STREAM" key: "nope"')}\n}`,
    faults: ["the key nope does not exist: PACKAGE.Outer.Event has id; name one that it has"]
  }
}

const texts = Object.entries(cases).map(([name, { syntax = 'syntax = "proto3";', imports = [], body }]) => {
  const lines = ["leat/v1/event.proto", ...imports].map((path) => `import "${path}";`)
  return [name, [syntax, `package ${name}.v1;`, lines.join(" "), body].join("\n").replaceAll("STREAM", name)] as const
})

/** Generates from the files in a folder of its own. */
const folder = mkdtempSync(join(tmpdir(), "leat-faults-"))
mkdirSync(join(folder, "proto"))
for (const [name, text] of texts) writeFileSync(join(folder, "proto", `${name}.proto`), text)
const ran = spawnSync(process.execPath, [leat, "contracts", "gen", "--json"], {
  cwd: folder,
  encoding: "utf8",
  timeout: 25_000
})
afterAll(() => rmSync(folder, { recursive: true }))

describe("leat contracts gen with faults in the contracts", () => {
  const report = JSON.parse(ran.stdout) as { readonly error: string; readonly faults: ReadonlyArray<string> }

  it("fails and writes nothing", () => {
    expect(ran.status).toBe(1)
    expect(existsSync(join(folder, "src"))).toBe(false)
    expect(ran.stderr).toBe(`leat: ${report.error}\n`)
  })

  it.each(texts)("tells where and what: %s", (name, text) => {
    const line = text.split("\n").findIndex((one) => one.includes("// here")) + 1
    const told = report.faults.filter((fault) => fault.startsWith(`proto/${name}.proto`))
    expect(told).toEqual(
      cases[name]?.faults.map((fault) => expect.stringContaining(fault.replaceAll("PACKAGE", `${name}.v1`)))
    )
    expect(told.every((fault) => fault.startsWith(`proto/${name}.proto:${line}: ${name}.v1.`))).toBe(true)
  })

  it("tells all of them at once, and no other", () => {
    const all = Object.values(cases).flatMap(({ faults }) => faults)
    expect(report.faults).toHaveLength(all.length)
    expect(report.error).toBe(`the contracts have ${all.length} faults:\n${report.faults.join("\n")}`)
  })
})
