/**
 * What goes wrong in the store, before it becomes a `TransportError`: errors of SQLite and of the file system are classified
 * by their code, never by their text. Every row says why the reason is what it is.
 */
import type { TransportReason } from "leat/transport"

/** A fault as it crosses from the worker: data, because errors of other threads lose their class. */
export interface Fault {
  readonly reason: TransportReason
  /** One sentence: what, where, what to do. */
  readonly detail: string
}

/** Refused before anything was written. */
export class Refusal extends Error {
  readonly reason: TransportReason

  constructor(reason: TransportReason, detail: string) {
    super(detail)
    this.reason = reason
  }
}

interface Verdict {
  readonly reason: TransportReason
  readonly advice: string
}

const free = "free space on the volume, raise bytesMax, or keep less (retention)"
const busy = "another process holds the log for too long; it is tried again"
const damaged = "stop the processes on it, copy the directory, and restore a backup or run `leat doctor`"
const permission = "let this user read the directory and its files, and write them where it publishes or consumes"
const device = "look at the volume and the system log"

/** By extended result code first, then by primary code (the lowest 8 bits). */
const sqlite: ReadonlyMap<number, Verdict> = new Map<number, Verdict>([
  // The index of the WAL could not be grown: the volume is full, or /dev/shm is.
  [4874, { reason: "Full", advice: free }],
  // A read came back short: the file was cut.
  [522, { reason: "Corrupt", advice: damaged }],
  // The file system's own checksums say so.
  [8202, { reason: "Corrupt", advice: damaged }],
  [8458, { reason: "Corrupt", advice: damaged }],
  [3082, { reason: "Full", advice: "give the process more memory" }],
  // A directory stands where the file should be.
  [526, { reason: "Unsupported", advice: "choose another directory" }],
  [13, { reason: "Full", advice: free }],
  [7, { reason: "Full", advice: "give the process more memory" }],
  [5, { reason: "Unavailable", advice: busy }],
  [6, { reason: "Unavailable", advice: busy }],
  [15, { reason: "Unavailable", advice: busy }],
  [4, { reason: "Unavailable", advice: busy }],
  [9, { reason: "Unavailable", advice: busy }],
  [17, { reason: "Unavailable", advice: busy }],
  [11, { reason: "Corrupt", advice: damaged }],
  // Also what a damaged first page looks like: nothing may be written over it.
  [
    26,
    {
      reason: "Corrupt",
      advice: `it is no leat log, or its first bytes are damaged: choose another directory, or ${damaged}`
    }
  ],
  [24, { reason: "Corrupt", advice: damaged }],
  [20, { reason: "Corrupt", advice: damaged }],
  // Two batches at one position: what is stored contradicts itself.
  [19, { reason: "Corrupt", advice: damaged }],
  [18, { reason: "TooLarge", advice: "send smaller batches" }],
  [8, { reason: "Unauthorized", advice: permission }],
  [3, { reason: "Unauthorized", advice: permission }],
  [23, { reason: "Unauthorized", advice: permission }],
  [14, { reason: "Unauthorized", advice: permission }],
  [21, { reason: "Unsupported", advice: "this is a fault of @leat/log" }],
  [25, { reason: "Unsupported", advice: "this is a fault of @leat/log" }],
  [22, { reason: "Full", advice: "the file system allows no larger file" }],
  // A device that fails while it writes may have written.
  [10, { reason: "Unknown", advice: device }]
])

const system: ReadonlyMap<string, Verdict> = new Map<string, Verdict>([
  ["EACCES", { reason: "Unauthorized", advice: permission }],
  ["EPERM", { reason: "Unauthorized", advice: permission }],
  [
    "EROFS",
    { reason: "Unauthorized", advice: "the volume is read-only: choose another directory, or mount it writable" }
  ],
  ["ENOTDIR", { reason: "Unsupported", advice: "a file stands in the way: choose another directory" }],
  ["EEXIST", { reason: "Unsupported", advice: "a file stands in the way: choose another directory" }],
  ["ENOENT", { reason: "Unsupported", advice: "nothing can be created there: choose another directory" }],
  ["ENAMETOOLONG", { reason: "Unsupported", advice: "choose a shorter path" }],
  ["ELOOP", { reason: "Unsupported", advice: "its symbolic links lead in a circle: choose another directory" }],
  ["ENOSPC", { reason: "Full", advice: free }],
  ["EDQUOT", { reason: "Full", advice: free }],
  ["EMFILE", { reason: "Unavailable", advice: "let the process open more files" }],
  ["ENFILE", { reason: "Unavailable", advice: "let the system open more files" }],
  ["EIO", { reason: "Unknown", advice: device }]
])

/** Result code of an error of SQLite; undefined for any other. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error)) return undefined
  return typeof error.errcode === "number" ? error.errcode : undefined
}

/** Code of an error of Node or the system, `ENOENT`; undefined for any other. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined
}

/** Whether the same may work as soon as another process lets go of the log. */
export function isBusy(error: unknown): boolean {
  const primary = (sqliteCode(error) ?? 0) & 255
  return primary === 5 || primary === 6 || primary === 15 || primary === 17
}

/** Whether rows or pages are damaged: the others may still be good. */
export function isDamage(error: unknown): boolean {
  return verdictOf(error).reason === "Corrupt"
}

/** Whether it concerns the whole store: trying the works of a group one by one would fail each of them the same way. */
export function isGlobal(error: unknown): boolean {
  const primary = (sqliteCode(error) ?? 0) & 255
  return [7, 8, 10, 13, 14, 26].includes(primary)
}

/** Classifies anything that was thrown. `path` is what the fault is about. */
export function faultOf(error: unknown, path: string): Fault {
  if (error instanceof Refusal) return { reason: error.reason, detail: error.message }
  const { reason, advice } = verdictOf(error)
  const code = sqliteCode(error)
  const said = error instanceof Error ? error.message : String(error)
  return { reason, detail: `${path}: ${said}${code === undefined ? "" : ` (SQLite ${code})`}; ${advice}` }
}

const unknown: Verdict = { reason: "Unknown", advice: "this is a code that @leat/log does not know" }
const outOfRange: Verdict = { reason: "Corrupt", advice: damaged }

function verdictOf(error: unknown): Verdict {
  if (error instanceof Refusal) return { reason: error.reason, advice: "" }
  const code = sqliteCode(error)
  if (code !== undefined) return sqlite.get(code) ?? sqlite.get(code & 255) ?? unknown
  // A number that no column of ours ever holds.
  const name = systemCode(error) ?? ""
  return name === "ERR_OUT_OF_RANGE" ? outOfRange : (system.get(name) ?? unknown)
}
