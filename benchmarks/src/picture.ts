import type { Results } from "./results.ts"

interface Bar {
  readonly name: string
  readonly value: number
  readonly text: string
}

const width = 760
const barHeight = 22
const gap = 8
const nameWidth = 250
const textWidth = 130

/** Size of the values whose figures on Kafka are drawn, in bytes. */
const pictured = 200

/** The results as an SVG that is readable on light and dark ground. */
export function picture({ publish, log, handlers, tail, reopen, kafka }: Results): string {
  const rate = (value: number) => `${Math.round(value).toLocaleString("en")}/s`
  const bars = (pairs: ReadonlyArray<readonly [string, number]>): ReadonlyArray<Bar> =>
    pairs.map(([name, value]) => ({ name, value, text: rate(value) }))
  const groups: Array<{ readonly title: string; readonly bars: ReadonlyArray<Bar> }> = []
  if (publish !== undefined)
    groups.push({
      title: "Publishing, events/s on one thread (a transport that keeps nothing)",
      bars: bars([
        ["encode only", publish.encodeOnly.eventsPerSecond],
        ["offer to stored", publish.offered.eventsPerSecond],
        ["publish(queued) to stored", publish.published.eventsPerSecond]
      ])
    })
  if (log !== undefined)
    groups.push({
      title: "The log on disk, events/s at level stored (one fsync a batch)",
      bars: log.map(({ recordsPerBatch, eventsPerSecond, fsyncsPerSecond }) => ({
        name: `batches of ${recordsPerBatch}`,
        value: eventsPerSecond,
        text: `${rate(eventsPerSecond)}, ${fsyncsPerSecond} fsyncs`
      }))
    })
  if (handlers !== undefined)
    groups.push({
      title: "Handling, events/s of one group",
      bars: handlers.flatMap(({ transport, handlersPerSecond, batchedPerSecond }) =>
        bars([
          [`${transport}, one by one`, handlersPerSecond],
          [`${transport}, batches of 500`, batchedPerSecond]
        ])
      )
    })
  for (const { client, wire, valueBytes, leat, raw, rawWithoutHeaders, naive } of kafka?.producing ?? [])
    if (valueBytes === pictured)
      groups.push({
        title: `${client} on Kafka, wire ${wire}, values of ${valueBytes} bytes: publishing, events/s`,
        bars: bars([
          ["leat", leat.eventsPerSecond],
          ["the client at its best", raw.eventsPerSecond],
          ["and without headers", rawWithoutHeaders.eventsPerSecond],
          ["the client, each awaited", naive.eventsPerSecond]
        ])
      })
  for (const { client, wire, valueBytes, handle, handleBatch, raw } of kafka?.consuming ?? [])
    if (valueBytes === pictured)
      groups.push({
        title: `${client} on Kafka, wire ${wire}, values of ${valueBytes} bytes: consuming, events/s`,
        bars: bars([
          ["leat, batches", handleBatch.eventsPerSecond],
          ["leat, one by one", handle.eventsPerSecond],
          ["the client at its best", raw.eventsPerSecond]
        ])
      })
  const notes: Array<string> = []
  if (tail !== undefined)
    notes.push(`offer to handler in another process: p50 ${tail.p50Ms} ms, p90 ${tail.p90Ms} ms, p99 ${tail.p99Ms} ms`)
  if (reopen !== undefined)
    notes.push(`a log of ${(reopen.logBytes / 1024 ** 3).toFixed(2)} GiB opens and reads in ${reopen.toFirstReadMs} ms`)
  return svg(groups, notes)
}

function svg(
  groups: ReadonlyArray<{ readonly title: string; readonly bars: ReadonlyArray<Bar> }>,
  notes: ReadonlyArray<string>
): string {
  let y = 10
  const parts: Array<string> = []
  const text = (x: number, at: number, words: string, kind: string) =>
    parts.push(
      `<text x="${x}" y="${at}" class="${kind}">${words.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</text>`
    )
  for (const { title, bars } of groups) {
    y += 24
    text(10, y, title, "title")
    y += 10
    const most = Math.max(...bars.map(({ value }) => value))
    for (const { name, value, text: words } of bars) {
      const length = Math.max(2, Math.round((value / most) * (width - nameWidth - textWidth - 40)))
      text(10, y + 16, name, "name")
      parts.push(`<rect x="${nameWidth}" y="${y}" width="${length}" height="${barHeight}" rx="3" class="bar"/>`)
      text(nameWidth + length + 8, y + 16, words, "name")
      y += barHeight + gap
    }
  }
  for (const note of notes) {
    y += 22
    text(10, y, note, "name")
  }
  const style =
    "text{font-family:system-ui,sans-serif;fill:#57606a}.title{font-size:15px;font-weight:600}.name{font-size:13px}.bar{fill:#3b82c4}@media(prefers-color-scheme:dark){text{fill:#b6c2cf}}"
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y + 20}" viewBox="0 0 ${width} ${y + 20}" role="img"><title>leat, figures of one run</title><style>${style}</style>${parts.join("")}</svg>\n`
}
