/** The directory of a log: the files that it may hold, and the check for foreign ones. */
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { Refusal, systemCode } from "../../Fault.ts"

/** Names inside the directory. */
const databaseName = "log.sqlite"
const wakeName = "wake"
const reserveName = "reserve"
/** Folder of the ledger files. */
export const ledgerName = "ledger"

/** Files that a new volume has in its root, and those that the log creates. */
const harmless = new Set([
  "lost+found",
  wakeName,
  reserveName,
  ledgerName,
  databaseName,
  `${databaseName}-wal`,
  `${databaseName}-shm`,
  `${databaseName}-journal`
])

export interface LogPaths {
  readonly directory: string
  readonly database: string
  readonly wake: string
  /** Space that is kept for deletions. */
  readonly reserve: string
}

export function pathsOf(directory: string): LogPaths {
  return {
    directory,
    database: join(directory, databaseName),
    wake: join(directory, wakeName),
    reserve: join(directory, reserveName)
  }
}

/** Creates a missing directory; rejects one that holds anything but a log. */
export function takeDirectory({ directory, database }: LogPaths): void {
  makeDirectory(directory)
  if (!statSync(directory).isDirectory()) throw notDirectory(directory)
  refuseForeign(directory, database)
}

/**
 * Makes a directory and those above it. Node's own `recursive` tries for ever where the system says that the parent is missing although
 * it is there, as below `/proc`.
 */
export function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory)
  } catch (error) {
    const code = systemCode(error)
    const parent = dirname(directory)
    if (code === "ENOENT" && !existsSync(parent)) {
      makeDirectory(parent)
      makeDirectory(directory)
    } else if (code !== "EEXIST" && !existsSync(directory)) throw error
  }
}

/** The same for a reader: creates nothing. */
export function findDirectory({ directory, database }: LogPaths): void {
  const found = statSync(directory, { throwIfNoEntry: false })
  if (found === undefined) throw new Refusal("UnknownTopic", `${directory} does not exist: there is no log to look at`)
  if (!found.isDirectory()) throw notDirectory(directory)
  if (statSync(database, { throwIfNoEntry: false }) === undefined)
    throw new Refusal("UnknownTopic", `${directory} holds no log: ${databaseName} is not there`)
}

function notDirectory(directory: string): Refusal {
  return new Refusal("Unsupported", `${directory} is a file: name a directory for the log`)
}

function refuseForeign(directory: string, database: string): void {
  const found = statSync(database, { throwIfNoEntry: false })
  if (found !== undefined && !found.isFile())
    throw new Refusal("Unsupported", `${database} is no file: choose another directory`)
  if (found !== undefined && found.size > 0) return
  const foreign = readdirSync(directory).find((name) => !harmless.has(name))
  if (foreign === undefined) return
  throw new Refusal(
    "Unsupported",
    `${directory} holds no log and is not empty (${foreign}): choose an empty directory, nothing was changed`
  )
}
