/**
 * How the topic of a destination is opened for writing. That of a compacted contract is made compacted: a driver by itself makes topics whose
 * retention deletes the latest event of a key that rests, and that keep whatever was superseded meanwhile.
 */
import { Effect, type Scope } from "effect"
import { warn } from "../Telemetry.ts"
import { contained } from "../transport/contained.ts"
import { type Transport, TransportError, type Writer } from "../transport/index.ts"
import { leaving } from "../transport/endWithin.ts"
import { isFoundCompacted, madeCompacted } from "../transport/madeCompacted.ts"

/** What a contract asks of its topic: nothing where absent. What is needed is refused where it is not so. */
export type Compaction = "wanted" | "needed" | undefined

export interface OpenedTopic {
  readonly topic: string
  /** `cluster/topic`. */
  readonly sink: string
  readonly compaction?: Compaction
}

/** What a contract asks of the topics that it is published to. */
export function compactionOf(contract: {
  readonly compacted: boolean
  readonly needs: ReadonlyArray<string>
}): Compaction {
  if (!contract.compacted) return undefined
  return contract.needs.includes("compaction") ? "needed" : "wanted"
}

export function openTopic(
  transport: Transport,
  { topic, sink, compaction }: OpenedTopic
): Effect.Effect<Writer, TransportError, Scope.Scope> {
  const opened = Effect.suspend(() => contained(transport.openWriter(topic), sink))
  if (compaction === undefined)
    return Effect.tap(opened, () => Effect.forkScoped(Effect.interruptible(warnIfCompacted(transport, topic, sink))))
  return Effect.flatMap(madeCompacted(transport, topic), (compacting) => {
    if (compacting === "compacted") return opened
    const told = losing[compacting]
    if (compaction === "wanted") return Effect.tap(opened, () => warn(`${sink} ${told}`))
    const detail = `${sink} ${told}; the contract needs compaction, so it is not opened`
    return Effect.fail(
      new TransportError({ reason: "Unsupported", transport: transport.name, operation: "ensure", detail })
    )
  })
}

/**
 * An ordinary contract may be published to a compacted topic, and loses there what is superseded: perhaps by the same key of another stream, whose process leat has
 * not seen. What is in the memory of one process is shared with no other, and within one the routes look.
 */
function warnIfCompacted(transport: Transport, topic: string, sink: string): Effect.Effect<void> {
  if (transport.capabilities.ephemeral) return Effect.void
  // A driver that does not answer holds up nobody.
  return Effect.flatMap(leaving(isFoundCompacted(transport, topic)), (isCompacted) =>
    isCompacted ? warn(`${sink} ${superseding}`) : Effect.void
  )
}

const superseding =
  "is compacted, although the contract that is published there is not: of all events of a key, whichever stream they are of, it keeps the latest. Say `compacted` in the contract if that is meant; else name a topic of its own, or make this one an ordinary one (on Kafka `cleanup.policy=delete`)"

const loses = "its retention deletes the latest event of a key that rests"
const instead = "name a topic that is not there, which leat makes so, and publish the state again"
const losing = {
  not: `is not compacted, although the contract that is published there is: ${loses}. Make the topic a compacted one (on Kafka \`cleanup.policy=compact\`), or ${instead}`,
  deleting: `is compacted and deletes by a retention as well, although the contract that is published there keeps the latest event of each key: ${loses}. Take the retention away (on Kafka \`cleanup.policy=compact\` instead of \`compact,delete\`), or ${instead}`
} as const
