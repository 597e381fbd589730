import { readFileSync, readlinkSync } from "node:fs"

/**
 * The clock that `monotonicMs` reads, by name: two processes with one name read one clock, which no setting of the time moves. Undefined
 * where nothing says so, as on other systems than Linux.
 */
export const clockName: string | undefined = nameOfClock()

function nameOfClock(): string | undefined {
  try {
    // Of this boot of this machine; a container may have a clock of its own.
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${clockOfContainer()}`
  } catch {
    return undefined
  }
}

function clockOfContainer(): string {
  try {
    return readlinkSync("/proc/self/ns/time")
  } catch {
    // A kernel that has one clock for all.
    return ""
  }
}
