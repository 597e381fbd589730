import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { rawRead } from "./fillLog.js"
import { Project } from "./Project.js"
import { eventProto, order, payment } from "./protos.js"

const publish = ["events", "publish"]
const secret = eventProto(
  "Secret",
  'stream: "shop.secrets" key: "id"',
  "string id = 1 [(leat.v1.personal) = true];\n  int32 count = 2;"
)
const shop = {
  "proto/shop/v1/order.proto": order.replace("string id = 1;", "string id = 1;\n  int64 total = 2;"),
  "proto/shop/v1/payment.proto": payment,
  "proto/shop/v1/secret.proto": secret
}
const orders = ["--stream", "shop.orders"]

/** Runs the command with lines on its standard input. */
function piped(project: Project, args: ReadonlyArray<string>, input: string | Uint8Array) {
  return project.leat([...publish, ...args], ".", input)
}

describe("leat events publish", () => {
  it("publishes events by contract through leat: keyed, with ids, from a file or a pipe, bare or wrapped", async () => {
    using project = new Project(shop)
    const lines = '{"id":"o1","total":"12"}\n\n{"event":{"id":"o2"}}\n{"id":"o1","total":13}\n'
    project.write({ "input.jsonl": lines })
    expect(await piped(project, orders, lines)).toEqual({
      code: 0,
      stdout: "offered 3, stored 3, duplicates 0, malformed 0, not stored 0\n",
      stderr: ""
    })
    const typed = await project.leat([
      ...publish,
      "--type",
      "shop.v1.Order",
      "--topic",
      "elsewhere",
      "--file",
      "input.jsonl"
    ])
    expect(typed.code).toBe(0)
    const { stdout } = await project.leat(["events", "tail", "--topic", "shop.orders", "--format", "jsonl"])
    const stored = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { readonly key: string; readonly id: string })
    // Those of two keys may be of one millisecond.
    expect(stored.toSorted((a, b) => a.key.localeCompare(b.key))).toMatchObject([
      { key: "o1", event: { id: "o1", total: "12" }, id: expect.stringMatching(/\/shop\.orders\/\d+\/0$/) },
      { key: "o1", event: { total: "13" }, id: expect.stringMatching(/\/1$/) },
      { key: "o2", event: { id: "o2" } }
    ])
    expect((await rawRead(join(project.folder, "data"), "elsewhere")).length).toBe(3)
  })

  it("tells each bad line, stores the others, and fails with counts", async () => {
    using project = new Project(shop)
    const record = { topic: "t", partition: 0, timeMs: 1, headers: [], rawKey: null, rawValue: "" }
    const bad: ReadonlyArray<readonly [line: string, told: string]> = [
      ["{nope", "it is no JSON: "],
      ["[1]", "it is an array; write one JSON object a line"],
      ['{"id":7}', "id"],
      ['{"id":"a","other":1}', "other"],
      ['{"id":"a","total":1.5}', "total"],
      ['{"id":""}', "the key id is empty"],
      ['{"id":"\\ud800"}', "it has half of a surrogate pair"],
      ['{"event":3}', "3"],
      [JSON.stringify({ ...record, partition: 9 }), "shop.orders has 4 partitions, no 9"],
      [JSON.stringify({ ...record, rawValue: "*" }), "its rawValue must be bytes in base64, or null"],
      [JSON.stringify({ ...record, headers: [["a", 1]] }), "its headers must be"],
      [JSON.stringify({ ...record, timeMs: "now" }), "its timeMs must be epoch milliseconds"],
      [JSON.stringify({ ...record, topic: 1 }), "its topic must be the name of a topic"],
      [JSON.stringify({ ...record, topic: "a\0b" }), "its topic must be a name of at most 512 bytes without NUL"],
      [JSON.stringify({ ...record, topic: "é".repeat(257) }), "its topic must be a name of at most 512 bytes"],
      [JSON.stringify({ ...record, topic: "\ud800" }), "it has half of a surrogate pair"],
      [JSON.stringify({ ...record, headers: [["\ud800", ""]] }), "it has half of a surrogate pair"],
      [`{"id":"a","total":${"9".repeat(1000)}}`, `total: ${"9".repeat(60)}... (1000 characters) is out of range`],
      ["\u001b[2J", "it is no JSON: Unexpected token '\\u001b'"]
    ]
    const input = `{"id":"first"}\n${bad.map(([line]) => line).join("\n")}\n{"id":"last"}`
    const { code, stdout, stderr } = await piped(project, [...orders, "--json"], input)
    const told = stderr.trimEnd().split("\n")
    for (const [index, [line, expected]] of bad.entries()) {
      const found = told.find((one) => one.startsWith(`leat: line ${index + 2}: `))
      expect({ line, found }).toEqual({ line, found: expect.stringContaining(expected) })
    }
    expect([code, told.length]).toEqual([1, bad.length + 1])
    const counts = { offered: 21, stored: 2, duplicates: 0, malformed: 19, notStored: 0, dryRun: false }
    expect(JSON.parse(stdout)).toMatchObject(counts)
    expect((await rawRead(join(project.folder, "data"), "shop.orders")).length).toBe(2)
  })

  it("tells bytes that are no text, and goes on", async () => {
    using project = new Project(shop)
    const input = Buffer.from('{"id":"a"}\n\xff\n{"id":"b"}\n', "latin1")
    const { code, stderr } = await piped(project, orders, input)
    expect([code, stderr]).toEqual([
      1,
      "leat: line 2: it is not UTF-8\nleat: offered 3, stored 2, duplicates 0, malformed 1, not stored 0\n"
    ])
  })

  it("stores and makes nothing with --dry-run, and finds the same faults", async () => {
    using project = new Project(shop)
    const whole = await piped(project, [...orders, "--dry-run", "--json"], '{"id":"a"}\n{"id":"b"}\n')
    expect([whole.code, whole.stderr]).toEqual([0, ""])
    expect(JSON.parse(whole.stdout)).toMatchObject({ offered: 2, stored: 0, storable: 2, dryRun: true })
    const broken = await piped(project, [...orders, "--dry-run"], '{"id":"a"}\n{"id":""}\n')
    expect(broken).toEqual({
      code: 1,
      stdout: "",
      stderr: "leat: line 2: the key id is empty\nleat: would store 1 of 2, malformed 1\n"
    })
    expect(project.files("data")).toEqual([])
  })

  it("says that it makes a log in a folder that was named, once", async () => {
    using project = new Project(shop)
    const [named, line] = [[...orders, "--directory", "typo"], '{"id":"a"}\n']
    const dry = await piped(project, [...named, "--dry-run"], line)
    expect([dry.code, dry.stderr]).toEqual([0, "leat: there is no log in typo; one would be made\n"])
    const first = await piped(project, named, line)
    expect([first.code, first.stderr]).toEqual([0, "leat: there was no log in typo; one was made\n"])
    expect(first.stdout).toBe("offered 1, stored 1, duplicates 0, malformed 0, not stored 0\n")
    expect((await piped(project, named, line)).stderr).toBe("")
    const nothing = await piped(project, [...orders, "--directory", "other"], '{"id":""}\n')
    expect(nothing.stderr).not.toContain("was made")
  })

  it("stores nothing where another program keeps its files", async () => {
    using project = new Project({ ...shop, "data/notes.txt": "mine" })
    const { code, stderr } = await piped(project, orders, '{"id":"a"}\n')
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^leat: [^\n]*holds no log and is not empty[^\n]*\n$/)])
    expect(project.files("data")).toEqual(["notes.txt"])
  })

  it.each([
    [["--stream", "nope"], "there is no contract of a stream nope in the .proto files"],
    [["--type", "shop.v1.Nope"], "there is no contract shop.v1.Nope"],
    [["--file", "nowhere"], "there is no file nowhere"],
    [[], "these are events without a contract; name it by --stream or --type"]
  ])("called wrongly says so: %j", async (args, told) => {
    using project = new Project(shop)
    const { code, stderr } = await piped(project, args, '{"id":"a"}\n')
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^leat: [^\n]+\n$/)])
    expect(stderr).toContain(told)
    expect(project.files("data")).toEqual([])
  })
})

it("the key that is personal is masked too", async () => {
  using project = new Project(shop)
  expect((await piped(project, ["--stream", "shop.secrets"], '{"id":"jane","count":3}\n')).code).toBe(0)
  const { stdout } = await project.leat(["events", "tail"])
  expect(stdout).toMatch(/^\S+ shop\.secrets\/\d@0 \*\*\* \{"id":"\*\*\*","count":3\}\n$/)
  const unmasked = await project.leat(["events", "tail", "--unmasked"])
  expect(unmasked.stdout).toContain("jane")
})
