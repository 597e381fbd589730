import { connect } from "node:net"

/** The few requests of Kafka's protocol that a harness needs, written by hand: no client stands between a test and the broker. */
export const ApiKey = { produce: 0, fetch: 1, metadata: 3, apiVersions: 18 } as const

export interface BrokerAddress {
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

export interface ClusterView {
  readonly brokers: ReadonlyArray<BrokerAddress>
  readonly controllerId: number
}

/** A request as it travels: length, header version 1, body. */
export function requestFrame(apiKey: number, apiVersion: number, correlationId: number, body: Uint8Array): Buffer {
  const clientId = Buffer.from("leat-brokers")
  const header = Buffer.alloc(4 + 2 + 2 + 4 + 2)
  header.writeInt32BE(10 + clientId.length + body.length, 0)
  header.writeInt16BE(apiKey, 4)
  header.writeInt16BE(apiVersion, 6)
  header.writeInt32BE(correlationId, 8)
  header.writeInt16BE(clientId.length, 12)
  return Buffer.concat([header, clientId, body])
}

/** Asks one broker which brokers it knows (Metadata, version 1, about no topic). */
export async function askMetadata(host: string, port: number, msMax: number): Promise<ClusterView> {
  const noTopic = Buffer.alloc(4)
  return readClusterView(await exchange(host, port, requestFrame(ApiKey.metadata, 1, 1, noTopic), msMax))
}

/** The APIs a broker speaks, and their newest versions (ApiVersions, version 0). */
export async function askApiVersions(host: string, port: number, msMax: number): Promise<ReadonlyMap<number, number>> {
  const body = await exchange(host, port, requestFrame(ApiKey.apiVersions, 0, 1, new Uint8Array()), msMax)
  const versions = new Map<number, number>()
  for (let index = 0, at = 6; index < body.readInt32BE(2); index++, at += 6) {
    versions.set(body.readInt16BE(at), body.readInt16BE(at + 4))
  }
  return versions
}

function readClusterView(body: Buffer): ClusterView {
  let at = 0
  const int32 = () => body.readInt32BE((at += 4) - 4)
  const text = () => {
    const length = body.readInt16BE((at += 2) - 2)
    return length < 0 ? "" : body.toString("utf8", at, (at += length))
  }
  const brokers: Array<BrokerAddress> = []
  for (let count = int32(); count > 0; count--) {
    brokers.push({ nodeId: int32(), host: text(), port: int32() })
    text() // rack
  }
  return { brokers, controllerId: int32() }
}

/** Sends one request on a connection of its own; gives the body of the answer, after the correlation id. */
function exchange(host: string, port: number, request: Buffer, msMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    const timer = setTimeout(
      () => socket.destroy(new Error(`${host}:${port} gave no answer within ${msMax} ms`)),
      msMax
    )
    let received = Buffer.alloc(0)
    socket.on("connect", () => socket.write(request))
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return
      resolve(received.subarray(8, 4 + received.readInt32BE(0)))
      socket.destroy()
    })
    socket.on("error", reject)
    socket.on("close", () => {
      clearTimeout(timer)
      reject(new Error(`${host}:${port} closed the connection without an answer`))
    })
  })
}
