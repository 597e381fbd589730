/**
 * What is asked of the clusters that a stream lies in while it moves. Each question has an end, whatever its driver does: it may throw, die, hang, or
 * answer nonsense.
 */
import { Cause, Effect, Exit, Option, Scope } from "effect"
import type { Place, Positions } from "../control/ControlRecord.ts"
import { isObject, kindOf } from "../given/takes.ts"
import { textOfThrown } from "../given/thrown.ts"
import type { RouteError } from "../routes/Routes.ts"
import { endWithin, leaving } from "../transport/endWithin.ts"
import type { PartitionBounds, Transport, TransportError } from "../transport/index.ts"
import { Trouble } from "./Trouble.ts"

/** Opens a cluster, or gives the one that is open. It is asked again and again, and should keep open what it opens. */
export type TransportOf = (cluster: string) => Effect.Effect<Transport, TransportError | RouteError, Scope.Scope>

/** One question, and the end of what was opened for it, in milliseconds. */
const [askMs, closeMs] = [30_000, 10_000]

/** `cluster/topic`, for people. */
export const placeText = ({ cluster, topic }: Pick<Place, "cluster" | "topic">): string => `${cluster}/${topic}`

export class Places {
  readonly #transportOf: TransportOf

  constructor(transportOf: TransportOf) {
    this.#transportOf = transportOf
  }

  /** A transport as long as it is used. */
  using<A>(
    cluster: string,
    use: (transport: Transport) => Effect.Effect<A, Trouble, Scope.Scope>
  ): Effect.Effect<A, Trouble> {
    const opened = (scope: Scope.Scope) =>
      answered(
        Effect.suspend(() => Scope.provide(this.#transportOf(cluster), scope)),
        `cluster ${cluster} is not open`
      )
    return Effect.acquireUseRelease(
      Scope.make(),
      (scope) => Scope.provide(Effect.flatMap(opened(scope), use), scope),
      (scope) => endWithin(Scope.close(scope, Exit.void), closeMs)
    )
  }

  /** The ends of a place, as they are now. */
  ends(place: Place): Effect.Effect<Positions, Trouble> {
    return Effect.map(this.bounds(place), (rows) => rows.map(({ end }) => end))
  }

  /** How many partitions its topic has now: those of the place, and what was added since. */
  partitions({ cluster, topic }: Pick<Place, "cluster" | "topic">): Effect.Effect<number, Trouble> {
    return this.using(cluster, (transport) =>
      Effect.map(
        answered(
          Effect.suspend(() => transport.bounds(topic)),
          `${placeText({ cluster, topic })} cannot be read`
        ),
        ({ length }) => length
      )
    )
  }

  /** All partitions of a place, in their order, and how far a group has got. */
  bounds(place: Place, group?: string): Effect.Effect<ReadonlyArray<BoundsOfPartition>, Trouble> {
    return this.using(place.cluster, (transport) => boundsIn(transport, place, group))
  }

  /** Names of the groups that have got anywhere in a topic; undefined: its cluster cannot tell. */
  groups(place: Place): Effect.Effect<ReadonlyArray<string> | undefined, Trouble> {
    return this.using(place.cluster, (transport) => {
      const { groups } = transport
      if (groups === undefined) return Effect.succeed(undefined)
      const what = `the groups of ${placeText(place)} are not told`
      const asked = Effect.suspend(() => groups.call(transport, place.topic))
      return Effect.flatMap(answered(asked, what), (names) =>
        Array.isArray(names) && names.every((name) => typeof name === "string")
          ? Effect.succeed(names)
          : Effect.fail(new Trouble({ why: `${what}: its driver names ${kindOf(names)}` }))
      )
    })
  }
}

export interface BoundsOfPartition {
  readonly start: number
  readonly end: number
  /** Undefined: it has settled nothing. */
  readonly settled: number | undefined
}

/** As `Places.bounds`, of a transport that is open. */
export const boundsIn = (
  transport: Pick<Transport, "bounds">,
  place: Place,
  group?: string
): Effect.Effect<ReadonlyArray<BoundsOfPartition>, Trouble> =>
  Effect.flatMap(
    answered(
      Effect.suspend(() => transport.bounds(place.topic, group)),
      `${placeText(place)} cannot be read`
    ),
    (rows) => {
      const found = boundsOf(rows, place.partitions)
      if (found !== undefined) return Effect.succeed(found)
      const count = Array.isArray(rows) ? `${rows.length} partitions` : "no partitions"
      const why = `${placeText(place)} has ${count}, as its driver says, and the control stream has it with ${place.partitions}`
      return Effect.fail(new Trouble({ why }))
    }
  )

/** Undefined: they are not those of a topic with so many partitions. What was added since the stream was placed there is left out. */
function boundsOf(
  rows: ReadonlyArray<PartitionBounds>,
  partitions: number
): ReadonlyArray<BoundsOfPartition> | undefined {
  if (!Array.isArray(rows) || rows.length < partitions) return undefined
  const found = new Map<number, BoundsOfPartition>()
  for (const row of rows as ReadonlyArray<Partial<PartitionBounds> | undefined>) {
    const { partition = -1, start, end, settled } = row ?? {}
    const numbers = [start, end, settled ?? 0n].map(Number)
    const [from = 0, to = 0, done] = numbers
    if (numbers.some((one) => !Number.isSafeInteger(one) || one < 0) || from > to) return undefined
    found.set(partition, { start: from, end: to, settled: settled === undefined ? undefined : done })
  }
  const ordered = Array.from({ length: partitions }, (_, partition) => found.get(partition))
  return ordered.every((row) => row !== undefined) ? ordered : undefined
}

/** What a driver answers, or `Trouble`: whatever else it does, and when it says nothing in time. */
export function answered<A, E>(
  asking: Effect.Effect<A, E>,
  what: string,
  timeoutMs = askMs
): Effect.Effect<A, Trouble> {
  const late = Effect.fail(new Trouble({ why: `${what}: no answer within ${timeoutMs / 1000} seconds` }))
  const told = Effect.mapError(leaving(asking), (error) => troubleOf(what, error))
  return Effect.catchCause(Effect.timeoutOrElse(told, { duration: timeoutMs, orElse: () => late }), (cause) =>
    Effect.fail(
      Option.getOrElse(
        Cause.findErrorOption(cause),
        () => new Trouble({ why: `${what}: ${textOfThrown(Cause.squash(cause))}` })
      )
    )
  )
}

function troubleOf(what: string, error: unknown): Trouble {
  const { message, reason } = isObject(error) ? error : {}
  const why = `${what}: ${typeof message === "string" ? message : textOfThrown(error)}`
  return new Trouble(typeof reason === "string" ? { why, reason } : { why })
}
