import { Effect, Result } from "effect"
import { memory, Routes } from "leat"
import { describe, expect, it } from "vitest"
import { Ledger } from "../../src/ledger/Ledger.js"
import { Legs } from "../../src/publish/Destinations.js"
import { noteContract } from "../contracts/Note.js"
import { openPlaces } from "./movePair.js"
import { story } from "./stories.js"

const document = {
  version: 1,
  clusters: { a: { transport: "memory" }, b: { transport: "memory" } },
  routes: [
    {
      match: { stream: "*" },
      to: [
        { cluster: "a", topic: "notes" },
        { cluster: "b", topic: "notes", canary: { buckets: "0-49%" } }
      ]
    }
  ]
}

describe("the buckets of a leg", () => {
  it("are all where it is read, also where it was a canary before its stream moved there", () =>
    story(
      Effect.gen(function* () {
        const sides = { partitions: 1, epoch: 1 }
        const { places } = yield* openPlaces([sides, sides])
        const sinks = {
          configure: () => undefined,
          find: ({ sink }: { readonly sink: string }) => places.find((place) => place.sink.leg.sink === sink)?.sink,
          reason: () => "Unavailable",
          declared: () => undefined
        }
        const contract = noteContract({ buckets: 12 })
        const legs = new Legs({ incarnation: new Uint8Array(16), source: "test" }, sinks, new Ledger())
        const table = Result.getOrThrow(Routes.compile(document, { drivers: [memory] }))
        const route = table.lookup(contract.stream, "me")
        const [first, second] = route?.legs ?? []
        if (route === undefined || first === undefined || second === undefined) throw new Error("there are two legs")
        const buckets = (readLeg: typeof first) =>
          legs
            .destinations(contract, { ...route, readLeg })
            .outlets.map(({ buckets: { from, to } }) => ({ from, to: Math.min(to, contract.buckets) }))
        expect(buckets(first)).toEqual([
          { from: 0, to: 12 },
          { from: 0, to: 6 }
        ])
        expect(buckets(second)).toEqual([
          { from: 0, to: 12 },
          { from: 0, to: 12 }
        ])
        const { from, to = 0 } = legs.outletOf(contract, second)?.buckets ?? {}
        expect([from, to >= contract.buckets]).toEqual([0, true])
      })
    ))
})
