/** One listener of a node besides the controller's: its name, where it listens, and which address it tells to clients. */
export interface KafkaListener {
  readonly name: string
  readonly protocol: "PLAINTEXT" | "SSL" | "SASL_PLAINTEXT" | "SASL_SSL"
  readonly port: number
  readonly advertisedPort: number
}

export interface NodeAddresses {
  readonly id: number
  readonly controllerPort: number
  readonly listeners: readonly [plain: KafkaListener, ...others: ReadonlyArray<KafkaListener>]
}

export const plainListener = "PLAIN"

/** Defaults of a broker that holds little, starts fast, and notices a dead node or member within seconds. */
const small: Readonly<Record<string, string>> = {
  "auto.create.topics.enable": "false",
  "num.network.threads": "2",
  "num.io.threads": "2",
  "background.threads": "2",
  "log.cleaner.dedupe.buffer.size": "8388608",
  "log.index.size.max.bytes": "1048576",
  "offsets.topic.num.partitions": "4",
  "transaction.state.log.num.partitions": "4",
  "share.coordinator.state.topic.num.partitions": "4",
  // A killed node counts as dead after three seconds, not nine.
  "broker.session.timeout.ms": "3000",
  "broker.heartbeat.interval.ms": "500",
  "replica.fetch.backoff.ms": "200",
  "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
  // Members decide for themselves how soon they count as lost, down to what a test can wait for.
  "group.initial.rebalance.delay.ms": "0",
  "group.min.session.timeout.ms": "500",
  "group.consumer.min.session.timeout.ms": "1000",
  "group.consumer.session.timeout.ms": "6000",
  "group.consumer.min.heartbeat.interval.ms": "100",
  "group.consumer.heartbeat.interval.ms": "500",
  "group.share.min.session.timeout.ms": "1000",
  "group.share.session.timeout.ms": "6000",
  "group.share.min.heartbeat.interval.ms": "100",
  "group.share.heartbeat.interval.ms": "500"
}

/** `server.properties` of one node of a cluster in which every node is broker and controller. */
export function serverProperties(
  node: NodeAddresses,
  cluster: ReadonlyArray<NodeAddresses>,
  dataFolder: string,
  extra: Readonly<Record<string, string>>
): string {
  const replicas = String(cluster.length)
  const inSync = cluster.length === 1 ? "1" : "2"
  const properties: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": String(node.id),
    "controller.quorum.voters": cluster.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`).join(","),
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": plainListener,
    listeners: [
      `CONTROLLER://127.0.0.1:${node.controllerPort}`,
      ...node.listeners.map(({ name, port }) => `${name}://127.0.0.1:${port}`)
    ].join(","),
    "advertised.listeners": node.listeners
      .map(({ name, advertisedPort }) => `${name}://127.0.0.1:${advertisedPort}`)
      .join(","),
    "listener.security.protocol.map": [
      "CONTROLLER:PLAINTEXT",
      ...node.listeners.map(({ name, protocol }) => `${name}:${protocol}`)
    ].join(","),
    "log.dirs": dataFolder,
    "default.replication.factor": replicas,
    "min.insync.replicas": inSync,
    "offsets.topic.replication.factor": replicas,
    "transaction.state.log.replication.factor": replicas,
    "transaction.state.log.min.isr": inSync,
    "share.coordinator.state.topic.replication.factor": replicas,
    "share.coordinator.state.topic.min.isr": inSync,
    ...small,
    ...extra
  }
  return printProperties(properties)
}

export const printProperties = (properties: Readonly<Record<string, string>>): string =>
  Object.entries(properties)
    .map(([name, value]) => `${name}=${value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n`)
    .join("")
