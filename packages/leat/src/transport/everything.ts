import type { TopicSpec, Transport } from "./index.ts"

/** The retention of a topic from which nothing is deleted before somebody has had it, whatever its cluster keeps by default. */
export const everything = { timeMs: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY } as const

/** Of what was set aside, which a person looks for late. What is in memory stays within the bound of that, and is gone with the process anyway. */
export function lettersRetention({ capabilities }: Pick<Transport, "capabilities">): Pick<TopicSpec, "retention"> {
  return capabilities.ephemeral ? {} : { retention: everything }
}
