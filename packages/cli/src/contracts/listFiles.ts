import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"

/** The files below a folder, by their path in it, with slashes, sorted. Neither hidden folders nor installed packages. */
export function listFiles(folder: string): ReadonlyArray<string> {
  const walk = (prefix: string): ReadonlyArray<string> =>
    readdirSync(join(folder, prefix), { withFileTypes: true }).flatMap((entry) => {
      const path = prefix === "" ? entry.name : `${prefix}/${entry.name}`
      if (entry.isDirectory()) return entry.name.startsWith(".") || entry.name === "node_modules" ? [] : walk(path)
      const isFile = entry.isSymbolicLink() ? statSync(join(folder, path)).isFile() : entry.isFile()
      return isFile ? [path] : []
    })
  return walk("").toSorted()
}
