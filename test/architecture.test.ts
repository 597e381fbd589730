import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const root = fileURLToPath(new URL("..", import.meta.url))
const sources = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((path) => join(folder, path).replaceAll("\\", "/"))
    .filter((path) => path.endsWith(".ts") && !path.includes("node_modules/") && !path.includes("/gen/"))
const textOf = (path: string): string => readFileSync(join(root, path), "utf8")
/** Source text without comments, so that examples in them bind nobody. */
const codeOf = (path: string): string => textOf(path).replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "")

/** What a file imports or re-exports, relative paths resolved against the root. */
function importsOf(path: string): ReadonlyArray<string> {
  const found = codeOf(path).matchAll(/\b(?:from\s+|import\s*\(?\s*)"([^"$]+)"/g)
  return [...found].map(([, name = ""]) =>
    name.startsWith(".") ? relative(root, join(root, dirname(path), name)).replace(/\.js$/, ".ts") : name
  )
}

/** Whether the imports of a file lead to another, over any number of files. */
function reaches(imports: ReadonlyMap<string, ReadonlyArray<string>>, from: string, to: string): boolean {
  const seen = new Set<string>()
  const ahead = [...(imports.get(from) ?? [])]
  for (let path = ahead.pop(); path !== undefined; path = ahead.pop()) {
    if (path === to) return true
    if (seen.has(path)) continue
    seen.add(path)
    ahead.push(...(imports.get(path) ?? []))
  }
  return false
}

/**
 * The rooms of a folder, outermost first: a file may import from its own room and from the rows behind it, never from another room of its
 * row.
 */
type Rooms = ReadonlyArray<ReadonlyArray<string>>

const rooms: Rooms = [
  ["index", "promise", "testing"],
  ["Leat"],
  ["beginning"],
  ["OpenLeat", "leatFaults"],
  ["routesSource", "TableSwaps"],
  ["Stream", "audit"],
  ["moves"],
  ["publish", "consume", "deadLetters", "loss", "metrics"],
  ["control"],
  ["routes"],
  ["transport"],
  ["record"],
  ["ChangeTeller", "LetterTeller"],
  ["contract", "ledger", "codec", "Policy", "OutageWatch", "Telemetry", "Wake"],
  ["beforeExit"],
  ["given", "reasons", "idleSleep"]
]

/** The rooms of the drivers, by folder. */
const driverRooms: Readonly<Record<string, Rooms>> = {
  "packages/confluent/src": [
    ["index"],
    ["ConfluentDriver"],
    ["ConfluentTransport"],
    ["RecordReader", "produce", "group"],
    ["admin"],
    ["client"]
  ],
  "packages/log/src/store": [
    ["worker"],
    ["LogServer"],
    ["Maintenance", "inspect", "append"],
    ["groups"],
    ["Deleting"],
    ["GroupCommit", "read", "tail", "compaction", "retention"],
    ["tables"]
  ]
}

/** The row of a file's room; -1: it is in none. */
function depthIn(folder: string, rows: Rooms, path: string): number {
  const room = roomIn(folder, path)
  return rows.findIndex((names) => names.includes(room))
}

function roomIn(folder: string, path: string): string {
  return path.startsWith(`${folder}/`) ? (/^\w+/.exec(path.slice(folder.length + 1))?.[0] ?? "") : ""
}

/** The imports of a file that lead to a room of its own row, or of a row before it. */
function outwardImports(folder: string, rows: Rooms, path: string): ReadonlyArray<string> {
  return importsOf(path).filter(
    (name) =>
      name.startsWith(`${folder}/`) &&
      roomIn(folder, name) !== roomIn(folder, path) &&
      depthIn(folder, rows, name) <= depthIn(folder, rows, path)
  )
}

const leatFolder = "packages/leat/src"
const leat = sources(leatFolder)
const drivers = ["log", "kafka", "kafkajs", "confluent"].filter((name) => existsSync(join(root, "packages", name)))

