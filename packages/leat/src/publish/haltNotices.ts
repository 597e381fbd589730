/** What a person is told of a lane, or a partition, that stands until somebody resumes it, and of what is given up because nobody does. */
import { Effect } from "effect"
import { warn } from "../Telemetry.ts"
import type { Halted } from "./LaneHome.ts"
import type { Pump } from "./Pump.ts"
import type { PartitionHome, PumpedPartition } from "./Pumped.ts"

/** What a person can do about a record that the backend refuses for good. */
const whenRejected =
  "the backend refuses this record and will again until the cause is gone; `resume` tries it again, with the time of that moment where its own lies ahead; a policy with `on: [Rejected], then: deadLetter` sets such records aside, one with `then: drop` drops them, where that is allowed"

/** Each halt once: what is published waits behind it without an end, and nobody else sees it. */
export function tellHalts(home: PartitionHome, pump: Pump, partition: PumpedPartition): void {
  const { sink } = home.leg
  for (const { halted, account } of partition.haltedLanes.splice(0))
    if (halted !== undefined) tellHalt(home, pump, halted, `${account.stream} to ${sink}`, partition)
  if (partition.halted === partition.toldHalt) return
  partition.toldHalt = partition.halted
  if (partition.halted !== undefined) tellHalt(home, pump, partition.halted, `everything to ${sink}`, partition)
}

/** Who closes a leat gets no answer of it: what is lost by closing has to be said. */
export function tellGivenUp(sink: string, events: number): Effect.Effect<void> {
  if (events === 0) return Effect.void
  return warn(
    `closing has given up ${events} of the events for ${sink}, which has not stored them; they are counted as dropped`
  )
}

function tellHalt(
  home: PartitionHome,
  pump: Pump,
  failure: Halted,
  what: string,
  { partition }: PumpedPartition
): void {
  const { tag, attempts, detail } = failure
  pump.standstills.forget(home, partition)
  const way = tag === "Rejected" ? `; ${whenRejected}` : ""
  const sentence = `publishing ${what} stands on partition ${partition} until it is resumed: ${tag} after ${attempts === 1 ? "1 attempt" : `${attempts} attempts`}: ${detail}${way}`
  Effect.runForkWith(pump.context)(warn(sentence))
}
