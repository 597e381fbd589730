import { Result } from "effect"
import fc from "fast-check"
import { memory, Routes } from "leat"
import { describe, expect, it } from "vitest"
import { StreamIndex } from "../../src/routes/StreamIndex.js"

describe("routes by the name of a stream", () => {
  it("are those that name it or have a star, in the order of the table", () => {
    const glob = fc.constantFrom("a", "b", "*", "a*")
    fc.assert(
      fc.property(fc.array(glob, { maxLength: 12 }), fc.constantFrom("a", "b", "c"), (globs, stream) => {
        const expected = globs.flatMap((one, index) => (one === stream || one.includes("*") ? [index] : []))
        expect(Array.from(new StreamIndex(globs).of(stream))).toEqual(expected)
      })
    )
  })

  it.each(["one topic for all", "a topic each"])(
    "has a table of thousands compiled, which takes its time once: %s",
    (what) => {
      const topic = what === "a topic each" ? "{stream}" : "orders"
      const compileMs = (routes: number): number => {
        const document = {
          version: 1,
          clusters: { m: { transport: "memory" } },
          routes: Array.from({ length: routes }, (_, at) => ({
            match: { stream: `shop.tenant-${at}.orders` },
            to: [{ cluster: "m", topic, wire: "cloudevents" }]
          }))
        }
        const times = Array.from({ length: 3 }, () => {
          // Of this thread: what others do on the same cores is none of it.
          const before = process.threadCpuUsage()
          expect(Result.isSuccess(Routes.compile(document, { drivers: [memory] }))).toBe(true)
          const { user, system } = process.threadCpuUsage(before)
          return (user + system) / 1000
        })
        return Math.min(...times)
      }
      compileMs(100)
      // Eight times as many: eight times as long, and 64 times when each is compared with each.
      expect(compileMs(3200) / compileMs(400)).toBeLessThan(24)
    }
  )
})
