/**
 * Secrets that are renewed where they are kept: the references of open clusters are read again, and where they give other values another client takes
 * over, as for another section. If that fails what is open goes on, one warning says so, and the next look tries again. A driver that asks for the values
 * itself keeps its client up to date.
 */
import { Effect, Option, Result } from "effect"
import * as Telemetry from "../../Telemetry.ts"
import type { Cluster } from "../Clusters.ts"
import { hasReferences, type ReferenceReaders, type ResolvedSection, resolveReferences } from "../References.ts"
import { withhold } from "../redact.ts"
import { isSameValue } from "../sameValue.ts"
import type { OpenClusters } from "./OpenClusters.ts"

/** How long another client may take to be opened and proven, in milliseconds. */
const readyMsMax = 45_000

export class Renewals {
  readonly #clusters: OpenClusters
  readonly #readers: ReferenceReaders
  /** What was told last, by cluster. */
  readonly #told = new Map<string, string>()

  constructor(clusters: OpenClusters, readers: ReferenceReaders) {
    this.#clusters = clusters
    this.#readers = readers
  }

  /** At all open clusters. */
  readonly look: Effect.Effect<void> = Effect.suspend(() => {
    const some = Array.from(this.#clusters.sections).filter(([, { config }]) => hasReferences(config))
    return Effect.forEach(some, ([name, section]) => this.#look(name, section), {
      concurrency: "unbounded",
      discard: true
    })
  })

  #look(name: string, section: Cluster): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const given = this.#clusters.given(name)
      const open = this.#clusters.get(name)
      if (open === undefined || given?.config === undefined || given.isAsking || (open.isGoingOver && !open.isStuck))
        return
      const read = yield* Effect.result(resolveReferences(section.config, this.#readers))
      if (Result.isFailure(read)) {
        const faults = read.failure.map(({ path, message }) => `${path}: ${message}`).join("; ")
        return yield* this.#warnOnce(name, `its references cannot be read: ${faults}`)
      }
      if (isSameValue(read.success.config, given.config, "inOrder")) return void this.#told.delete(name)
      yield* this.#renew(name, section, read.success)
    })
  }

  #renew(name: string, section: Cluster, { read }: ResolvedSection): Effect.Effect<void> {
    const open = this.#clusters.get(name)
    if (open === undefined) return Effect.void
    return Effect.acquireUseRelease(
      Effect.sync(() => ({ next: this.#clusters.successor(open, section), isIn: false })),
      (trial) =>
        Effect.gen({ self: this }, function* () {
          const { candidate } = trial.next
          const preparing = Effect.andThen(open.complete(candidate), open.relieved(candidate))
          const proving = Effect.result(Effect.timeoutOption(preparing, readyMsMax))
          const proven = yield* Effect.catchDefect(proving, (defect) =>
            Effect.succeed(Result.fail(new Error(`the driver broke: ${String(defect)}`)))
          )
          const isInTime = Result.isSuccess(proven) && Option.isSome(proven.success)
          // Something may have been opened since, and the cluster may be closed.
          if (isInTime && open.isComplete(candidate) && this.#clusters.get(name) === open) {
            trial.isIn = true
            this.#clusters.switch(name, trial.next)
            this.#told.delete(name)
            return yield* Telemetry.inform(
              `cluster ${name} has another client, because its references stand for something else now`
            )
          }
          if (isInTime) return
          const why = Result.isFailure(proven)
            ? withhold(proven.failure.message, read)
            : `it has not been opened within ${readyMsMax / 1000} seconds`
          yield* this.#warnOnce(name, `with what its references stand for now no client can take over: ${why}`)
        }),
      ({ next, isIn }) => (isIn ? Effect.void : next.candidate.discard)
    )
  }

  #warnOnce(name: string, why: string): Effect.Effect<void> {
    if (this.#told.get(name) === why) return Effect.void
    this.#told.set(name, why)
    return Telemetry.warn(`cluster ${name} goes on with the client that it has; ${why}`)
  }
}
