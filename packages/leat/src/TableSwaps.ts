/**
 * Tables that take the place of the one in force, one after the other: what a table needs beside what is open is opened first, and then all of it
 * is in force in one step, or it is refused and nothing of it stays.
 */
import { Deferred, Effect, Exit, Option, Result, Semaphore } from "effect"
import type { ContractInfo } from "./contract/Contract.ts"
import { idleSleep } from "./idleSleep.ts"
import { type HeldLegs, openedFaults, readyMsMax } from "./publish/HeldLegs.ts"
import type { OpenError, Sinks } from "./publish/Sinks.ts"
import type { Cluster } from "./routes/Clusters.ts"
import { stillGoingOver } from "./routes/switch/SwitchableCluster.ts"
import { ownCopy } from "./routes/ownCopy.ts"
import { isSameSection, planRoutes } from "./routes/planRoutes.ts"
import type { ReadGroups } from "./routes/ReadGroups.ts"
import type { ReferenceReaders } from "./routes/References.ts"
import { type Leg, type Route, RouteError, type RouteFault, Routes, routeError } from "./routes/Routes.ts"
import type { Moves } from "./moves/Moves.ts"
import type { OpenClusters, Successor } from "./routes/switch/OpenClusters.ts"
import { Renewals } from "./routes/switch/Renewals.ts"
import { inform } from "./Telemetry.ts"
import type { Driver } from "./transport/index.ts"

/** How often the references of open clusters are read again, in milliseconds. */
const renewEveryMs = 30_000

/** What a swap needs of the leat. */
export interface TableSwapsOptions {
  readonly source: string
  readonly drivers: ReadonlyArray<Driver>
  readonly sinks: Pick<Sinks, "configure">
  readonly groups: ReadGroups
  readonly clusters: OpenClusters
  readonly readers: ReferenceReaders
  /** Of streams that are open or being opened. */
  readonly contracts: () => ReadonlyArray<ContractInfo>
  /** Of streams that are open. */
  readonly streams: () => ReadonlyArray<{ readonly contract: ContractInfo; readonly legs: HeldLegs }>
  readonly moves: Pick<Moves, "isPlaced" | "routeOf" | "reached"> | undefined
  readonly inForce: () => Routes
  readonly adopt: (routes: Routes) => void
  /** Completes when the leat begins to close. */
  readonly closing: Deferred.Deferred<void>
}

type DocumentOf = "program" | "fleet"

export class TableSwaps {
  readonly #options: TableSwapsOptions
  /** What one opens is in force, or closed, before the next one looks. */
  readonly #turns = Semaphore.makeUnsafe(1)
  #coming: Routes | undefined
  /** Of tables that were in force: what a removed leg has left is sent on to a cluster that is opened only now. */
  readonly #left = new Map<string, Cluster>()
  /** Clients that are to take the place of others, by cluster. */
  readonly #candidates = new Map<string, Successor>()

  readonly #renewals: Renewals

  constructor(options: TableSwapsOptions) {
    this.#options = options
    this.#renewals = new Renewals(options.clusters, options.readers)
  }

