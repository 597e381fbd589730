/**
 * Tables that take the place of the one in force, one after the other: what a table needs beside what is open is opened first, and then all of it
 * is in force in one step, or it is refused and nothing of it stays.
 */
import { Deferred, Effect, Exit, Result, Semaphore } from "effect"
import type { ContractInfo } from "./contract/Contract.ts"
import { type HeldLegs, openedFaults } from "./publish/HeldLegs.ts"
import type { Sinks } from "./publish/Sinks.ts"
import type { Cluster } from "./routes/Clusters.ts"
import { planRoutes } from "./routes/planRoutes.ts"
import type { ReadGroups } from "./routes/ReadGroups.ts"
import { RouteError, Routes } from "./routes/Routes.ts"
import type { Driver } from "./transport/index.ts"

/** What a swap needs of the leat. */
export interface TableSwapsOptions {
  readonly source: string
  readonly drivers: ReadonlyArray<Driver>
  readonly sinks: Pick<Sinks, "configure">
  readonly groups: ReadGroups
  /** Clusters that are open or being opened, as they were then. */
  readonly clusters: ReadonlyMap<string, Cluster>
  /** Of streams that are open or being opened. */
  readonly contracts: () => ReadonlyArray<ContractInfo>
  /** Of streams that are open. */
  readonly streams: () => ReadonlyArray<{ readonly contract: ContractInfo; readonly legs: HeldLegs }>
  readonly inForce: () => Routes
  readonly adopt: (routes: Routes) => void
  /** Completes when the leat begins to close. */
  readonly closing: Deferred.Deferred<void>
}

export class TableSwaps {
  readonly #options: TableSwapsOptions
  /** What one opens is in force, or closed, before the next one looks. */
  readonly #turns = Semaphore.makeUnsafe(1)
  #coming: Routes | undefined
  /** Of tables that were in force: what a removed leg has left is sent on to a cluster that is opened only now. */
  readonly #left = new Map<string, Cluster>()

  constructor(options: TableSwapsOptions) {
    this.#options = options
  }

  /** A cluster of the table in force, of one that is opened for, or else of the last one that had it. */
  clusterOf(name: string): Cluster | undefined {
    return this.#options.inForce().clusters.get(name) ?? this.#coming?.clusters.get(name) ?? this.#left.get(name)
  }

  #adopt(routes: Routes): void {
    for (const [name, cluster] of this.#options.inForce().clusters) this.#left.set(name, cluster)
    for (const name of routes.clusters.keys()) this.#left.delete(name)
    this.#options.adopt(routes)
  }

  swap(document: unknown): Effect.Effect<void, RouteError> {
    const swapping = Effect.suspend(() => this.#swap(document))
    return this.#turns.withPermit(
      Effect.onExit(swapping, (exit) => {
        this.#coming = undefined
        return Exit.isSuccess(exit) ? Effect.void : this.#discard
      })
    )
  }

  /** Opens what a document needs beside what is open, again for the streams that have come meanwhile, and puts it in force in one step. */
  #swap(document: unknown): Effect.Effect<void, RouteError> {
    const { source, streams, closing } = this.#options
    return Effect.gen({ self: this }, function* () {
      for (;;) {
        const routes = yield* Effect.fromResult(this.#swappable(document))
        this.#coming = routes
        const draining = streams().flatMap(({ contract, legs }) => {
          const route = routes.lookup(contract.stream, source)
          return route === undefined ? [] : legs.drainingFaults(route)
        })
        if (draining.length > 0) return yield* new RouteError({ faults: draining })
        const missing = streams().flatMap(({ contract, legs }) => {
          const route = routes.lookup(contract.stream, source)
          return route === undefined ? [] : legs.missing(route).map((leg) => ({ leg, opening: legs.open(route, leg) }))
        })
        if (missing.length === 0) return this.#adopt(routes)
        const closed = Effect.as(Deferred.await(closing), [])
        const faults = yield* Effect.raceFirst(openedFaults(missing), closed)
        if (faults.length > 0) return yield* new RouteError({ faults })
      }
    })
  }

  /** The table of a document that may take the place of the one in force, as far as that can be said before anything is opened. */
  #swappable(document: unknown): Result.Result<Routes, RouteError> {
    const { source, drivers, groups, clusters, inForce, closing } = this.#options
    if (Deferred.isDoneUnsafe(closing)) {
      const message = "the leat is closed, and no table is put in force any more"
      return Result.fail(new RouteError({ faults: [{ path: "", message }] }))
    }
    const contracts = this.#options.contracts()
    return Result.flatMap(Routes.compile(document, { drivers, contracts, source }), (routes) => {
      const streams = contracts.map(({ stream }) => ({ stream, source, groups: groups.of(stream) }))
      const { refused } = planRoutes(inForce(), routes, streams, clusters)
      return refused.length > 0 ? Result.fail(new RouteError({ faults: refused })) : Result.succeed(routes)
    })
  }

  /** A table is not put in force: what was opened for it is closed, and what is open has the settings of the one that is. */
  readonly #discard: Effect.Effect<void> = Effect.suspend(() => {
    const { contracts, streams, inForce, sinks, source } = this.#options
    for (const { stream } of contracts())
      for (const leg of inForce().lookup(stream, source)?.legs ?? []) sinks.configure(leg)
    return Effect.forEach(streams(), ({ legs }) => legs.discard(), { discard: true })
  })
}
