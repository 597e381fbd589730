import { existsSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Kafka, KafkaNode } from "@leat/brokers"
import { askApiVersions, ApiKey, findKafka, startKafka } from "@leat/brokers"
import { describeOwnKafka } from "@leat/brokers/vitest"

describe("where Kafka comes from", () => {
  it("says in one sentence that there is no Java", async () => {
    const found = await findKafka({ PATH: "/nowhere" })
    expect(found).toEqual({ reason: "there is no Java: install Java 17 or newer, or point JAVA_HOME to it" })
  })
})

await describeOwnKafka("a Kafka of one node", () => {
  it("answers, and close leaves neither process nor folder", async () => {
    const kafka = await startKafka()
    const [node] = kafka.nodes
    const pid = node?.pid ?? 0
    const versions = await askApiVersions("127.0.0.1", node?.port ?? 0, 5000)
    expect(versions.get(ApiKey.fetch)).toBeGreaterThan(10)
    expect(existsSync(node?.folder ?? "")).toBe(true)
    await kafka.close()
    expect(() => process.kill(pid, 0)).toThrow("ESRCH")
    expect(existsSync(node?.folder ?? "/")).toBe(false)
  })

  it("tells the end of its log when it does not start", async () => {
    const wrong = startKafka({ properties: { "num.network.threads": "none" } })
    await expect(wrong).rejects.toThrow(/Invalid value none for configuration num.network.threads/)
  })
})

await describeOwnKafka("a Kafka of three nodes", () => {
  let kafka: Kafka
  let first: KafkaNode
  let second: KafkaNode
  beforeAll(async () => {
    kafka = await startKafka({ nodes: 3 })
    const [one, two] = kafka.nodes
    if (one === undefined || two === undefined) throw new Error("there are not three nodes")
    first = one
    second = two
  })
  afterAll(() => kafka.close())

  const brokersSeenBy = async (node: KafkaNode) => (await node.view()).brokers.length
  const waitFor = async (count: number, node: KafkaNode) => {
    while ((await brokersSeenBy(node)) !== count) await sleep(50)
  }

  it("sees three brokers", async () => {
    expect(kafka.bootstrap.split(",")).toHaveLength(3)
    expect(await brokersSeenBy(first)).toBe(3)
  })

  it("misses a node that was killed, and sees it again after a restart on the same port", async () => {
    const { pid } = first
    await first.kill()
    expect(first.isRunning).toBe(false)
    await waitFor(2, second)
    await first.restart()
    expect(first.pid).not.toBe(pid)
    await waitFor(3, second)
  })

  it("misses a node that was stopped, and sees it again when it goes on", async () => {
    first.stop()
    await waitFor(2, second)
    first.continue()
    await waitFor(3, second)
    expect(await brokersSeenBy(first)).toBe(3)
  })

  it("ends on request, having said so to the others", async () => {
    await first.terminate()
    expect(await brokersSeenBy(second)).toBe(2)
    await first.restart()
    await waitFor(3, second)
  })
})
