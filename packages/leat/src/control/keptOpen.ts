/** Keeps clusters open for the time of one call, which asks of each stream where it lies: to open one takes longer than all that it is asked. */
import { Effect, Scope } from "effect"
import type { Transport } from "../transport/index.ts"
import type { PlacesMeans } from "./places.ts"

/** They are closed with the scope. A cluster whose section differs from one document to the next is another. */
export const keptOpen = (means: PlacesMeans): Effect.Effect<PlacesMeans, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    const opened = new Map<string, Transport>()
    return {
      ...means,
      transportOf: (routes, name) =>
        Effect.suspend(() => {
          const cluster = routes.clusters.get(name)
          const key = JSON.stringify([name, cluster?.driver.name, cluster?.config])
          const found = opened.get(key)
          if (found !== undefined) return Effect.succeed(found)
          return Effect.tap(Scope.provide(means.transportOf(routes, name), scope), (transport) =>
            Effect.sync(() => void opened.set(key, transport))
          )
        })
    }
  })
