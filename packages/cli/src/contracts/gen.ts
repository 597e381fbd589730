import { join } from "node:path"
import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { pluginCommand } from "protoc-gen-leat"
import { CommandFailure, printJson } from "../outcome.ts"
import { openWorkspace, readProtoFiles, syncGenerated } from "./workspace.ts"

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
        const { folder, buf } = yield* openWorkspace(proto, yield* readProtoFiles(proto))
        const plugin = {
          local: pluginCommand,
          out: "out",
          strategy: "all",
          opt: ["target=ts", `import_extension=${importExtension}`]
        }
        const { isDone, output } = buf(["generate", "--template", JSON.stringify({ version: "v2", plugins: [plugin] })])
        if (!isDone)
          return yield* new CommandFailure({ code: 1, message: `the contracts were not generated:\n${output}` })
        const report = syncGenerated(join(folder, "out"), out, dryRun)
        if (json) return yield* printJson({ ...report, dryRun })
        const verb = dryRun ? "would write" : "wrote"
        yield* Console.log(
          `${report.generated} contract files from ${proto}; ${verb} ${report.written.length} to ${out}`
        )
        for (const path of report.written) yield* Console.log(`  ${path}`)
        for (const path of report.removed) yield* Console.log(`  ${path} (${dryRun ? "would be removed" : "removed"})`)
      })
    )
).pipe(Command.withDescription("Generate TypeScript contracts from .proto files; needs no buf.gen.yaml"))
