import { Effect } from "effect"
import { type LedgerStore, TransportError } from "leat/transport"
import { mkdir, rename, writeFile } from "node:fs/promises"
import { hostname } from "node:os"
import { join } from "node:path"
import { faultOf, systemCode } from "../Fault.ts"
import { ledgerName, makeDirectory } from "../store/tables/Directory.ts"
import { openedOn } from "./openedHere.ts"
import { beginOf, ownThread } from "./processOf.ts"
import { ledgerFormat, type LedgerFile } from "./ledgerFile.ts"

/**
 * Keeps the announcements of leats below the directory of a log, or another folder where there is none, in `ledger/`, one JSON file
 * for each incarnation. A file is written beside the last one and then put in its place, so that a crash leaves one of the two, whole.
 * `save` fails with the reason that the disk gives.
 *
 * @example
 * ```ts
 * const leat = yield* Leat.make({ source: "mobile-app", routes, drivers: [log], ledger: { store: ledgerStore("./data") } })
 * ```
 */
export function ledgerStore(directory: string): LedgerStore {
  if (typeof directory !== "string" || directory === "")
    throw new TypeError('ledgerStore: takes the directory of a log, as ledgerStore("./data")')
  const folder = join(directory, ledgerName)
  const begin = beginOf(process.pid)
  const thread = ownThread()
  const owner = {
    host: hostname(),
    pid: process.pid,
    ...(begin === undefined ? {} : { begin }),
    ...(thread === undefined ? {} : { thread })
  }
  let isMade = false
  /** A directory that was there and is gone is not made again: it would stand in the way of the log that comes back. */
  const make = async () => {
    if (isMade) await mkdir(folder).catch(unlessThere)
    else makeDirectory(folder)
    isMade = true
  }
  return {
    save: (announcement) => {
      const path = join(folder, `${announcement.incarnation}.json`)
      const file: LedgerFile = { format: ledgerFormat, owner, clusters: openedOn(directory), ...announcement }
      return Effect.tryPromise({
        try: async () => {
          await make()
          await writeFile(`${path}.new`, JSON.stringify(file))
          await rename(`${path}.new`, path)
        },
        catch: (error) =>
          new TransportError({ ...faultOf(error, path), transport: "@leat/log", operation: "announce", cause: error })
      }).pipe(Effect.uninterruptible)
    }
  }
}

function unlessThere(error: unknown): void {
  if (systemCode(error) !== "EEXIST") throw error
}
