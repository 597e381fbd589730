import { spawnSync } from "node:child_process"
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import { Effect } from "effect"
import { optionsProto } from "protoc-gen-leat"
import { CommandFailure } from "../outcome.ts"

const require = createRequire(import.meta.url)

/** How long one run of buf or git may take, in milliseconds. */
const timeoutMs = 120_000

/**
 * A temporary buf workspace around somebody's `.proto` files, so that they need neither a buf.yaml nor a copy of leat's
 * options: `user/` holds copies of theirs, `leat/` the options.
 */
export interface Workspace {
  readonly folder: string
  /** Runs buf in the workspace; the paths in what it prints are the user's own. */
  readonly buf: (args: ReadonlyArray<string>) => { readonly isDone: boolean; readonly output: string }
}

/** Opens a workspace with the files of a folder, or with files given as text by their path. */
export function openWorkspace(protoFolder: string, files: ReadonlyMap<string, string>) {
  return Effect.acquireRelease(
    Effect.sync((): Workspace => {
      const folder = mkdtempSync(join(tmpdir(), "leat-contracts-"))
      for (const [path, text] of files) write(join(folder, "user", path), text)
      const lint = { lint: { use: ["STANDARD"] }, breaking: { use: ["FILE"] } }
      const modules = [{ path: "user" }]
      if (!files.has("leat/v1/event.proto")) {
        write(join(folder, "leat", "leat/v1/event.proto"), optionsProto)
        modules.push({ path: "leat" })
      }
      write(join(folder, "buf.yaml"), JSON.stringify({ version: "v2", modules, ...lint }))
      return { folder, buf: (args) => runBuf(folder, protoFolder, args) }
    }),
    ({ folder }) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
}

/** The `.proto` files below a folder, by their path in it. */
export const readProtoFiles = (folder: string): Effect.Effect<ReadonlyMap<string, string>, CommandFailure> =>
  Effect.suspend(() => {
    if (!existsSync(folder) || !statSync(folder).isDirectory()) {
      return Effect.fail(
        new CommandFailure({
          code: 2,
          message: `there is no folder ${folder}; name the one with your .proto files by --proto`
        })
      )
    }
    const paths = readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".proto"))
      .toSorted()
    if (paths.length === 0) {
      return Effect.fail(
        new CommandFailure({
          code: 2,
          message: `there are no .proto files in ${folder}; name another folder by --proto`
        })
      )
    }
    return Effect.succeed(
      new Map(paths.map((path) => [path.replaceAll("\\", "/"), readFileSync(join(folder, path), "utf8")]))
    )
  })

/** The `.proto` files of a folder as they were at a git revision. */
export const readProtoFilesAt = (
  folder: string,
  revision: string
): Effect.Effect<ReadonlyMap<string, string>, CommandFailure> =>
  Effect.suspend(() => {
    const git = (args: ReadonlyArray<string>) =>
      spawnSync("git", ["-C", folder, ...args], { encoding: "utf8", timeout: timeoutMs, maxBuffer: 2 ** 28 })
    const listed = git(["ls-tree", "-r", "--name-only", "-z", "--end-of-options", revision, "."])
    if (listed.status !== 0) {
      const reason = (listed.stderr ?? "").trim().split("\n")[0] ?? "git did not run"
      return Effect.fail(
        new CommandFailure({ code: 2, message: `git cannot read ${revision} in ${folder}: ${reason}` })
      )
    }
    const files = new Map<string, string>()
    for (const path of listed.stdout.split("\0").filter((one) => one.endsWith(".proto"))) {
      files.set(path, git(["show", `${revision}:./${path}`]).stdout)
    }
    if (files.size > 0) return Effect.succeed(files)
    return Effect.fail(
      new CommandFailure({ code: 2, message: `there are no .proto files in ${folder} at ${revision}` })
    )
  })

/** Copies what stands in one folder into another and says what changed. Files that are no longer generated are removed. */
export function syncGenerated(from: string, to: string, isDryRun: boolean) {
  const generated = existsSync(from) ? listFiles(from) : []
  const written: Array<string> = []
  for (const path of generated) {
    const target = join(to, path)
    if (existsSync(target) && readFileSync(target, "utf8") === readFileSync(join(from, path), "utf8")) continue
    written.push(path)
    if (isDryRun) continue
    mkdirSync(dirname(target), { recursive: true })
    cpSync(join(from, path), target)
  }
  const known = new Set(generated)
  const removed = (existsSync(to) ? listFiles(to) : []).filter((path) => !known.has(path) && isOurs(join(to, path)))
  if (!isDryRun) for (const path of removed) rmSync(join(to, path))
  return { generated: generated.length, written, removed }
}

function isOurs(path: string): boolean {
  return path.endsWith(".ts") && readFileSync(path, "utf8").startsWith("// @generated by protoc-gen-leat")
}

function listFiles(folder: string): ReadonlyArray<string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted()
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

function runBuf(folder: string, protoFolder: string, args: ReadonlyArray<string>) {
  const buf = require.resolve("@bufbuild/buf/bin/buf")
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [buf, ...args], {
    cwd: folder,
    encoding: "utf8",
    timeout: timeoutMs
  })
  const output = `${stdout}${stderr}`.replaceAll(/^user\//gm, `${protoFolder.replace(/\/$/, "")}/`).trim()
  return { isDone: status === 0, output: error === undefined ? output : `buf did not run: ${error.message}` }
}
