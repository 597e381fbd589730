import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import { runTool } from "./Program.ts"

const root = fileURLToPath(new URL("../../../..", import.meta.url))
const modules = ["proto", "packages/protoc-gen-leat/test/proto"].map((path) => ({ path }))

/** All that a program of another language is told of leat's events: descriptors that buf makes of the .proto files. */
export async function buildDescriptorSet(path: string): Promise<void> {
  const buf = createRequire(import.meta.url).resolve("@bufbuild/buf/bin/buf")
  const config = JSON.stringify({ version: "v2", modules })
  await runTool(process.execPath, [buf, "build", root, "--config", config, "--as-file-descriptor-set", "-o", path])
}
