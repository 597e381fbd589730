import { afterAll, beforeAll, expect, it } from "vitest"
import type { FaultProxy, Kafka } from "@leat/brokers"
import { ApiKey, askApiVersions, askMetadata, startKafka } from "@leat/brokers"
import { describeOwnKafka } from "@leat/brokers/vitest"

await describeOwnKafka("a Kafka behind fault proxies", () => {
  let kafka: Kafka
  let proxy: FaultProxy
  beforeAll(async () => {
    kafka = await startKafka({ proxied: true })
    const behind = kafka.nodes[0]?.proxy
    if (behind === undefined) throw new Error("the node has no proxy")
    proxy = behind
  })
  afterAll(() => kafka.close())

  it("tells its clients the address of the proxy, by which they came", async () => {
    const { brokers } = await askMetadata("127.0.0.1", proxy.port, 5000)
    expect(brokers).toEqual([{ nodeId: 1, host: "127.0.0.1", port: proxy.port }])
    expect(kafka.proxied?.bootstrap).toBe(`127.0.0.1:${proxy.port}`)
    expect(kafka.bootstrap).not.toBe(kafka.proxied?.bootstrap)
  })

  it("loses an answer of the broker", async () => {
    const { happened } = proxy.dropResponse({ apiKey: ApiKey.apiVersions, then: "hold" })
    await expect(askApiVersions("127.0.0.1", proxy.port, 300)).rejects.toThrow("gave no answer within 300 ms")
    expect((await happened).apiKey).toBe(ApiKey.apiVersions)
    expect((await askApiVersions("127.0.0.1", proxy.port, 5000)).has(ApiKey.produce)).toBe(true)
  })

  it("cuts a request in the middle", async () => {
    const { happened } = proxy.cutMidFrame({ apiKey: ApiKey.apiVersions })
    await expect(askApiVersions("127.0.0.1", proxy.port, 5000)).rejects.toThrow("ECONNRESET")
    await happened
  })

  it("leaves the plain listener alone when it is cut", async () => {
    await proxy.cut()
    await expect(askMetadata("127.0.0.1", proxy.port, 5000)).rejects.toThrow("ECONNREFUSED")
    expect((await askMetadata("127.0.0.1", kafka.nodes[0]?.port ?? 0, 5000)).brokers).toHaveLength(1)
    await proxy.heal()
    expect((await askMetadata("127.0.0.1", proxy.port, 5000)).brokers).toHaveLength(1)
  })
})
