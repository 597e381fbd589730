import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { lineDifferences } from "../../src/check/Expected.ts"
import { LineSet } from "../../src/streams/LineSet.ts"

const ref = fc
  .tuple(
    fc.constantFrom("a.log", "b/a.log", "c:d"),
    fc.oneof(fc.nat(100), fc.nat(2 ** 31 + 5)),
    fc.constantFrom("", "+2")
  )
  .map(([file, number, piece]) => `${file}:${number}${piece}`)
const refs = fc.array(fc.oneof(ref, fc.constantFrom("", "a", "a:01", "a:-1", "a:1.5", "a:1e3")), { maxLength: 60 })

function setOf(all: ReadonlyArray<string>): LineSet {
  const lines = new LineSet()
  for (const one of all) lines.add(one)
  return lines
}

describe("a set of lines", () => {
  it("is what a set of their names is, and tells what came twice", () => {
    fc.assert(
      fc.property(refs, refs, (all, others) => {
        const [lines, names] = [setOf(all), new Set(all.map((one) => (one.includes(":") ? one : `:${one}`)))]
        expect(lines.size).toBe(names.size)
        expect([...lines].toSorted()).toEqual([...names].toSorted())
        expect(lines.repeated).toBe(all.length - names.size)
        expect(lines.repeated === 0 || all.includes(lines.twice[0] ?? "?")).toBe(true)
        for (const one of [...all, ...others])
          expect(lines.has(one)).toBe(names.has(one.includes(":") ? one : `:${one}`))
        const both = setOf(all)
        both.addAll(setOf(others))
        expect(both.size + both.repeated).toBe(all.length + others.length)
      })
    )
  })

  it("takes a bit for a line", () => {
    const lines = new LineSet()
    const before = process.memoryUsage().arrayBuffers
    for (let line = 1; line <= 1_000_000; line++) lines.add(`huge.log:${line}`)
    expect(lines.size).toBe(1_000_000)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4_000_000)
  })
})

describe("lines that differ", () => {
  it("are told by number and by name: what is missing, what nobody expected, what came twice", () => {
    const [expected, found] = [setOf(["a:1", "a:2", "a:3"]), setOf(["a:2", "a:2", "a:9"])]
    expect(lineDifferences("lines", expected, found)).toEqual([
      "lines: 2 missing, such as a:1; a:3",
      "lines: 2 unexpected, such as a:9; a:2"
    ])
    expect(lineDifferences("lines", expected, found, { mayMiss: true })).toHaveLength(1)
    expect(lineDifferences("lines", expected, setOf(["a:3", "a:2", "a:1"]))).toEqual([])
  })
})
