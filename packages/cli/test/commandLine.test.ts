import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { Project } from "./Project.js"
import { shop } from "./protos.js"

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  readonly version: string
}

describe("leat", () => {
  it.each([
    [[], "leat <subcommand>", ["contracts", "events", "lag", "ledger", "doctor", "init"]],
    [["--help"], "leat <subcommand>", ["contracts"]],
    [["events", "list", "--help"], "leat events list [flags]", ["--directory", "--topic", "--json"]],
    [
      ["events", "tail", "--help"],
      "leat events tail [flags]",
      ["--from", "--follow", "--limit", "--format", "--unmasked"]
    ],
    [["events", "publish", "--help"], "leat events publish [flags]", ["--file", "--type", "--source", "--dry-run"]],
    [["lag", "--help"], "leat lag [flags]", ["--directory", "--group", "--topic", "--json"]],
    [["ledger", "--help"], "leat ledger [flags]", ["--directory", "--json"]],
    [["init", "--help"], "leat init [flags] <name>", ["--directory", "--dry-run", "--json"]],
    [
      ["routes", "--help"],
      "leat routes <subcommand>",
      ["validate", "explain", "schema", "plan", "diff", "apply", "status", "history", "rollback", "watch"]
    ],
    [["routes", "validate", "--help"], "leat routes validate [flags] <document>", ["--proto", "--json"]],
    [
      ["routes", "explain", "--help"],
      "leat routes explain [flags] <document> <stream>",
      ["--source", "--group", "--json"]
    ],
    [
      ["routes", "apply", "--help"],
      "leat routes apply [flags] <document>",
      ["--reason", "--wait", "--create", "--dry-run"]
    ],
    [
      ["routes", "plan", "--help"],
      "leat routes plan [flags] <document>",
      ["--against", "--offline", "--stream", "--source"]
    ],
    [
      ["routes", "diff", "--help"],
      "leat routes diff [flags] <document>",
      ["--against", "--offline", "--proto", "--json"]
    ],
    [["routes", "history", "--help"], "leat routes history [flags]", ["--directory", "--show", "--json"]],
    [["routes", "rollback", "--help"], "leat routes rollback [flags]", ["--to", "--reason", "--wait", "--dry-run"]],
    [["routes", "watch", "--help"], "leat routes watch [flags]", ["--topic", "--beats", "--json"]],
    [["doctor", "--help"], "leat doctor [flags]", ["--directory", "--routes", "--proto", "--json"]],
    [["contracts", "--help"], "leat contracts <subcommand>", ["gen", "check"]],
    [["contracts", "gen", "--help"], "leat contracts gen [flags]", ["--proto", "--out", "--dry-run", "--json"]],
    [["contracts", "check", "-h"], "leat contracts check [flags]", ["--proto", "--against", "--json"]]
  ])("shows what there is on %j, and does nothing", async (args, usage, words) => {
    using project = new Project(shop)
    const { code, stdout, stderr } = await project.leat(args)
    expect([code, stderr]).toEqual([0, ""])
    expect(stdout).toContain(usage)
    for (const word of words) expect(stdout).toMatch(new RegExp(`^ +${word}\\b.* {2}\\S`, "m"))
    expect(project.files("src")).toEqual([])
  })

  it("tells the version of the package", async () => {
    using project = new Project()
    expect(await project.leat(["--version"])).toEqual({ code: 0, stdout: `leat v${version}\n`, stderr: "" })
  })
})

