import type { AnnouncedLedger } from "@leat/log"
import fc from "fast-check"
import { expect, it } from "vitest"
import { sumLedgers } from "../src/log/sumLedgers.js"

const count = fc.nat(20)
const leg = fc
  .record({
    recovered: count,
    movedIn: count,
    movedOut: count,
    stored: count,
    fellBack: count,
    deadLettered: count,
    dropped: count,
    queued: count,
    inFlight: count,
    inDoubt: count,
    deadLettering: count,
    spilled: count
  })
  .map(({ recovered, movedIn, deadLettered, dropped, ...rest }) => {
    const all = Object.values(rest).reduce((sum, one) => sum + one, deadLettered + dropped)
    const admitted = Math.max(0, all - recovered - movedIn)
    const reasons = { deadLettered: { Rejected: deadLettered }, dropped: { Timeout: dropped } }
    return {
      stream: "s",
      sink: "main/s",
      epoch: 1,
      ...rest,
      ...reasons,
      admitted,
      movedIn,
      recovered: all - admitted - movedIn
    }
  })

it("what became of events is all that was admitted, or left by an earlier process", () => {
  fc.assert(
    fc.property(fc.array(leg, { minLength: 1, maxLength: 4 }), (legs) => {
      const ledgers = legs.map(
        (one) =>
          ({ state: "closed", streams: [], lanes: [], legs: [one], crashLosses: [] }) as unknown as AnnouncedLedger
      )
      const [sum] = sumLedgers(ledgers).legs
      if (sum === undefined) throw new Error("nothing is summed")
      const ended = sum.stored + sum.fellBack + sum.deadLettered + sum.dropped + sum.movedOut
      expect(sum.admitted + sum.recovered + sum.movedIn).toBe(ended + sum.pending + sum.crashLost + sum.unknown)
      expect(sum.fellBack).toBe(legs.reduce((total, one) => total + one.fellBack, 0))
    })
  )
})

it("what became of events is all of them too where a process is gone, and a loss is told once for all epochs", () => {
  fc.assert(
    fc.property(
      fc.array(leg, { minLength: 1, maxLength: 3 }),
      fc.array(fc.nat(5), { minLength: 4, maxLength: 4 }),
      (legs, [spilled = 0, crashLost = 0, missing = 0, excess = 0]) => {
        const own = legs.map((one, index) => ({ ...one, epoch: index + 1 }))
        const loss = { stream: "s", sink: "main/s", epoch: legs.length, spilled, crashLost, missing, excess }
        const ledger = {
          state: "gone",
          streams: [],
          lanes: [],
          legs: own,
          crashLosses: [loss]
        } as unknown as AnnouncedLedger
        const [sum] = sumLedgers([ledger]).legs
        if (sum === undefined) throw new Error("nothing is summed")
        const ended = sum.stored + sum.fellBack + sum.deadLettered + sum.dropped + sum.movedOut
        expect(sum).toMatchObject({ crashLost, missing, excess, unknown: 0 })
        expect(sum.admitted + sum.recovered + sum.movedIn).toBe(ended + sum.pending + crashLost + missing - excess)
      }
    )
  )
})
