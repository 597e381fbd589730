import type { VerdictKind } from "leat/testing"
import { describe, expect, it } from "vitest"
import { Hand, sink } from "./Hand.ts"

const mirror = "c1/copies"

/** A stream with a leg that comes and goes; event 1 is stored in the first one, and in the mirror too if it has a leg there. */
function tell(hasLeg: boolean, isStoredThere = hasLeg, buckets?: ReadonlyArray<number>): Hand {
  const hand = new Hand()
  const { chronicle } = hand
  chronicle.streams.splice(0, 1, {
    stream: "notes",
    required: [sink],
    sinks: [sink, mirror],
    isOrdered: true,
    mirrors: [{ sink: mirror, isRequired: true }]
  })
  chronicle.table(
    0,
    new Map(
      hasLeg
        ? [
            [sink, undefined],
            [mirror, buckets]
          ]
        : [[sink, undefined]]
    )
  )
  return isStoredThere ? mirrored(hand) : hand
}

function mirrored(hand: Hand, hasCopy = true): Hand {
  const { chronicle } = hand
  const own = { leat: 0, sink: mirror, stream: "notes", id: "inc/notes/0/0", bucket: 0, seq: 0 }
  for (const [index, to] of (["queued", "inFlight", "stored"] as const).entries())
    chronicle.move(own, (["queued", "inFlight"] as const)[index - 1], to)
  if (!hasCopy) return hand
  hand.copy(1, 0, 0)
  const [copy] = chronicle.copies.splice(-1)
  if (copy !== undefined) chronicle.copies.push({ ...copy, sink: mirror })
  return hand
}

const cases: ReadonlyArray<readonly [says: string, kinds: ReadonlyArray<VerdictKind>, of: () => Hand]> = [
  ["there while the table has it", [], () => tell(true)],
  ["not there while the table does not have it", [], () => tell(false)],
  ["not there while the table has it", ["unbalanced"], () => tell(true, false)],
  ["there while the table does not have it", ["unbalanced"], () => tell(false, true)],
  ["there with a share that its bucket is in", [], () => tell(true, true, [0, 1])],
  ["not there with a share that its bucket is not in", [], () => tell(true, false, [1, 2])],
  ["not there with a share that its bucket is in", ["unbalanced"], () => tell(true, false, [0])],
  ["there with a share that its bucket is not in", ["unbalanced"], () => tell(true, true, [1])],
  ["told stored there, and has no copy", ["lost"], () => mirrored(tell(true, false), false)],
  [
    "there or not while a table is put in force",
    [],
    () => {
      const hand = tell(true, false)
      hand.chronicle.table(0, undefined)
      return hand
    }
  ]
]

describe("the judge of a leg that comes and goes", () => {
  it.each(cases)("%s: %j", (_, kinds, of) => {
    const hand = of()
    hand.stored(1, 0)
    expect(hand.kinds).toEqual(kinds)
  })
})
