/** Moves are taken back by documents too: an older one is applied again, with a new version. */
import { Effect, Result } from "effect"
import { parseDocument } from "yaml"
import type { ControlError } from "../control/ControlError.ts"
import type { AppliedTable } from "../control/ControlledRoutes.ts"
import type { Place } from "../control/ControlRecord.ts"
import { backReason, pastDocuments } from "../control/fleet.ts"
import type { SaidOfRest } from "../control/leftBehind.ts"
import { placesWith, readRouteOf } from "../control/places.ts"
import { endsOf, isSameTopic, type Placement } from "../control/Placement.ts"
import { isObject } from "../given/takes.ts"
import { parseRouteText } from "../routes/RouteDocument.ts"
import { type OpenFleet, refused, routesOf, type ToolStream } from "./openFleet.ts"

/**
 * Applies the newest older document that has streams in the topics that are asked for, and all others where they lie: what is not asked for does not
 * move. It keeps the clusters that streams are still to be read in, although the older document did not know them yet.
 */
export const backTo = Effect.fnUntraced(function* (
  { stream, means }: OpenFleet & { readonly stream: ToolStream },
  asked: SaidOfRest & { readonly reason?: string | undefined },
  placeBefore: ReadonlyMap<string, Place>
): Effect.fn.Return<AppliedTable, ControlError> {
  const { control } = stream
  const isBefore = (document: string): boolean => {
    const routes = Result.getOrUndefined(means.compile(document))
    if (routes === undefined) return false
    return Array.from(control.streams).every(([name, placement]) => {
      const wanted = placeBefore.get(name) ?? endsOf(placement).newest?.place
      const found = Result.getOrUndefined(readRouteOf(routes, name))
      return wanted === undefined || (found !== undefined && isSameTopic(wanted, { ...found.leg, partitions: 0 }))
    })
  }
  const found = pastDocuments(control)
    .slice(0, -1)
    .findLast(({ document }) => isBefore(document))
  if (found === undefined)
    return yield* refused(
      "no document in the history has those streams where they lay and all others where they lie; apply one that does"
    )
  const routes = routesOf(stream)
  const text = yield* routes.textBackTo(found.version)
  const kept = withClusters(text, control.document, control.streams.values())
  return yield* routes.apply(kept, backReason(found.version, asked.reason ?? ""), placesWith(means, asked))
})

/** The text with the sections of another one for the clusters that somebody still has to read. */
function withClusters(text: string, other: string, placements: Iterable<Placement>): string {
  const document = parseDocument(text)
  // As plain values: a node may point to one that stands elsewhere in its document.
  const value = Result.getOrUndefined(parseRouteText(other))
  const sections = isObject(value) && isObject(value["clusters"]) ? value["clusters"] : {}
  const names = new Set(
    Array.from(placements).flatMap(({ epochs }) =>
      epochs.flatMap(({ phase, place }) => (phase === "retired" ? [] : [place.cluster]))
    )
  )
  const missing = Array.from(names).filter((name) => !document.hasIn(["clusters", name]))
  if (missing.length === 0) return text
  for (const name of missing) document.setIn(["clusters", name], document.createNode(sections[name]))
  return document.toString()
}
