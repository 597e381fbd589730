import { execFile } from "node:child_process"
import { randomBytes } from "node:crypto"
import { copyFile, mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import type { KafkaProgram } from "./KafkaProgram.ts"
import { jvmFlags } from "./KafkaProgram.ts"
import { printProperties } from "./KafkaProperties.ts"

const run = promisify(execFile)
const formatMsMax = 60_000
const checkpoint = "bootstrap.checkpoint"

/** Kafka's form of an id: 16 bytes in base64url, which must not begin with a dash. */
export function kafkaId(): string {
  const id = randomBytes(16).toString("base64url")
  return id.startsWith("-") ? kafkaId() : id
}

/**
 * Formats the data folders of a cluster. Kafka's own tool does so for the first node; the others differ only in who they are, and
 * a second of JVM for each of them would be the longest part of a start.
 */
export async function formatStorage(
  program: KafkaProgram,
  clusterId: string,
  first: { readonly propertiesFile: string; readonly dataFolder: string },
  others: ReadonlyArray<{ readonly id: number; readonly dataFolder: string }>,
  toolArguments: ReadonlyArray<string>
): Promise<void> {
  const tool = ["kafka.tools.StorageTool", "format", "-t", clusterId, "-c", first.propertiesFile, ...toolArguments]
  const flags = [...jvmFlags, `-XX:SharedArchiveFile=${program.classArchive}`, "-cp", program.classPath]
  await run(program.java.java, [...flags, ...tool], { timeout: formatMsMax })
  for (const { id, dataFolder } of others) {
    await mkdir(dataFolder, { recursive: true })
    await copyFile(join(first.dataFolder, checkpoint), join(dataFolder, checkpoint))
    const own = { version: "1", "cluster.id": clusterId, "node.id": String(id), "directory.id": kafkaId() }
    await writeFile(join(dataFolder, "meta.properties"), printProperties(own))
  }
}