  /** Looks now and then whether the references of open clusters give other values; not while a table is put in force. Until it is interrupted. */
  readonly renewing: Effect.Effect<never> = Effect.forever(
    Effect.andThen(
      idleSleep(renewEveryMs),
      Effect.suspend(() => this.#turns.withPermit(this.#renewed))
    )
  )

  get #renewed(): Effect.Effect<void> {
    return Effect.raceFirst(this.#renewals.look, Deferred.await(this.#options.closing))
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

  /** Puts the document in force as it is now: it waits for others, and for what it opens. */
  /** `of`: whose document it is. Only one that the fleet has applied says where streams lie that it has placed. */
  swap(document: unknown, of: DocumentOf): Effect.Effect<void, RouteError> {
    return Effect.suspend(() => {
      const own = ownCopy(document)
      return Result.isFailure(own)
        ? Effect.fail(new RouteError({ faults: [own.failure] }))
        : this.#inTurn(own.success, of)
    })
  }

  #inTurn(document: unknown, of: DocumentOf): Effect.Effect<void, RouteError> {
    const swapping = Effect.suspend(() => this.#swap(document, of))
    return this.#turns.withPermit(
      Effect.onExit(swapping, (exit) => {
        this.#coming = undefined
        return Exit.isSuccess(exit) ? Effect.void : this.#discard
      }).pipe(Effect.tap(() => this.#renewed))
    )
  }

  /** Opens what a document needs beside what is open, again for the streams that have come meanwhile, and puts it in force in one step. */
  #swap(document: unknown, of: DocumentOf): Effect.Effect<void, RouteError> {
    const { streams, closing } = this.#options
    return Effect.gen({ self: this }, function* () {
      let targets: ReadonlyArray<OpeningLeg> | undefined
      for (;;) {
        const routes = yield* Effect.fromResult(this.#swappable(document, of))
        this.#coming = routes
        const draining = streams().flatMap(({ contract, legs }) => {
          const route = this.#routeOf(routes, contract.stream)
          return route === undefined ? [] : legs.drainingFaults(route)
        })
        if (draining.length > 0) return yield* new RouteError({ faults: draining })
        const missing: Array<OpeningLeg> = streams().flatMap(({ contract, legs }) => {
          const route = this.#routeOf(routes, contract.stream)
          return route === undefined ? [] : legs.missing(route).map((leg) => ({ leg, opening: legs.open(route, leg) }))
        })
        const clients = this.#changed(routes)
        // Asked once. A process that cannot go there would hold up all others, when it is their turn to leave the old place.
        const asked = targets === undefined
        targets ??= this.#targets(routes)
        if (asked) missing.push(...targets)
        if (missing.length === 0 && clients.length === 0) {
          this.#adopt(routes)
          return yield* this.#switch(routes)
        }
        const closed = Effect.as(Deferred.await(closing), [])
        const opening = Effect.all([openedFaults(missing), preparedFaults(clients)], { concurrency: "unbounded" })
        const faults = (yield* Effect.raceFirst(opening, closed)).flat()
        if (faults.length > 0) return yield* new RouteError({ faults })
      }
    })
  }

  /** Where streams are to move that are placed: the leg is opened later, when all know of it. */
  #targets(routes: Routes): ReadonlyArray<OpeningLeg> {
    const { moves, source, streams } = this.#options
    if (moves === undefined) return []
    return streams().flatMap(({ contract }) => {
      const route = routes.lookup(contract.stream, source)
      if (route === undefined || !moves.isPlaced(contract.stream)) return []
      const { readLeg } = route
      if (moves.routeOf(contract.stream, route).readLeg.sink === readLeg.sink) return []
      return [{ leg: readLeg, opening: moves.reached(contract, route) }]
    })
  }

  /** The clusters that are open with another section, and have no client for the new one yet, or not all of it. What is being opened needs none. */
  #changed(routes: Routes): ReadonlyArray<Preparing> {
    const { clusters } = this.#options
    return Array.from(clusters.sections).flatMap(([name, was]): ReadonlyArray<Preparing> => {
      const now = routes.clusters.get(name)
      const open = clusters.get(name)
      if (now === undefined || open === undefined || isSameSection(was, now)) return []
      if (open.isGoingOver && !open.isStuck) return [{ name, preparing: Effect.fail(new Error(stillGoingOver)) }]
      const found = this.#candidates.get(name)
      // Another one may have been opened under its name meanwhile.
      const next = found !== undefined && open.isFor(found.candidate) ? found : clusters.successor(open, now)
      // Noted before it is tried: what cannot be opened is given back with the rest.
      this.#candidates.set(name, next)
      const { candidate } = next
      if (open.isComplete(candidate) && !open.isGoingOver) return []
      return [{ name, preparing: Effect.andThen(open.complete(candidate), open.relieved(candidate)) }]
    })
  }

  /** The new clients take the place of the old ones, in this step; that is told then. */
  #switch(routes: Routes): Effect.Effect<void> {
    const { clusters } = this.#options
    const names = Array.from(this.#candidates.keys())
    for (const [name, next] of this.#candidates) clusters.switch(name, next)
    this.#candidates.clear()
    for (const [name, was] of clusters.sections) {
      const now = routes.clusters.get(name)
      if (now !== undefined && !isSameSection(was, now)) clusters.adopt(name, now)
    }
    const told = (name: string) => inform(`cluster ${name} has another client, because it has another section now`)
    return Effect.forEach(names, told, { discard: true })
  }

  /** How a stream is written to with a table. */
  #routeOf(routes: Routes, stream: string): Route | undefined {
    const { source, moves } = this.#options
    const route = routes.lookup(stream, source)
    return route === undefined ? undefined : (moves?.routeOf(stream, route) ?? route)
  }

  /** Runs something while no table is put in force. */
  between<A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return this.#turns.withPermit(effect)
  }

