import { readFileSync } from "node:fs"
import { join } from "node:path"
import { createFileRegistry, type DescFile, fromBinary } from "@bufbuild/protobuf"
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt"
import { Effect } from "effect"
import { findContracts } from "protoc-gen-leat"
import { CommandFailure, exitCode } from "../outcome.ts"
import type { Workspace } from "./workspace.ts"

/** Compiles the files of a workspace; `what` names them where they do not compile. Faults of contracts are given, not failed with. */
export const compile = Effect.fnUntraced(function* (workspace: Workspace, what: string) {
  const image = join(workspace.folder, "image.binpb")
  const faults = yield* workspace.buf(["build", "-o", image])
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

/** A fault tells paths as the compiler knows them: from the folder of the `.proto` files on. */
export function withShownPaths(fault: string, { files, shown }: Workspace): string {
  return fault.replaceAll(/[^\s(]+\.proto(?=:\d)/g, (path) => (files.has(path) ? shown(path) : path))
}
