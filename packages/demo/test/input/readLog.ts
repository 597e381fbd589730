import type { LogLine } from "../../src/gen/risk/v1/log.ts"
import type { Line } from "../../src/input/Line.ts"
import { LogReader } from "../../src/input/log/LogReader.ts"
import { textLines } from "../../src/input/TextLines.ts"

/** When the files of tests were written that name no year: at the end of a leap year. */
const writtenMsDefault = Date.UTC(2016, 11, 31, 23, 59, 59)

/** What a log becomes whose file holds these bytes, given in chunks of any size. */
export async function readLog(
  bytes: string | Uint8Array,
  chunkBytes = 64 * 1024,
  writtenMs = writtenMsDefault
): Promise<ReadonlyArray<Line>> {
  const all = typeof bytes === "string" ? Buffer.from(bytes) : bytes
  const chunks: Array<Uint8Array> = []
  for (let from = 0; from < all.length; from += chunkBytes) chunks.push(all.subarray(from, from + chunkBytes))
  const reader = new LogReader("some.log", writtenMs)
  const lines: Array<Line> = []
  for await (const line of textLines(chunks)) lines.push(...reader.push(line))
  return [...lines, ...reader.end()]
}

/** The same where every line is text. */
export async function readEvents(
  bytes: string | Uint8Array,
  chunkBytes?: number,
  writtenMs?: number
): Promise<ReadonlyArray<LogLine>> {
  const lines = await readLog(bytes, chunkBytes, writtenMs)
  return lines.map((line) => {
    if (line.kind !== "log") throw new Error(`not an event: ${JSON.stringify(line)}`)
    return line.event
  })
}
