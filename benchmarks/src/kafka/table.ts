import type { CaseName, Comparison, ConsumingFigures, KafkaFigures, ProducingFigures, SideFigures } from "./figures.ts"

/** The comparison on a broker for a person: a line for each side of each case. */
export function kafkaTable({
  producing,
  consuming,
  tool,
  leftOut,
  steadyPerSecond
}: KafkaFigures): ReadonlyArray<string> {
  const lines: Array<string> = []
  if (producing.length > 0) lines.push(producingHead(steadyPerSecond))
  for (const figures of producing) lines.push(...producingRows(figures))
  if (consuming.length > 0) lines.push(consumingHead)
  for (const figures of consuming) lines.push(...consumingRows(figures))
  for (const { valueBytes, recordsPerSecond, p50Ms, p99Ms } of tool) {
    const figures = `${whole(recordsPerSecond)} records/s as fast as it can, p50 ${p50Ms} ms, p99 ${p99Ms} ms`
    lines.push(`Kafka's ProducerPerformance (Java), ${valueBytes} B: ${figures}`)
  }
  for (const sentence of leftOut) lines.push(`left out: ${sentence}`)
  return lines
}

const whole = (value: number): string => Math.round(value).toLocaleString("en")

const producingHead = (steadyPerSecond: number): string =>
  `${"producing".padEnd(54)}${cells("events/s", "CPU us", "p50 ms", "p99 ms")} (latency at ${whole(steadyPerSecond)} events/s)`
const consumingHead = `${"consuming".padEnd(54)}${cells("events/s", "CPU us")}`

function cells(...texts: ReadonlyArray<string>): string {
  return texts.map((text, index) => text.padStart(index === 0 ? 11 : 9)).join("")
}

function row(
  { client, wire, valueBytes }: CaseName,
  side: string,
  figures: SideFigures,
  ...more: ReadonlyArray<string>
): string {
  const name = `${client}, ${wire}, ${valueBytes} B: `.padEnd(32) + side.padEnd(22)
  return name + cells(whole(figures.eventsPerSecond), figures.cpuUsPerEvent.toFixed(2), ...more)
}

function producingRows(figures: ProducingFigures): ReadonlyArray<string> {
  const { leat, raw, timesNaive, toRaw } = figures
  const times = ({ p50Ms, p99Ms }: { readonly p50Ms: number; readonly p99Ms: number }) => [
    p50Ms.toFixed(1),
    p99Ms.toFixed(1)
  ]
  return [
    `${row(figures, "leat", leat, ...times(leat))}  ${compared(toRaw)}; ${whole(timesNaive)} x naive`,
    row(figures, "leat publish(queued)", figures.leatPublish),
    row(figures, "raw at its best", raw, ...times(raw)),
    row(figures, "raw without headers", figures.rawWithoutHeaders),
    row(figures, "raw, each awaited", figures.naive)
  ]
}

function consumingRows(figures: ConsumingFigures): ReadonlyArray<string> {
  return [
    `${row(figures, "leat handle", figures.handle)}  ${compared(figures.handleToRaw)}`,
    `${row(figures, "leat handleBatch", figures.handleBatch)}  ${compared(figures.handleBatchToRaw)}`,
    row(figures, "raw at its best", figures.raw)
  ]
}

const compared = ({ ratio, ratios, cpuRatio }: Comparison): string =>
  `${ratio.toFixed(2)} of raw (${ratios.map((one) => one.toFixed(2)).join(", ")}), CPU x ${cpuRatio.toFixed(2)}`
