import { mkdir, mkdtemp, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePorts } from "./FreePorts.ts"
import { log4jConfiguration } from "./KafkaLog.ts"
import { KafkaNode } from "./KafkaNode.ts"
import type { KafkaProgram } from "./KafkaProgram.ts"
import { jvmFlags } from "./KafkaProgram.ts"
import { plainListener, serverProperties } from "./KafkaProperties.ts"
import type { NodeAddresses } from "./KafkaProperties.ts"
import { formatStorage } from "./KafkaStorage.ts"
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

/** Starts nodes on free ports and in a temporary folder; resolves when every node sees all. */
export async function startCluster(
  program: KafkaProgram,
  options: KafkaOptions,
  flags: ReadonlyArray<string> = jvmFlags(program)
): Promise<Kafka> {
  const folder = await mkdtemp(join(tmpdir(), "leat-kafka-"))
  const watchdog = new Watchdog(folder)
  try {
    const cluster = await addresses(options.nodes ?? 1)
    const log4jFile = join(folder, "log4j2.xml")
    await writeFile(log4jFile, log4jConfiguration)
    const laidOut = cluster.map((node) => layOut(folder, node))
    for (const { folder: nodeFolder, propertiesFile, dataFolder, ...node } of laidOut) {
      await mkdir(nodeFolder)
      await writeFile(propertiesFile, serverProperties(node, cluster, dataFolder, options.properties ?? {}))
    }
    await formatStorage(program, laidOut, [])
    const nodes = laidOut.map((node) => new KafkaNode({ ...node, log4jFile, program, jvmFlags: flags, watchdog }))
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

function layOut(clusterFolder: string, node: NodeAddresses) {
  const folder = join(clusterFolder, `node-${node.id}`)
  return {
    ...node,
    port: node.listeners[0].port,
    folder,
    propertiesFile: join(folder, "server.properties"),
    dataFolder: join(folder, "data")
  }
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
