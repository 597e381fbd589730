import { describe, expect, it } from "vitest"
import { kafkaCapabilities, type OwnCapabilities } from "../src/kafkaCapabilities.js"
import { kafkaDefaults } from "../src/KafkaOptions.js"

const own: OwnCapabilities = {
  ordering: "exceptAfterInDoubt",
  batch: "atomic",
  appendWithPosition: true,
  handover: "drain",
  backpressure: "lane",
  fencing: "none",
  dedupe: { kind: "none", windowMs: 0 }
}

describe("capabilities", () => {
  it("are Kafka's, with what the driver says of itself", () => {
    expect(kafkaCapabilities({}, own)).toMatchObject({ ...own, acks: ["quorum"], groups: "broker", ephemeral: false })
    expect(kafkaCapabilities({}, { ...own, lag: "approximate" }).lag).toBe("approximate")
  })

  it("have the largest record of the options, or one that a broker takes that was left as it comes", () => {
    expect(kafkaCapabilities({ recordBytesMax: 512 }, own).recordBytesMax).toBe(512)
    const { recordBytesMax } = kafkaCapabilities({}, own)
    // message.max.bytes, less what the batch and its only record put around key, headers and value.
    expect(recordBytesMax).toBe(kafkaDefaults.recordBytesMax)
    expect(recordBytesMax).toBeLessThan(1_048_588 - 61 - 21 - 2 * 400)
  })
})
