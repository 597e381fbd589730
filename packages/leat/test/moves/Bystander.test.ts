import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { apply, type Control, emptyControl } from "../../src/control/Control.ts"
import type { ControlRecord } from "../../src/control/ControlRecord.ts"
import { Bystander } from "../../src/moves/Bystander.ts"
import { place, stream, table } from "./fleet.ts"

/** A stream whose writers are to drain, in a fleet of two. */
const sealing: Control = [
  { kind: "beat", member: "one", version: 0, refused: "" } as const,
  { kind: "beat", member: "two", version: 0, refused: "" } as const,
  table(0, place("old", 2)),
  table(1, place("new", 3)),
  { kind: "sealing", stream, base: 2 } as const
].reduce<Control>(apply, emptyControl)

const answers = (bystander: Bystander, control: Control): ReadonlyArray<ControlRecord> => {
  const written: Array<ControlRecord> = []
  const write = (record: ControlRecord) => Effect.sync(() => ({ counts: written.push(record) > 0, control }))
  Effect.runSync(bystander.answer({ control, write }))
  return written
}

describe("a process that has not opened a stream", () => {
  it("says that it holds nothing of it, once for each sealing", () => {
    const bystander = new Bystander("one")
    const drained = { kind: "drained", stream, epoch: 1, attempt: 2, member: "one", upTo: [] } as const
    expect(answers(bystander, sealing)).toEqual([drained])
    expect(answers(bystander, apply(sealing, drained))).toEqual([])
  })

  it("says so too when it was passed over, and when the place was abandoned", () => {
    const over = new Map([
      ["one", 1],
      ["two", 1]
    ])
    const sealed = apply(sealing, { kind: "sealed", stream, base: 3, end: [0, 0], over })
    expect(answers(new Bystander("one"), sealed)).toMatchObject([{ kind: "drained", epoch: 1, upTo: [] }])
    const abandoned = apply(sealing, { kind: "abandoned", stream, base: 3, epoch: 1 })
    expect(answers(new Bystander("one"), abandoned)).toMatchObject([{ kind: "drained", epoch: 1, upTo: [] }])
  })

  it("says nothing of a stream that it has opened, nor of one that it does not write or that lies still", () => {
    const bystander = new Bystander("one")
    bystander.opening(stream)
    expect(answers(bystander, sealing)).toEqual([])
    bystander.closed(stream)
    expect(answers(bystander, sealing)).toHaveLength(1)
    expect(answers(new Bystander("three"), sealing)).toEqual([])
    expect(answers(new Bystander("one"), apply(emptyControl, table(0, place("old", 2))))).toEqual([])
  })
})
