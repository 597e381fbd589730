/**
 * The route of a stream that is placed: what the document says, with the leg that is read in the place where the control stream has it. Documents say
 * where a stream is to lie, and the control stream where it lies by now.
 */
import type { Place } from "../control/ControlRecord.ts"
import type { Epoch, Placement } from "../control/Placement.ts"
import type { Leg, Route } from "../routes/Routes.ts"

/** What is known of a leg that is not in the document any more: one that was open is not to change while it is emptied. */
export type LegsByPlace = ReadonlyMap<string, Leg>

export function placeKey({ cluster, topic }: Pick<Place, "cluster" | "topic">): string {
  return `${cluster}/${topic}`
}

/** The leg of an epoch: as it was, or as the document has the one that is read, in the place of the epoch. */
export function legOf({ epoch, place }: Epoch, route: Route, known: LegsByPlace): Leg {
  const { cluster, topic } = place
  const sink = placeKey(place)
  const { readLeg } = route
  const like = readLeg.sink === sink ? readLeg : (known.get(sink) ?? readLeg)
  return {
    ...like,
    cluster,
    topic,
    sink,
    destination: like.sink === sink ? like.destination : sink,
    required: readLeg.required,
    epoch,
    partitions: place.partitions
  }
}

/** The places of all epochs that somebody may have to read. */
export function placesRead({ epochs }: Placement): ReadonlyArray<string> {
  return epochs.flatMap(({ phase, place }) => (phase === "retired" ? [] : [placeKey(place)]))
}

/**
 * The route with that leg in place of the one that is read. Mirrors in places that are read are left out: who reads there could not tell their records
 * from those of the epoch. In a place that was read once they say a higher epoch than was read there, and a lower one than ever will be: who has not
 * heard yet that the stream has moved on does not take them for events of it.
 */
export function routeAt(route: Route, leg: Leg, placement: Placement): Route {
  const read = new Set(placesRead(placement))
  const others = route.legs.flatMap((one) => {
    if (one === route.readLeg || one.sink === leg.sink || read.has(one.sink)) return []
    const was = placement.epochs.findLast(({ place }) => placeKey(place) === one.sink)
    return was === undefined ? [one] : [{ ...one, epoch: was.epoch + 1 }]
  })
  // What was required may be left out for its place: an event has to arrive somewhere all the while.
  const isAlone = !others.some(({ required }) => required)
  const placed = leg.required || !isAlone ? leg : { ...leg, required: true }
  const legs = [placed, ...others]
  const required = legs.filter((one) => one.required)
  const rest = legs.filter((one) => !one.required)
  return { ...route, legs: [...required, ...rest], readLeg: placed }
}

/**
 * The epoch that a process writes which has had the leg open since before it heard that the stream is placed. Undefined: none. What it has sent since an
 * epoch of that place has ended is read by nobody, also where the stream has come back there meanwhile: it says the epoch that the leg had.
 */
export function epochWritten({ epochs }: Placement, leg: Pick<Leg, "cluster" | "topic" | "epoch">): Epoch | undefined {
  const found = epochs.findLast(({ place, phase }) => phase !== "retired" && placeKey(place) === placeKey(leg))
  if (found === undefined || found.phase === "abandoned") return found
  return found.epoch === leg.epoch && found.end === undefined ? found : undefined
}
