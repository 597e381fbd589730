import { Effect, Exit, Logger } from "effect"
import { simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { ChangeTeller } from "../src/ChangeTeller.ts"

/** What is told, and when, in seconds: of changes at these times, the first of which is that it begins. */
function told(changesAt: ReadonlyArray<number>, endsAt: number, closesAt = endsAt): ReadonlyArray<string> {
  const lines: Array<string> = []
  let second = 0
  const logger = Logger.make(({ message }) => void lines.push(`${second} ${String(message)}`))
  const program = Effect.gen(function* () {
    const teller = new ChangeTeller(yield* Effect.context<never>(), (isOn) => ({ text: isOn ? "on" : "off" }))
    let isOn = false
    for (; second <= endsAt; second++) {
      if (changesAt.includes(second)) teller.changed((isOn = !isOn))
      if (second === closesAt) yield* teller.close
      yield* Effect.sleep("1 second")
    }
  })
  const { exit } = simulate(1, Effect.provide(program, Logger.layer([logger])), { stepsMax: 100_000 })
  expect(Exit.isSuccess(exit)).toBe(true)
  return lines
}

describe("a state that comes and goes", () => {
  it("is told at once when it begins and when it is over, as often as that is once in five minutes", () => {
    expect(told([10, 90, 700, 701], 2000)).toEqual(["10 on", "90 off", "700 on", "701 off"])
  })

  it("is told at once by what comes first, and then by one line in five minutes for as long as it goes on changing", () => {
    const changing = Array.from({ length: 400 }, (_, index) => 5 + index * 2)
    const lines = told([...changing, 2000], 3000)
    expect(lines.slice(0, 2)).toEqual(["5 on", "7 off"])
    // 400 changes: what is told in one line is counted there.
    const counts = lines.slice(2, -1).map((line) => Number(/ (\d+) times more in 5 minutes$/.exec(line)?.[1]))
    expect(counts).toHaveLength(3)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(398)
    expect(lines.at(-2)).toMatch(/^\d+ off; /)
    expect(lines.at(-1)).toBe("2000 on")
  })

  it("is told at once again by who watches it when another has stopped", () => {
    expect(told([10, 20, 100, 110], 500, 50)).toEqual(["10 on", "20 off", "100 on", "110 off"])
  })

  it("says how it is when nobody watches it any more", () => {
    expect(told([1, 2, 3], 20)).toEqual(["1 on", "2 off", "20 on; this has changed once more since"])
    expect(told([1, 2, 3], 2000, 20)).toEqual(["1 on", "2 off", "20 on; this has changed once more since"])
  })
})
