import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { askMetadata } from "@leat/brokers"
import { describeKafka } from "@leat/brokers/vitest"

describeKafka("a shared Kafka", (bootstrap) => {
  it("answers", async () => {
    const [host = "", port] = bootstrap.split(":")
    expect((await askMetadata(host, Number(port), 5000)).brokers).toHaveLength(1)
  })
})

const root = fileURLToPath(new URL("../../..", import.meta.url))
const vitest = fileURLToPath(new URL("../../../node_modules/vitest/vitest.mjs", import.meta.url))

describe.skipIf(process.env["LEAT_WITHOUT_JAVA"] !== undefined)("a machine without Java", () => {
  /** This very file, in a vitest of its own. */
  const testWithoutJava = (env: NodeJS.ProcessEnv) =>
    spawnSync(process.execPath, [vitest, "run", "--project", "brokers", "describeKafka", "--reporter", "verbose"], {
      cwd: root,
      encoding: "utf8",
      env: { PATH: "/nowhere", LEAT_WITHOUT_JAVA: "1", NO_COLOR: "1", ...env },
      timeout: 25_000
    })

  it("skips the suite by name, and says why", () => {
    const { status, stdout } = testWithoutJava({})
    expect(stdout).toMatch(/a shared Kafka \(skipped: there is no Java: install Java 17 .*\) > answers/)
    expect(status).toBe(0)
  })

  it("fails where CI is set", () => {
    const { status, stderr } = testWithoutJava({ CI: "true" })
    expect(stderr).toContain("CI needs a Kafka: there is no Java")
    expect(status).toBe(1)
  })

  it("fails where KAFKA_BROKERS names a broker that does not answer", () => {
    const { status, stderr } = testWithoutJava({ KAFKA_BROKERS: "127.0.0.1:1" })
    expect(stderr).toContain("no Kafka answers at 127.0.0.1:1, which KAFKA_BROKERS names")
    expect(status).toBe(1)
  })
})
