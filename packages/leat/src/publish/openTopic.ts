/**
 * How the topic of a destination is opened for writing. That of a compacted contract is made compacted: a driver by itself makes topics whose
 * retention deletes the latest event of a key that rests, and that keep whatever was superseded meanwhile.
 */
import { Effect, type Scope } from "effect"
import { warn } from "../Telemetry.ts"
import { contained } from "../transport/contained.ts"
import { type TopicSpec, type Transport, TransportError, type Writer } from "../transport/index.ts"
import { madeCompacted } from "../transport/madeCompacted.ts"

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
  if (compaction === undefined) return opened
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

/** Makes a topic that is not there as its contract wants it; false: whoever asks may not make it, and a contract that needs nothing leaves that to others. */
export function isMadeFor(
  contract: Parameters<typeof compactionOf>[0],
  transport: Pick<Transport, "ensure" | "capabilities">,
  spec: TopicSpec
): Effect.Effect<boolean, TransportError> {
  const compaction = compactionOf(contract)
  const isCompacted = compaction !== undefined && transport.capabilities.compaction
  const made = Effect.as(transport.ensure(isCompacted ? { ...spec, compacted: true } : spec), true)
  return Effect.catchIf(
    made,
    ({ isRetryable }) => !isRetryable && compaction !== "needed",
    () => Effect.succeed(false)
  )
}

const loses = "its retention deletes the latest event of a key that rests"
const instead = "name a topic that is not there, which leat makes so, and publish the state again"
const losing = {
  not: `is not compacted, although the contract that is published there is: ${loses}. Make the topic a compacted one (on Kafka \`cleanup.policy=compact\`), or ${instead}`,
  deleting: `is compacted and deletes by a retention as well, although the contract that is published there keeps the latest event of each key: ${loses}. Take the retention away (on Kafka \`cleanup.policy=compact\` instead of \`compact,delete\`), or ${instead}`
} as const
