import { spawnSync } from "node:child_process"
import { once } from "node:events"
import { connect, createServer } from "node:net"
import type { AddressInfo, Server, Socket } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { FaultProxy, requestFrame } from "@leat/brokers"
import { FrameSplitter } from "../src/FrameSplitter.ts"
import { freePorts } from "../src/FreePorts.ts"
import { requestHeader } from "../src/ProtocolFault.ts"

const produce = 0
const fetch = 1
const noBody = new Uint8Array()

/** Answers every frame with its correlation id, as a broker that agrees with everything. */
function echoBroker(): { readonly server: Server; readonly received: Array<Buffer> } {
  const received: Array<Buffer> = []
  const server = createServer((socket) => {
    socket.on("error", () => undefined)
    const splitter = new FrameSplitter()
    socket.on("data", (bytes) => {
      received.push(bytes)
      for (const frame of splitter.push(bytes)) {
        const header = requestHeader(frame)
        if (header === undefined) continue
        const answer = Buffer.alloc(8)
        answer.writeInt32BE(4, 0)
        answer.writeInt32BE(header.correlationId, 4)
        socket.write(answer)
      }
    })
  })
  return { server, received }
}

/** A client that collects correlation ids, and notes how its connection ended. */
async function openClient(port: number) {
  const socket: Socket = connect({ port, host: "127.0.0.1", noDelay: true })
  const seen: { answers: Array<number>; end: string } = { answers: [], end: "open" }
  let bytes = Buffer.alloc(0)
  socket.on("data", (chunk) => {
    for (bytes = Buffer.concat([bytes, chunk]); bytes.length >= 8; bytes = bytes.subarray(8)) {
      seen.answers.push(bytes.readInt32BE(4))
    }
  })
  socket.on("error", (error: NodeJS.ErrnoException) => (seen.end = error.code ?? error.message))
  socket.on("close", () => (seen.end = seen.end === "open" ? "closed" : seen.end))
  await once(socket, "connect")
  const send = (apiKey: number, correlationId: number) => socket.write(requestFrame(apiKey, 0, correlationId, noBody))
  return { socket, seen, send }
}

