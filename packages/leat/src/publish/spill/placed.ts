/**
 * Where records stand in a spill that has told them stored without a position, as a log does of event ids that it had already: it is read behind
 * what this leat has noted there. What stands nowhere has no position then either.
 */
import { Effect, Stream } from "effect"
import { formatEventId } from "../../record/EventId.ts"
import type { Header } from "../../record/Headers.ts"
import type { OutgoingBatch } from "../../record/OutgoingBatch.ts"
import { readMeta } from "../../record/Wire.ts"
import type { Position, Run } from "../../transport/index.ts"
import type { SpillPlace } from "./Spill.ts"

/** Whether it does not say where the records stand. */
export function isUnplaced({ base, fate }: Run): boolean {
  return fate === "stored" && base === undefined
}

/** The same runs with positions, in parts where the records do not follow each other; unknown where the spill cannot be read. */
export function placed(
  { transport, topic }: SpillPlace,
  partition: number,
  fromPosition: Position,
  batch: OutgoingBatch,
  runs: ReadonlyArray<Run>
): Effect.Effect<ReadonlyArray<Run>> {
  // The batch is read now: when the answer is late its arena may have other records.
  const wanted = new Map<string, number>()
  for (const { from, to } of runs.filter(isUnplaced))
    for (let index = from; index < to; index++) {
      const id = idOf(batch.headers(index))
      if (id !== undefined) wanted.set(id, index)
    }
  const found = new Map<number, Position>()
  const read = transport.read(topic, partition, { fromPosition }).pipe(
    Stream.tap(({ records }) =>
      Effect.sync(() => {
        for (const { headers, position } of records) {
          const id = idOf(headers) ?? ""
          const index = wanted.get(id)
          if (index === undefined) continue
          wanted.delete(id)
          found.set(index, position)
        }
      })
    ),
    Stream.takeUntil(() => wanted.size === 0),
    Stream.runDrain
  )
  return read.pipe(
    Effect.map(() => runs.flatMap((run) => (isUnplaced(run) ? partsOf(run, found) : [run]))),
    Effect.catch((error) =>
      Effect.succeed(runs.map((run): Run => (isUnplaced(run) ? { ...run, fate: "unknown", error } : run)))
    )
  )
}

/** The same run in parts: with the positions of those that were found, and without one where none was. */
export function partsOf({ from, to }: Run, found: ReadonlyMap<number, Position>): ReadonlyArray<Run> {
  const parts: Array<Run> = []
  for (let at = from; at < to;) {
    const base = found.get(at)
    let end = at + 1
    while (end < to && found.get(end) === (base === undefined ? undefined : base + BigInt(end - at))) end++
    parts.push({ from: at, to: end, fate: "stored", ...(base === undefined ? {} : { base }) })
    at = end
  }
  return parts
}

/** Of an event; undefined: it is none. */
export function idOf(headers: ReadonlyArray<Header>): string | undefined {
  const { id } = readMeta(headers, "")
  return id === undefined ? undefined : formatEventId(id)
}
