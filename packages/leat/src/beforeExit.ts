import { Effect, type Scope } from "effect"
import { isRealTime } from "./idleSleep.ts"

const tasks = new Set<() => void>()

const runAll = (): void => {
  for (const task of tasks) task()
}

/**
 * Runs a task whenever nothing keeps the process any more, before it ends, until the scope closes. What the task begins keeps the process, and the task is
 * run again after that: it has to know when it has nothing left to do. Not run where the process is killed or ends by `process.exit`, nor on virtual time.
 */
export function beforeExit(task: () => void): Effect.Effect<void, never, Scope.Scope> {
  const entered = Effect.sync(() => {
    // One listener for all: Node warns of more than ten.
    if (tasks.size === 0) process.on("beforeExit", runAll)
    // A name of its own, for the same function may be given twice.
    const own = (): void => task()
    tasks.add(own)
    return own
  })
  const left = (own: () => void) =>
    Effect.sync(() => {
      tasks.delete(own)
      if (tasks.size === 0) process.off("beforeExit", runAll)
    })
  return Effect.clockWith((clock) =>
    isRealTime(clock) ? Effect.asVoid(Effect.acquireRelease(entered, left)) : Effect.void
  )
}
