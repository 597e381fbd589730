/**
 * leat beside the clients that its drivers use, on one real broker: publishing and reading, with records that are the same byte for byte.
 */
import { type Kafka, KafkaMissingError, startKafka } from "@leat/brokers"
import { compareCase } from "./compareCase.ts"
import type { ConsumingFigures, KafkaFigures, ProducingFigures } from "./figures.ts"
import { Guarded } from "./Guarded.ts"
import { clients, type Client, type Effort, partitions, steadyPerSecond, wires } from "./plan.ts"
import { producerPerformance, type ToolFigures } from "./producerPerformance.ts"
import { SideProcess } from "./SideProcess.ts"
import { Topics } from "./Topics.ts"

const lookMs = 500

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
  // npm may be killed so that it cannot pass the signal on: whoever it ran for is gone then, too.
  const { ppid } = process
  const isOrphan = () => process.env["npm_lifecycle_event"] === "bench" && process.ppid !== ppid
  const look = setInterval(() => (isOrphan() ? stop() : undefined), lookMs)
  try {
    kafka = await startKafka({ properties }, say)
    return await compareAll(kafka.bootstrap, guarded, effort, say)
  } catch (error) {
    if (isStopped) return await new Promise(() => undefined)
    if (error instanceof KafkaMissingError) return nothing(error.reason)
    throw error
  } finally {
    if (!isStopped) {
      clearInterval(look)
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
  const leftOut: Array<string> = []
  const producing: Array<ProducingFigures> = []
  const consuming: Array<ConsumingFigures> = []
  const present = await presentClients(leftOut)
  let casesLeft = present.length * wires.length * effort.valueSizes.length
  for (const plan of present.flatMap((client) => wires.map((wire) => ({ client, wire, bootstrap })))) {
    if (performance.now() > deadlineMs) {
      leftOut.push(`${plan.client}, ${plan.wire}: the time was up`)
      continue
    }
    const [leat, raw] = await Promise.all([
      SideProcess.start({ ...plan, side: "leat" }, guarded),
      SideProcess.start({ ...plan, side: "raw" }, guarded)
    ])
    for (const valueBytes of effort.valueSizes) {
      const name = { client: plan.client, wire: plan.wire, valueBytes }
      const text = `${name.client}, ${name.wire}, ${valueBytes} B`
      const budgetMs = (deadlineMs - performance.now()) / casesLeft--
      if (budgetMs <= 0) leftOut.push(`${text}: the time was up`)
      if (budgetMs <= 0) continue
      say(text)
      const figures = await compareCase({ topics, effort }, name, { leat, raw }, budgetMs)
      producing.push(figures.producing)
      consuming.push(figures.consuming)
    }
    await Promise.all([leat.end(), raw.end()])
  }
  const tool = await runTool({ topics, bootstrap, guarded, effort, say }, deadlineMs + effort.toolMs, leftOut)
  await topics.close()
  return { partitions, steadyPerSecond, producing, consuming, tool, leftOut }
}

interface ToolRun {
  readonly topics: Topics
  readonly bootstrap: string
  readonly guarded: Guarded
  readonly effort: Effort
  readonly say: (sentence: string) => void
}

async function runTool(
  { topics, bootstrap, guarded, effort, say }: ToolRun,
  deadlineMs: number,
  leftOut: Array<string>
): Promise<ReadonlyArray<ToolFigures>> {
  const figures: Array<ToolFigures> = []
  const topic = "tool"
  await topics.create([topic])
  for (const valueBytes of effort.valueSizes) {
    const text = `Kafka's own tool, ${valueBytes} B`
    if (performance.now() > deadlineMs) leftOut.push(`${text}: the time was up`)
    if (performance.now() > deadlineMs) break
    say(text)
    figures.push(await producerPerformance(guarded, bootstrap, topic, { valueBytes, records: effort.toolRecords }))
  }
  await topics.remove([topic])
  return figures
}

async function presentClients(leftOut: Array<string>): Promise<ReadonlyArray<Client>> {
  const present: Array<Client> = []
  for (const client of clients) {
    const why = await whyAbsent(client)
    if (why === undefined) present.push(client)
    else leftOut.push(`${client}: ${why}`)
  }
  return present
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
