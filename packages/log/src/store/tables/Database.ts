/** One connection to the file of a log: opens, checks and creates it, and runs transactions. */
import { wallMs } from "../../clock.ts"
import { accessSync, constants, existsSync, statSync } from "node:fs"
import { DatabaseSync, type StatementSync } from "node:sqlite"
import { pathToFileURL } from "node:url"
import { faultOf, Refusal } from "../../Fault.ts"
import { type LogPaths, findDirectory, takeDirectory } from "./Directory.ts"
import { Presence } from "./Presence.ts"
import { Reserve } from "./Reserve.ts"
import { applicationId, formatVersion, oldestFormat, tables, upgrades } from "./schema.ts"
import { rowSum } from "./rowSum.ts"

/** Longest wait of a read for another process, in milliseconds. */
const busyMs = 250

/**
 * Longest wait of a begin for another process, in milliseconds; then the group commit retries. Short, because SQLite looks at steps that grow
 * to 100 ms while it waits, and the thread serves reads too.
 */
const beginMs = 40

/** Longest wait of an open for other processes that create, recover or checkpoint the same log, in milliseconds. */
const openMs = 10_000

export interface DatabaseOptions {
  readonly paths: LogPaths
  /** Nothing is created or changed. */
  readonly isReadOnly: boolean
  /** Size limit of the file, in bytes; undefined: the size of the volume. */
  readonly bytesMax?: number | undefined
}

/** `PASSIVE`: waits for nobody, and leaves the write-ahead log as long as it is. */
type CheckpointMode = "TRUNCATE" | "PASSIVE"

export class Database {
  readonly paths: LogPaths
  readonly presence: Presence
  readonly #sql: DatabaseSync
  readonly #version: StatementSync
  readonly #checkpoints: Readonly<Record<CheckpointMode, StatementSync>>
  /** True for a reader that found the log closed, and must leave it closed. */
  readonly #wasClosed: boolean
  #seen = -1

