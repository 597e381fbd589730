/**
 * Sends records of one partition of an older spill to those of the destination that each goes to now, side by side. They end in the order in which they
 * stand: what is settled has all ended. A partition of the destination is fenced before the first that goes there, so that nothing sent earlier lands behind.
 */
import { Effect } from "effect"
import type { ReceivedRecord } from "../../transport/index.ts"
import type { Ending } from "../sendOn/Ending.ts"
import type { SentPartition } from "../sendOn/SendOn.ts"
import type { SpillPart } from "./Spill.ts"
import type { Sending } from "./SpillParting.ts"

export interface SpreadHome {
  readonly sendOn: Sending
  /** Of the older spill. */
  readonly part: SpillPart
  readonly partitionOf: (record: ReceivedRecord) => number
  /** Consumers are told in the partition that the record would have gone to. */
  readonly announce: (to: number, ...told: Parameters<SentPartition["announce"]>) => void
  readonly untold: (to: number) => void
}

interface Fate {
  readonly how: Ending
  readonly isSettled: boolean
}

export class SpreadSending implements Sending {
  readonly #home: SpreadHome
  /** Partitions of the destination that were fenced. */
  readonly #fenced = new Set<number>()
  /** Those in which something is to be announced. */
  readonly #sent = new Set<number>()

  constructor(home: SpreadHome) {
    this.#home = home
  }

  /** Each is fenced when something goes there. */
  fence(): Effect.Effect<void> {
    return Effect.void
  }

  send(sent: SentPartition, records: ReadonlyArray<ReceivedRecord>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const ended = inOrder(sent, this.#home.part, records)
      return Effect.forEach(
        Map.groupBy(records, this.#home.partitionOf),
        ([to, some]) => {
          const part = this.#of(to, sent, ended)
          this.#sent.add(to)
          return Effect.andThen(
            this.#fencedOf(part),
            Effect.suspend(() => this.#home.sendOn.send(part, some))
          )
        },
        { concurrency: "unbounded", discard: true }
      )
    })
  }

  announce(sent: SentPartition): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach(this.#sent, (to) => this.#home.sendOn.announce(this.#of(to, sent, sent.ended)), {
        concurrency: "unbounded",
        discard: true
      })
    )
  }

  #fencedOf(part: SentPartition): Effect.Effect<void> {
    if (this.#fenced.has(part.partition)) return Effect.void
    return Effect.map(this.#home.sendOn.fence(part), () => void this.#fenced.add(part.partition))
  }

  #of(to: number, sent: SentPartition, ended: SentPartition["ended"]): SentPartition {
    const { part, announce, untold } = this.#home
    return {
      partition: to,
      writer: sent.writer,
      get isOver() {
        return sent.isOver
      },
      get end() {
        return sent.end
      },
      get isOfTurn() {
        return sent.isOfTurn === true
      },
      doubt: sent.doubt,
      ended,
      announce: (...told) => announce(to, ...told),
      refused: sent.refused,
      untold: () => untold(to),
      // In front of it some may be on their way to another partition.
      settle: (position) => (position <= part.at ? sent.settle(position) : Effect.as(sent.settle(part.at), false)),
      stands: sent.stands
    }
  }
}

/** What has ended is told once all in front of it has. */
function inOrder(sent: SentPartition, part: SpillPart, records: ReadonlyArray<ReceivedRecord>): SentPartition["ended"] {
  const fates = new Map<bigint, Fate>()
  let told = 0
  const fateAt = (index: number) => fates.get(records[index]?.position ?? -1n)
  return (some, how, isSettled) => {
    const fate = { how, isSettled }
    for (const { position } of some) fates.set(position, fate)
    for (let first = fateAt(told); first !== undefined; first = fateAt(told)) {
      let end = told + 1
      while (fateAt(end) === first) end++
      const stretch = records.slice(told, end)
      sent.ended(stretch, first.how, first.isSettled)
      // Its stream has left the destination: nothing behind it has ended.
      if (part.at <= (stretch.at(-1)?.position ?? -1n)) return
      told = end
    }
  }
}
