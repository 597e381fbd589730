import { createServer } from "node:net"

// Below the range from which the kernel takes the ports of outgoing connections (from 32768 on Linux): while a node is down, no
// stranger's connection takes the port to which it will come back.
const portMin = 20_000
const portMax = 32_000
const triesMax = 200

/** Ports of 127.0.0.1 that nobody listens on now. */
export async function freePorts(count: number): Promise<ReadonlyArray<number>> {
  const ports = new Set<number>()
  for (let tries = 0; ports.size < count; tries++) {
    if (tries === triesMax) throw new Error(`no ${count} free ports between ${portMin} and ${portMax} of 127.0.0.1`)
    const port = portMin + Math.floor(Math.random() * (portMax - portMin))
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

const isFree = (port: number) =>
  new Promise<boolean>((resolve) => {
    const server = createServer()
    server.once("error", () => resolve(false))
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)))
  })
