import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { Effect, Logger } from "effect"
import { Leat } from "leat"
import { expect, it } from "vitest"
import { numbers, sightingAmong } from "./sightings.ts"
import { describeStanding } from "./standing.ts"

const sighting = sightingAmong(12)

/** A policy that drops is refused for a contract that needs order where nothing fences. */
const Unordered: typeof BeaconSighting = { ...BeaconSighting, needs: [] }

await describeStanding("a broker that stands still", (standing) => {
  const { driver } = standing
  const topic = standing.topicOf("frozen")

  it("halts no lane whose policy goes on after Unavailable and Timeout, says once that nothing is stored, and all is stored afterwards", () => {
    const routes = {
      version: 1,
      clusters: {
        kafka: standing.cluster({ topic: { partitions: 4 }, connectMs: 1000, requestMs: 2000 })
      },
      policies: { realtime: [{ on: ["Unavailable", "Timeout"], retry: { base: "100 millis" }, then: "drop" }] },
      routes: [
        {
          match: { stream: "*" },
          to: [{ cluster: "kafka", topic, policy: "realtime", timeout: "2 seconds" }]
        }
      ]
    }
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    const ofSink = (text: string) => lines.filter((line) => line.startsWith(`kafka/${topic} ${text}`))
    const program = Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "frozen", routes, drivers: [driver], drain: "2 seconds" })
      const stream = yield* leat.stream(Unordered)
      yield* stream.publishAll(numbers(0, 12).map(sighting))
      yield* standing.freeze
      for (let from = 12; from < 108; from += 12) {
        for (const number of numbers(from, 12)) expect(stream.offer(sighting(number)).admitted).toBe(true)
        yield* Effect.sleep("1500 millis")
      }
      expect(leat.halted()).toEqual([])
      expect(leat.sinks()).toMatchObject([{ trouble: expect.stringMatching(/^has stored nothing on partition/) }])
      standing.proxy().pass()
      yield* leat.flush
      expect(leat.halted()).toEqual([])
      const ends = (yield* stream.bounds()).map(({ end }) => Number(end))
      expect(ends.reduce((sum, end) => sum + end, 0)).toBeGreaterThanOrEqual(108)
    })
    const logged = Effect.provide(Effect.scoped(program), Logger.layer([logger]))
    return Effect.runPromise(logged).then(() => {
      expect(ofSink("has stored nothing on partition")).toHaveLength(1)
      expect(ofSink("stores again, after")).toHaveLength(1)
    })
  })
})