describe("a fault proxy", () => {
  let broker: ReturnType<typeof echoBroker>
  let proxy: FaultProxy
  let client: Awaited<ReturnType<typeof openClient>>
  beforeEach(async () => {
    broker = echoBroker()
    broker.server.listen(0, "127.0.0.1")
    await once(broker.server, "listening")
    const [port = 0] = await freePorts(1)
    proxy = new FaultProxy(port, (broker.server.address() as AddressInfo).port)
    await proxy.heal()
    client = await openClient(port)
  })
  afterEach(async () => {
    client.socket.destroy()
    await proxy.close()
    broker.server.close()
  })

  it("passes, and counts requests", async () => {
    client.send(produce, 1)
    client.send(produce, 2)
    await expect.poll(() => client.seen.answers).toEqual([1, 2])
    expect(proxy.requestsSeen(produce)).toBe(2)
    expect(proxy.connections).toBe(1)
  })

  it("passes an end on, after the last answer", async () => {
    client.send(produce, 1)
    client.socket.end()
    await expect.poll(() => client.seen).toEqual({ answers: [1], end: "closed" })
    await expect.poll(() => proxy.connections).toBe(0)
  })

  it("passes what is not Kafka's protocol", async () => {
    const text = Buffer.from("~ no frame of anybody ~")
    client.socket.write(text)
    await expect.poll(() => Buffer.concat(broker.received)).toEqual(text)
  })

  it("delays each way, in order", async () => {
    proxy.delay({ requests: 60, responses: 40 })
    const began = performance.now()
    client.send(produce, 1)
    client.send(produce, 2)
    await expect.poll(() => client.seen.answers, { interval: 2 }).toEqual([1, 2])
    expect(performance.now() - began).toBeGreaterThanOrEqual(95)
  })

  it("cuts with a reset, refuses, and heals", async () => {
    await proxy.cut()
    await expect.poll(() => client.seen.end).toBe("ECONNRESET")
    await expect(openClient(proxy.port)).rejects.toThrow("ECONNREFUSED")
    await proxy.heal()
    client = await openClient(proxy.port)
    client.send(produce, 7)
    await expect.poll(() => client.seen.answers).toEqual([7])
  })

  it("freezes one way: the request arrives, the answer comes when it passes again", async () => {
    proxy.freeze("responses")
    client.send(produce, 1)
    await expect.poll(() => broker.received.length).toBe(1)
    await sleep(50)
    expect(client.seen).toEqual({ answers: [], end: "open" })
    proxy.pass()
    await expect.poll(() => client.seen.answers).toEqual([1])
  })

  it("freezes both ways, also for new connections", async () => {
    proxy.freeze()
    client.send(produce, 1)
    const late = await openClient(proxy.port)
    late.send(produce, 2)
    await sleep(50)
    expect(broker.received).toEqual([])
    proxy.pass()
    await expect.poll(() => [client.seen.answers, late.seen.answers]).toEqual([[1], [2]])
    late.socket.destroy()
  })

  it("holds no more than a network would: then the sender must wait", async () => {
    proxy.freeze("requests")
    const chunk = Buffer.alloc(1024 * 1024)
    for (let sent = 0; sent < 32; sent++) client.socket.write(requestFrame(produce, 0, sent, chunk))
    await sleep(200)
    expect(client.socket.writableLength).toBeGreaterThan(0)
    proxy.pass()
    await expect.poll(() => client.seen.answers, { timeout: 5000 }).toEqual([...Array(32).keys()])
  })

  it("loses one answer and stays silent: the broker got the request", async () => {
    const { happened } = proxy.dropResponse({ apiKey: produce, nth: 2, then: "hold" })
    client.send(fetch, 1)
    client.send(produce, 2)
    client.send(produce, 3)
    client.send(produce, 4)
    expect(await happened).toEqual({ apiKey: produce, apiVersion: 0, correlationId: 3 })
    await expect.poll(() => client.seen.answers).toEqual([1, 2])
    await expect.poll(() => Buffer.concat(broker.received).length).toBe(4 * requestFrame(produce, 0, 1, noBody).length)
    await sleep(50)
    expect(client.seen).toEqual({ answers: [1, 2], end: "open" })
  })

  it("loses one answer and resets", async () => {
    const { happened } = proxy.dropResponse({ apiKey: produce, then: "reset" })
    client.send(produce, 1)
    expect((await happened).correlationId).toBe(1)
    await expect.poll(() => client.seen).toEqual({ answers: [], end: "ECONNRESET" })
    expect(broker.received).toHaveLength(1)
    client = await openClient(proxy.port)
    client.send(produce, 2)
    await expect.poll(() => client.seen.answers).toEqual([2])
  })

  it("cuts in the middle of a request", async () => {
    const { happened } = proxy.cutMidFrame({ apiKey: fetch })
    client.send(produce, 1)
    await expect.poll(() => client.seen.answers).toEqual([1])
    client.send(fetch, 2)
    expect((await happened).correlationId).toBe(2)
    await expect.poll(() => client.seen.end).toBe("ECONNRESET")
    const whole = requestFrame(fetch, 0, 2, noBody)
    await expect.poll(() => Buffer.concat(broker.received)).toHaveLength(whole.length + (whole.length >> 1))
  })

  it("takes a fault back", async () => {
    proxy.dropResponse({ apiKey: produce, then: "hold" }).cancel()
    client.send(produce, 1)
    await expect.poll(() => client.seen.answers).toEqual([1])
  })

  it("gives two faults of one kind two requests", async () => {
    const first = proxy.dropResponse({ apiKey: produce, then: "reset" })
    const second = proxy.dropResponse({ apiKey: produce, then: "reset" })
    client.send(produce, 1)
    expect((await first.happened).correlationId).toBe(1)
    client = await openClient(proxy.port)
    client.send(produce, 2)
    expect((await second.happened).correlationId).toBe(2)
  })

  it("resets a connection that is just ending, and its process can end", () => {
    const script = fileURLToPath(new URL("endsAfterReset.ts", import.meta.url))
    const { status, signal } = spawnSync(process.execPath, ["--conditions=@leat/source", script], { timeout: 10_000 })
    expect({ status, signal }).toEqual({ status: 0, signal: null })
  })

  it("finds frames in whatever pieces they come", async () => {
    const { happened } = proxy.dropResponse({ apiKey: fetch, then: "hold" })
    const bytes = Buffer.concat([requestFrame(produce, 0, 1, noBody), requestFrame(fetch, 0, 2, noBody)])
    for (const byte of bytes) {
      client.socket.write(Buffer.of(byte))
      await sleep(1)
    }
    expect((await happened).correlationId).toBe(2)
    expect(client.seen.answers).toEqual([1])
  })
})
