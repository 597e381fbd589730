import type { PlainRecord } from "../record/batchOf.ts"
import { deadLetterFamily, deadLetterHeader, deadLetterHeaders, readReplays } from "../record/DeadLetter.ts"
import type { Header } from "../record/Headers.ts"
import type { ToSetAside } from "./SetAside.ts"

/** Where a record was read. */
interface ReadBy {
  readonly topic: string
  readonly partition: number
  readonly group: string
}

/** The dead letter of one record, as it is to be stored; undefined for positions without a record, which nobody handles. */
export function deadLetterOf({ held, tag, detail }: ToSetAside, by: ReadBy, nowMs: number): PlainRecord | undefined {
  const { slice, attempts, position } = held
  if (slice === undefined) return undefined
  const { records, from } = slice
  const { headers, replays } = beforeReplay(records.headers(from))
  const letter = deadLetterHeaders({
    ...by,
    by: "leat",
    position,
    stage: stages[tag] ?? "handle",
    tag,
    message: detail,
    attempts,
    atMs: nowMs,
    timeMs: records.timeMs(from),
    replays
  })
  return { key: records.key(from), value: records.value(from), headers: [...letter, ...headers], timeMs: nowMs }
}

const stages: Readonly<Partial<Record<string, "decode" | "crash">>> = { Malformed: "decode", CrashLoop: "crash" }

/** The headers of a record without the one that says that it is a replay; of a dead letter that is read as an event it stays. */
function beforeReplay(headers: ReadonlyArray<Header>): {
  readonly headers: ReadonlyArray<Header>
  readonly replays: number
} {
  const [first, second] = headers
  if (first?.[0] !== deadLetterHeader || second?.[0].startsWith(deadLetterFamily) === true)
    return { headers, replays: 0 }
  return { headers: headers.slice(1), replays: readReplays(first[1]) ?? 0 }
}
