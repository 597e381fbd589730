/**
 * leat beside the clients that its drivers use, on one real broker: publishing and reading, with records that are the same byte for byte.
 */
import { type Kafka, KafkaMissingError, startKafka } from "@leat/brokers"
import { compareCase } from "./compareCase.ts"
import type { ConsumingFigures, KafkaFigures, ProducingFigures } from "./figures.ts"
import { Guarded } from "./Guarded.ts"
import { clients, type Client, type Effort, partitions, steadyPerSecond, wires } from "./plan.ts"
import { producerPerformance, type ToolFigures } from "./producerPerformance.ts"
import { Topics } from "./Topics.ts"

/** Deleted topics leave the disk soon: one run writes some gigabytes. */
const properties = { "log.segment.delete.delay.ms": "1000", "log.segment.bytes": "67108864" }

export async function benchKafka(effort: Effort, say: (sentence: string) => void): Promise<KafkaFigures> {
  const guarded = new Guarded()
  let kafka: Kafka | undefined
  let isStopped = false
  const stop = () => {
    if (isStopped) return
    isStopped = true
    // What is on its way fails meanwhile; nobody is left to hear of it.
    void guarded
      .close()
      .then(() => kafka?.close())
      .finally(() => process.exit(130))
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, stop)
  try {
    kafka = await startKafka({ properties }, say)
    return await compareAll(kafka.bootstrap, guarded, effort, say)
  } catch (error) {
    if (isStopped) return await new Promise(() => undefined)
    if (error instanceof KafkaMissingError) return nothing(error.reason)
    throw error
  } finally {
    if (!isStopped) {
      await guarded.close()
      await kafka?.close()
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, stop)
    }
  }
}

const nothing = (why: string): KafkaFigures => ({
  partitions,
  steadyPerSecond,
  producing: [],
  consuming: [],
  tool: [],
  leftOut: [`everything: ${why}`]
})

async function compareAll(
  bootstrap: string,
  guarded: Guarded,
  effort: Effort,
  say: (sentence: string) => void
): Promise<KafkaFigures> {
  const deadlineMs = performance.now() + effort.budgetMs
  const topics = await Topics.connect(bootstrap)
  const tool: Array<ToolFigures> = []
  await topics.create(["tool"])
  for (const valueBytes of effort.valueSizes) {
    say(`Kafka's own tool, ${valueBytes} B`)
    tool.push(await producerPerformance(guarded, bootstrap, "tool", { valueBytes, records: effort.toolRecords }))
  }
  await topics.remove(["tool"])
  const leftOut: Array<string> = []
  const present: Array<Client> = []
  for (const client of clients) {
    const why = await whyAbsent(client)
    if (why === undefined) present.push(client)
    else leftOut.push(`${client}: ${why}`)
  }
  const cases = present.flatMap((client) =>
    wires.flatMap((wire) => effort.valueSizes.map((valueBytes) => ({ client, wire, valueBytes })))
  )
  const producing: Array<ProducingFigures> = []
  const consuming: Array<ConsumingFigures> = []
  for (const [index, name] of cases.entries()) {
    const text = `${name.client}, ${name.wire}, ${name.valueBytes} B`
    if (performance.now() > deadlineMs) {
      leftOut.push(`${text}: the time was up`)
      continue
    }
    say(text)
    const budgetMs = (deadlineMs - performance.now()) / (cases.length - index)
    const figures = await compareCase({ guarded, bootstrap, topics, effort }, name, budgetMs)
    producing.push(figures.producing)
    consuming.push(figures.consuming)
  }
  await topics.close()
  return { partitions, steadyPerSecond, producing, consuming, tool, leftOut }
}

/** Not every machine has the native addon of confluent. */
async function whyAbsent(client: Client): Promise<string | undefined> {
  if (client === "kafkajs") return undefined
  try {
    await import("@confluentinc/kafka-javascript")
    return undefined
  } catch (error) {
    return String(error).split("\n")[0]
  }
}
