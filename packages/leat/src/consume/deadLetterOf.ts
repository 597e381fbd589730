import type { PlainRecord } from "../record/batchOf.ts"
import {
  type DeadLetter,
  deadLetterFamily,
  deadLetterHeader,
  deadLetterHeaders,
  readReplays
} from "../record/DeadLetter.ts"
import type { Header } from "../record/Headers.ts"
import type { Slice } from "./HeldRecord.ts"
import { readMoved } from "../record/movedRecord.ts"
import type { ToSetAside } from "./SetAside.ts"

/** Where a record was read. */
interface ReadBy {
  readonly topic: string
  readonly partition: number
  readonly group: string
}

/**
 * The dead letter of one record, or what goes to a retry topic, as it is to be stored at a time. What was moved before keeps the place where it was read
 * first. The record is read at once: what a driver gives against its type may throw, and that halts its lane.
 */
export function deadLetterOf(
  { held, tag, detail, move }: ToSetAside,
  { records, from }: Slice,
  by: ReadBy
): (nowMs: number) => PlainRecord {
  const { headers, ...before } = withoutOwn(records.headers(from))
  const { attempts = 0, moves = 0, ...origin } = before
  const counted = move === undefined ? moves : moves + 1
  const letter: DeadLetter = {
    ...by,
    position: held.position,
    timeMs: records.timeMs(from),
    ...origin,
    by: "leat",
    stage: stages.get(tag) ?? "handle",
    tag,
    message: detail,
    attempts: attempts + held.attempts,
    ...(counted === 0 ? {} : { moves: counted })
  }
  const [key, value] = [records.key(from), records.value(from)]
  return (nowMs) => {
    // Headers have whole milliseconds: of a fraction nothing would be read.
    const due = move === undefined ? {} : { dueMs: Math.ceil(nowMs + move.delayMs) }
    const atMs = Math.floor(nowMs)
    return {
      key,
      value,
      headers: [...deadLetterHeaders({ ...letter, atMs, ...due }), ...headers],
      timeMs: atMs
    }
  }
}

/** Of handlers' own tags none: they may be any text. */
const stages: ReadonlyMap<string, "decode" | "crash"> = new Map([
  ["Malformed", "decode"],
  ["CrashLoop", "crash"]
])

/** What a record says of how it came here, and the headers that it had before. */
interface Before extends Pick<
  DeadLetter,
  "topic" | "partition" | "position" | "timeMs" | "attempts" | "moves" | "replays"
> {
  readonly headers: ReadonlyArray<Header>
}

/** Without the header that says that it is a replay, or those that say that it was moved; of a dead letter that is read as an event they stay. */
function withoutOwn(headers: ReadonlyArray<Header>): Before {
  const moved = readMoved(headers)
  if (moved !== undefined) {
    const { topic, partition, position, timeMs, attempts, replays } = moved.letter
    const place =
      topic === undefined || partition === undefined || position === undefined ? {} : { topic, partition, position }
    return {
      headers: moved.headers,
      ...place,
      ...(timeMs === undefined ? {} : { timeMs }),
      ...(attempts === undefined ? {} : { attempts }),
      moves: moved.moves,
      replays
    }
  }
  const [first, second] = headers
  if (first?.[0] !== deadLetterHeader || second?.[0].startsWith(deadLetterFamily) === true)
    return { headers, replays: 0 }
  return { headers: headers.slice(1), replays: readReplays(first[1]) ?? 0 }
}
