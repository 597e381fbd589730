import { Result } from "effect"
import { memory, routeJsonSchema, Routes } from "leat"
import { describe, expect, it } from "vitest"
import { bucketsOf, shareOf } from "../../src/routes/BucketShare.js"
import { planRoutes } from "../../src/routes/planRoutes.js"
import { noteContract } from "../contracts/Note.js"

const whole = { cluster: "a", topic: "{stream}" }
const canary = (buckets: unknown, settings: object = {}) => ({
  cluster: "b",
  topic: "{stream}",
  canary: { buckets },
  ...settings
})
const documentOf = (to: ReadonlyArray<object>, version = 1) => ({
  version,
  clusters: { a: { transport: "memory" }, b: { transport: "memory" } },
  routes: [{ match: { stream: "*" }, to }]
})
const compiled = (to: ReadonlyArray<object>, contracts = [noteContract({ stream: "s" })], version = 1) =>
  Routes.compile(documentOf(to, version), { drivers: [memory], contracts })
const table = (...asked: Parameters<typeof compiled>) => Result.getOrThrow(compiled(...asked))
const faultsOf = (...asked: Parameters<typeof compiled>) => {
  const result = compiled(...asked)
  return Result.isFailure(result) ? result.failure.faults.map(({ path, message }) => `${path}: ${message}`) : []
}

describe("the share of a canary", () => {
  it("is percent of the buckets, both ends inclusive", () => {
    expect(shareOf("0-9%")).toEqual(Result.succeed({ from: 0, to: 9 }))
    expect(shareOf("99-99%")).toEqual(Result.succeed({ from: 99, to: 99 }))
    expect(bucketsOf({ from: 0, to: 9 }, 3840)).toEqual({ from: 0, to: 384 })
    expect(bucketsOf({ from: 90, to: 99 }, 3840)).toEqual({ from: 3456, to: 3840 })
    // Of eight buckets, the third stands at 25 percent and the fourth at 37.5.
    expect(bucketsOf({ from: 13, to: 37 }, 8)).toEqual({ from: 2, to: 4 })
  })

  it.each([1, 8, 100, 128, 3840, 9973])(
    "of %i buckets has each of them once, however all percent are cut",
    (buckets) => {
      for (const width of [1, 7, 10, 50, 100]) {
        const cuts = Array.from({ length: Math.ceil(100 / width) }, (_, at) => at * width)
        let next = 0
        for (const from of cuts) {
          const range = bucketsOf({ from, to: Math.min(99, from + width - 1) }, buckets)
          expect(range.from).toBe(next)
          next = range.to
        }
        expect(next).toBe(buckets)
      }
    }
  )

  it.each([
    ["5%", "5% is no range; write 0-4% for the first 5 percent, or 5-5% for that one"],
    ["0%", "0% is no range; write 0-0% for the first 0 percent, or 0-0% for that one"],
    ["0-9", "0-9 does not say of what; write it in percent of the buckets, as 0-9%"],
    ["9-0%", "9-0% begins behind its end; write the smaller number first, as 0-9%"],
    ["0-100%", "0-100% ends above 99: percent are counted from 0, and 0-99% is all"],
    ["1.5-9%", "1.5-9% is no range in percent of the buckets; write it as 0-9%, which is the first tenth"],
    ["-1-9%", "-1-9% is no range in percent of the buckets; write it as 0-9%, which is the first tenth"],
    ["some", "some is no range in percent of the buckets; write it as 0-9%, which is the first tenth"],
    [9, "is a number, and must be a text, as 0-9%"]
  ])("%j is refused in one sentence", (buckets, message) => {
    expect(faultsOf([whole, canary(buckets)])).toEqual([`routes[0].to[1].canary.buckets: ${message}`])
  })
})

describe("a canary", () => {
  it("is none where nothing is said, and may be required or best effort", () => {
    const [first, second] = table([whole, canary("0-9%")]).lookup("s", "me")?.legs ?? []
    expect([first?.canary, second?.canary, second?.required]).toEqual([undefined, { from: 0, to: 9 }, true])
    expect(faultsOf([whole, canary("0-9%", { required: false, breaker: {} })])).toEqual([])
  })

  it.each([
    ["the first leg, which is read", [canary("0-9%"), { ...whole, required: true }], 0],
    ["the leg that says so", [whole, canary("0-9%", { read: true })], 1]
  ])("is refused on %s", (_, to, position) => {
    const message =
      "is on the leg that is read, and its groups would have a share of the keys alone; put it on another leg"
    expect(faultsOf(to)).toEqual([`routes[0].to[${position}].canary: ${message}`])
  })

  it("is refused where no other leg is required", () => {
    const message =
      "no required leg without canary is left; an event of any key must have one place where it has to arrive"
    expect(faultsOf([{ ...whole, required: false }, canary("0-9%")])).toEqual([`routes[0].to: ${message}`])
    expect(faultsOf([{ ...whole, required: false }, canary("0-49%"), canary("50-99%", { topic: "t" })])).toEqual([
      `routes[0].to: ${message}`
    ])
  })

  it("needs keys, and a bucket at least", () => {
    expect(faultsOf([whole, canary("0-9%")], [noteContract({ stream: "s", unordered: true })])).toEqual([
      "routes[0].to[1].canary: a canary takes a share of the keys, and test.Note has none; leave it out here"
    ])
    expect(faultsOf([whole, canary("88-99%")])).toEqual([
      "routes[0].to[1].canary.buckets: test.Note has 8 buckets, and none of them is within 88-99%; write a wider range"
    ])
    expect(faultsOf([whole, canary("87-99%")])).toEqual([])
  })

  it("is told of where a route is explained, planned and described", () => {
    const before = table([whole, canary("0-9%")])
    expect(before.explain("s", "me")).toContain("buffer 33554432 bytes, canary: buckets 0-9%)")
    const streams = [{ stream: "s", source: "me", groups: [] }]
    const changes = (to: ReadonlyArray<object>) => {
      const plan = planRoutes(before, table(to, [], 2), streams)
      expect(plan.refused).toEqual([])
      return plan.streams.flatMap(({ legs }) => legs.map(({ sink, change, settings }) => [sink, change, settings]))
    }
    expect(changes([whole, canary("0-49%")])).toEqual([["b/s", "settings", ["canary"]]])
    expect(changes([whole, { cluster: "b", topic: "{stream}" }])).toEqual([["b/s", "settings", ["canary"]]])
    expect(changes([whole])).toEqual([["b/s", "removed", []]])
    expect(JSON.stringify(routeJsonSchema())).toContain("0-9% is the first tenth.")
  })
})
