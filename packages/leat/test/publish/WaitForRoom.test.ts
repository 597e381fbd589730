import { describe, expect, it } from "vitest"
import { Waiter } from "../../src/ledger/Waiter.js"
import { admitted, rejection } from "../../src/publish/Admission.js"
import type { Draft } from "../../src/publish/Draft.js"
import type { Sink } from "../../src/publish/Sink.js"
import { type Placing, WaitForRoom } from "../../src/publish/WaitForRoom.js"

/** A sink of which nothing but its line is there. */
function lineOf() {
  const line: Array<unknown> = []
  const waiting = {
    nowMs: 0,
    join: (one: unknown) => void line.push(one),
    leave: (one: unknown) => void line.splice(line.indexOf(one), 1)
  }
  return { line, sink: { waiting, leg: { timeoutMs: 1000 } } as unknown as Sink }
}

describe("a publish that waits for room", () => {
  it("stands in one line at a time, that of the sink which it has to wait for next", () => {
    const [first, second] = [lineOf(), lineOf()]
    let awaited: Sink | undefined = second.sink
    const owner: Placing = {
      place: () => (awaited === undefined ? admitted : rejection.overflow),
      get awaited() {
        return awaited
      },
      fault: "",
      ended: () => undefined
    }
    const wait = new WaitForRoom(owner, {} as Draft, new Waiter(), first.sink)
    const told: Array<unknown> = []
    wait.told = (admission) => void told.push(admission)
    expect([first.line, second.line]).toEqual([[wait], []])
    expect(wait.serve()).toBe(true)
    expect([first.line, second.line]).toEqual([[], [wait]])
    // There is still no room where it stands: it stays there.
    expect(wait.serve()).toBe(false)
    expect([first.line, second.line, told]).toEqual([[], [wait], []])
    awaited = undefined
    expect(wait.serve()).toBe(true)
    expect([first.line, second.line, told]).toEqual([[], [], [admitted]])
  })
})
