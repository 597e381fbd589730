import { join } from "node:path"
import { freePorts } from "./FreePorts.ts"
import type { KafkaListener, NodeAddresses } from "./KafkaProperties.ts"
import { plainListener } from "./KafkaProperties.ts"
import type { KafkaSecurity } from "./KafkaSecurity.ts"
import { secureListener, secureProtocol } from "./KafkaSecurity.ts"

export const proxiedListener = "PROXIED"

export interface PlannedNode extends NodeAddresses {
  readonly folder: string
  readonly dataFolder: string
  readonly propertiesFile: string
}

/** Which nodes there will be, where their files go, and on which ports they listen. */
export async function planCluster(
  folder: string,
  nodes: number,
  wishes: { readonly security: KafkaSecurity | undefined; readonly isProxied: boolean }
): Promise<ReadonlyArray<PlannedNode>> {
  const ports = (await freePorts(nodes * 5)).values()
  const port = () => ports.next().value ?? 0
  const listener = (name: string, protocol: KafkaListener["protocol"], own = port(), advertisedPort = own) => ({
    name,
    protocol,
    port: own,
    advertisedPort
  })
  return Array.from({ length: nodes }, (_, index) => {
    const id = index + 1
    const nodeFolder = join(folder, `node-${id}`)
    return {
      id,
      folder: nodeFolder,
      dataFolder: join(nodeFolder, "data"),
      propertiesFile: join(nodeFolder, "server.properties"),
      controllerPort: port(),
      listeners: [
        listener(plainListener, "PLAINTEXT"),
        ...(wishes.security === undefined ? [] : [listener(secureListener, secureProtocol(wishes.security))]),
        ...(wishes.isProxied ? [listener(proxiedListener, "PLAINTEXT", port(), port())] : [])
      ]
    }
  })
}

/** `host:port,...` as clients want it. */
export const bootstrapOf = (cluster: ReadonlyArray<NodeAddresses>, name: string): string =>
  cluster
    .flatMap(({ listeners }) => listeners.filter((one) => one.name === name))
    .map(({ advertisedPort }) => `127.0.0.1:${advertisedPort}`)
    .join(",")
