import { Effect } from "effect"
import { type Lane, type Transport, TransportError } from "../../transport/index.ts"

/** A lane of a partition; fails where the driver does not say of which: nothing could be sent on from it, nor settled. */
export function ofPartition(lane: Lane, { name }: Transport): Effect.Effect<Lane, TransportError> {
  const { partition } = lane
  if (Number.isInteger(partition) && partition >= 0) return Effect.succeed(lane)
  const detail = `the driver gives a lane of partition ${partition}, which is no number from 0`
  return Effect.fail(new TransportError({ reason: "Unknown", transport: name, operation: "subscribe", detail }))
}
