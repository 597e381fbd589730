/**
 * A record in a retry topic: one that a group could not handle, as it stood, behind the headers of a dead letter that say when it is due. What it
 * says of itself is read without those.
 */
import { type DeadLetter, deadLetterHeader, readDeadLetter } from "./DeadLetter.ts"
import type { Header } from "./Headers.ts"

export interface MovedRecord {
  /** Where it was read first, why it was moved, and how often. */
  readonly letter: DeadLetter
  /** Epoch milliseconds of the clock of whoever moved it. */
  readonly dueMs: number
  /** How often it was moved, 1 or more. */
  readonly moves: number
  /** Those that the record had before it was moved for the first time. */
  readonly headers: ReadonlyArray<Header>
}

/** Undefined for every other record: also a dead letter, which is due no more. */
export function readMoved(headers: ReadonlyArray<Header>): MovedRecord | undefined {
  if (headers[0]?.[0] !== deadLetterHeader) return undefined
  const found = readDeadLetter(headers)
  const { dueMs, moves = 1 } = found?.letter ?? {}
  return found === undefined || dueMs === undefined ? undefined : { ...found, dueMs, moves }
}
