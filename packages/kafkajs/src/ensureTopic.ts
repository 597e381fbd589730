/** Creates topics, and compares existing ones with what is asked. */
import { monotonicMs } from "./client/clock.ts"
import { type KafkaOptions, nameOfCode, newKafkaTopic, reasonOfCode, topicConfigNames, topicStatus } from "@leat/kafka"
import type { TopicSpec, TopicStatus } from "leat/transport"
import type { Brokers } from "./client/Brokers.ts"
import { failure, failureOf, refusal } from "./client/failureOf.ts"
import { positionsAt } from "./Offsets.ts"

const alreadyExists = 36
const topicResource = 2
/** The source code of a configuration that is set for the topic itself. */
const setForTopic = 1

/** How long every partition of a new topic may take to get a leader, in milliseconds. */
const leadersMs = 10_000
const lookAgainMs = 50

export async function ensureTopic(brokers: Brokers, options: KafkaOptions, spec: TopicSpec): Promise<TopicStatus> {
  if (!Number.isInteger(spec.partitions) || spec.partitions < 1)
    throw failure("Unsupported", "ensure", `a topic has 1 or more partitions, not ${spec.partitions}`)
  const found = await lookFor(brokers, spec.topic)
  if (found !== undefined) return compare(brokers, spec, found)
  const { topic, partitions, replicationFactor, configs } = newKafkaTopic(spec, options)
  const link = await brokers.controller()
  const { topicErrors } = await link.call(
    "CreateTopics",
    {
      topics: [{ topic, numPartitions: partitions, replicationFactor, configEntries: configs }],
      timeout: brokers.settings.requestMs
    },
    brokers.settings.requestMs
  )
  const told = topicErrors.find((one) => one.topic === topic)
  const code = told?.errorCode ?? -1
  if (code !== 0 && code !== alreadyExists) {
    const said = told?.errorMessage ?? "no more is said"
    throw failure(reasonOfCode(code), "ensure", `${topic}: the broker says ${nameOfCode(code)}: ${said}`)
  }
  await untilLed(brokers, spec)
  // Another client has created it, perhaps with other settings.
  if (code === alreadyExists) return compare(brokers, spec, (await brokers.lookUp(topic)).partitions)
  return { status: "created", partitions }
}

async function lookFor(brokers: Brokers, topic: string): Promise<number | undefined> {
  try {
    return (await brokers.lookUp(topic)).partitions
  } catch (error) {
    if (failureOf(error, "ensure", topic).reason === "UnknownTopic") return undefined
    throw error
  }
}

/** Waits for the leaders of a new topic: the controller answers before they know of it. */
async function untilLed(brokers: Brokers, { topic, partitions }: TopicSpec): Promise<void> {
  const untilMs = monotonicMs() + leadersMs
  const every = Array.from({ length: partitions }, (_, partition) => partition)
  for (;;) {
    try {
      brokers.forget(topic)
      await positionsAt(brokers, topic, every, "latest")
      return
    } catch {
      if (monotonicMs() > untilMs) return
      await new Promise((resolve) => setTimeout(resolve, lookAgainMs))
    }
  }
}

async function compare(brokers: Brokers, spec: TopicSpec, partitions: number): Promise<TopicStatus> {
  const link = await brokers.anyLink("ask")
  const { resources } = await link.call(
    "DescribeConfigs",
    { resources: [{ type: topicResource, name: spec.topic, configNames: topicConfigNames }] },
    brokers.settings.requestMs
  )
  const resource = resources.find(({ resourceName }) => resourceName === spec.topic)
  const code = resource?.errorCode ?? -1
  if (resource === undefined || code !== 0) throw refusal(code, "ensure", spec.topic)
  const configs = resource.configEntries.map(({ configName, configValue, configSource }) => ({
    name: configName,
    value: configValue,
    isDefault: configSource !== setForTopic
  }))
  return topicStatus(spec, { partitions, configs })
}