it("takes --json wherever it stands", async () => {
  using project = new Project(shop)
  const last = await project.leat(["contracts", "check", "--json"])
  expect([last.code, JSON.parse(last.stdout)]).toEqual([0, { contracts: 2, violations: [] }])
  expect(await project.leat(["--json", "contracts", "check"])).toEqual(last)
  expect(await project.leat(["contracts", "--json=true", "check"])).toEqual(last)
  expect((await project.leat(["--json", "contracts", "frob"])).stdout).toMatch(/^\{"error":"Unknown subcommand/)
})

it("fails with 1 where nothing can be compared, outside of a repository", async () => {
  using project = new Project(shop)
  const { code, stdout, stderr } = await project.leat(["contracts", "check", "--against", "HEAD"])
  expect([code, stdout]).toEqual([1, ""])
  expect(stderr).toMatch(/^leat: git cannot read HEAD in proto: fatal: not a git repository[^\n]*\n$/)
})

describe("leat called wrongly", () => {
  const files = { ...shop, "file.txt": "", "empty/proto.txt": "" }
  const cases: ReadonlyArray<readonly [args: ReadonlyArray<string>, told: string]> = [
    [["frob"], 'Unknown subcommand "frob" for "leat"; see leat --help\n'],
    [["contracts", "frob"], 'Unknown subcommand "frob" for "leat contracts"; see leat contracts --help\n'],
    [["events", "tial"], 'Unknown subcommand "tial" for "leat events"; did you mean tail? See leat events --help\n'],
    [
      ["events", "tail", "--directroy", "x"],
      "--directroy in command leat events tail; did you mean --directory? See leat"
    ],
    [["events", "tail", "--limit", "-1"], "--limit is 1 or more, and not -1; see leat events tail --help\n"],
    [["events", "tail", "--limit", "x"], "--limit x is no number; see leat events tail --help\n"],
    [["events", "tail", "--limit", "1.5"], "--limit 1.5 is no whole number; see leat events tail --help\n"],
    [["events", "tail", "--limit"], "--limit needs a value: a whole number; see leat events tail --help\n"],
    [["events", "tail", "--topic"], "--topic needs a value: a text; see leat events tail --help\n"],
    [["events", "tail", "--format", "xml"], "--format xml is none of text, jsonl; see leat events tail --help\n"],
    [["dlq", "replay", "--rate", "0"], "--rate is above 0, and not 0; see leat dlq replay --help\n"],
    [["dlq", "list", "--limit", "0"], "--limit is 1 or more, and not 0; see leat dlq list --help\n"],
    [
      ["lag", "--routes", "r.yaml"],
      "leat lag has no --routes: it looks at a log in a folder; how far a group has got in another cluster, leat audit --routes FILE --group NAME tells; see leat lag --help\n"
    ],
    [
      ["events", "tail", "--routes", "r.yaml"],
      "leat events tail has no --routes: it looks at a log in a folder; the topics of another cluster are checked by leat audit --routes FILE, and its own tools print their records; see leat events tail --help\n"
    ],
    [["events", "list", "--cluster", "main"], "leat events list has no --cluster: it looks at a log in a folder; "],
    [["init"], "see leat init --help"],
    [["contracts", "gen", "--frob"], "Unrecognized flag: --frob"],
    [["contracts", "gen", "proto"], 'Unexpected positional argument: "proto"'],
    [["contracts", "gen", "--import-extension", "mjs"], "--import-extension mjs is none of js, ts; see"],
    [["contracts", "check", "--against"], "--against"],
    [
      ["contracts", "gen", "--proto", "nowhere"],
      "there is no folder nowhere; name the one with your .proto files by --proto"
    ],
    [["contracts", "check", "--proto", "file.txt"], "there is no folder file.txt"],
    [["contracts", "gen", "--proto", "empty"], "there are no .proto files in empty; name another folder by --proto"],
    [["contracts", "gen", "--out", "file.txt"], "file.txt is a file; name a folder by --out"],
    [["contracts"], "leat contracts is no command by itself; see leat contracts --help"],
    [["events"], "leat events is no command by itself; see leat events --help"],
    [["routes", "validate"], "Missing required argument: document; see leat routes validate --help\n"],
    [["routes", "validate", "nofile.yaml"], "there is no file nofile.yaml; name a route document\n"],
    [["routes", "validate", "proto"], "proto is a folder; name a route document\n"],
    [["routes", "explain", "file.txt"], "Missing required argument: stream; see leat routes explain --help\n"],
    [["doctor", "--routes", "nofile.yaml"], "there is no file nofile.yaml; name a route document by --routes"]
  ]

  it.each(cases)("says so in one sentence, and in one object with --json: %j", async (args, told) => {
    using project = new Project(files)
    const { code, stdout, stderr } = await project.leat([...args, args.includes("file.txt") ? "--json=true" : "--json"])
    expect(stderr).toMatch(/^leat: [^\n]+\n$/)
    expect(stderr).toContain(told)
    expect(JSON.parse(stdout)).toEqual({ error: stderr.slice("leat: ".length, -1) })
    expect(stdout.indexOf("\n")).toBe(stdout.length - 1)
    expect(code).toBe(2)
    expect(project.files("src")).toEqual([])
  })

  it.each([[["--frob"]], [["contracts", "gen", "--proto"]], [["contracts", "check", "--proto", "nowhere"]]])(
    "prints nothing on stdout without --json: %j",
    async (args) => {
      using project = new Project(files)
      const { code, stdout, stderr } = await project.leat(args)
      expect([code, stdout]).toEqual([2, ""])
      expect(stderr).toMatch(/^leat: [^\n]+\n$/)
    }
  )
})
