import { Effect, Exit } from "effect"
import { Leat } from "leat"
import { simulate } from "leat/testing"
import { expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { note } from "./stories.ts"

const contract = noteContract({ unordered: true, keyPath: undefined, key: () => undefined, buckets: 3840 })

/** Buckets of a hundred events of a process that has just begun, in a world of this seed. */
function bucketsOf(seed: number): ReadonlyArray<number> {
  const program = Effect.gen(function* () {
    const leat = yield* Leat.make({ source: "test" })
    const notes = yield* leat.stream(contract)
    return Array.from({ length: 100 }, (_, index) => {
      notes.offer(note("", `${index}`))
      return notes.lastId?.bucket ?? -1
    })
  })
  const { exit } = simulate(seed, Effect.scoped(program))
  if (Exit.isFailure(exit)) throw new Error("the story failed", { cause: exit.cause })
  return exit.value
}

it("processes that publish a few events without order begin all over the buckets, and one of them fills a batch", () => {
  const begun = Array.from({ length: 40 }, (_, seed) => bucketsOf(seed + 1))
  for (const buckets of begun) expect(new Set(buckets).size).toBe(1)
  const partitions = new Set(begun.map(([first = -1]) => first % 8))
  expect(partitions).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7]))
  expect(bucketsOf(7)).toEqual(begun[6])
})
