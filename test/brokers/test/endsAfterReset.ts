// Resets a proxied connection in the moment in which one side has begun to end it, and has nothing more to do: the process has to end.
import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"
import { ProxiedConnection } from "../src/ProxiedConnection.ts"

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return (server.address() as AddressInfo).port
}

const broker = createServer({ allowHalfOpen: true }, (socket) => socket.on("error", () => undefined).resume())
const brokerPort = await listening(broker)
const pace = { delayMs: 0, isFrozen: false }
const rules = { requests: pace, responses: pace, faultFor: () => undefined }
const reset = Promise.withResolvers<void>()
const proxy = createServer({ allowHalfOpen: true }, (client) => {
  const connection = new ProxiedConnection(client, brokerPort, rules, () => undefined)
  client.on("end", () => {
    connection.reset()
    reset.resolve()
  })
})
const client = connect({ port: await listening(proxy), host: "127.0.0.1", allowHalfOpen: true })
client.on("error", () => undefined)
const [socket] = (await once(broker, "connection")) as [Socket]
client.end()
await reset.promise
for (const end of [client, socket]) end.destroy()
proxy.close()
broker.close()
