import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { crashLossesOf } from "../../src/ledger/crashLoss.js"
import type { LegRow } from "../../src/ledger/Ledger.js"

/** What became of one event, by how it was counted when it was announced, and where it is when somebody looks. */
const fates = {
  /** Told stored. */
  stored: { count: "stored", isThere: true },
  /** No answer, given up, and stored all the same, or not. */
  doubtedThere: { count: "dropped", isThere: true, mayBeStored: true },
  doubtedGone: { count: "dropped", isThere: false, mayBeStored: true },
  /** Dropped before it was sent. */
  dropped: { count: "dropped", isThere: false },
  /** Set aside; replayed since, or not. */
  setAside: { count: "deadLettered", isThere: false },
  replayed: { count: "deadLettered", isThere: true },
  /** In the fallback; sent on since, or not. */
  fallen: { count: "fellBack", isThere: false },
  sentOn: { count: "fellBack", isThere: true },
  /** In the spill; sent by the next process since, or not. */
  spilled: { count: "spilled", isThere: false },
  drained: { count: "spilled", isThere: true },
  /** On its way; stored after the announcement, or lost. */
  landed: { count: "queued", isThere: true },
  lost: { count: "queued", isThere: false }
} as const

type Fate = keyof typeof fates

const none = { stored: 0, dropped: 0 }

const nothing: LegRow = {
  stream: "s",
  sink: "main/s",
  epoch: 1,
  admitted: 0,
  recovered: 0,
  movedIn: 0,
  movedOut: 0,
  stored: 0,
  fellBack: 0,
  deadLettered: {},
  dropped: {},
  droppedMayBeStored: 0,
  queued: 0,
  inFlight: 0,
  inDoubt: 0,
  deadLettering: 0,
  spilled: 0,
  balanced: true
}

/** A row that has counted some events, and what the topic shows of them. `recovered`: of another process, ended here, by how. */
function announced(buckets: ReadonlyArray<ReadonlyArray<Fate>>, recovered: { stored: number; dropped: number }) {
  const all = buckets.flat()
  const number = (count: string) => all.filter((fate) => fates[fate].count === count).length
  const leg: LegRow = {
    ...nothing,
    admitted: all.length,
    recovered: recovered.stored + recovered.dropped,
    stored: number("stored") + recovered.stored,
    fellBack: number("fellBack"),
    deadLettered: { Rejected: number("deadLettered") },
    dropped: { overflow: number("dropped"), SpillExpired: recovered.dropped },
    droppedMayBeStored: all.filter((fate) => "mayBeStored" in fates[fate]).length + recovered.dropped,
    queued: number("queued"),
    spilled: number("spilled")
  }
  const present = all.filter((fate) => fates[fate].isThere).length
  const reached = buckets.map((bucket) => bucket.findLastIndex((fate) => fates[fate].isThere) + 1)
  const toLast = reached.reduce((sum, one) => sum + one, 0)
  return { leg, found: { present, behind: all.length - toLast, between: toLast - present } }
}

const counts = fc.record({ stored: fc.nat(20), dropped: fc.nat(20) })

/** A bucket in the order of a lane: what has ended, then what is in the spill, then what was on its way; of the last two the first ones land. */
const bucket = fc
  .tuple(
    fc.array(
      fc.constantFrom<Fate>(
        "stored",
        "doubtedThere",
        "doubtedGone",
        "dropped",
        "setAside",
        "replayed",
        "fallen",
        "sentOn"
      ),
      { maxLength: 12 }
    ),
    fc.nat(5),
    fc.nat(5),
    fc.nat(10)
  )
  .map(([ended, spilled, queued, landed]): ReadonlyArray<Fate> => {
    const pending = [...Array<Fate>(spilled).fill("spilled"), ...Array<Fate>(queued).fill("lost")]
    const later = { spilled: "drained", lost: "landed" } as const
    return [
      ...ended,
      ...pending.map((fate, index) => (index < landed && (fate === "spilled" || fate === "lost") ? later[fate] : fate))
    ]
  })

