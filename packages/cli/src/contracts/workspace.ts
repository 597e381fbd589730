import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Effect } from "effect"
import { optionsProto } from "protoc-gen-leat"
import { CommandFailure, exitCode } from "../outcome.ts"
import type { ProtoFiles } from "./protoFiles.ts"

const require = createRequire(import.meta.url)

/** How long one run of buf may take, in milliseconds. */
const timeoutMs = 120_000

/**
 * What breaks stored events and those who read them: a number, name or type of a field. In which file a message stands, and one that no
 * field names any more, breaks nobody; that a contract is gone is told with its stream. What is removed has to be reserved.
 */
const breakingRules = {
  use: [
    "WIRE_JSON",
    "FIELD_SAME_TYPE",
    "FIELD_SAME_CARDINALITY",
    "FIELD_SAME_UTF8_VALIDATION",
    "ENUM_SAME_TYPE",
    "EXTENSION_MESSAGE_NO_DELETE"
  ],
  // Said by the stricter ones above.
  except: ["FIELD_WIRE_JSON_COMPATIBLE_TYPE", "FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY"]
}

/** The exit code with which buf says that it found something in the files. */
const bufFound = 100

const optionsPath = "leat/v1/event.proto"

/**
 * A temporary buf workspace around somebody's `.proto` files, so that they need neither a buf.yaml nor a copy of leat's
 * options: `user/` holds copies of theirs, `leat/` the options. A copy of the options among theirs is passed over, because
 * the generator understands its own.
 */
export interface Workspace {
  readonly folder: string
  readonly files: ProtoFiles
  /** Runs buf in the workspace and gives what it finds wrong with the files, line by line; paths are the user's own. */
  readonly buf: (args: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<string>, CommandFailure>
  /** Path of a file of `user/` as the user would write it. */
  readonly shown: (path: string) => string
}

/** Opens a workspace; `protoFolder` is where the files are for the user. */
export function openWorkspace(protoFolder: string, files: ProtoFiles) {
  const shown = (path: string) => `${protoFolder.replace(/[/\\]+$/, "")}/${path}`
  return Effect.acquireRelease(
    Effect.sync((): Workspace => {
      const folder = mkdtempSync(join(tmpdir(), "leat-contracts-"))
      const own = new Map([...files].filter(([path]) => path !== optionsPath))
      for (const [path, text] of own) write(join(folder, "user", path), text)
      write(join(folder, "leat", optionsPath), optionsProto)
      const rules = { lint: { use: ["STANDARD"] }, breaking: breakingRules }
      const modules = [{ path: "user" }, { path: "leat" }]
      write(join(folder, "buf.yaml"), JSON.stringify({ version: "v2", modules, ...rules }))
      return { folder, files: own, shown, buf: (args) => runBuf(folder, args, shown) }
    }),
    ({ folder }) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

function runBuf(folder: string, args: ReadonlyArray<string>, shown: (path: string) => string) {
  return Effect.suspend(() => {
    const options = { cwd: folder, encoding: "utf8", timeout: timeoutMs, maxBuffer: 2 ** 28 } as const
    const run = spawnSync(process.execPath, [require.resolve("@bufbuild/buf/bin/buf"), ...args], options)
    if (run.status === 0) return Effect.succeed([])
    const lines = `${run.stdout}${run.stderr}`
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.replace(/^user\//, () => shown("")))
    if (run.status === bufFound) return Effect.succeed(lines)
    const reason = run.error?.message ?? lines.join("\n")
    return Effect.fail(new CommandFailure({ code: exitCode.failed, message: `buf ${args[0]} did not run: ${reason}` }))
  })
}
