import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { CommandFailure, exitCode } from "../outcome.ts"
import { listFiles } from "./listFiles.ts"

/** Text of `.proto` files by their path in the folder, with slashes. */
export type ProtoFiles = ReadonlyMap<string, string>

/** How long one run of git may take, in milliseconds. */
const timeoutMs = 120_000

/** The `.proto` files below a folder. */
export const readProtoFiles = (folder: string): Effect.Effect<ProtoFiles, CommandFailure> =>
  Effect.suspend(() => {
    if (!existsSync(folder) || !statSync(folder).isDirectory()) {
      return misuse(`there is no folder ${folder}; name the one with your .proto files by --proto`)
    }
    const paths = listFiles(folder).filter((path) => path.endsWith(".proto"))
    if (paths.length === 0) return misuse(`there are no .proto files in ${folder}; name another folder by --proto`)
    return Effect.succeed(new Map(paths.map((path) => [path, readFileSync(join(folder, path), "utf8")])))
  })

/** The `.proto` files of a folder as they were at a git revision. */
export const readProtoFilesAt = (folder: string, revision: string): Effect.Effect<ProtoFiles, CommandFailure> =>
  Effect.suspend(() => {
    // Without a repository nothing can be checked; a revision that is not in it was named wrongly.
    const inside = git(folder, ["rev-parse", "--git-dir"])
    if (inside.fault !== undefined) {
      const message = `git cannot read ${revision} in ${folder}: ${inside.fault}`
      return Effect.fail(new CommandFailure({ code: exitCode.failed, message }))
    }
    const listed = git(folder, ["ls-tree", "-r", "--name-only", "-z", "--end-of-options", revision, "."])
    if (listed.fault !== undefined) return misuse(`git cannot read ${revision} in ${folder}: ${listed.fault}`)
    const files = new Map<string, string>()
    for (const path of listed.output.split("\0").filter((one) => one.endsWith(".proto"))) {
      const shown = git(folder, ["show", "--end-of-options", `${revision}:./${path}`])
      if (shown.fault !== undefined)
        return misuse(`git cannot read ${path} of ${revision} in ${folder}: ${shown.fault}`)
      files.set(path, shown.output)
    }
    if (files.size === 0) return misuse(`there are no .proto files in ${folder} at ${revision}`)
    return Effect.succeed(files)
  })

/** Runs git in a folder. A hook's environment names the repository relative to another folder, so it is left out. */
function git(folder: string, args: ReadonlyArray<string>): { readonly output: string; readonly fault?: string } {
  const { GIT_DIR: _, GIT_WORK_TREE: __, GIT_INDEX_FILE: ___, GIT_PREFIX: ____, ...env } = process.env
  const options = { encoding: "utf8", timeout: timeoutMs, maxBuffer: 2 ** 28, env } as const
  const { status, stdout, stderr, error } = spawnSync("git", ["-C", folder, ...args], options)
  if (error !== undefined) return { output: "", fault: `git did not run (${error.message})` }
  return status === 0 ? { output: stdout } : { output: "", fault: stderr.trim().split("\n")[0] ?? "" }
}

function misuse(message: string): Effect.Effect<never, CommandFailure> {
  return Effect.fail(new CommandFailure({ code: exitCode.misuse, message }))
}
