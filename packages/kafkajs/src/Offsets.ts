/** Offset queries: ends of partitions, offsets of times, and committed offsets. All offsets have 64 bits. */
import { begunWithIn, isOfOtherLog } from "@leat/kafka"
import { monotonicMs } from "./client/clock.ts"
import type { Position, TransportError } from "leat/transport"
import { type Brokers, hasMoved, movedCodes } from "./client/Brokers.ts"
import { failureOf, refusal } from "./client/failureOf.ts"

/** A place in a partition: one of its ends, or the first record at or after a time in epoch milliseconds. */
export type Spot = "earliest" | "latest" | "latestCommitted" | number

/** How long a query is retried while leaders or coordinators move, in milliseconds. Queries change nothing. */
const askMs = 3000
const againMs = 100

/** Retries a query while brokers answer that another broker is responsible. */
export async function asking<A>(ask: () => Promise<A>, beforeAgain: () => void): Promise<A> {
  const untilMs = monotonicMs() + askMs
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      const failed: TransportError = failureOf(error, "ask", "asking a broker")
      if (monotonicMs() > untilMs || !hasMoved(failed) || failed.reason === "UnknownTopic") throw failed
      beforeAgain()
      await new Promise((resolve) => setTimeout(resolve, againMs))
    }
  }
}

/** The offset of a spot in each partition; undefined if no record has that time or a later one. */
export function positionsAt(
  brokers: Brokers,
  topic: string,
  partitions: ReadonlyArray<number>,
  spot: Spot
): Promise<ReadonlyMap<number, Position | undefined>> {
  return asking(
    async () => {
      const ofLeader = new Map<number, Array<number>>()
      for (const partition of partitions) {
        const leader = await brokers.leader(topic, partition)
        const led = ofLeader.get(leader)
        if (led === undefined) ofLeader.set(leader, [partition])
        else led.push(partition)
      }
      const parts = await Promise.all(
        Array.from(ofLeader, ([leader, led]) => listOffsets(brokers, topic, leader, led, spot))
      )
      return new Map(parts.flat())
    },
    () => brokers.forget(topic)
  )
}

const timestampOf = (spot: Spot): string =>
  spot === "earliest" ? "-2" : typeof spot === "string" ? "-1" : String(Math.max(0, Math.ceil(spot)))

async function listOffsets(
  brokers: Brokers,
  topic: string,
  leader: number,
  partitions: ReadonlyArray<number>,
  spot: Spot
): Promise<ReadonlyArray<readonly [number, Position | undefined]>> {
  const link = await brokers.link("ask", leader)
  const timestamp = timestampOf(spot)
  const { responses } = await link.call(
    "ListOffsets",
    {
      replicaId: -1,
      isolationLevel: spot === "latestCommitted" ? 1 : 0,
      topics: [{ topic, partitions: partitions.map((partition) => ({ partition, timestamp })) }]
    },
    brokers.settings.requestMs
  )
  const answers = responses.flatMap((one) => (one.topic === topic ? one.partitions : []))
  return partitions.map((partition) => {
    const answer = answers.find((one) => one.partition === partition)
    const code = answer?.errorCode ?? -1
    if (answer === undefined || code !== 0) {
      if (movedCodes.has(code)) brokers.forget(topic)
      throw refusal(code, "offsets", `${topic}/${partition}`)
    }
    const position = BigInt(answer.offset)
    return [partition, position < 0n ? undefined : position] as const
  })
}

/** A committed offset. */
export interface Settled {
  readonly position: Position
  /** It was committed in a topic of the same name that no longer exists, so it says nothing of this one. */
  readonly isOfOtherLog: boolean
  /** Partitions that the topic had when the group began in it; undefined: nobody has said so. */
  readonly begunWith: number | undefined
}

/** The committed offset of a group in each partition; partitions without one are absent. */
export function settledPositions(
  brokers: Brokers,
  group: string,
  { topic, id }: { readonly topic: string; readonly id: string | undefined },
  partitions: ReadonlyArray<number>
): Promise<ReadonlyMap<number, Settled>> {
  return asking(
    async () => {
      const link = await brokers.coordinator(group, "ask")
      const topics = [{ topic, partitions: partitions.map((partition) => ({ partition })) }]
      const { responses, errorCode = 0 } = await link.call(
        "OffsetFetch",
        { groupId: group, topics },
        brokers.settings.requestMs
      )
      if (errorCode !== 0) throw refusal(errorCode, "settled", `group ${group}`)
      const settled = new Map<number, Settled>()
      for (const one of responses) {
        if (one.topic !== topic) continue
        for (const { partition, offset, metadata, errorCode: code } of one.partitions) {
          if (code !== 0) throw refusal(code, "settled", `group ${group}, ${topic}/${partition}`)
          const position = BigInt(offset)
          if (position < 0n) continue
          const said = { isOfOtherLog: isOfOtherLog(metadata, id), begunWith: begunWithIn(metadata, id) }
          settled.set(partition, { position, ...said })
        }
      }
      return settled
    },
    () => brokers.forgetCoordinator(group)
  )
}
