import type { PlannedStream, Routes } from "leat"

/** What a plan is about, where somebody names it. */
export interface Asked {
  /** Streams that are known, as those of contracts. */
  readonly streams: ReadonlyArray<string>
  readonly stream?: string | undefined
  readonly source?: string | undefined
}

/**
 * The streams that two documents may treat differently: those that are known, and those that routes and subscriptions name. A name with a star stands for
 * the streams that match it, and is looked up as it is: `shop.*` takes the route of `shop.*`, and not an earlier one of `shop.orders`. So do sources and
 * groups.
 */
export function plannedStreams(before: Routes, after: Routes, asked: Asked): ReadonlyArray<PlannedStream> {
  const documents = [before.document, after.document]
  const subscriptions = documents.flatMap((document) => document.subscriptions ?? [])
  const named = documents.flatMap(({ routes }) => routes.map(({ match }) => match.stream))
  const streams =
    asked.stream === undefined
      ? [...asked.streams, ...named, ...subscriptions.map(({ match }) => match.stream)]
      : [asked.stream]
  const groups = unique(subscriptions.map(({ match }) => match.group ?? "*"))
  return unique(streams).flatMap((stream) => {
    const sources =
      asked.source === undefined
        ? unique([before, after].flatMap((table) => table.routesOf(stream).map(({ source }) => source)))
        : [asked.source]
    return sources.map((source) => ({ stream, source, groups }))
  })
}

function unique(names: ReadonlyArray<string>): ReadonlyArray<string> {
  return Array.from(new Set(names)).toSorted()
}
