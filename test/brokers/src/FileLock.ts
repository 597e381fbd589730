import { open, readFile, rm } from "node:fs/promises"
import { setTimeout as sleep } from "node:timers/promises"

const waitMs = 200

/** Runs `body` while no other process does so under the same lock file. The lock of a process that died is taken over. */
export async function withFileLock<A>(path: string, waitMsMax: number, body: () => Promise<A>): Promise<A> {
  const deadline = performance.now() + waitMsMax
  while (!(await take(path))) {
    const owner = Number(await readFile(path, "utf8").catch(() => ""))
    if (owner > 0 && !isAlive(owner)) await rm(path, { force: true })
    else if (performance.now() > deadline)
      throw new Error(`${path} is held by process ${owner}; remove it if that hangs`)
    else await sleep(waitMs)
  }
  try {
    return await body()
  } finally {
    await rm(path, { force: true })
  }
}

async function take(path: string): Promise<boolean> {
  try {
    const file = await open(path, "wx")
    await file.writeFile(String(process.pid))
    await file.close()
    return true
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false
    throw error
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}
