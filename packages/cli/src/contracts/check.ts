import { join } from "node:path"
import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { CommandFailure, exitCode, plural, printJson } from "../outcome.ts"
import { changes } from "./changes.ts"
import { compile, tellNone, withShownPaths } from "./compile.ts"
import { readProtoFiles, readProtoFilesAt } from "./protoFiles.ts"
import { openWorkspace, type Workspace } from "./workspace.ts"

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
        const compiled = yield* compile(now, "the .proto files")
        const contracts = [...compiled.contracts.values()]
        yield* tellNone(compiled.contracts, proto)
        const violations = [...(yield* now.buf(["lint", "user"])), ...compiled.faults]
        if (Option.isSome(against)) {
          const before = yield* openWorkspace(proto, yield* readProtoFilesAt(proto, against.value))
          const earlier = yield* compile(before, `the .proto files of ${against.value}`)
          const changed = changes([...earlier.contracts.values()], contracts).map((one) => withShownPaths(one, now))
          violations.push(...(yield* breaks(now, before)), ...changed)
        }
        const report = { contracts: contracts.length, violations }
        if (violations.length > 0) {
          const message = `${plural(violations.length, "violation")}:\n${violations.join("\n")}`
          return yield* new CommandFailure({ code: exitCode.violations, message, report })
        }
        yield* json ? printJson(report) : Console.log(`${plural(contracts.length, "contract")}, no violations`)
      })
    )
).pipe(
  Command.withDescription("Lint contracts, and check that nothing changed that consumers or stored events rely on")
)

/** What buf finds in the messages and enums that breaks readers. */
function breaks(now: Workspace, before: Workspace) {
  return now.buf(["breaking", "user", "--against", join(before.folder, "user")])
}
