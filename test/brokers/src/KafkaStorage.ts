import { execFile } from "node:child_process"
import { randomBytes } from "node:crypto"
import { existsSync } from "node:fs"
import { copyFile, mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import type { KafkaProgram } from "./KafkaProgram.ts"
import { jvmFlags } from "./KafkaProgram.ts"
import { printProperties } from "./KafkaProperties.ts"

const run = promisify(execFile)
const formatMsMax = 60_000

export interface NodeStorage {
  readonly id: number
  readonly dataFolder: string
  readonly propertiesFile: string
}

/** The records with which a new cluster begins: its features, and the users of SCRAM. */
export const checkpointPath = (dataFolder: string): string => join(dataFolder, "bootstrap.checkpoint")

/** Kafka's form of an id: 16 bytes in base64url, which must not begin with a dash. */
function kafkaId(): string {
  const id = randomBytes(16).toString("base64url")
  return id.startsWith("-") ? kafkaId() : id
}

/**
 * Formats the data folders of a cluster. The folders of nodes differ only in who they are, and so do those of clusters without
 * users: Kafka's own tool runs once per machine, or once per cluster where it has users to add.
 */
export async function formatStorage(
  program: KafkaProgram,
  nodes: ReadonlyArray<NodeStorage>,
  scramUsers: ReadonlyArray<string>
): Promise<void> {
  const clusterId = kafkaId()
  let unformatted = nodes
  let checkpoint = program.bootstrapCheckpoint
  const [first, ...others] = nodes
  if (first !== undefined && (scramUsers.length > 0 || !existsSync(checkpoint))) {
    const users = scramUsers.flatMap((user) => ["--add-scram", user])
    const tool = ["kafka.tools.StorageTool", "format", "-t", clusterId, "-c", first.propertiesFile, ...users]
    await run(program.java.java, [...jvmFlags(program), "-cp", program.classPath, ...tool], { timeout: formatMsMax })
    unformatted = others
    checkpoint = checkpointPath(first.dataFolder)
  }
  for (const { id, dataFolder } of unformatted) {
    await mkdir(dataFolder)
    await copyFile(checkpoint, checkpointPath(dataFolder))
    const own = { version: "1", "cluster.id": clusterId, "node.id": String(id), "directory.id": kafkaId() }
    await writeFile(join(dataFolder, "meta.properties"), printProperties(own))
  }
}
