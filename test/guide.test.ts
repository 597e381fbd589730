import { spawnSync } from "node:child_process"
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { describeKafka } from "@leat/brokers/vitest"
import { confluent } from "@leat/confluent"
import { kafkajs } from "@leat/kafkajs"
import { log } from "@leat/log"
import { Result } from "effect"
import { memory, Routes } from "leat"
import { beforeAll, describe, expect, it } from "vitest"
import { parse } from "yaml"

/*
 * Every page of the guide is a program, and so is the README. Its blocks are taken in order:
 *
 * - `ts`: a part of the page's program; `ts FILE`, `yaml FILE`, `proto FILE`: a file beside it;
 * - `yaml`: a route document, or the clusters of one, that compiles; `yaml broken.yaml`: one that does not;
 * - `sh`: commands that are run there, at once; `console`: commands that are not run here;
 * - `text`: exactly what the commands before it print, or else a part of what the program prints.
 */

const root = fileURLToPath(new URL("..", import.meta.url))
const cache = join(root, ".leat", "guide")
const pages = [
  "README.md",
  ...readdirSync(join(root, "docs", "guide"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/guide/${name}`)
]

interface Block {
  readonly kind: string
  readonly file: string | undefined
  readonly text: string
}

function blocksOf(page: string): ReadonlyArray<Block> {
  const found = readFileSync(join(root, page), "utf8").matchAll(/^```(\w+)(?: (\S+))?\n([\s\S]*?)^```$/gm)
  return [...found].map(([, kind = "", file, text = ""]) => ({ kind, file, text }))
}

/** Of a cluster on Kafka, as far as it is looked at. */
interface Section {
  readonly transport: string
  readonly topic?: { readonly partitions?: number }
}

/** The documents of all pages, each with the line that it begins at. */
const documents = pages.flatMap((page) =>
  blocksOf(page)
    .filter(({ kind }) => kind === "yaml")
    .map((block) => [page, lineOf(page, block), block] as const)
)

function lineOf(page: string, { text }: Block): number {
  const before = readFileSync(join(root, page), "utf8").split(text)[0] ?? ""
  return before.split("\n").length
}

const folderOf = (page: string): string => join(cache, (page.split("/").at(-1) ?? page).replace(/\.md$/, ""))

function write(folder: string, file: string, text: string): void {
  const path = join(folder, file)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

/** Pages that name it need a Kafka. */
const brokersVariable = "KAFKA_BROKERS"

/** Holds a stand-in for npx, which takes half a second of a processor to find a command that is installed. */
const shims = join(cache, "bin")

function run(folder: string, command: string, args: ReadonlyArray<string>, environment: NodeJS.ProcessEnv = {}) {
  const path = [shims, join(root, "node_modules", ".bin"), process.env["PATH"] ?? ""].join(":")
  const options = {
    cwd: folder,
    encoding: "utf8",
    timeout: 60_000,
    env: { ...process.env, ...environment, PATH: path }
  } as const
  const { status, stdout, stderr } = spawnSync(command, args, options)
  // What leat tells the log has a time, and stands beside what programs print.
  return { status, stdout, stderr: stderr.replaceAll(/^(\[[\d:.]+\]|[\d:.TZ-]+) (WARN|INFO) .*\n( +.*\n)*/gm, "") }
}

/** Writes the files of a page and runs its commands; returns what its program is to print. */
function prepare(page: string): string {
  const folder = folderOf(page)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  // Pages that do not generate contracts of their own use those of the sample domain.
  cpSync(join(root, "packages", "demo", "src", "gen"), join(folder, "gen"), { recursive: true })
  let program = ""
  let printed = ""
  let told: string | undefined
  for (const { kind, file, text } of blocksOf(page)) {
    const before = told
    told = undefined
    if (file !== undefined) write(folder, file, text)
    else if (kind === "ts") program += text
    else if (kind === "sh") {
      const conditions = { NODE_OPTIONS: "--conditions=@leat/source" }
      const { status, stdout, stderr } = run(folder, "bash", ["-euc", text], conditions)
      if (status !== 0) throw new Error(`${page}: the commands\n${text}failed with ${status}:\n${stdout}${stderr}`)
      told = stdout
    } else if (kind === "text" && before !== undefined) expect({ page, stdout: before }).toEqual({ page, stdout: text })
    else if (kind === "text") printed += text
  }
  write(folder, "program.ts", program === "" ? "export {}\n" : program)
  return printed
}

/** What the program of a page is to print; throws what was wrong when the page was prepared. */
function attempt(page: string): () => string {
  try {
    const printed = prepare(page)
    return () => printed
  } catch (error) {
    return () => {
      throw error
    }
  }
}

describe("the guide", () => {
  const prepared = new Map<string, () => string>()
  beforeAll(() => {
    rmSync(cache, { recursive: true, force: true })
    write(shims, "npx", '#!/bin/sh\nexec "$@"\n')
    chmodSync(join(shims, "npx"), 0o755)
    for (const page of pages) prepared.set(page, attempt(page))
  }, 300_000)

  const told = (page: string, environment: NodeJS.ProcessEnv = {}) => {
    const stdout = prepared.get(page)?.()
    const found = run(folderOf(page), process.execPath, ["--conditions=@leat/source", "program.ts"], environment)
    return { found, wanted: { status: 0, stdout, stderr: "" } }
  }
  const needsKafka = (page: string) => readFileSync(join(root, page), "utf8").includes(brokersVariable)

  it.each(pages.filter((page) => !needsKafka(page)))("%s does what it says", (page) => {
    const { found, wanted } = told(page)
    expect(found).toEqual(wanted)
  })

  describeKafka("on Kafka", (brokers) => {
    it.each(pages.filter(needsKafka))("%s does what it says", (page) => {
      const { found, wanted } = told(page, { [brokersVariable]: brokers })
      expect(found).toEqual(wanted)
    })
  })

  it.each(pages)("%s can be read by Node 22, which has no `using` declarations", (page) => {
    const programs = blocksOf(page).filter(({ kind }) => kind === "ts")
    expect(programs.filter(({ text }) => /^\s*(?:await )?using\s/m.test(text))).toEqual([])
  })

  it.each(documents)("%s has a route document that compiles, or is called broken: line %i", (_, __, { file, text }) => {
    const { clusters, routes, ...rest } = parse(text) as { readonly clusters: object; readonly routes?: unknown }
    const [first] = Object.keys(clusters)
    // Of one that shows clusters alone.
    const whole = { version: 1, routes: [{ match: { stream: "*" }, to: [{ cluster: first, topic: "{stream}" }] }] }
    const document = routes === undefined ? { ...whole, ...rest, clusters } : text
    const compiled = Routes.compile(document, { drivers: [memory, log, kafkajs, confluent] })
    const faults = Result.isFailure(compiled) ? compiled.failure.faults.map(({ path }) => path) : []
    const isBroken = file?.startsWith("broken") === true
    expect({ faults, isBroken: faults.length > 0 }).toEqual({ faults: isBroken ? faults : [], isBroken })
  })

  it.each(documents)("%s creates its topics on a new Kafka: line %i", (_, __, { text }) => {
    const { clusters } = parse(text) as { readonly clusters: Readonly<Record<string, Section>> }
    const onKafka = Object.values(clusters).filter(({ transport }) => /^@leat\/(kafkajs|confluent)$/.test(transport))
    for (const { topic } of onKafka) expect(topic?.partitions).toBeGreaterThan(0)
  })

  it("is typed", () => {
    const config = {
      extends: join(root, "tsconfig.base.json"),
      compilerOptions: {
        noEmit: true,
        composite: false,
        incremental: false,
        rewriteRelativeImportExtensions: false,
        allowImportingTsExtensions: true
      },
      include: ["**/*.ts"]
    }
    write(cache, "tsconfig.json", JSON.stringify(config))
    expect(run(cache, "tsc", ["-p", "tsconfig.json"])).toEqual({ status: 0, stdout: "", stderr: "" })
  })
})
