import { drawWorld, type Occasion, occasionName, type Verdict } from "leat/testing"
import { describe, expect, it } from "vitest"
import { occasions, tried } from "./occasions.ts"
import { waysOfLetters } from "./waysOfLetters.ts"
import { tellInMemory, worldAfter } from "./worlds.ts"

/** `npm run prove -- simulation` has six hundred; `LEAT_WORLDS` asks for more random worlds, and for as many tellings of each occasion, times a fraction of it. */
const asked = Number(process.env["LEAT_WORLDS"] ?? 24)
const rounds = Math.floor(asked / 200)

/** How often each occasion must have come, over the whole run: `npm run prove -- simulation` tells many more. */
const reachedMin = rounds === 0 ? 1 : 3

/** How often dead letters must have gone each way. */
const waysMin = rounds === 0 ? 3 : 20

/** Stories in a row that are after one occasion and may miss it. */
const missesMax = 250

interface Found {
  readonly seed: number
  readonly focus: string
  readonly verdicts: ReadonlyArray<Verdict>
}

describe("the promises, in a world of many", () => {
  const reached = new Map<string, number>()
  const ways = new Map<string, number>()
  /** Worlds in which legs come and go, and the tables that were in force there. */
  const changing = { worlds: 0, tables: 0 }
  /** Events that a share of the keys had to have, and those that it had not, where shares stay and where they change. */
  const shares = { steady: [0, 0], changing: [0, 0] }
  const isMissed = (occasion: Occasion) => (reached.get(occasionName(occasion)) ?? 0) < reachedMin
  const tell = (seed: number, focus?: Occasion): ReadonlyArray<Found> => {
    const world = focus === undefined ? drawWorld(seed) : worldAfter(seed, focus)
    const { verdicts, occasions: come, chronicle } = tellInMemory(world)
    if (world.streams.some(({ legs }) => legs.some(({ isIn }) => isIn !== undefined))) {
      changing.worlds++
      changing.tables += chronicle.tables.length
    }
    for (const leg of world.streams.flatMap(({ legs }) => legs))
      if (leg.canary !== undefined && leg.isIn === undefined) {
        const sink = `c${leg.cluster}/${leg.topic}`
        const stream = world.streams.find(({ legs }) => legs.includes(leg))?.stream
        const all = Array.from(chronicle.legs.values()).filter((one) => one.stream === stream)
        const own = all.filter((one) => one.sink === sink).length
        const counts = leg.canary.even === leg.canary.odd ? shares.steady : shares.changing
        counts[0] = (counts[0] ?? 0) + own
        counts[1] = (counts[1] ?? 0) + new Set(all.map(({ id }) => id)).size - own
      }
    for (const [way, count] of Object.entries(waysOfLetters(chronicle))) ways.set(way, (ways.get(way) ?? 0) + count)
    for (const [name, count] of come) reached.set(name, (reached.get(name) ?? 0) + count)
    return verdicts.length === 0 ? [] : [{ seed, focus: focus === undefined ? "" : occasionName(focus), verdicts }]
  }

  it("hold for random worlds", { timeout: 600_000 }, () => {
    const found: Array<Found> = []
    for (let seed = 1; seed <= asked && found.length < 3; seed++) found.push(...tell(seed))
    expect(found).toEqual([])
    // Legs are added and removed in a fifth of them: in some a few times, in some a hundred times.
    expect(changing.worlds).toBeGreaterThan(asked / 10)
    expect(changing.tables).toBeGreaterThan(2 * changing.worlds)
  })

  it.for(tried)("hold where there is %s, in every state", { timeout: 600_000 }, (mishap) => {
    const found: Array<Found> = []
    for (const occasion of occasions.filter((one) => one.mishap === mishap))
      for (let round = 0; round < rounds || (isMissed(occasion) && round < missesMax); round++)
        found.push(...tell(1000 * (round + 1) + occasions.indexOf(occasion), occasion))
    expect(found).toEqual([])
  })

  it("were tried at every occasion that there can be", () => {
    // Of 34 faults and 17 states: those that there cannot be stand in `occasions.ts`.
    expect(occasions.length).toBe(34 * 17 - 20)
    expect(occasions.filter(isMissed).map(occasionName)).toEqual([])
    // A third of all worlds has legs that take a share of the keys.
    for (const count of [...shares.steady, ...shares.changing]) expect(count).toBeGreaterThan(50)
  })

  it("were tried with dead letters on every way that they can go", { timeout: 600_000 }, () => {
    // One world has many of a kind, and most have none: worlds of replays are told until each kind has come.
    const isRare = () => Array.from(ways.values()).some((count) => count < waysMin)
    const found: Array<Found> = []
    for (let more = 1; isRare() && more <= missesMax; more++)
      found.push(...tell(1_000_000 + more, { mishap: "replay", state: "handling" }))
    expect(found).toEqual([])
    expect(ways.size).toBe(15)
    expect(Array.from(ways).filter(([, count]) => count < waysMin)).toEqual([])
  })

  it("are the same story for the same seed", () => {
    const [first, second, other] = [7, 7, 8].map((seed) => tellInMemory(drawWorld(seed)).trace)
    expect(second).toBe(first)
    expect(other).not.toBe(first)
  })
})
