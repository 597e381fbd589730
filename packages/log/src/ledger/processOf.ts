import { readFileSync } from "node:fs"

/**
 * Which process has a number, by when it began: numbers are given again, and in a container the next process mostly has the number of the
 * last one. Undefined where there is none, or nothing says so, as on other systems than Linux.
 */
export function beginOf(pid: number): string | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The name of the program, in parentheses, may hold spaces and parentheses itself.
    const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]
    return ticks === undefined ? undefined : `${boot} ${ticks}`
  } catch {
    return undefined
  }
}
