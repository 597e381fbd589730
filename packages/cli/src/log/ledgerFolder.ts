/** Where processes write their ledgers: a folder that is named, or that of a log which the route document names. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { log } from "@leat/log"
import { Effect, Option } from "effect"
import { type ChosenCluster, misuse } from "../openCluster.ts"
import { CommandFailure, exitCode } from "../outcome.ts"

export function noLedger(folder: string): CommandFailure {
  const message = `no process has announced a ledger in ${folder}; --ledger names the folder that services give to ledgerStore`
  return new CommandFailure({ code: exitCode.failed, message })
}

/** The folder of the ledgers of a cluster; undefined where none is named, and no log of the document has any. */
export const ledgerFolderOf = Effect.fnUntraced(function* (
  { name, routes }: Pick<ChosenCluster, "name" | "routes">,
  named: Option.Option<string>
): Effect.fn.Return<string | undefined, CommandFailure> {
  if (Option.isSome(named)) return named.value
  const folders = Array.from(routes.clusters.values()).flatMap(({ driver, config, name: cluster }) => {
    const directory = String(config["directory"])
    const isFound = driver.name === log.name && existsSync(join(directory, "ledger"))
    return isFound ? [{ cluster, directory }] : []
  })
  const own = folders.find(({ cluster }) => cluster === name)
  if (own !== undefined) return own.directory
  const [first, ...others] = new Set(folders.map(({ directory }) => directory))
  if (others.length === 0) return first
  return yield* misuse(`ledgers are in ${[first, ...others].join(" and ")}; name one of these folders by --ledger`)
})
