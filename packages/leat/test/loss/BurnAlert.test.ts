/** The alerts of loss objectives, against numbers worked out by hand. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { alertsOf, Burning, burnOf } from "../../src/loss/BurnAlert.js"

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

describe("the alerts of an objective", () => {
  it("are those of the field where it is over 30 days", () => {
    expect(alertsOf({ windowMs: 30 * day })).toEqual([
      { state: "page", rate: 14.4, longMs: hour, shortMs: 5 * minute },
      { state: "page", rate: 6, longMs: 6 * hour, shortMs: 30 * minute },
      { state: "ticket", rate: 1, longMs: 72 * hour, shortMs: 6 * hour }
    ])
  })

  it("look at an hour at least where it is over a day", () => {
    expect(alertsOf({ windowMs: day })).toEqual([
      { state: "page", rate: 6, longMs: hour, shortMs: 5 * minute },
      { state: "ticket", rate: 1, longMs: 144 * minute, shortMs: 12 * minute }
    ])
  })

  it("are scaled where it is over a week", () => {
    expect(alertsOf({ windowMs: 7 * day })).toEqual([
      { state: "page", rate: 14.4, longMs: hour, shortMs: 5 * minute },
      { state: "page", rate: 6, longMs: 84 * minute, shortMs: 7 * minute },
      { state: "ticket", rate: 1, longMs: 1008 * minute, shortMs: 84 * minute }
    ])
  })

  it("come before the objective is used up, for every window that may be said", () => {
    fc.assert(
      fc.property(fc.integer({ min: day, max: 30 * day }), (windowMs) => {
        const alerts = alertsOf({ windowMs })
        for (const { rate, longMs } of alerts) expect((rate * longMs) / windowMs).toBeLessThanOrEqual(0.6)
        // The slowest page leaves three quarters.
        const pages = alerts.filter(({ state }) => state === "page")
        expect(Math.min(...pages.map(({ rate, longMs }) => (rate * longMs) / windowMs))).toBeLessThanOrEqual(0.25)
      })
    )
  })
})

describe("a burn rate", () => {
  it("is the lost share over the share that may be lost", () => {
    expect(burnOf(6, 10_000, { loss: 0.0001 })).toBeCloseTo(6, 9)
    expect(burnOf(1, 1, { loss: 0.0001 })).toBeCloseTo(10_000, 6)
    expect(burnOf(0, 500, { loss: 0.0001 })).toBe(0)
    expect(burnOf(0, 0, { loss: 0.0001 })).toBe(0)
  })
})

describe("an alert", () => {
  const alerts = alertsOf({ windowMs: day })
  const [page, ticket] = alerts

  it("begins when both windows burn, goes on while the short one does, and ends with it", () => {
    const burning = new Burning(alerts)
    const look = (short: number, long: number) =>
      burning.look((windowMs) => (windowMs === 5 * minute ? short : windowMs === hour ? long : 0))
    expect(look(50, 5.9)).toBeUndefined()
    expect(look(5, 50)).toBeUndefined()
    expect(look(6, 50)).toBeUndefined()
    expect(look(6.1, 6.1)).toBe(page)
    expect(look(6.1, 2)).toBe(page)
    expect(look(6, 50)).toBeUndefined()
    expect(look(50, 2)).toBeUndefined()
  })

  it("is the most urgent one of those that burn", () => {
    const burning = new Burning(alerts)
    const look = (short: number, rest: number) => burning.look((windowMs) => (windowMs === 5 * minute ? short : rest))
    expect(look(0, 3)).toBe(ticket)
    expect(look(100, 100)).toBe(page)
    expect(look(0, 100)).toBe(ticket)
    expect(look(0, 0.5)).toBeUndefined()
  })

  it("neither begins nor ends otherwise, whatever the windows say", () => {
    const burns = fc.array(
      fc.tuple(fc.double({ min: 0, max: 20, noNaN: true }), fc.double({ min: 0, max: 20, noNaN: true }))
    )
    fc.assert(
      fc.property(burns, (looks) => {
        const one = { state: "page", rate: 6, longMs: hour, shortMs: 5 * minute } as const
        const burning = new Burning([one])
        const wrong: Array<unknown> = []
        let was = false
        for (const [short, long] of looks) {
          const is: boolean = burning.look((windowMs) => (windowMs === hour ? long : short)) !== undefined
          const should: boolean = short > 6 && (was || long > 6)
          if (is !== should) wrong.push({ was, is, short, long })
          was = is
        }
        expect(wrong).toEqual([])
      })
    )
  })
})
