/**
 * The sinks that one stream holds, each in a scope of its own: a leg that another table adds is opened before that is in force, and one that
 * it removes is given back by itself, once it is empty.
 *
 * `open` opens what a route needs and is `missing`; `commit` has the stream hold what its route names, in the same step in which its
 * publisher takes the route over. A leg that comes back while it drains is held twice for a while: it has the same lanes, so nothing overtakes.
 */
import { Effect, Exit, Option, Scope } from "effect"
import type { ContractInfo } from "../contract/Contract.ts"
import { Waiter } from "../ledger/Waiter.ts"
import { partitionFault } from "../routes/partitionFault.ts"
import { type Leg, RouteError, type Route, type RouteFault } from "../routes/Routes.ts"
import { writtenOf } from "./Destinations.ts"
import { whenEnded } from "./flushed.ts"
import { standsInEmpty } from "./leaving.ts"
import { compactionOf } from "./openTopic.ts"
import type { OpenError, Sinks } from "./Sinks.ts"

/** How long a document waits for its new legs, in milliseconds: longer than a cluster is tried, and not for ever where a driver gives no answer. */
export const readyMsMax = 45_000

/** What the legs of all streams of a leat share. */
export interface HeldLegsOptions {
  readonly sinks: Sinks
  /** The sink of a best-effort leg has opened. */
  readonly joined: (stream: string) => void
  /** Never inside the stack of a lane. */
  readonly schedule: (task: () => void) => void
}

/** A sink that is held until the scope closes. */
interface Held {
  readonly sink: string
  readonly scope: Scope.Closeable
}

const none: ReadonlyArray<Held> = []

export class HeldLegs {
  readonly #contract: ContractInfo
  readonly #options: HeldLegsOptions
  #held = none
  /** Opened for a route that is not in force yet. */
  #ready = none

  constructor(contract: ContractInfo, options: HeldLegsOptions) {
    this.#contract = contract
    this.#options = options
  }

  /** The legs of a route that are not held, or are required and not open. */
  missing(route: Route): ReadonlyArray<Leg> {
    return route.legs.filter((leg) => {
      if (has(this.#ready, leg.sink)) return false
      return !has(this.#held, leg.sink) || (leg.required && this.#options.sinks.find(leg) === undefined)
    })
  }

  /** Why legs of a route cannot come back yet: in another epoch they would have lanes of their own, beside what is still to be sent to their topic. */
  drainingFaults(route: Route): ReadonlyArray<RouteFault> {
    return route.legs.flatMap((leg) => {
      const { sink, path, epoch } = leg
      const open = has(this.#held, sink) ? undefined : this.#options.sinks.named(sink)
      if (open === undefined) return []
      for (const [account, lanes] of open.legs) {
        const { stream } = this.#contract
        if (account.stream !== stream || account.epoch === epoch || lanes.all.every(({ isEmpty }) => isEmpty)) continue
        const message = `${sink} still has events of stream ${stream} in epoch ${account.epoch}; say that one, or raise it when they are sent`
        return [{ path: `${path}.epoch`, message }]
      }
      return []
    })
  }

  /** Opens a leg for a route that is to be in force: a required one for good, a best-effort one if it opens soon, and else in its own time. */
  open(route: Route, leg: Leg): Effect.Effect<void, OpenError> {
    const { stream } = this.#contract
    const { sinks, joined } = this.#options
    const wrong = (partitions: number) => partitionFault(this.#contract, route, leg, writtenOf(leg, { partitions }))
    const request = { leg, stream, compaction: compactionOf(this.#contract), wrong }
    return Effect.suspend(() => {
      const scope = Scope.makeUnsafe()
      // Noted before it is tried: what cannot be opened is given back with the rest.
      this.#ready = [...this.#ready, { sink: leg.sink, scope }]
      return leg.required
        ? Effect.asVoid(Scope.provide(sinks.open(request), scope))
        : sinks.openLater(request, scope, () => joined(stream))
    })
  }

  /** The route is not taken over after all. */
  discard(): Effect.Effect<void> {
    const ready = this.#ready
    this.#ready = none
    return closed(ready)
  }

  /**
   * From now on the stream holds what the route names. Returns how the rest is given back, as slowly as its policies say, or at once when it is
   * interrupted; undefined: there is no rest.
   */
  commit(route: Route): Effect.Effect<void> | undefined {
    const ready = this.#ready
    const replaced = this.#held.filter(({ sink }) => has(ready, sink))
    const all = [...this.#held.filter(({ sink }) => !has(ready, sink)), ...ready]
    const removed = all.filter(({ sink }) => route.legs.every((leg) => leg.sink !== sink))
    this.#held = all.filter((one) => !removed.includes(one))
    this.#ready = none
    if (replaced.length === 0 && removed.length === 0) return undefined
    const drained = removed.map((one) => Effect.ensuring(this.#drained(one.sink), closed([one])))
    return Effect.all([closed(replaced), ...drained], { concurrency: "unbounded", discard: true })
  }

  /** Gives all back. */
  close(): Effect.Effect<void> {
    const all = [...this.#held, ...this.#ready]
    this.#held = none
    this.#ready = none
    return closed(all)
  }

  /** Completes when nothing is left of the stream in a sink. */
  #drained(name: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const sink = this.#options.sinks.named(name)
      if (sink === undefined) return Effect.void
      const waiter = new Waiter()
      for (const [account, lanes] of sink.legs) if (account.stream === this.#contract.stream) lanes.flush(waiter)
      return Effect.andThen(whenEnded(waiter, this.#options.schedule), standsInEmpty(sink, this.#contract.stream))
    })
  }
}

function has(held: ReadonlyArray<Held>, name: string): boolean {
  return held.some(({ sink }) => sink === name)
}

function closed(held: ReadonlyArray<Held>): Effect.Effect<void> {
  return Effect.forEach(held, ({ scope }) => Scope.close(scope, Exit.void), { concurrency: "unbounded", discard: true })
}

/** Opens legs that a document needs, and says all that keeps it from being in force. */
export function openedFaults(
  missing: ReadonlyArray<{ readonly leg: Leg; readonly opening: Effect.Effect<void, OpenError> }>
): Effect.Effect<ReadonlyArray<RouteFault>> {
  const faults = Effect.forEach(
    missing,
    ({ leg, opening }) =>
      Effect.timeoutOption(opening, readyMsMax).pipe(
        Effect.match({ onFailure: (error) => faultsOf(leg, error), onSuccess: (done) => lateFaults(leg, done) })
      ),
    { concurrency: "unbounded" }
  )
  return Effect.map(faults, (all) => all.flat())
}

function lateFaults({ path, sink }: Leg, done: Option.Option<void>): ReadonlyArray<RouteFault> {
  if (Option.isSome(done)) return []
  return [{ path, message: `${sink} has not been opened within ${readyMsMax / 1000} seconds` }]
}

function faultsOf({ path, sink }: Leg, error: OpenError): ReadonlyArray<RouteFault> {
  if (error instanceof RouteError) return error.faults
  return [{ path, message: `${sink} cannot be opened: ${error.message}` }]
}
