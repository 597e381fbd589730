// A `globalSetup` of vitest: finds the programs of other languages, or installs them, before the first test.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { cacheFolder } from "@leat/brokers"
import type { TestProject } from "vitest/node"
import { buildDescriptorSet } from "./programs/descriptorSet.ts"
import { findJavaPeer } from "./programs/javaPeer.ts"
import { findKcat } from "./programs/kcat.ts"
import { isMissing, type Program, type ProgramMissing } from "./programs/Program.ts"
import { findPythonPeer } from "./programs/pythonPeer.ts"

export interface ForeignPrograms {
  readonly java: Program | ProgramMissing
  readonly python: Program | ProgramMissing
  readonly kcat: Program | ProgramMissing
}

declare module "vitest" {
  interface ProvidedContext {
    readonly foreignPrograms: ForeignPrograms
    readonly descriptorSet: string
  }
}

export default async function setup(project: TestProject): Promise<() => void> {
  const cache = join(cacheFolder(process.env), "interoperability")
  const [java, python, kcat] = await Promise.all([findJavaPeer(cache), findPythonPeer(cache), findKcat(cache)])
  for (const found of [java, python, kcat]) {
    if (isMissing(found)) process.stderr.write(`leat: tests of interoperability lack a program: ${found.reason}\n`)
  }
  const folder = mkdtempSync(join(tmpdir(), "leat-interoperability-"))
  const descriptorSet = join(folder, "image.binpb")
  await buildDescriptorSet(descriptorSet)
  project.provide("foreignPrograms", { java, python, kcat })
  project.provide("descriptorSet", descriptorSet)
  return () => rmSync(folder, { recursive: true, force: true })
}
