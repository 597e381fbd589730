import { Effect } from "effect"
import type { TransportError } from "leat/transport"
import type { LogInspection } from "./LogInspection.ts"
import { settingsOf } from "./LogTransport.ts"
import { LogWorker } from "./LogWorker.ts"

/**
 * Looks at the log of a directory without changing it, while others use it or not: topics, bounds, groups, what is
 * quarantined. Fails with `UnknownTopic` where there is no log.
 *
 * @example
 * ```ts
 * const { topics, quarantined } = yield* inspectLog("./data")
 * const lags = topics.flatMap(({ groups }) => groups.flatMap(({ group, lanes }) => lanes.map(({ lag }) => [group, lag])))
 * ```
 */
export const inspectLog = (directory: string): Effect.Effect<LogInspection, TransportError> =>
  Effect.scoped(Effect.flatMap(LogWorker.open(settingsOf({ directory }, true)), (worker) => worker.call("inspect", {})))
