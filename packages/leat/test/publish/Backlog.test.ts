import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Backlog } from "../../src/publish/Backlog.js"
import type { Queued } from "../../src/publish/Span.js"

const step = fc.oneof(
  fc.record({ kind: fc.constant("add" as const), isDroppable: fc.boolean() }),
  fc.record({ kind: fc.constant("remove" as const), at: fc.nat() }),
  fc.record({ kind: fc.constant("drop" as const) })
)

describe("the batches of a sink", () => {
  it("give the oldest that may be dropped, whatever has gone meanwhile", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const backlog = new Backlog()
        const held: Array<Queued> = []
        const dropped: Array<Queued> = []
        const [answers, expected]: [Array<unknown>, Array<unknown>] = [[], []]
        const owner = { dropBatch: (one: Queued) => dropped.push(one) }
        const remove = (one: Queued | undefined) => {
          if (one === undefined) return
          backlog.remove(one)
          held.splice(held.indexOf(one), 1)
        }
        for (const one of steps) {
          if (one.kind === "add") {
            const queued = { isDroppable: one.isDroppable, owner, batch: { arena: { length: 1 } } } as unknown as Queued
            backlog.add(queued)
            held.push(queued)
          } else if (one.kind === "remove") remove(held[one.at % Math.max(1, held.length)])
          else {
            const isDropped = backlog.dropOldest("overflow")
            answers.push({ isDropped, dropped: dropped.splice(0) })
            const oldest = held.find(({ isDroppable }) => isDroppable)
            expected.push({ isDropped: oldest !== undefined, dropped: oldest === undefined ? [] : [oldest] })
            remove(oldest)
          }
          let bytes = 0
          backlog.findDroppable((ofBatch) => ((bytes += ofBatch), false))
          expect(bytes).toBe(held.filter(({ isDroppable }) => isDroppable).length)
        }
        expect(answers).toEqual(expected)
      }),
      { seed: 1, numRuns: 300 }
    )
  })
})
