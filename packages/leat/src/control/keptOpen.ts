/** Keeps clusters open for the time of one call, which asks of each stream where it lies: to open one takes longer than all that it is asked. */
import { Effect, type Result, Scope } from "effect"
import type { RouteError } from "../routes/Routes.ts"
import type { Transport, TransportError } from "../transport/index.ts"
import type { PlacesMeans } from "./places.ts"

/**
 * They are closed with the scope. A cluster whose section differs from one document to the next is another. One that could not be opened is not tried
 * again: that takes half a minute, and each stream that goes there would ask for it.
 */
export const keptOpen = (means: PlacesMeans): Effect.Effect<PlacesMeans, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    const opened = new Map<string, Result.Result<Transport, RouteError | TransportError>>()
    return {
      ...means,
      transportOf: (routes, name) =>
        Effect.suspend(() => {
          const cluster = routes.clusters.get(name)
          const key = JSON.stringify([name, cluster?.driver.name, cluster?.config])
          const found = opened.get(key)
          if (found !== undefined) return Effect.fromResult(found)
          const opening = Effect.result(Scope.provide(means.transportOf(routes, name), scope))
          return Effect.flatMap(opening, (result) => {
            opened.set(key, result)
            return Effect.fromResult(result)
          })
        })
    }
  })
