import { Effect, Stream } from "effect"
import type { SubscriptionSettings } from "../routes/Routes.ts"
import type { SeenIds } from "./SeenIds.ts"
import * as Telemetry from "../Telemetry.ts"
import type { Lane, Transport } from "../transport/index.ts"
import { recordsOf } from "../transport/ReceivedRecords.ts"

/** How long a lane may look back before it begins, in milliseconds. */
const lookBackMs = 10_000

/** Where the lane is read. */
interface ReadFrom {
  readonly transport: Transport
  readonly topic: string
}

/**
 * Learns the ids before where a lane begins: copies of what somebody has handled there may come. What cannot be read, or takes too long, is not known,
 * and its copies are handled.
 */
export function lookBack(
  seen: SeenIds,
  { transport, topic }: ReadFrom,
  { start, partition, revoked }: Pick<Lane, "start" | "partition" | "revoked">,
  { dedupeRecords = 0 }: SubscriptionSettings
): Effect.Effect<void> {
  const records = BigInt(dedupeRecords)
  const range = { fromPosition: start > records ? start - records : 0n, toPosition: start }
  const isWhole = range.fromPosition === 0n
  if (!isWhole) seen.cut()
  if (records === 0n || start === 0n) return Effect.void
  return transport.read(topic, partition, range).pipe(
    Stream.runForEach((batch) =>
      Effect.sync(() => {
        const received = recordsOf(batch)
        for (let index = 0; index < received.length; index++) {
          if (isWhole) seen.see(received, index)
          else seen.lookBackAt(received, index)
        }
      })
    ),
    Effect.timeout(lookBackMs),
    Effect.catch(({ message }) =>
      Telemetry.warn(
        `${topic}/${partition}: what lies before position ${start} cannot be looked through for ids, and copies of it are handled again: ${message}`
      )
    ),
    Effect.raceFirst(revoked)
  )
}