  /** The table of a document that may take the place of the one in force, as far as that can be said before anything is opened. */
  #swappable(document: unknown, of: DocumentOf): Result.Result<Routes, RouteError> {
    const { source, drivers, groups, clusters, inForce, closing } = this.#options
    if (Deferred.isDoneUnsafe(closing)) {
      const message = "the leat is closed, and no table is put in force any more"
      return Result.fail(routeError("", message))
    }
    const contracts = this.#options.contracts()
    return Result.flatMap(Routes.compile(document, { drivers, contracts, source }), (routes) => {
      const streams = contracts.map(({ stream }) => {
        const isPlaced = of === "fleet" && this.#options.moves?.isPlaced(stream) === true
        return { stream, source, groups: groups.of(stream), isPlaced }
      })
      const { refused } = planRoutes(inForce(), routes, streams, clusters.sections)
      return refused.length > 0 ? Result.fail(new RouteError({ faults: refused })) : Result.succeed(routes)
    })
  }

  /** A table is not put in force: what was opened for it is closed, and what is open has the settings of the one that is. */
  readonly #discard: Effect.Effect<void> = Effect.suspend(() => {
    const { contracts, streams, inForce, sinks } = this.#options
    for (const { stream } of contracts())
      for (const leg of this.#routeOf(inForce(), stream)?.legs ?? []) sinks.configure(leg)
    const candidates = Array.from(this.#candidates.values(), ({ candidate }) => candidate.discard)
    this.#candidates.clear()
    return Effect.forEach([...streams().map(({ legs }) => legs.discard()), ...candidates], (one) => one, {
      discard: true
    })
  })
}

/** A leg that is opened, or looked at, before a table is put in force. */
interface OpeningLeg {
  readonly leg: Leg
  readonly opening: Effect.Effect<void, OpenError>
}

/** A client that is opened for the new section of a cluster. */
interface Preparing {
  readonly name: string
  readonly preparing: Effect.Effect<void, RouteError | Error>
}

function preparedFaults(clients: ReadonlyArray<Preparing>): Effect.Effect<ReadonlyArray<RouteFault>> {
  const each = Effect.forEach(
    clients,
    ({ name, preparing }) =>
      Effect.match(Effect.timeoutOption(preparing, readyMsMax), {
        onFailure: (error) =>
          error instanceof RouteError
            ? error.faults
            : [
                {
                  path: `clusters.${name}`,
                  message: `the new section of ${name} cannot be taken over: ${error.message}`
                }
              ],
        onSuccess: (done) =>
          Option.isSome(done)
            ? []
            : [{ path: `clusters.${name}`, message: `${name} has not been opened within ${readyMsMax / 1000} seconds` }]
      }),
    { concurrency: "unbounded" }
  )
  return Effect.map(each, (all) => all.flat())
}
