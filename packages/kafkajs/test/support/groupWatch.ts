/** A thread that asks a broker for the members of a group, while the thread that began it stands still. */
import { Kafka, logLevel } from "kafkajs"
import { workerData } from "node:worker_threads"

export interface Watched {
  readonly bootstrap: string
  readonly group: string
  /** Its one element is what the watch has seen: nothing yet, a member, or after that none. */
  readonly seen: Int32Array
}

export const [sawMember, sawNone] = [1, 2] as const

const everyMs = 50

async function watch({ bootstrap, group, seen }: Watched): Promise<void> {
  const admin = new Kafka({ brokers: bootstrap.split(","), logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  for (const next of [sawMember, sawNone]) {
    const isThere = async () => ((await admin.describeGroups([group])).groups[0]?.members.length ?? 0) > 0
    while ((await isThere()) !== (next === sawMember)) await new Promise((resolve) => setTimeout(resolve, everyMs))
    Atomics.store(seen, 0, next)
    Atomics.notify(seen, 0)
  }
  await admin.disconnect()
}

if (workerData !== null) await watch(workerData as Watched)
