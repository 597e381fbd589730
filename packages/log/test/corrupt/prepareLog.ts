import { logTransport } from "@leat/log"
import { sendEffect } from "leat/transport"
import { Effect, Exit, Scope, Stream } from "effect"
import { batchOf } from "leat/testing"
import type { Lane } from "leat/transport"
import { cpSync } from "node:fs"
import { Wire } from "../support/Wire.ts"

export interface PreparedLog {
  /** A directory as a close leaves it: everything in one file. */
  readonly closed: string
  /** A directory as a kill leaves it: the write-ahead log beside the file. */
  readonly killed: string
  /** Records of each of the two partitions, from position 0. */
  readonly records: number
  /** Position that the group `g` has settled in each. */
  readonly settled: number
}

const batches = 60
const perBatch = 10

/** What stands at a position: its event id, and bytes that make the batch larger than a page. */
export function valueAt(partition: number, position: number): string {
  return `${partition}/${position}/`.padEnd(300, "x")
}

/** Writes a log of two partitions with ids and a group, once to be closed and once as if it had been killed. */
export const prepareLog = Effect.fnUntraced(function* (directory: string) {
  const scope = yield* Scope.make()
  const transport = yield* logTransport({ directory }).pipe(Scope.provide(scope))
  yield* transport.ensure({ topic: "t", partitions: 2 })
  const writer = yield* transport.openWriter("t")
  for (let batch = 0; batch < batches; batch++) {
    for (const partition of [0, 1]) {
      const records = Array.from({ length: perBatch }, (_, index) => {
        const position = batch * perBatch + index
        return { ...Wire.event(partition, position), value: valueAt(partition, position) }
      })
      yield* sendEffect(writer, partition, batchOf(records), 0, perBatch, 10_000)
    }
  }
  const settled = 333
  yield* transport.subscribe({ topic: "t", group: "g", from: "earliest", drainMs: 1000 }).pipe(
    Stream.mapEffect((lane) => settleAt(lane, BigInt(settled))),
    Stream.take(2),
    Stream.runDrain,
    Scope.provide(scope)
  )
  const killed = `${directory}-killed`
  cpSync(directory, killed, { recursive: true })
  yield* Scope.close(scope, Exit.void)
  return { closed: directory, killed, records: batches * perBatch, settled } satisfies PreparedLog
})

const settleAt = (lane: Lane, position: bigint) =>
  lane.batches.pipe(
    Stream.takeUntil(({ next }) => next >= position),
    Stream.runDrain,
    Effect.andThen(lane.settle(position)),
    Effect.andThen(lane.release)
  )
