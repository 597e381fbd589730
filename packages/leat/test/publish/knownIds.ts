/**
 * A disk that knows event ids, as a log does: what a partition has taken already is told stored, without a position, and not stored again. For
 * a driver over a `PowerLossBroker` or a `MemoryBroker`.
 */
import { Effect } from "effect"
import { type MemoryBroker, readMeta } from "leat"
import type { Driver, ReceivedRecord, Run, Transport, Writer } from "leat/transport"

/** Ids that the partitions of a broker have taken; shared by all who connect to it. */
export class KnownIds {
  readonly #broker: MemoryBroker
  readonly #partitions = new Map<string, { next: bigint; readonly ids: Set<string> }>()

  constructor(broker: MemoryBroker) {
    this.#broker = broker
  }

  /** Also of what was trimmed, once it was seen here. */
  of(topic: string, partition: number): ReadonlySet<string> {
    const name = `${topic} ${partition}`
    const known = this.#partitions.get(name) ?? { next: 0n, ids: new Set<string>() }
    this.#partitions.set(name, known)
    const log = this.#broker.topic(topic).partitions[partition]
    for (let batch = log?.read(known.next, log.end); batch !== undefined; batch = log?.read(known.next, log.end)) {
      for (const record of batch.records) {
        const id = idOf(record)
        if (id !== undefined) known.ids.add(id)
      }
      known.next = batch.next
    }
    return known.ids
  }
}

export function knowingIds(driver: Driver, known: KnownIds): Driver {
  return {
    ...driver,
    open: (...asked) =>
      Effect.map(driver.open(...asked), (inner): Transport => ({
        ...inner,
        openWriter: (topic) => Effect.map(inner.openWriter(topic), (writer) => knowingWriter(writer, topic, known))
      }))
  }
}

function knowingWriter(writer: Writer, topic: string, known: KnownIds): Writer {
  return {
    ...writer,
    send: (partition, batch, from, to, timeoutMs, answer) => {
      const ids = known.of(topic, partition)
      const isKnown = (index: number) => ids.has(idOf({ headers: batch.headers(index) }) ?? "")
      const runs: Array<Run> = []
      const next = (at: number): void => {
        if (at === to) return answer(runs)
        let end = at + 1
        while (end < to && isKnown(end) === isKnown(at)) end++
        if (isKnown(at)) {
          runs.push({ from: at, to: end, fate: "stored" })
          return next(end)
        }
        writer.send(partition, batch, at, end, timeoutMs, (told) => {
          runs.push(...told)
          if (told.every(({ fate }) => fate === "stored")) return next(end)
          answer(runs)
        })
      }
      next(from)
    }
  }
}

function idOf({ headers }: Pick<ReceivedRecord, "headers">): string | undefined {
  const { id } = readMeta(headers, "")
  return id === undefined ? undefined : `${id.incarnation} ${id.stream} ${id.bucket} ${id.seq}`
}
