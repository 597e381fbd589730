import { describe, expect, it } from "vitest"
import { Ledger } from "../../src/ledger/Ledger.ts"
import { Unannounced } from "../../src/ledger/Unannounced.ts"
import { ClosedLeg } from "../../src/publish/ClosedLeg.ts"

const range = (bucket: number, from = 0, to = 1) => ({ bucket, from, to })

describe("drops that no record announces", () => {
  it("are those that are held when somebody asks", () => {
    const unannounced = new Unannounced()
    expect(unannounced.ranges).toEqual([])
    const all = [range(17, 3, 5)]
    unannounced.hold({ all })
    unannounced.hold({ all: [range(18)] })
    expect(unannounced.ranges).toEqual([
      [17, 3, 5],
      [18, 0, 1]
    ])
    // A sink that was not open has opened, and its first records announce what it missed.
    all.splice(0)
    expect(unannounced.ranges).toEqual([[18, 0, 1]])
  })

  it("are looked for no more where all were announced", () => {
    let asked = 0
    const unannounced = new Unannounced()
    unannounced.hold({
      get all() {
        asked++
        return []
      }
    })
    unannounced.hold({ all: [range(18)] })
    const before = asked
    expect(unannounced.ranges).toEqual([[18, 0, 1]])
    expect(asked).toBe(before)
  })

  it("are those of a leg that never opened, until its first record announces them", () => {
    const account = new Ledger().account("test.notes", "away/notes", 1)
    const leg = new ClosedLeg(account, { from: 0, to: 10 }, undefined, () => "Unavailable")
    expect(account.unannounced.ranges).toEqual([])
    for (const seq of [0, 1, 2]) leg.refused(7, seq)
    leg.refused(12, 0)
    expect(account.unannounced.ranges).toEqual([[7, 0, 3]])
    leg.drops.take()
    expect(account.unannounced.ranges).toEqual([])
    leg.refused(7, 3)
    expect(account.unannounced.ranges).toEqual([[7, 3, 4]])
  })

  it("are not known where there are more than can be said", () => {
    const most = Array.from({ length: 10_000 }, (_, bucket) => range(bucket))
    const unannounced = new Unannounced()
    unannounced.hold({ all: most })
    expect(unannounced.ranges).toHaveLength(10_000)
    unannounced.hold({ all: [range(0, 7, 8)] })
    expect(unannounced.ranges).toBeUndefined()
  })

  it("are not known where a lane had more than it remembers", () => {
    const unannounced = new Unannounced()
    unannounced.hold({ all: [range(1), range(-1, 0, 0)] })
    expect(unannounced.ranges).toBeUndefined()
  })
})
