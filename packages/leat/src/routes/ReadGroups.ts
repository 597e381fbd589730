/**
 * The groups that read in this process, and what. A group has one position in a topic: two streams that are read from one topic by one group
 * would each settle what the other one has not handled yet, and skip it.
 */
import type { Leg } from "./Route.ts"
import type { RouteFault } from "./RouteDocument.ts"

/** Where it reads. */
type Read = Pick<Leg, "destination" | "sink">

interface Reading {
  readonly group: string
  readonly stream: string
  subscriptions: number
}

/**
 * One for a leat; a subscription enters before it joins its group, and leaves when it has ended.
 *
 * @example
 * ```ts
 * const fault = groups.enter(route.readLeg, "positions", "risk.beacons.sighting")
 * if (fault !== undefined) return yield* new RouteError({ faults: [fault] })
 * yield* Effect.addFinalizer(() => Effect.sync(() => groups.leave(route.readLeg, "positions")))
 * ```
 */
export class ReadGroups {
  /** By destination and group. */
  readonly #reading = new Map<string, Reading>()

  /** Why the group may not read the stream there now; undefined: it reads it, together with its other subscriptions. */
  enter(leg: Read, group: string, stream: string): RouteFault | undefined {
    const key = keyOf(leg, group)
    const found = this.#reading.get(key) ?? { group, stream, subscriptions: 0 }
    if (found.stream !== stream) {
      const message = `group ${group} reads ${found.stream} in topic ${leg.sink}, where it has one position for all streams; give ${stream} another group`
      return { path: "group", message }
    }
    found.subscriptions++
    this.#reading.set(key, found)
    return undefined
  }

  /** The groups that read a stream now. */
  of(stream: string): ReadonlyArray<string> {
    const groups = Array.from(this.#reading.values()).filter((reading) => reading.stream === stream)
    return Array.from(new Set(groups.map(({ group }) => group)))
  }

  /** A subscription that had entered has ended. */
  leave(leg: Read, group: string): void {
    const key = keyOf(leg, group)
    const found = this.#reading.get(key)
    if (found !== undefined && --found.subscriptions === 0) this.#reading.delete(key)
  }
}

function keyOf({ destination }: Pick<Leg, "destination">, group: string): string {
  return JSON.stringify([destination, group])
}
