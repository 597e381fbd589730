// A `globalSetup` of vitest: finds the programs of other languages, or installs them, before the first test.
import { mkdtempSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { cacheFolder } from "@leat/brokers"
import type { TestProject } from "vitest/node"
import { buildDescriptorSet } from "./programs/descriptorSet.ts"
import { findJavaPeer } from "./programs/javaPeer.ts"
import { findKcat } from "./programs/kcat.ts"
import { isMissing, type Program, type ProgramMissing, runTool } from "./programs/Program.ts"
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
    /** Why the client under `@leat/confluent` does not load; undefined where it does. */
    readonly confluentReason: string | undefined
  }
}

export default async function setup(project: TestProject): Promise<() => void> {
  const cache = join(cacheFolder(process.env), "interoperability")
  const [java, python, kcat] = await Promise.all([findJavaPeer(cache), findPythonPeer(cache), findKcat(cache)])
  const confluentReason = await whyNoConfluent()
  const reasons = [reasonOf(java), reasonOf(python), reasonOf(kcat), confluentReason].filter((one) => one !== undefined)
  for (const reason of reasons) {
    if (isContinuousIntegration()) throw new Error(`CI needs all that the tests of interoperability do: ${reason}`)
    process.stderr.write(`leat: tests of interoperability are skipped: ${reason}\n`)
  }
  const folder = mkdtempSync(join(tmpdir(), "leat-interoperability-"))
  const descriptorSet = join(folder, "image.binpb")
  await buildDescriptorSet(descriptorSet)
  project.provide("foreignPrograms", { java, python, kcat })
  project.provide("descriptorSet", descriptorSet)
  project.provide("confluentReason", confluentReason)
  return () => rmSync(folder, { recursive: true, force: true })
}

/** In a process of its own, because native code that does not fit may end the one that loads it. */
async function whyNoConfluent(): Promise<string | undefined> {
  try {
    const addon = createRequire(import.meta.url).resolve("@confluentinc/kafka-javascript")
    await runTool(process.execPath, ["-e", `require(${JSON.stringify(addon)})`])
    return undefined
  } catch {
    return "the native addon of @leat/confluent does not load: say npm run confluent"
  }
}

const reasonOf = (found: Program | ProgramMissing) => (isMissing(found) ? found.reason : undefined)

const isContinuousIntegration = () => !["", "0", "false", undefined].includes(process.env["CI"])
