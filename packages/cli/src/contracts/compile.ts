import { readFileSync } from "node:fs"
import { join } from "node:path"
import { createFileRegistry, type DescFile, fromBinary } from "@bufbuild/protobuf"
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt"
import { Console, Effect } from "effect"
import { findContracts } from "protoc-gen-leat"
import { CommandFailure, exitCode } from "../outcome.ts"
import { withHint } from "./compilerHints.ts"
import type { Workspace } from "./workspace.ts"

/** Compiles the files of a workspace; `what` names them where they do not compile. Faults of contracts are given, not failed with. */
export const compile = Effect.fnUntraced(function* (workspace: Workspace, what: string) {
  const image = join(workspace.folder, "image.binpb")
  const faults = (yield* workspace.buf(["build", "-o", image])).map((fault) => hinted(fault, workspace))
  if (faults.length > 0) {
    const message = `${what} do not compile:\n${faults.join("\n")}`
    return yield* new CommandFailure({ code: exitCode.failed, message, report: { faults } })
  }
  const files: ReadonlyArray<DescFile> = [
    ...createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(image))).files
  ]
  const found = findContracts(files)
  return { files, contracts: found.contracts, faults: found.faults.map((fault) => withShownPaths(fault, workspace)) }
})

/** Files without a contract are compiled as any others, so whoever has forgotten the option hears of it here, and is not failed. */
export const tellNone = (contracts: { readonly size: number }, proto: string): Effect.Effect<void> =>
  contracts.size > 0
    ? Effect.void
    : Console.error(
        `leat: no message in ${proto} is a contract; one becomes a contract by its option: option (leat.v1.event) = { stream: "shop.orders" key: "id" };`
      )

/** A fault of the compiler, `PATH:LINE:COLUMN:what it is`, with what to do. */
function hinted(fault: string, { files, shown }: Workspace): string {
  const [, path = "", line = "", column = "", message = ""] = /^(.+\.proto):(\d+):(\d+):(.*)$/.exec(fault) ?? []
  const [, text] = Array.from(files).find(([name]) => shown(name) === path) ?? []
  if (text === undefined) return fault
  const at = { line: text.split("\n")[Number(line) - 1] ?? "", at: Number(column) - 1 }
  return `${path}:${line}:${column}:${withHint({ message, ...at })}`
}

/** A fault tells paths as the compiler knows them: from the folder of the `.proto` files on. */
export function withShownPaths(fault: string, { files, shown }: Workspace): string {
  return fault.replaceAll(/[^\s(]+\.proto(?=:\d)/g, (path) => (files.has(path) ? shown(path) : path))
}
