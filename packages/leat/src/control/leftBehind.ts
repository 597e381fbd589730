/**
 * What would be left where a stream lay, because a move does not take it along. What a fallback holds is read and sent on by whoever has the leg open, and
 * after the move nobody has; what a spill holds is carried by the processes whose disks have it, as long as a document names those; and the latest event
 * of a key is not published again for those who begin later.
 */
import { Effect } from "effect"
import type { ContractInfo } from "../contract/Contract.ts"
import type { Leg, RouteError } from "../routes/Routes.ts"
import type { StandInName } from "../routes/standIns.ts"
import type { Transport, TransportError } from "../transport/index.ts"
import { isFoundCompacted } from "../transport/madeCompacted.ts"
import type { Place } from "./ControlRecord.ts"

/** What a person says of it. */
export interface SaidOfRest {
  /** What stands in for the old leg, its spill or its fallbacks, is empty, and nothing goes there while the stream moves. */
  readonly standInsEmpty?: boolean | undefined
  /** Nobody will need the latest event of keys that are not published again. */
  readonly withoutState?: boolean | undefined
}

/** A place that is left, as documents have it. */
export interface Left {
  /** `cluster/topic`. */
  readonly sink: string
  readonly standIns: ReadonlyArray<StandInName>
  /** Clusters of its spills that the next document does not name. */
  readonly lostSpills: ReadonlyArray<string>
}

/**
 * Why a stream may not leave the place of a leg, a sentence each; empty: it may. `isCompacted`: whether the topic is; asked where that decides, for its
 * cluster may be gone.
 */
export const leftBehind = (
  stream: string,
  was: Left,
  isCompacted: Effect.Effect<boolean, RouteError | TransportError>,
  {
    standInsEmpty = false,
    withoutState = false,
    contract
  }: SaidOfRest & { readonly contract?: ContractInfo | undefined }
): Effect.Effect<ReadonlyArray<string>, RouteError | TransportError> =>
  Effect.gen(function* () {
    const faults: Array<string> = []
    if (!standInsEmpty && was.standIns.includes("fallback"))
      faults.push(
        `stream ${stream} has a fallback at ${was.sink}, and what that holds, or takes while the stream moves, is sent on by nobody after it; see that it is empty and its cluster well, and say --stand-ins-empty (standInsEmpty)`
      )
    for (const cluster of standInsEmpty ? [] : was.lostSpills)
      faults.push(
        `stream ${stream} has a spill at ${was.sink} in cluster ${cluster}, which the document does not name, and what that holds is carried by nobody after the move; leave the cluster in, or see that it is empty in each process, and say --stand-ins-empty (standInsEmpty)`
      )
    if (!withoutState && (contract?.compacted === true || (yield* isCompacted)))
      faults.push(
        `stream ${stream} is compacted at ${was.sink}, and a move does not take the latest event of each key along: who begins to read later has only what is published from then on; publish the state again after the move, and say --without-state (withoutState)`
      )
    return faults
  })

/** Why a stream may not begin an epoch of this number in a topic; undefined: it may. `legs`: those that it has, by the document in force. */
export function mirrorFault(
  stream: string,
  legs: ReadonlyArray<Pick<Leg, "sink" | "epoch">>,
  sink: string,
  epoch: number
): string | undefined {
  const mirror = legs.find((leg) => leg.sink === sink && leg.epoch >= epoch)
  return (
    mirror &&
    `stream ${stream} has a mirror at ${sink} that writes epoch ${mirror.epoch}, and would begin there with epoch ${epoch}: who reads there could not tell them apart; take that leg out first, and move the stream when it is empty`
  )
}

/** A topic that is not there is not compacted. */
export function isPlaceCompacted(
  { topic }: Place,
  transport: Pick<Transport, "bounds" | "ensure">
): Effect.Effect<boolean, TransportError> {
  return Effect.catchIf(
    isFoundCompacted(transport, topic),
    ({ reason }) => reason === "UnknownTopic",
    () => Effect.succeed(false)
  )
}
