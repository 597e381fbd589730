/** The topics that planned moves need and that are not there: how they are made, as far as a tool knows, and what it makes itself. */
import { Effect } from "effect"
import type { ContractInfo } from "../contract/Contract.ts"
import { ControlError } from "../control/ControlError.ts"
import { compiled, type PlacesMeans } from "../control/places.ts"
import { isMadeFor } from "../publish/openTopic.ts"
import type { Transport, TransportError } from "../transport/index.ts"
import { isFoundCompacted } from "../transport/madeCompacted.ts"
import type { PlannedMove } from "./planMove.ts"
import { answered, placeText } from "./Places.ts"

/** A topic that a move makes. */
export interface MadeTopic {
  readonly isCompacted: boolean
  /** Whether its contract was given. Else it is made as the old one is, unless a process of the fleet has the stream open: that knows the contract. */
  readonly isKnown: boolean
}

/** Whether a topic is there. */
export const isThere = (transport: Pick<Transport, "bounds">, topic: string): Effect.Effect<boolean, TransportError> =>
  Effect.matchEffect(transport.bounds(topic), {
    onFailure: (error) => (error.reason === "UnknownTopic" ? Effect.succeed(false) : Effect.fail(error)),
    onSuccess: () => Effect.succeed(true)
  })

/** How a topic is made that follows another one. */
export function madeAfter(
  contract: ContractInfo | undefined,
  old: Pick<Transport, "bounds" | "ensure">,
  topic: string
): Effect.Effect<MadeTopic> {
  if (contract !== undefined) return Effect.succeed({ isCompacted: contract.compacted, isKnown: true })
  const isOldCompacted = Effect.orElseSucceed(isFoundCompacted(old, topic), () => false)
  return Effect.map(isOldCompacted, (isCompacted) => ({ isCompacted, isKnown: false }))
}

/** Makes those whose contracts are known: no process of the fleet may have the stream open, and whoever coordinates makes them as the old ones are. */
export const makeTargets = (
  means: PlacesMeans,
  {
    document,
    contracts = []
  }: { readonly document: string; readonly contracts?: ReadonlyArray<ContractInfo> | undefined },
  moves: ReadonlyArray<PlannedMove>
): Effect.Effect<void, ControlError> =>
  Effect.gen(function* () {
    const routes = yield* Effect.fromResult(compiled(means, document))
    for (const { stream, to, makes } of moves) {
      const contract = contracts.find((one) => one.stream === stream)
      if (contract === undefined || makes === undefined) continue
      const { cluster, topic, partitions } = to
      const made = Effect.scoped(
        Effect.flatMap(means.transportOf(routes, cluster), (transport) =>
          isMadeFor(contract, transport, { topic, partitions })
        )
      )
      yield* Effect.mapError(
        answered(made, `${placeText(to)} cannot be made`),
        ({ why }) => new ControlError({ reason: "Refused", detail: why })
      )
    }
  })
