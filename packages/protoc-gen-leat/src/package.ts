import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const at = (path: string) => new URL(path, import.meta.url)

/** Text of `leat/v1/event.proto`, which contracts import. */
export const optionsProto = readFileSync(at("../proto/leat/v1/event.proto"), "utf8")

/** Command line that runs the plugin with this Node. */
export const pluginCommand: ReadonlyArray<string> = [
  process.execPath,
  ...process.execArgv,
  fileURLToPath(at("../bin/protoc-gen-leat.js"))
]
