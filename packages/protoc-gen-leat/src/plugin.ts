import { createEcmaScriptPlugin, type Schema } from "@bufbuild/protoplugin"
import { findContracts, isGenerated } from "./contracts.ts"
import { generateFile } from "./generateFile.ts"

/**
 * The protoc plugin: one readable TypeScript file per `.proto` file, with a `Contract` for each message that carries the
 * option `(leat.v1.event)`. Faults of contracts fail the generation, all of them at once, each as `file:line: what to do`.
 */
export const plugin = createEcmaScriptPlugin({
  name: "protoc-gen-leat",
  version: "v0.1.0",
  generateTs(schema: Schema) {
    const files = schema.files.filter(isGenerated)
    const { contracts, faults } = findContracts(schema.allFiles, files)
    if (faults.length > 0) throw new Error(`the contracts have ${faults.length} fault(s):\n${faults.join("\n")}`)
    for (const file of files) {
      const text = generateFile(file, contracts, schema.options.importExtension === "ts" ? ".ts" : ".js")
      schema.generateFile(`${file.name}.ts`).print(text.trimEnd())
    }
  }
})
