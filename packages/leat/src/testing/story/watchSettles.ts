import { Effect, Stream } from "effect"
import type { Driver, Lane, ReceivedRecord } from "../../transport/index.ts"
import { type Chronicle, placeName } from "../judge/Chronicle.ts"
import { asideAt } from "../judge/handlings.ts"
import { tierOf } from "./letterTopics.ts"
import { moveIn } from "./watchLetters.ts"
import type { World } from "./World.ts"

/**
 * A driver that looks at what is settled: nothing that is not done, dropped by its policy, or stored as a dead letter or in a retry topic. What is
 * pulled of retry topics it notes.
 */
export function watchSettles(driver: Driver, chronicle: Chronicle, { groups }: World): Driver {
  return {
    ...driver,
    open: (cluster, config, reread) =>
      Effect.map(driver.open(cluster, config, reread), (transport) => ({
        ...transport,
        subscribe: (asked) =>
          Stream.map(transport.subscribe(asked), (lane) => {
            const drops = groups.some(({ group, ending }) => group === asked.group && ending === "drop")
            return watched(lane, { ...asked, drops }, chronicle)
          })
      }))
  }
}

interface ReadBy {
  readonly group: string
  readonly topic: string
  readonly drops: boolean
}

function watched(lane: Lane, { group, topic, drops }: ReadBy, chronicle: Chronicle): Lane {
  const { partition } = lane
  const batches =
    tierOf(topic) === undefined
      ? lane.batches
      : Stream.tap(lane.batches, ({ records }) => Effect.sync(() => notePulled(records)))
  const notePulled = (records: Iterable<ReceivedRecord>) => {
    for (const { position, headers } of records) {
      const moved = moveIn(headers)
      if (moved !== undefined) chronicle.pulledMoves.set(placeName(group, { topic, partition, position }), moved)
    }
  }
  return {
    ...lane,
    batches,
    settle: (position) =>
      Effect.suspend(() => {
        const own = chronicle.handlings.filter(
          (one) => one.group === group && one.topic === topic && one.partition === partition && one.position < position
        )
        const ended = new Set(
          own.flatMap((one) => (one.isDone || (drops && one.isPoison && one.isAlone) ? [one.position] : []))
        )
        const unfinished = own.find((one) => !ended.has(one.position) && asideAt(chronicle, one) === undefined)
        if (unfinished !== undefined)
          chronicle.notice("lost", `group ${group} settled ${position} of ${lane.id} before ${unfinished.id} was done`)
        return lane.settle(position)
      })
  }
}
