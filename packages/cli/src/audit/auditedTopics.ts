import { Effect } from "effect"
import { transportFailure } from "../log/openLog.ts"
import { type Looking, misuse } from "../openCluster.ts"
import type { CommandFailure } from "../outcome.ts"

/** What leat itself writes beside topics: it is audited when it is named. */
const ownEndings = /\.(dlq|replay|undelivered|retry\.[1-8]|\d+\.(spill(\.owner)?|fallback))$/

/** The topics of a cluster that hold events as they were published. */
export const auditedTopics = Effect.fnUntraced(function* ({
  topics
}: Looking): Effect.fn.Return<ReadonlyArray<string>, CommandFailure> {
  if (topics === undefined) return yield* misuse("this cluster does not tell its topics; name one by --topic")
  const names = yield* Effect.mapError(topics, transportFailure)
  return names.filter((name) => !ownEndings.test(name) && !name.startsWith("__")).toSorted()
})
