import type { TopicSpec } from "leat/transport"
import { describe, expect, it } from "vitest"
import { type FoundKafkaTopic, newKafkaTopic, topicConfigNames, topicStatus } from "../src/topicConfigs.js"

const brokerDefaults = { "cleanup.policy": "delete", "retention.ms": "604800000", "retention.bytes": "-1" }

/** A topic as a broker describes it after it was created with these configurations. */
function described(partitions: number, configs: Readonly<Record<string, string>>): FoundKafkaTopic {
  const all = topicConfigNames.map((name) => ({
    name,
    value: configs[name] ?? brokerDefaults[name],
    isDefault: configs[name] === undefined
  }))
  return { partitions, configs: all }
}

const specs: ReadonlyArray<readonly [spec: Omit<TopicSpec, "topic">, configs: Readonly<Record<string, string>>]> = [
  [{ partitions: 12 }, { "cleanup.policy": "delete" }],
  [{ partitions: 12, compacted: true }, { "cleanup.policy": "compact" }],
  [
    { partitions: 1, retention: { timeMs: 60_000 } },
    { "cleanup.policy": "delete", "retention.ms": "60000" }
  ],
  [
    { partitions: 1, retention: { timeMs: Infinity, bytes: Infinity } },
    { "cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1" }
  ],
  [
    { partitions: 1, compacted: true, retention: { timeMs: Infinity, bytes: Infinity } },
    { "cleanup.policy": "compact", "retention.ms": "-1", "retention.bytes": "-1" }
  ],
  [
    { partitions: 1, retention: { bytes: 4096 } },
    { "cleanup.policy": "delete", "retention.bytes": "4096" }
  ],
  [
    { partitions: 1, compacted: true, retention: { timeMs: 60_000, bytes: 4096 } },
    { "cleanup.policy": "compact,delete", "retention.ms": "60000", "retention.bytes": "4096" }
  ]
]

describe("what ensure asks of a topic", () => {
  it.each(specs)("%j is, in Kafka's words, %j", (spec, configs) => {
    const asked = newKafkaTopic({ topic: "beacons", ...spec }, {})
    expect(asked).toMatchObject({ topic: "beacons", partitions: spec.partitions, replicationFactor: -1 })
    expect(Object.fromEntries(asked.configs.map(({ name, value }) => [name, value]))).toEqual(configs)
  })

  it("has the replication factor of the section", () => {
    const { replicationFactor } = newKafkaTopic(
      { topic: "beacons", partitions: 1 },
      { topic: { replicationFactor: 3 } }
    )
    expect(replicationFactor).toBe(3)
  })

  it.each(specs)("%j is there as asked once it was created so", (spec, configs) => {
    const status = topicStatus({ topic: "beacons", ...spec }, described(spec.partitions, configs))
    expect(status).toEqual({ status: "exists", partitions: spec.partitions })
  })
})

describe("a topic that is there already", () => {
  const compacted = { "cleanup.policy": "compact" }
  it.each<readonly [string, Omit<TopicSpec, "topic">, FoundKafkaTopic, ReadonlyArray<string>]>([
    ["has more partitions", { partitions: 2 }, described(4, {}), ["partitions 2 4"]],
    ["is compacted", { partitions: 1 }, described(1, compacted), ["compacted false true"]],
    ["is not compacted", { partitions: 1, compacted: true }, described(1, {}), ["compacted true false"]],
    [
      "is compacted and forgets keys",
      { partitions: 1, compacted: true },
      described(1, { "cleanup.policy": "compact, delete" }),
      ["retention none cleanup.policy=compact,delete"]
    ],
    [
      "is compacted and keeps what is old",
      { partitions: 1, compacted: true, retention: { timeMs: 60_000 } },
      described(1, { ...compacted, "retention.ms": "60000" }),
      ["cleanup.policy compact,delete compact"]
    ],
    [
      "keeps records for another time",
      { partitions: 1, retention: { timeMs: 60_000 } },
      described(1, {}),
      ["retention.timeMs 60000 604800000"]
    ],
    [
      "was given a retention that nobody asks for",
      { partitions: 1 },
      described(1, { "retention.bytes": "4096" }),
      ["retention.bytes default 4096"]
    ]
  ])("%s", (_, spec, found, expected) => {
    const status = topicStatus({ topic: "beacons", ...spec }, found)
    const told = "differences" in status ? status.differences : []
    expect(told.map(({ property, asked, found: has }) => `${property} ${asked} ${has}`)).toEqual(expected)
    expect(status).toMatchObject({ status: "differs", partitions: found.partitions })
  })

  it("is as asked where it is compacted alone, whatever time and size are set: Kafka passes over them", () => {
    const spec = { topic: "beacons", partitions: 1, compacted: true }
    const found = described(1, { ...compacted, "retention.ms": "60000", "retention.bytes": "4096" })
    expect(topicStatus(spec, found)).toEqual({ status: "exists", partitions: 1 })
  })

  it("is as asked where it says the same as the broker's default", () => {
    const spec = { topic: "beacons", partitions: 1, retention: { timeMs: 604_800_000 } }
    expect(topicStatus(spec, described(1, {}))).toEqual({ status: "exists", partitions: 1 })
  })
})
