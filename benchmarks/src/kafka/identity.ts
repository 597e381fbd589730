/** Whether two topics hold the same records: else two things would be compared that do not do the same. */
import { Buffer } from "node:buffer"
import type { StoredRecord, Topics } from "./Topics.ts"

/** Records of each partition that are compared. */
const records = 100

/** Compares the first records byte by byte, with only the time taken out of the headers. Returns how many; throws where one differs. */
export async function compareRecords(topics: Topics, one: string, other: string): Promise<number> {
  const [left, right] = await Promise.all([topics.first(one, records), topics.first(other, records)])
  let compared = 0
  for (const [partition, all] of left.entries()) {
    for (const [index, record] of all.entries()) {
      const twin = right[partition]?.[index]
      if (twin === undefined || textOf(record) !== textOf(twin)) {
        const differs = `${textOf(record)}\n${twin === undefined ? "nothing" : textOf(twin)}`
        throw new Error(`${one} and ${other} differ at ${partition}/${index}:\n${differs}`)
      }
      compared++
    }
  }
  return compared
}

function textOf({ key, value, headers }: StoredRecord): string {
  const timeless = headers.map(([name, bytes]) => {
    if (!Buffer.isBuffer(bytes)) return [name, "no bytes"]
    return [name, withoutTime(name, bytes)]
  })
  return JSON.stringify([key?.toString("hex"), timeless, value?.toString("hex")])
}

/** Epoch milliseconds stand in six bytes of the one header, or in one of their own as 24 characters. */
function withoutTime(name: string, bytes: Buffer): string {
  if (name === "ce_time") return `${bytes.length} bytes of time`
  const text = bytes.toString("hex")
  return name === "leat" ? text.slice(0, 34) + "-".repeat(12) + text.slice(46) : text
}