  private constructor({ paths, isReadOnly }: DatabaseOptions, sql: DatabaseSync, wasClosed: boolean) {
    this.paths = paths
    this.presence = new Presence(paths, isReadOnly)
    this.#sql = sql
    this.#wasClosed = wasClosed
    this.#version = sql.prepare("PRAGMA data_version")
    this.#checkpoints = {
      TRUNCATE: sql.prepare("PRAGMA wal_checkpoint(TRUNCATE)"),
      PASSIVE: sql.prepare("PRAGMA wal_checkpoint(PASSIVE)")
    }
  }

  /** Opens the log; creates it in an empty directory. Throws a `Refusal` for a file that is not a log, and SQLite's errors as they are. */
  static open(options: DatabaseOptions): Database {
    const { paths, isReadOnly } = options
    if (isReadOnly) findDirectory(paths)
    else takeDirectory(paths)
    // SQLite would recover an empty file from a leftover WAL, and report no loss.
    const isCut =
      existsSync(paths.database) && statSync(paths.database).size === 0 && existsSync(`${paths.database}-wal`)
    if (isCut && statSync(`${paths.database}-wal`).size > 0) throw cut(paths.database)
    if (isReadOnly && !isWritable(paths.directory))
      return Database.#open(pathToFileURL(paths.database).href + "?immutable=1", options)
    try {
      return Database.#open(paths.database, options)
    } catch (error) {
      const reserve = new Reserve(paths.reserve)
      if (isReadOnly || faultOf(error, paths.database).reason !== "Full" || reserve.bytes === 0) throw error
      // The write-ahead log and its index need some space before anything can be deleted.
      reserve.remove()
      return Database.#open(paths.database, options)
    }
  }

  static #open(location: string, options: DatabaseOptions): Database {
    const { paths, isReadOnly, bytesMax } = options
    const wasClosed = isReadOnly && location === paths.database && !existsSync(`${paths.database}-wal`)
    const sql = new DatabaseSync(location, { readOnly: isReadOnly, timeout: openMs })
    try {
      sql.exec(
        "PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0"
      )
      if (isReadOnly) {
        const found = check(sql, paths.database)
        if (found === "empty")
          throw new Refusal("UnknownTopic", `${paths.database} is empty: no log was ever finished there`)
        if (found === "old")
          throw new Refusal(
            "Unsupported",
            `${paths.database} has an older format: whoever opens it for writing with this version of @leat/log brings it up to date`
          )
      } else prepare(sql, paths.database, bytesMax)
      sql.exec(`PRAGMA busy_timeout = ${busyMs}`)
      return new Database(options, sql, wasClosed)
    } catch (error) {
      sql.close()
      if (wasClosed) takeAwayIndex(paths.database)
      throw error
    }
  }

  prepare(text: string): StatementSync {
    return this.#sql.prepare(text)
  }

  /** Whether another connection has committed since the last call. */
  hasChanged(): boolean {
    const version = Number(this.#version.get()?.["data_version"] ?? 0)
    if (version === this.#seen) return false
    this.#seen = version
    return true
  }

  /** Begins a write; throws a busy error if another process holds the log for longer than `waitMs`. */
  begin(waitMs = beginMs): void {
    // One whose rollback failed is still open.
    this.rollback()
    this.#sql.exec(`PRAGMA busy_timeout = ${waitMs}`)
    try {
      this.#sql.exec("BEGIN IMMEDIATE")
    } finally {
      this.#sql.exec(`PRAGMA busy_timeout = ${busyMs}`)
    }
  }

  commit(): void {
    this.#sql.exec("COMMIT")
  }

  rollback(): void {
    if (this.#sql.isTransaction) this.#sql.exec("ROLLBACK")
  }

  /** Copies the write-ahead log into the database and, unless it is passive, empties it, as far as other processes allow. Outside of a transaction. */
  checkpoint(mode: CheckpointMode = "TRUNCATE"): void {
    try {
      this.#checkpoints[mode].get()
    } catch {
      // Another process holds the log, or the volume is full: whoever needs the space finds that there is none.
    }
  }

  /** Runs `look` on one snapshot of the log. */
  snapshot<A>(look: () => A): A {
    if (this.#sql.isTransaction) return look()
    this.#sql.exec("BEGIN")
    try {
      return look()
    } finally {
      this.rollback()
    }
  }

  close(): void {
    this.presence.close()
    this.#sql.close()
    if (this.#wasClosed) takeAwayIndex(this.paths.database)
  }
}

/**
 * A reader of a closed log makes SQLite create a write-ahead log and its index, owned by the reader's user. If they stayed, the service
 * might not be able to open its own log. A reader must not remove them; the last writer to close removes both.
 */
function takeAwayIndex(path: string): void {
  try {
    if (!existsSync(`${path}-wal`)) return
    const sql = new DatabaseSync(path, { timeout: busyMs })
    try {
      sql.prepare("PRAGMA user_version").get()
    } finally {
      sql.close()
    }
  } catch {
    // Another process has the log open by now, and will remove them.
  }
}

function prepare(sql: DatabaseSync, path: string, bytesMax: number | undefined): void {
  // Before the first write: a file that is not a log must not be changed.
  if (check(sql, path) === "empty") sql.exec("PRAGMA page_size = 4096; PRAGMA auto_vacuum = NONE")
  sql.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000")
  sql.exec("PRAGMA journal_size_limit = 67108864")
  // Before the limit: a log that is full can still be brought up to date.
  if (check(sql, path) !== "log") createOrBringUpToDate(sql, path)
  if (bytesMax === undefined) return
  const pageBytes = Number(sql.prepare("PRAGMA page_size").get()?.["page_size"] ?? 4096)
  sql.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(bytesMax / pageBytes))}`)
}

function createOrBringUpToDate(sql: DatabaseSync, path: string): void {
  sql.exec("BEGIN IMMEDIATE")
  try {
    // Checked again inside the write: another process may have created it.
    const found = check(sql, path)
    if (found === "empty") create(sql)
    else if (found === "old") bringUpToDate(sql)
    sql.exec("COMMIT")
  } catch (error) {
    if (sql.isTransaction) sql.exec("ROLLBACK")
    throw error
  }
}

function create(sql: DatabaseSync): void {
  const createdMs = wallMs()
  sql.exec(tables)
  sql.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${formatVersion}`)
  const topics = rowSum()
  sql
    .prepare("INSERT INTO header VALUES (1, ?, ?, ?, 0, ?)")
    .run(formatVersion, createdMs, topics, rowSum(formatVersion, createdMs, topics))
}

function bringUpToDate(sql: DatabaseSync): void {
  const { user_version } = sql.prepare("PRAGMA user_version").get() ?? {}
  for (let format = Number(user_version); format < formatVersion; format++) upgrades[format]?.(sql)
  const { created_ms = null, topics = null } = sql.prepare("SELECT created_ms, topics FROM header").get() ?? {}
  sql
    .prepare("UPDATE header SET format = ?, sum = ?")
    .run(formatVersion, rowSum(formatVersion, valueOf(created_ms), valueOf(topics)))
  sql.exec(`PRAGMA user_version = ${formatVersion}`)
}

/** Rejects a file that is not a log, or has a newer format. */
function check(sql: DatabaseSync, path: string): "log" | "empty" | "old" {
  const number = (name: string) => Number(sql.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0)
  const application = number("application_id")
  const format = number("user_version")
  if (application === 0 && Number(sql.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.["n"]) === 0)
    return "empty"
  if (application !== applicationId)
    throw new Refusal(
      "Unsupported",
      `${path} is another program's database: choose another directory, nothing was changed`
    )
  if (format > formatVersion)
    throw new Refusal(
      "Unsupported",
      `${path} has format ${format} and this version of @leat/log reads up to ${formatVersion}: update @leat/log`
    )
  if (format < oldestFormat)
    throw new Refusal(
      "Unsupported",
      `${path} has format ${format}, which this version of @leat/log no longer reads: copy its events with an older one`
    )
  const row = sql.prepare("SELECT format, created_ms, topics, sum FROM header").get()
  const { format: stored = null, created_ms = null, topics = null, sum } = row ?? {}
  if (row === undefined || sum !== rowSum(valueOf(stored), valueOf(created_ms), valueOf(topics)))
    throw new Refusal(
      "Corrupt",
      `${path}: the header of the log does not verify; copy the directory and restore a backup`
    )
  return format < formatVersion ? "old" : "log"
}

/** A read-only volume has no writers, so SQLite needs no shared index, which it could not create there. */
function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK)
    return true
  } catch {
    return false
  }
}

function valueOf(value: unknown): number | null {
  return typeof value === "number" ? value : null
}

function cut(path: string): Refusal {
  return new Refusal(
    "Corrupt",
    `${path} is empty although its write-ahead log is not: the file was cut; copy the directory and restore a backup`
  )
}
