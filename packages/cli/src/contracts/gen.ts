import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { generateFile, isGenerated } from "protoc-gen-leat"
import { CommandFailure, exitCode, plural, printJson } from "../outcome.ts"
import { compile, tellNone } from "./compile.ts"
import { readProtoFiles } from "./protoFiles.ts"
import { syncGenerated } from "./syncGenerated.ts"
import { openWorkspace } from "./workspace.ts"

/** Generates TypeScript contracts from a folder of `.proto` files. */
export const gen = Command.make(
  "gen",
  {
    proto: Flag.String("proto").pipe(Flag.withDefault("proto"), Flag.withDescription("Folder with the .proto files")),
    out: Flag.String("out").pipe(
      Flag.withDefault("src/gen"),
      Flag.withDescription("Folder for the generated TypeScript")
    ),
    importExtension: Flag.Literals("import-extension", ["js", "ts"]).pipe(
      Flag.withDefault("js"),
      Flag.withDescription("Ending of imports between generated files")
    ),
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Say what would be written, and write nothing")
    ),
    json: Flag.Boolean("json").pipe(Flag.withDefault(false), Flag.withDescription("Print one JSON object"))
  },
  ({ proto, out, importExtension, dryRun, json }) =>
    Effect.scoped(
      Effect.gen(function* () {
        const workspace = yield* openWorkspace(proto, yield* readProtoFiles(proto))
        const { files, contracts, faults } = yield* compile(workspace, "the .proto files")
        if (faults.length > 0) {
          const message = `the contracts have ${plural(faults.length, "fault")}:\n${faults.join("\n")}`
          return yield* new CommandFailure({ code: exitCode.failed, message, report: { faults } })
        }
        yield* tellNone(contracts, proto)
        const texts = files
          .filter((file) => isGenerated(file) && workspace.files.has(`${file.name}.proto`))
          .map((file) => [`${file.name}.ts`, generateFile(file, contracts, `.${importExtension}`)] as const)
        const report = yield* syncGenerated(new Map(texts), out, dryRun)
        if (json) return yield* printJson({ ...report, dryRun })
        const verb = dryRun ? "would write" : "wrote"
        const { generated, written, removed } = report
        yield* Console.log(`${plural(generated, "contract file")} from ${proto}; ${verb} ${written.length} to ${out}`)
        for (const path of written) yield* Console.log(`  ${path}`)
        for (const path of removed) yield* Console.log(`  ${path} (${dryRun ? "would be removed" : "removed"})`)
      })
    )
).pipe(Command.withDescription("Generate TypeScript contracts from .proto files; needs no buf.gen.yaml"))
