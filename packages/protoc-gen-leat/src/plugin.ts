import type { DescFile } from "@bufbuild/protobuf"
import { createEcmaScriptPlugin, type Schema } from "@bufbuild/protoplugin"
import { findContracts } from "./contracts.ts"
import { generateFile } from "./generateFile.ts"

/**
 * The protoc plugin: one readable TypeScript file per `.proto` file, with a `Contract` for each message that carries the
 * option `(leat.v1.event)`. Faults of contracts fail the generation, all of them at once, each as `file:line: what to do`.
 */
export const plugin = createEcmaScriptPlugin({
  name: "protoc-gen-leat",
  version: "v0.1.0",
  generateTs(schema: Schema) {
    const { contracts, faults } = findContracts(schema.allFiles)
    if (faults.length > 0) throw new Error(`the contracts have ${faults.length} fault(s):\n${faults.join("\n")}`)
    for (const file of schema.files.filter(isGenerated)) {
      schema
        .generateFile(`${file.name}.ts`)
        .print(generateFile(file, contracts, schema.options.importExtension === "ts" ? ".ts" : ".js"))
    }
  }
})

/** Files that hold nothing but options and well-known types are not generated: leat's codec has what is needed of them. */
function isGenerated({ name, messages, enums }: DescFile): boolean {
  return !name.startsWith("google/protobuf/") && !name.startsWith("leat/v1/") && messages.length + enums.length > 0
}