describe("the rooms of leat", () => {
  it.each(leat)("%s is in a room", (path) => {
    expect(depthIn(leatFolder, rooms, path)).toBeGreaterThanOrEqual(0)
  })

  it.each(leat)("%s walks inwards only", (path) => {
    expect(outwardImports(leatFolder, rooms, path)).toEqual([])
  })

  it("telemetry imports no sibling", () => {
    expect(importsOf("packages/leat/src/Telemetry.ts").filter((name) => name.startsWith("packages/"))).toEqual([])
  })

  it("what is counted by reason is counted by `countReason`, which tells metrics of a new reason", () => {
    const counters = /(\b(dropped|deadLettered|moved|rejected)|\[\w+(\.\w+)?\])\[\w+(\.\w+)?\]\s*\+?=[^=]/
    const counting = leat.filter((path) => /^packages\/leat\/src\/(publish|consume)\//.test(path))
    expect(counting.filter((path) => counters.test(codeOf(path)))).toEqual([])
    expect(
      "account[how.ending][how.reason] = 1 account.dropped[reason] += 1".match(new RegExp(counters, "g"))
    ).toHaveLength(2)
  })

  it("nothing in a lane waits, forks or runs: the machines are synchronous", () => {
    for (const name of [
      "publish/WriteLane",
      "consume/ReadLane",
      "Policy",
      "ledger/Ledger",
      "record/RecordBatch",
      "control/Control",
      "control/moves"
    ]) {
      const effects = importsOf(`packages/leat/src/${name}.ts`).filter((one) => one.startsWith("effect"))
      expect({ name, effects }).toEqual({ name, effects: [] })
    }
  })
})

describe("the rooms of the drivers", () => {
  for (const [folder, rows] of Object.entries(driverRooms).filter(([name]) => existsSync(join(root, name)))) {
    it.each(sources(folder))("%s is in a room and walks inwards only", (path) => {
      expect(depthIn(folder, rows, path)).toBeGreaterThanOrEqual(0)
      expect(outwardImports(folder, rows, path)).toEqual([])
    })
  }
})

describe("packages", () => {
  const allowed: Readonly<Record<string, RegExp>> = {
    leat: /^(effect|effect\/.*|protobufjs\/minimal\.js|yaml|node:(buffer|fs|async_hooks|assert\/strict)|vitest)$/,
    // The modules of leat that generated code imports stand in it as text.
    "protoc-gen-leat": /^(leat\/(codec|contract)|@bufbuild\/.*|node:(fs|url|crypto))$/,
    log: /^(leat\/(transport|record)|effect|node:(sqlite|fs|fs\/promises|path|os|url|crypto|zlib|buffer|worker_threads|perf_hooks))$/,
    kafka: /^(leat\/transport|effect|node:(buffer))$/,
    kafkajs: /^(leat\/transport|@leat\/kafka|effect|effect\/.*|kafkajs|node:.*)$/,
    confluent: /^(leat\/(transport|record)|@leat\/kafka|effect|effect\/.*|@confluentinc\/kafka-javascript|node:.*)$/,
    cli: /^(leat(\/.*)?|protoc-gen-leat|effect(\/.*)?|@effect\/platform-node\/.*|@bufbuild\/.*|node:.*|@leat\/log)$/,
    demo: /^(leat(\/.*)?|effect(\/.*)?|@effect\/platform-node\/.*|node:.*|@leat\/.*)$/
  }

  it.each(Object.keys(allowed).filter((name) => existsSync(join(root, "packages", name))))(
    "%s imports only what it may",
    (name) => {
      const pattern = allowed[name] ?? /^$/
      for (const path of sources(`packages/${name}/src`)) {
        const foreign = importsOf(path).filter((one) => !one.startsWith(`packages/${name}/`) && !pattern.test(one))
        expect({ path, foreign }).toEqual({ path, foreign: [] })
      }
    }
  )

  it.for(drivers)("%s, a driver, knows leat only as leat/transport, and in a worker as leat/record", (name) => {
    for (const path of sources(`packages/${name}/src`)) {
      const others = importsOf(path).filter(
        (one) =>
          (one.startsWith("leat") || one.startsWith("packages/")) &&
          one !== "leat/transport" &&
          one !== "leat/record" &&
          !one.startsWith(`packages/${name}/src/`)
      )
      expect({ path, others }).toEqual({ path, others: [] })
    }
  })
})

describe("clock, chance, timers, disk and network", () => {
  /** Where one of them may be touched, and why. */
  const ports: Readonly<Record<string, string>> = {
    "packages/leat/src/idleSleep.ts": "has a timer that keeps no process, which Effect's clock does not have",
    "packages/leat/src/routes/References.ts": "reads what the references of a cluster section stand for",
    "packages/leat/src/testing/TransportSuite.ts": "asks the environment whether vitest runs it"
  }
  const forbidden =
    /\b(Date\.now|new Date\(\)|Math\.random|performance\.now|setTimeout|setInterval|setImmediate|queueMicrotask|process\.(hrtime|env|exit|nextTick)|crypto\.random\w*)\b|node:(fs|net|dns|http|https|tls|os|child_process|worker_threads|timers|crypto|dgram)/

  it.each(drivers.flatMap((name) => sources(`packages/${name}/src`)).filter((path) => !path.endsWith("/clock.ts")))(
    "no time is asked for in %s, a driver's, beside its clock",
    (path) => {
      expect(/\b(Date\.now|new Date\(\)|performance\.now|hrtime)\b/.exec(codeOf(path))?.[0]).toBeUndefined()
    }
  )

  it.each(leat.filter((path) => ports[path] === undefined))("are not in %s", (path) => {
    expect(forbidden.exec(codeOf(path))?.[0]).toBeUndefined()
  })
})

describe("files", () => {
  const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8"
  })
    .split("\n")
    .filter((path) => path !== "" && existsSync(join(root, path)))

  it("are all reached: no source is dead", () => {
    const code = tracked.filter((path) => /\.(ts|mjs|js)$/.test(path) && !path.includes("/gen/"))
    const entries = (path: string) =>
      /(\.test\.ts|\/index\.ts|\/main\.ts|\/bin\/[\w-]+\.js|^tools\/.*|vitest\.config\.ts|\/(src|bench)\/(\w*[Ww]orker)\.ts)$/.test(
        path
      )
    const reached = new Set(code.flatMap(importsOf))
    const manifests = tracked
      .filter((path) => path.endsWith("package.json"))
      .map(textOf)
      .join("\n")
    // Programs of their own, started as processes by path.
    const started = code.map(textOf).join("\n")
    const dead = code.filter((path) => {
      const name = path.split("/").at(-1) ?? ""
      return (
        !entries(path) &&
        !reached.has(path) &&
        !manifests.includes(`/${name}"`) &&
        !new RegExp(`["'/\`]${name.replaceAll(".", "\\.")}["'\`]`).test(started)
      )
    })
    expect(dead).toEqual([])
  })

  it("of source export what somebody else uses; types may be exported for the signatures that they stand in", () => {
    const code = tracked.filter((path) => /\.(ts|mjs)$/.test(path) && !path.includes("/gen/"))
    const codeBy = new Map(code.map((path) => [path, codeOf(path)]))
    /** By word, and by file that is passed on: the files that have it. Each is looked for in all, so all are read once. */
    const whereWords = Map.groupBy(
      code.flatMap((path) => Array.from(new Set(codeBy.get(path)?.match(/\w+/g)), (word) => ({ word, path }))),
      ({ word }) => word
    )
    const wherePassedOn = Map.groupBy(
      code.flatMap((path) =>
        Array.from((codeBy.get(path) ?? "").matchAll(/export \* from "\.\/([^"]+)"/g), ([, file = ""]) => ({
          file,
          path
        }))
      ),
      ({ file }) => file
    )
    const entries = /\/(index|main)\.ts$|\/bin\//
    const unused = code
      .filter((path) => /^packages\/[\w-]+\/src\//.test(path) && !entries.test(path))
      .flatMap((path) => {
        const names = (codeBy.get(path) ?? "").matchAll(/^export (?:async )?(?:const|function\*?|class) (\w+)/gm)
        return Array.from(names, ([, name = ""]) => ({ path, name }))
      })
      .filter(({ path, name }) => {
        const users = [...(whereWords.get(name) ?? []), ...(wherePassedOn.get(path.split("/").at(-1) ?? "") ?? [])]
        return users.every((user) => user.path === path)
      })
    expect(unused).toEqual([])
  })

  it("of source import each other in no circle", () => {
    const folders = [
      ...readdirSync(join(root, "packages"))
        // The files of leat's SPI import its types from its own index.
        .filter((name) => name !== "leat")
        .map((name) => `packages/${name}/src`),
      "benchmarks/src",
      "test/brokers/src"
    ]
    const own = new Map(folders.flatMap(sources).map((path) => [path, importsOf(path)]))
    // What is left when every file that imports nothing of the rest is taken away, again and again, is in a circle or behind one.
    for (let before = -1; before !== own.size;) {
      before = own.size
      for (const [path, imports] of own) if (!imports.some((one) => own.has(one))) own.delete(path)
    }
    expect([...own.keys()].filter((path) => reaches(own, path, path))).toEqual([])
  })

  it("have names that say what is in them", () => {
    const bad = tracked.filter((path) => /(^|\/)(utils?|helpers?|common|misc|v2)(\.|\/)/i.test(path))
    expect(bad).toEqual([])
  })

  it("of source are short enough to read in one sitting, docstrings and blank lines not counted", () => {
    const long = tracked
      .filter((path) => /^packages\/[\w-]+\/src\/.*\.ts$/.test(path) && !path.includes("/gen/"))
      .map((path) => ({ path, lines: codeOf(path).match(/^.*\S.*$/gm)?.length ?? 0 }))
      .filter(({ lines }) => lines > 430)
    expect(long).toEqual([])
  })

  it("never name a registry, nor a path of somebody's machine", () => {
    const guilty = tracked
      .filter((path) => /\.(ts|mjs|js|json|ya?ml|md|sh)$/.test(path) || path === ".ci/run")
      .filter(
        (path) =>
          path !== "test/architecture.test.ts" &&
          /\/work\/(main|shared)|registry\.npmjs|repo\.maven|\/home\/\w+\//.test(textOf(path))
      )
    expect(guilty).toEqual([])
  })

  it("of the options of contracts are the same wherever they are shipped", () => {
    expect(textOf("packages/protoc-gen-leat/proto/leat/v1/event.proto")).toBe(textOf("proto/leat/v1/event.proto"))
  })
})
