import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { HangWatch } from "../../src/publish/fallback/HangWatch.js"

/** What a look sees of partitions that wait, by how far they are settled. */
const rows = (settled: ReadonlyArray<number | undefined>) =>
  settled.flatMap((one, partition) =>
    one === undefined ? [] : [{ partition, start: 0n, end: 10_000n, settled: BigInt(one) }]
  )

describe("partitions of a fallback that hang", () => {
  it("are those that wait for a minute without a step and without a failure, whatever the others do", () => {
    const step = fc.record({
      ms: fc.constantFrom(100, 5000, 30_000),
      of: fc.array(fc.constantFrom("still", "on", "gone", "fails"), { minLength: 3, maxLength: 3 })
    })
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
        const watch = new HangWatch()
        const settled: Array<number> = [0, 0, 0]
        /** Since when each one is still, as the rule is told. */
        const since: Array<number | undefined> = [undefined, undefined, undefined]
        let nowMs = 0
        for (const { ms, of } of steps) {
          nowMs += ms
          for (const [partition, what] of of.entries()) {
            if (what === "on") settled[partition] = (settled[partition] ?? 0) + 1
            if (what === "fails") watch.failed(partition, nowMs)
            const isKept = what === "still" && since[partition] !== undefined
            if (what === "gone") since[partition] = undefined
            else if (what === "fails") since[partition] = nowMs
            else if (!isKept) since[partition] = nowMs
          }
          const waiting = rows(settled.map((one, partition) => (of[partition] === "gone" ? undefined : one)))
          const hang = watch.look(waiting, () => false, 1000, nowMs)
          const expected = since.flatMap((one, partition) =>
            one !== undefined && nowMs - one >= 60_000 ? [partition] : []
          )
          expect(hang?.partitions ?? []).toEqual(expected)
        }
      })
    )
  })

  it("have the member join a minute later, then two, and 32 at most", () => {
    const watch = new HangWatch()
    const joined: Array<number> = []
    for (let nowMs = 0; nowMs <= 150 * 60_000; nowMs += 1000)
      if (watch.look(rows([0]), () => false, 1000, nowMs)?.isToJoin === true) joined.push(nowMs / 60_000)
    expect(joined).toEqual([1, 2, 4, 8, 16, 32, 64, 96, 128])
  })

  it("have it join no sooner because a neighbour gets on, and are told once", () => {
    const watch = new HangWatch()
    const joined: Array<number> = []
    let told = 0
    for (let nowMs = 0; nowMs <= 30 * 60_000; nowMs += 1000) {
      const hang = watch.look(rows([0, nowMs / 1000]), () => false, 1000, nowMs)
      if (hang?.isToJoin !== true) continue
      joined.push(nowMs / 60_000)
      if (hang.isFirst) told++
    }
    expect([joined, told]).toEqual([[1, 2, 4, 8, 16], 1])
  })

  it("begin anew when they get on, or wait no more", () => {
    for (const next of [rows([1]), rows([undefined])]) {
      const watch = new HangWatch()
      const joinsAt = (nowMs: number, waiting = rows([0])) =>
        watch.look(waiting, () => false, 1000, nowMs)?.isToJoin === true
      const minutes = Array.from({ length: 20 }, (_, minute) => minute)
      expect(minutes.filter((minute) => joinsAt(minute * 60_000))).toEqual([1, 2, 4, 8, 16])
      joinsAt(20 * 60_000, next)
      const later = next.length > 0 ? next : rows([0])
      expect(minutes.filter((minute) => joinsAt((21 + minute) * 60_000, later)).slice(0, 3)).toEqual(
        next.length > 0 ? [0, 1, 3] : [1, 2, 4]
      )
    }
  })

  it("that are taken in hand, and given away, have it join no sooner: only what gets on does", () => {
    const watch = new HangWatch()
    const joined: Array<number> = []
    for (let nowMs = 0; nowMs <= 60 * 60_000; nowMs += 1000) {
      const isInHand = nowMs % 120_000 > 90_000
      if (watch.look(rows([0]), () => isInHand, 1000, nowMs)?.isToJoin === true) joined.push(nowMs / 60_000)
    }
    expect(joined.length).toBeLessThan(7)
  })

  it("are waited for three time-outs of a send, and from when a member that failed begins again", () => {
    const watch = new HangWatch()
    watch.failed(undefined, 30_000)
    const at = (nowMs: number) => watch.look(rows([0]), () => false, 60_000, nowMs)?.sinceMs
    expect([at(0), at(180_000), at(209_999), at(210_000)]).toEqual([undefined, undefined, undefined, 30_000])
  })
})
