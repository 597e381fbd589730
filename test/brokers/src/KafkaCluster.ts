import { mkdir, mkdtemp, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { PlannedNode } from "./ClusterPlan.ts"
import { bootstrapOf, planCluster, proxiedListener } from "./ClusterPlan.ts"
import { FaultProxy } from "./FaultProxy.ts"
import { log4jConfiguration } from "./KafkaLog.ts"
import { KafkaNode } from "./KafkaNode.ts"
import type { KafkaProgram } from "./KafkaProgram.ts"
import { jvmFlags } from "./KafkaProgram.ts"
import { plainListener, serverProperties } from "./KafkaProperties.ts"
import type { KafkaSecurity, SecureAccess } from "./KafkaSecurity.ts"
import { scramUsers, secureListener, secureProperties } from "./KafkaSecurity.ts"
import { formatStorage } from "./KafkaStorage.ts"
import { Watchdog } from "./Watchdog.ts"

export interface KafkaOptions {
  readonly nodes?: 1 | 3
  /** A second listener, with TLS, SASL or both, beside the plain one. */
  readonly security?: KafkaSecurity
  /** A further plain listener behind a `FaultProxy` for each node. */
  readonly proxied?: boolean
  /** On top of the harness's own `server.properties`. */
  readonly properties?: Readonly<Record<string, string>>
}

export interface Kafka {
  /** `host:port,...` of the plain listener, which no fault reaches. */
  readonly bootstrap: string
  /** Where `security` was asked for. */
  readonly secure: SecureAccess | undefined
  /** Where `proxied` was asked for: clients that begin here stay behind the proxies. */
  readonly proxied: { readonly bootstrap: string } | undefined
  readonly nodes: ReadonlyArray<KafkaNode>
  /** Ends all nodes at once and removes their folders. */
  readonly close: () => Promise<void>
}

const triesMax = 3

/** Starts nodes on free ports and in a temporary folder; resolves when every node sees all. */
export async function startCluster(
  program: KafkaProgram,
  options: KafkaOptions,
  flags: ReadonlyArray<string> = jvmFlags(program)
): Promise<Kafka> {
  for (let tries = 1; ; tries++) {
    try {
      return await tryToStart(program, options, flags)
    } catch (error) {
      // Between looking for a free port and listening on it, somebody else may take it.
      if (tries === triesMax || !String(error).includes("Address already in use")) throw error
    }
  }
}

async function tryToStart(program: KafkaProgram, options: KafkaOptions, flags: ReadonlyArray<string>): Promise<Kafka> {
  const { security, proxied = false } = options
  const folder = await mkdtemp(join(tmpdir(), "leat-kafka-"))
  const watchdog = new Watchdog(folder)
  const nodes: Array<KafkaNode> = []
  const close = async () => {
    for (const { proxy } of nodes) await proxy?.close()
    await Promise.all(nodes.filter((node) => node.isRunning).map((node) => node.kill()))
    await watchdog.finish()
  }
  try {
    const cluster = await planCluster(folder, options.nodes ?? 1, { security, isProxied: proxied })
    const secure = security === undefined ? undefined : await secureProperties(join(folder, "security"), security)
    await writeNodeFiles(cluster, { ...secure?.properties, ...options.properties })
    const log4jFile = join(folder, "log4j2.xml")
    await writeFile(log4jFile, log4jConfiguration)
    await formatStorage(program, cluster, security === undefined ? [] : scramUsers(security))
    for (const planned of cluster) {
      const port = planned.listeners[0].port
      const proxy = await proxyFor(planned)
      nodes.push(new KafkaNode({ ...planned, port, log4jFile, program, jvmFlags: flags, watchdog, proxy }))
    }
    for (const node of nodes) node.launch()
    await Promise.all(nodes.map((node) => node.ready(({ brokers }) => brokers.length === nodes.length)))
    return {
      bootstrap: bootstrapOf(cluster, plainListener),
      secure: secure && { bootstrap: bootstrapOf(cluster, secureListener), ...secure.files },
      proxied: proxied ? { bootstrap: bootstrapOf(cluster, proxiedListener) } : undefined,
      nodes,
      close
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function writeNodeFiles(
  cluster: ReadonlyArray<PlannedNode>,
  properties: Readonly<Record<string, string>>
): Promise<void> {
  for (const node of cluster) {
    await mkdir(node.folder)
    await writeFile(node.propertiesFile, serverProperties(node, cluster, node.dataFolder, properties))
  }
}

async function proxyFor({ listeners }: PlannedNode): Promise<FaultProxy | undefined> {
  const behind = listeners.find(({ name }) => name === proxiedListener)
  if (behind === undefined) return undefined
  const proxy = new FaultProxy(behind.advertisedPort, behind.port)
  await proxy.heal()
  return proxy
}