describe("what a process that is gone may have lost", () => {
  it("is never less than what is lost, and never more than what was on its way", () => {
    fc.assert(
      fc.property(fc.array(bucket, { minLength: 1, maxLength: 5 }), counts, (buckets, recovered) => {
        const { leg, found } = announced(buckets, recovered)
        const { lost, excess, missing } = crashLossesOf([leg], found)
        expect(lost).toBeGreaterThanOrEqual(buckets.flat().filter((fate) => fate === "lost").length)
        expect(lost).toBeLessThanOrEqual(leg.queued)
        expect([missing, excess]).toEqual([0, 0])
      }),
      { numRuns: 2000 }
    )
  })

  const lost = (count: number) => Array<Fate>(count).fill("lost")
  it.each<[string, ReadonlyArray<Fate>, { stored: number; dropped: number }]>([
    ["beside what it had dropped of an earlier process", lost(3), { stored: 0, dropped: 5 }],
    ["beside what it had sent of an earlier process", ["stored", ...lost(3)], { stored: 5, dropped: 0 }],
    ["behind what was dropped without an answer, and is stored", ["doubtedThere", "doubtedThere", ...lost(3)], none],
    ["behind what was dropped without an answer, and is not stored", ["doubtedGone", "stored", ...lost(3)], none],
    ["behind what fell back, and was sent on", ["sentOn", "sentOn", "sentOn", "stored", ...lost(3)], none],
    ["behind dead letters that were replayed", ["replayed", "replayed", ...lost(3)], none],
    ["where some have landed since", ["stored", "landed", "landed", ...lost(3)], none],
    ["behind a spill that was sent on", ["drained", "drained", "drained", "drained", ...lost(3)], none],
    ["behind a spill", ["stored", "spilled", "spilled", ...lost(3)], none]
  ])("is exact %s", (_, fatesOfBucket, recovered) => {
    const { leg, found } = announced([fatesOfBucket], recovered)
    const kept = fatesOfBucket.filter((fate) => fate === "spilled").length
    expect(crashLossesOf([leg], found)).toEqual({ lost: 3, kept, missing: 0, excess: 0 })
  })

  it("does not hide what was told as stored, and is not there", () => {
    const { leg, found } = announced([["stored", "stored", "stored", "lost"]], none)
    expect(crashLossesOf([leg], { ...found, present: 1, behind: 3 })).toMatchObject({ lost: 1, missing: 2, excess: 0 })
  })

  it("tells of more events than were admitted", () => {
    const { leg, found } = announced([["stored", "stored", "dropped"]], none)
    expect(crashLossesOf([leg], { ...found, present: 5 })).toMatchObject({ lost: 0, missing: 0, excess: 3 })
    // Of four that stand there one was told as never sent.
    expect(crashLossesOf([leg], { ...found, present: 3 })).toMatchObject({ excess: 1 })
  })

  it("counts the rows of all epochs together", () => {
    const one = announced([["stored", "stored"]], none)
    const other = announced([["stored", "lost"]], none)
    const legs = [one.leg, { ...other.leg, epoch: 3 }]
    expect(crashLossesOf(legs, { present: 3, behind: 1, between: 0 })).toEqual({
      lost: 1,
      kept: 0,
      missing: 0,
      excess: 0
    })
  })

  it("counts what waited to be set aside where later events are there", () => {
    const leg = { ...nothing, admitted: 5, stored: 3, deadLettering: 2 }
    expect(crashLossesOf([leg], { present: 3, behind: 0, between: 2 })).toMatchObject({ lost: 2 })
    expect(
      crashLossesOf([{ ...leg, stored: 5, deadLettering: 0 }], { present: 3, behind: 0, between: 2 })
    ).toMatchObject({ lost: 0, missing: 2 })
  })

  it("is what is behind the last event where not all of the topic could be looked at", () => {
    const leg = { ...nothing, admitted: 90, stored: 85, queued: 5 }
    expect(crashLossesOf([leg], { present: undefined, behind: 3, between: 0 })).toMatchObject({ lost: 3, missing: 0 })
    expect(crashLossesOf([leg], { present: undefined, behind: 8, between: 0 })).toMatchObject({ lost: 5, missing: 0 })
  })
})
