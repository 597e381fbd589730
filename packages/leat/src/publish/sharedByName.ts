import { Effect, RcMap, Scope, Semaphore } from "effect"

/**
 * What is shared by name: opened by the first that needs it, closed with the last, and emptied before `scope` ends. Closing may take time;
 * what is asked for meanwhile is opened afterwards, so that of one name no two are there at once, and whatever is kept by name is that of one.
 */
export function sharedByName<A, E>(
  scope: Scope.Scope,
  open: (name: string) => Effect.Effect<A, E, Scope.Scope>
): RcMap.RcMap<string, A, E> {
  const turns = new Map<string, Semaphore.Semaphore>()
  const lookup = (name: string) => {
    const turn = turns.get(name) ?? Semaphore.makeUnsafe(1)
    turns.set(name, turn)
    // Taken first, so given back last.
    return Effect.andThen(Semaphore.takeScoped(turn, 1), open(name))
  }
  return Effect.runSync(Scope.provide(RcMap.make({ lookup }), scope))
}
