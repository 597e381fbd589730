import { existsSync } from "node:fs"
import { copyFile, rename, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { withFileLock } from "./FileLock.ts"
import { startCluster } from "./KafkaCluster.ts"
import type { KafkaProgram } from "./KafkaProgram.ts"
import { archivingJvmFlags } from "./KafkaProgram.ts"
import { checkpointPath } from "./KafkaStorage.ts"

const archiveMsMax = 120_000

/** Starts Kafka once to keep what makes later starts quick: an archive of its classes, and a formatted data folder. */
export async function prepareQuickStarts(program: KafkaProgram, say: (sentence: string) => void): Promise<void> {
  const { classArchive, bootstrapCheckpoint } = program
  const isPrepared = () => existsSync(classArchive) && existsSync(bootstrapCheckpoint)
  if (isPrepared()) return
  await withFileLock(`${classArchive}.lock`, archiveMsMax, async () => {
    if (isPrepared()) return
    say("preparing Kafka for quick starts, once per machine")
    const archiving = join(dirname(classArchive), `archiving-${process.pid}.jsa`)
    const kafka = await startCluster(program, {}, archivingJvmFlags(archiving))
    try {
      for (const node of kafka.nodes) {
        await copyFile(checkpointPath(join(node.folder, "data")), `${bootstrapCheckpoint}.new`)
        await rename(`${bootstrapCheckpoint}.new`, bootstrapCheckpoint)
        await node.terminate()
      }
      // A JVM that cannot make an archive can do without, and need not be asked again: it ignores an empty one.
      if (!existsSync(archiving)) await writeFile(archiving, "")
      await rename(archiving, classArchive)
    } finally {
      await kafka.close()
    }
  })
}
