import type { Scheduler } from "effect/Scheduler"

const known = new WeakMap<Scheduler, (task: () => void) => void>()

/** Runs tasks in the next turn, in their order: one dispatcher for all streams and sinks that share a scheduler. */
export function tasksOf(scheduler: Scheduler): (task: () => void) => void {
  let schedule = known.get(scheduler)
  if (schedule === undefined) {
    const dispatcher = scheduler.makeDispatcher()
    schedule = (task) => dispatcher.scheduleTask(task, 0)
    known.set(scheduler, schedule)
  }
  return schedule
}
