/** The route document of a world. */
import type { Stage } from "./Scenario.ts"
import type { World, WorldLeg } from "./World.ts"

const retry = { base: "10 millis", factor: 2, maxDelay: "500 millis" }
const policies = {
  keep: [
    { on: ["Rejected"], then: "halt" },
    { on: ["*"], retry, then: "halt" }
  ],
  drop: [{ on: ["*"], retry: { times: 1, base: "5 millis" }, then: "drop" }],
  setAside: [
    { on: ["Rejected", "TooLarge"], then: "deadLetter" },
    { on: ["*"], retry: { times: 2, base: "5 millis" }, then: "deadLetter" }
  ],
  retry: [{ on: ["*"], retry, then: "halt" }],
  deadLetter: [
    { on: ["Poison"], then: "deadLetter" },
    { on: ["*"], retry, then: "halt" }
  ],
  deadLetterAll: [{ on: ["*"], retry: { times: 2, base: "5 millis" }, then: "deadLetter" }],
  dropPoison: [
    { on: ["Poison"], then: "drop" },
    { on: ["*"], retry, then: "halt" }
  ]
}

/** Of subscriptions. */
const settings = { concurrency: 3, settleEvery: "20 millis", drain: "5 seconds" }

/** Name of the cluster, and of its driver. */
export function clusterName(index: number): string {
  return `c${index}`
}

export function sinkOf({ cluster, topic }: WorldLeg): string {
  return `${clusterName(cluster)}/${topic}`
}

/** Each version is another table for the same places. */
export function worldRoutes(stages: ReadonlyArray<Stage>, { streams, groups }: World, version: number): unknown {
  const leg = ({ cluster, topic, isRequired, policy, wire, lingerMs, timeoutMs, ...one }: WorldLeg, read: boolean) => ({
    cluster: clusterName(cluster),
    topic,
    required: isRequired,
    read,
    policy,
    wire,
    linger: `${lingerMs + (version % 3)} millis`,
    timeout: `${timeoutMs} millis`,
    buffer: { bytes: one.bufferBytes + 1024 * (version % 5), overflow: one.overflow },
    batch: { bytes: version % 2 === 0 ? 4096 : 16_384, records: 16 }
  })
  return {
    version,
    clusters: Object.fromEntries(
      stages.map(({ config }, index) => [clusterName(index), { transport: clusterName(index), ...config }])
    ),
    policies,
    routes: streams.map(({ stream, legs }) => ({
      match: { stream },
      to: legs.map((one, index) => leg(one, index === 0))
    })),
    subscriptions: groups.map(({ group, ending }) => ({
      match: { stream: "*", group },
      policy: ending === "drop" ? "dropPoison" : ending,
      ...settings
    }))
  }
}
