/**
 * Which clusters of this process are the log of a directory: announcements name sinks by cluster and topic, and another cluster may have a
 * topic of the same name.
 */
import { realpathSync } from "node:fs"
import { resolve } from "node:path"

const directories = new Map<string, Set<string>>()

/** A cluster of that name was opened on the log of a directory. */
export function noteOpened(cluster: string, directory: string): void {
  const known = directories.get(cluster) ?? new Set()
  known.add(placeOf(directory))
  directories.set(cluster, known)
}

/** The names of the clusters that were opened on the log of a directory, sorted. */
export function openedOn(directory: string): ReadonlyArray<string> {
  const place = placeOf(directory)
  return Array.from(directories)
    .flatMap(([cluster, known]) => (known.has(place) ? [cluster] : []))
    .toSorted()
}

/** One name for each directory, whatever links lead there. */
function placeOf(directory: string): string {
  try {
    return realpathSync(directory)
  } catch {
    return resolve(directory)
  }
}
