import { Effect, Exit, Fiber, Scope } from "effect"
import { NotStored } from "leat"
import { describe, expect, it } from "vitest"
import { isAway, openSpilling, spillPlaces, spillStory, until } from "./spillStory.js"
import { legRow, note } from "./stories.js"

/** Two processes take turns with one spill, and the second drops what the first has put there. Gives what was warned of; nothing: they did not. */
function takenTurns(seed: number): ReadonlyArray<string> {
  const places = spillPlaces()
  let hasTaken = false
  const lines = spillStory(
    Effect.gen(function* () {
      const [first, second] = [yield* Scope.make(), yield* Scope.make()]
      const one = yield* Scope.provide(openSpilling(places), first)
      places.faults = isAway
      const waiting = yield* Effect.forkDetach(Effect.flip(one.notes.publish(note("k", "0"))))
      yield* until("it is on disk", () => legRow(one.leat)?.spilled === 1)
      const other = yield* Scope.provide(openSpilling(places), second)
      yield* places.disk.losePower(0)
      yield* Effect.sleep("3 seconds")
      places.faults = { send: () => ({ kind: "fail", reason: "Rejected" }) }
      yield* Effect.sleep("10 seconds")
      hasTaken = legRow(other.leat)?.dropped["Rejected"] === 1
      yield* Scope.close(second, Exit.void)
      if (hasTaken) {
        const told = yield* Fiber.join(waiting)
        expect(told).toBeInstanceOf(NotStored)
        expect(told).toMatchObject({ outcome: { stored: 0, dropped: { takenOver: 1 }, mayBeStored: 1 } })
        expect(told.message).toContain("taken over by another process (1), and what became of it is not known here")
        const row = legRow(one.leat)
        expect({ ...row, dropped: { ...row?.dropped } }).toMatchObject({
          stored: 0,
          spilled: 0,
          dropped: { takenOver: 1 },
          droppedMayBeStored: 1,
          balanced: true
        })
      } else yield* Fiber.interrupt(waiting)
      yield* Scope.close(first, Exit.void)
    }),
    seed
  )
  return hasTaken ? lines : []
}

describe("a leg that spills", () => {
  it("does not say that it is stored what another process has sent on", () => {
    // Which of two members gets the spill when its disk is there again is a matter of the order in which they run.
    const lines = Array.from({ length: 40 }, (_, seed) => seed).reduce<ReadonlyArray<string>>(
      (found, seed) => (found.length > 0 ? found : takenTurns(seed)),
      []
    )
    expect(lines.filter((line) => line.includes("another process has sent on 1 events"))).toHaveLength(1)
  })
})
