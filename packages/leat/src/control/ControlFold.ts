/**
 * What a process has read of a control stream: the folded state, and where to read on. No I/O and no clock, as `Control`; the shell gives it
 * what stands there, in order, and may give it things twice.
 *
 * What is no record (`readEntry`) is passed over and counted: it changes nothing, for nobody.
 */
import { Result } from "effect"
import { applySaid, type Control, emptyControl } from "./Control.ts"
import { type ControlEntry, readControl, readEntry } from "./controlCodec.ts"
import type { SnapshotRecord } from "./ControlRecord.ts"
import { crc32c } from "../record/crc32c.ts"

/** What stands at a position of the control stream. */
export interface StoredControl {
  readonly position: bigint
  /** When, by the clock of who wrote it. */
  readonly timeMs: number
  readonly value: Uint8Array | null
}

/** A record that was read, and whether it counts. */
export interface FoldedRecord {
  readonly position: bigint
  /** When, by the clock of who wrote it; 0: nobody knows. */
  readonly timeMs: number
  readonly entry: ControlEntry
  readonly counts: boolean
}

/** What was read last, as it can be known again. */
export interface LastRead {
  readonly position: bigint
  /** CRC-32C of its value; of a tombstone -1. */
  readonly sum: number
}

/** Snapshots of which some parts are there: so many, and older ones are given up. */
const begunMax = 16

export class ControlFold {
  #control: Control
  #next: bigint
  #parts = new SnapshotParts()
  #covered: bigint
  #sinceSnapshot = 0
  #unreadable = 0
  #last: LastRead | undefined

  /** `next`: the position behind all that `control` was folded from. */
  constructor(control: Control = emptyControl, next = 0n) {
    this.#control = control
    this.#next = next
    this.#covered = next
  }

  get control(): Control {
    return this.#control
  }

  /** Where to read on. */
  get next(): bigint {
    return this.#next
  }

  /** The newest whole snapshot has all records before this position. */
  get covered(): bigint {
    return this.#covered
  }

  /** Records since the newest whole snapshot. */
  get sinceSnapshot(): number {
    return this.#sinceSnapshot
  }

  /** Things that were no records. */
  get unreadable(): number {
    return this.#unreadable
  }

  /** Undefined: nothing was read. */
  get last(): LastRead | undefined {
    return this.#last
  }

  /** Whether another thing stands where the last one was read: what stood there is gone. */
  isAnother({ position, value }: Pick<StoredControl, "position" | "value">): boolean {
    return this.#last?.position === position && this.#last.sum !== sumOf(value)
  }

  /** Undefined: it was read before, or is no record. */
  read({ position, timeMs, value }: StoredControl): FoldedRecord | undefined {
    if (position < this.#next) return undefined
    this.#next = position + 1n
    this.#last = { position, sum: sumOf(value) }
    const found = value === null ? Result.fail("a tombstone") : readEntry(value)
    if (Result.isFailure(found)) {
      this.#unreadable++
      return undefined
    }
    const entry = found.success
    this.#sinceSnapshot++
    if (entry.record.kind === "snapshot") this.#noteSnapshot(entry.author, entry.record)
    const { author, reason } = entry
    const saidMs = Number.isSafeInteger(timeMs) && timeMs > 0 ? timeMs : 0
    const after = applySaid(this.#control, entry.record, { author, reason, timeMs: saidMs })
    const counts = after !== this.#control
    this.#control = after
    return { position, timeMs: saidMs, entry, counts }
  }

  /** Nothing stands between what was read and this position: it is a gap. */
  passTo(position: bigint): void {
    if (position > this.#next) this.#next = position
  }

  #noteSnapshot(author: string, record: SnapshotRecord): void {
    const whole = this.#parts.add(author, record)
    if (whole === undefined || Result.isFailure(readControl(whole))) return
    this.#covered = BigInt(record.upTo)
    this.#sinceSnapshot = 0
  }
}

function sumOf(value: Uint8Array | null): number {
  return value === null ? -1 : crc32c(value)
}

/**
 * Folds a control stream that begins at `start` now, which is behind what was trimmed; `stored`: all that stands there, in order. `see` is told of each
 * record behind the snapshot. Fails with why nobody can know the state: what was before is gone, and no snapshot has it.
 */
export function foldFrom(
  start: bigint,
  stored: ReadonlyArray<StoredControl>,
  see: (record: FoldedRecord) => void = () => undefined
): Result.Result<ControlFold, string> {
  let fold = start === 0n ? new ControlFold() : undefined
  const parts = new SnapshotParts()
  for (const { value } of start === 0n ? [] : stored) {
    const found = value === null ? undefined : Result.getOrUndefined(readEntry(value))
    if (found?.record.kind !== "snapshot" || BigInt(found.record.upTo) < start) continue
    const whole = parts.add(found.author, found.record)
    const control = whole === undefined ? undefined : Result.getOrUndefined(readControl(whole))
    if (control !== undefined) fold = new ControlFold(control, BigInt(found.record.upTo))
  }
  if (fold === undefined)
    return Result.fail(
      `it begins at position ${start}, and no snapshot in it has what was before; it was trimmed too far`
    )
  for (const one of stored) {
    const record = fold.read(one)
    if (record !== undefined) see(record)
  }
  return Result.succeed(fold)
}

/** Parts of snapshots, by author and by what they cover, until all are there. */
class SnapshotParts {
  readonly #begun = new Map<string, Map<number, Uint8Array>>()

  /** The whole, when this was the last part. */
  add(author: string, { upTo, part, parts, bytes }: SnapshotRecord): Uint8Array | undefined {
    if (part >= parts) return undefined
    const name = `${upTo} ${parts} ${author}`
    const found = this.#begun.get(name) ?? new Map<number, Uint8Array>()
    this.#begun.delete(name)
    found.set(part, bytes)
    if (found.size === parts)
      return Buffer.concat(Array.from({ length: parts }, (_, index) => found.get(index) ?? new Uint8Array(0)))
    this.#begun.set(name, found)
    const [oldest] = this.#begun.keys()
    if (this.#begun.size > begunMax && oldest !== undefined) this.#begun.delete(oldest)
    return undefined
  }
}
