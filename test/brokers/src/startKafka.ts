import { mkdir, mkdtemp, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePorts } from "./FreePorts.ts"
import { log4jConfiguration } from "./KafkaLog.ts"
import { isMissing, KafkaMissingError } from "./KafkaMissing.ts"
import { KafkaNode } from "./KafkaNode.ts"
import type { KafkaProgram } from "./KafkaProgram.ts"
import { findKafka } from "./KafkaProgram.ts"
import { plainListener, serverProperties } from "./KafkaProperties.ts"
import type { NodeAddresses } from "./KafkaProperties.ts"
import { formatStorage, kafkaId } from "./KafkaStorage.ts"
import { Watchdog } from "./Watchdog.ts"

export interface KafkaOptions {
  readonly nodes?: 1 | 3
  /** On top of the harness's own `server.properties`. */
  readonly properties?: Readonly<Record<string, string>>
}

export interface Kafka {
  /** `host:port,...` of the plain listener. */
  readonly bootstrap: string
  readonly nodes: ReadonlyArray<KafkaNode>
  /** Ends all nodes at once and removes their folders. */
  readonly close: () => Promise<void>
}

/** Starts an Apache Kafka of one or three nodes on free ports and temporary folders; resolves when every node sees all. */
export async function startKafka(options: KafkaOptions = {}): Promise<Kafka> {
  const program = await findKafka()
  if (isMissing(program)) throw new KafkaMissingError(program)
  const folder = await mkdtemp(join(tmpdir(), "leat-kafka-"))
  const watchdog = new Watchdog(folder)
  try {
    const nodes = await layOut(program, folder, watchdog, options)
    for (const node of nodes) node.launch()
    await Promise.all(nodes.map((node) => node.ready(({ brokers }) => brokers.length === nodes.length)))
    const close = async () => {
      await Promise.all(nodes.filter((node) => node.isRunning).map((node) => node.kill()))
      await watchdog.finish()
    }
    return { bootstrap: nodes.map(({ port }) => `127.0.0.1:${port}`).join(","), nodes, close }
  } catch (error) {
    await watchdog.finish()
    throw error
  }
}

/** Writes every node's configuration and formats its data folder. */
async function layOut(
  program: KafkaProgram,
  folder: string,
  watchdog: Watchdog,
  options: KafkaOptions
): Promise<ReadonlyArray<KafkaNode>> {
  const cluster = await addresses(options.nodes ?? 1)
  const log4jFile = join(folder, "log4j2.xml")
  await writeFile(log4jFile, log4jConfiguration)
  const laidOut = cluster.map((node) => {
    const nodeFolder = join(folder, `node-${node.id}`)
    const propertiesFile = join(nodeFolder, "server.properties")
    return { ...node, folder: nodeFolder, propertiesFile, dataFolder: join(nodeFolder, "data") }
  })
  for (const node of laidOut) {
    await mkdir(node.folder)
    await writeFile(node.propertiesFile, serverProperties(node, cluster, node.dataFolder, options.properties ?? {}))
  }
  const [first, ...others] = laidOut
  if (first !== undefined) await formatStorage(program, kafkaId(), first, others, [])
  return laidOut.map(
    ({ id, listeners, folder: nodeFolder, propertiesFile }) =>
      new KafkaNode({
        id,
        port: listeners[0]?.port ?? 0,
        folder: nodeFolder,
        propertiesFile,
        log4jFile,
        program,
        watchdog
      })
  )
}

async function addresses(nodes: number): Promise<ReadonlyArray<NodeAddresses>> {
  const ports = await freePorts(nodes * 2)
  return Array.from({ length: nodes }, (_, index) => {
    const port = ports[index * 2] ?? 0
    return {
      id: index + 1,
      controllerPort: ports[index * 2 + 1] ?? 0,
      listeners: [{ name: plainListener, protocol: "PLAINTEXT", port, advertisedPort: port }]
    }
  })
}
