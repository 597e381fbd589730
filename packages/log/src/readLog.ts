import { Effect, type Scope } from "effect"
import type { TransportError } from "leat/transport"
import type { LogInspection } from "./LogInspection.ts"
import { type LogTransport, settingsOf, transportOf } from "./LogTransport.ts"
import { LogWorker } from "./LogWorker.ts"

/** A log that is only looked at, while others use it or not. Nothing in its directory changes. */
export interface LogReader extends Pick<LogTransport, "read" | "bounds" | "topics" | "groups"> {
  readonly inspect: Effect.Effect<LogInspection, TransportError>
}

/**
 * Opens the log of a directory for reading. Fails with `UnknownTopic` where there is no log; never creates one.
 *
 * @example
 * ```ts
 * const { read } = yield* readLog("./data")
 * yield* Stream.runForEach(read("beacons", 0, { fromPosition: 0n }), ({ records }) => Console.log(records.length))
 * ```
 */
export const readLog = (directory: string): Effect.Effect<LogReader, TransportError, Scope.Scope> =>
  Effect.map(LogWorker.open(settingsOf({ directory }, true)), (worker) => {
    const { read, bounds, topics, groups } = transportOf(worker, { directory })
    return { read, bounds, topics, groups, inspect: worker.call("inspect", {}) }
  })
