import { readFileSync, readlinkSync } from "node:fs"
import { isMainThread } from "node:worker_threads"

/**
 * Which process has a number, by when it began: numbers are given again, and in a container the next process mostly has the number of the
 * last one. Undefined where there is none, or nothing says so, as on other systems than Linux.
 */
export function beginOf(pid: number): string | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
    const ticks = ticksIn(`/proc/${pid}/stat`)
    return ticks === undefined ? undefined : `${boot} ${ticks}`
  } catch {
    return undefined
  }
}

/**
 * The thread that calls, as `number ticks`, where it is not the main one of its process: it may end while the process goes on. Undefined where nothing
 * says so.
 */
export function ownThread(): string | undefined {
  if (isMainThread) return undefined
  try {
    // Read at once, and so by this thread itself.
    const id = /^\d+\/task\/(\d+)$/.exec(readlinkSync("/proc/thread-self"))?.[1]
    const ticks = id === undefined ? undefined : ticksIn(`/proc/self/task/${id}/stat`)
    return ticks === undefined ? undefined : `${id} ${ticks}`
  } catch {
    return undefined
  }
}

/** Whether a process has a thread, as `ownThread` gives it. */
export function hasThread(pid: number, thread: string): boolean {
  const [id = "", ticks] = thread.split(" ")
  try {
    return ticksIn(`/proc/${pid}/task/${id}/stat`) === ticks
  } catch {
    return false
  }
}

/** When it began, in ticks since the machine did. */
function ticksIn(path: string): string | undefined {
  const stat = readFileSync(path, "utf8")
  // The name of the program, in parentheses, may hold spaces and parentheses itself.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]
}
