import { existsSync } from "node:fs"
import type { DescFile } from "@bufbuild/protobuf"
import { Effect, Option } from "effect"
import type { ContractInfo, Need } from "leat"
import type { ContractOptions } from "protoc-gen-leat"
import { protoDefault } from "../flags.ts"
import { CommandFailure, exitCode, plural } from "../outcome.ts"
import { compile } from "./compile.ts"
import { readProtoFiles } from "./protoFiles.ts"
import { openWorkspace } from "./workspace.ts"

/** What the .proto files of a folder say. */
export interface FoundContracts {
  readonly files: ReadonlyArray<DescFile>
  readonly contracts: ReadonlyArray<ContractOptions>
}

/**
 * Compiles the contracts of a folder, for commands that look at events. Where no folder is named and none is called `proto`, there
 * are none: the commands then tell bytes.
 */
export const readContracts = (named: Option.Option<string>): Effect.Effect<FoundContracts, CommandFailure> =>
  Effect.suspend(() => {
    const folder = Option.getOrElse(named, () => protoDefault)
    if (Option.isNone(named) && !existsSync(folder)) return Effect.succeed({ files: [], contracts: [] })
    return Effect.scoped(
      Effect.gen(function* () {
        const workspace = yield* openWorkspace(folder, yield* readProtoFiles(folder))
        const { files, contracts, faults } = yield* compile(workspace, "the .proto files")
        if (faults.length === 0) return { files, contracts: [...contracts.values()] }
        const message = `the contracts have ${plural(faults.length, "fault")}:\n${faults.join("\n")}`
        return yield* new CommandFailure({ code: exitCode.failed, message, report: { faults } })
      })
    )
  })

/** A contract without the code for its type. */
export function contractInfo(options: ContractOptions): ContractInfo {
  const { message, stream, buckets, compacted, unordered, needs, keyPath, personal } = options
  return {
    name: message.typeName,
    stream,
    buckets,
    compacted,
    unordered,
    // findContracts gives the names of `Need` and no others.
    needs: needs as ReadonlyArray<Need>,
    keyPath: keyPath.length === 0 ? undefined : keyPath.map(({ name }) => name).join("."),
    personal
  }
}
