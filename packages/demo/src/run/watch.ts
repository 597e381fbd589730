import { Clock, Effect } from "effect"
import type { OpenLeat } from "leat"
import { groupsOf, lagOf } from "../consumers/consumers.ts"
import { allStreams, storedCount, type Streams } from "../streams/streams.ts"
import type { Report } from "../view/Report.ts"

/** How often what happens is shown, in milliseconds. */
const statusEveryMs = 200

/** Shows now and then where everything stands. */
export const watch = (leat: OpenLeat, streams: Streams, report: Report) =>
  Effect.gen(function* () {
    const stored = yield* Effect.forEach(allStreams(streams), (stream) =>
      Effect.map(storedCount(stream), (count) => ({ stream: stream.contract.stream, stored: count }))
    )
    const groups = yield* Effect.forEach(groupsOf(streams), (one) =>
      Effect.map(lagOf(one), (lag) => ({ group: one.group, stream: one.events.contract.stream, lag }))
    )
    const atMs = yield* Clock.currentTimeMillis
    report.status({ atMs, ledger: leat.ledger.snapshot(), streams: stored, groups })
  }).pipe(
    // The work itself meets the same fault and says so.
    Effect.ignore,
    Effect.andThen(Effect.sleep(statusEveryMs)),
    Effect.forever
  )
