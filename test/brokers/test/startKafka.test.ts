import { existsSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { askApiVersions, ApiKey, findKafka, isMissing, startKafka } from "@leat/brokers"

describe("where Kafka comes from", () => {
  it("says in one sentence that there is no Java", async () => {
    const found = await findKafka({ PATH: "/nowhere" })
    expect(found).toEqual({ reason: "there is no Java: install Java 17 or newer, or point JAVA_HOME to it" })
  })
})

const missing = await findKafka().then((found) => (isMissing(found) ? found.reason : ""))

describe.skipIf(missing !== "")(`a node of Kafka ${missing}`, () => {
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
})
