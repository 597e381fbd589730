import { Effect, Scheduler } from "effect"
import { describe, expect, it } from "vitest"
import type { Positions } from "../../src/control/ControlRecord.ts"
import { type Epoch, type Placement, plannedEpoch } from "../../src/control/Placement.ts"
import { Departed } from "../../src/moves/Departed.ts"

const [member, stream] = ["me", "test.notes"]

const written = { stream, epoch: 1 }

function departedAt(epoch: Partial<Epoch>): Departed {
  const first: Epoch = { ...plannedEpoch(1, { cluster: "near", topic: "a", partitions: 1 }), begin: [0], ...epoch }
  const second = plannedEpoch(2, { cluster: "far", topic: "b", partitions: 1 })
  const placement: Placement = {
    epochs: [first, second],
    lastEpoch: 2,
    step: 1,
    isPaused: false,
    writers: new Map([[member, "joined"]]),
    groups: new Set()
  }
  const departed = new Departed(Effect.runSync(Effect.service(Scheduler.Scheduler)))
  departed.connect({
    member,
    streams: () => new Map([[stream, placement]]),
    look: Effect.succeed(true),
    trouble: () => undefined,
    writerOf: () => undefined,
    wasRead: () => false,
    join: () => undefined,
    carrierTo: () => {
      throw new Error("nothing is carried")
    }
  })
  return departed
}

describe("what an earlier process has left and is stored in an epoch", () => {
  const said = new Map<string, Positions>([[member, [5]]])

  it.each<readonly [string, Partial<Epoch>, boolean, boolean]>([
    ["may count while its process sends there", { phase: "sealing" }, false, true],
    ["counts once its process has said that it had drained", { phase: "sealing", drained: said }, true, true],
    ["counts once its process has said so and the epoch has ended", { phase: "sealed", drained: said }, true, true],
    ["does not count where its process was passed over", { phase: "sealed", over: said }, false, false]
  ])("%s", (_, epoch, counts, mayCount) => {
    const departed = departedAt(epoch)
    expect(departed.counts(written)).toBe(counts)
    expect(departed.mayStillCount(written)).toBe(mayCount)
  })
})
