import { describe, expect, it } from "vitest"
import { Unannounced } from "../../src/ledger/Unannounced.ts"

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
