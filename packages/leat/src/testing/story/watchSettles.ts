import { Effect, Stream } from "effect"
import type { Driver, Lane } from "../../transport/index.ts"
import type { Chronicle } from "../judge/Chronicle.ts"

/** A driver that looks at what is settled: nothing of which a handler has not finished. */
export function watchSettles(driver: Driver, chronicle: Chronicle): Driver {
  return {
    ...driver,
    open: (cluster, config, reread) =>
      Effect.map(driver.open(cluster, config, reread), (transport) => ({
        ...transport,
        subscribe: (subscription) =>
          Stream.map(transport.subscribe(subscription), (lane) => watched(lane, subscription.group, chronicle))
      }))
  }
}

function watched(lane: Lane, group: string, chronicle: Chronicle): Lane {
  const { partition } = lane
  return {
    ...lane,
    settle: (position) =>
      Effect.suspend(() => {
        const own = chronicle.handlings.filter(
          (one) => one.group === group && one.partition === partition && one.position < position
        )
        const done = new Set(own.flatMap((one) => (one.isDone ? [one.position] : [])))
        const unfinished = own.find((one) => !done.has(one.position))
        if (unfinished !== undefined)
          chronicle.notice("lost", `group ${group} settled ${position} of ${lane.id} before ${unfinished.id} was done`)
        return lane.settle(position)
      })
  }
}
