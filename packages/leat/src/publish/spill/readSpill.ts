/** Spills of processes before this one that nothing is written to here: they are read, and settled. */
import { type Context, Effect } from "effect"
import type { Transport, TransportError, Writer } from "../../transport/index.ts"
import { Spill } from "./Spill.ts"
import { spillGroup } from "./SpillMember.ts"

const nowhere = (partitions: number): Writer => ({ partitions, send: () => undefined, fence: () => Effect.never })

export function readSpill(
  transport: Transport,
  topic: string,
  partitions: number,
  context: Context.Context<never>
): Spill {
  const writer = nowhere(partitions)
  return new Spill({ transport, topic, writer, bytesMax: () => 0 }, writer, () => false, context)
}

/** Records in a spill that were not sent on. */
export function heldIn({ bounds }: Transport, topic: string): Effect.Effect<number, TransportError> {
  return Effect.map(
    Effect.suspend(() => bounds(topic, spillGroup)),
    (rows) => rows.reduce((held, { end, settled = 0n }) => held + Math.max(0, Number(end - settled)), 0)
  )
}
