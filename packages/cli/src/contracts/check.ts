import { readFileSync } from "node:fs"
import { join } from "node:path"
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf"
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt"
import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { type ContractOptions, findContracts } from "protoc-gen-leat"
import { CommandFailure, exitCode, printJson } from "../outcome.ts"
import { openWorkspace, readProtoFiles, readProtoFilesAt, type Workspace } from "./workspace.ts"

/** Checks contracts by themselves and, with `--against`, against an earlier revision. */
export const check = Command.make(
  "check",
  {
    proto: Flag.String("proto").pipe(Flag.withDefault("proto"), Flag.withDescription("Folder with the .proto files")),
    against: Flag.String("against").pipe(
      Flag.optional,
      Flag.withDescription("Git revision that consumers still run: main, v1.4.0, HEAD~1")
    ),
    json: Flag.Boolean("json").pipe(Flag.withDefault(false), Flag.withDescription("Print one JSON object"))
  },
  ({ proto, against, json }) =>
    Effect.scoped(
      Effect.gen(function* () {
        const now = yield* openWorkspace(proto, yield* readProtoFiles(proto))
        const violations = [...violationsOf(now, ["lint", "user"])]
        const contracts = yield* contractsOf(now)
        violations.push(...contracts.faults)
        if (Option.isSome(against)) {
          const before = yield* openWorkspace(proto, yield* readProtoFilesAt(proto, against.value))
          violations.push(...violationsOf(now, ["breaking", "user", "--against", join(before.folder, "user")]))
          violations.push(...changes((yield* contractsOf(before)).contracts, contracts.contracts))
        }
        const report = { contracts: contracts.contracts.length, violations }
        if (violations.length > 0) {
          const message = `${violations.length} violation(s):\n${violations.join("\n")}`
          return yield* new CommandFailure({ code: exitCode.violations, message, report })
        }
        yield* json ? printJson(report) : Console.log(`${report.contracts} contracts, no violations`)
      })
    )
).pipe(
  Command.withDescription("Lint contracts, and check that nothing changed that consumers or stored events rely on")
)

function violationsOf({ buf }: Workspace, args: ReadonlyArray<string>): ReadonlyArray<string> {
  const { isDone, output } = buf(args)
  return isDone ? [] : output.split("\n").filter((line) => line !== "")
}

/** What buf cannot see, because it stands in a custom option. */
function changes(before: ReadonlyArray<ContractOptions>, after: ReadonlyArray<ContractOptions>): ReadonlyArray<string> {
  const keyOf = ({ keyPath, unordered }: ContractOptions) =>
    unordered ? "no key" : keyPath.map(({ name }) => name).join(".")
  return before.flatMap((old) => {
    const name = old.message.typeName
    const now = after.find(({ message }) => message.typeName === name)
    if (now === undefined)
      return [
        `${name}: the contract of stream ${old.stream} is gone; its consumers would starve, keep it until they are`
      ]
    const found: Array<string> = []
    const differs = (what: string, was: unknown, is: unknown, why: string) => {
      if (was !== is)
        found.push(`${name}: ${what} changed from ${String(was)} to ${String(is)}; ${why}, make a new contract instead`)
    }
    differs("the stream", old.stream, now.stream, "consumers of the old stream would get nothing")
    differs("the key", keyOf(old), keyOf(now), "events of one key would lose their order")
    differs("the number of buckets", old.buckets, now.buckets, "sequences are counted per bucket")
    differs("`compacted`", old.compacted, now.compacted, "stored events would be kept or lost differently")
    return found
  })
}

function contractsOf({ folder, buf }: Workspace) {
  return Effect.gen(function* () {
    const image = join(folder, "image.binpb")
    const { isDone, output } = buf(["build", "-o", image])
    if (!isDone) return yield* new CommandFailure({ code: 1, message: `the .proto files do not compile:\n${output}` })
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(image)))
    const { contracts, faults } = findContracts([...registry.files])
    return { contracts: [...contracts.values()], faults }
  })
}
