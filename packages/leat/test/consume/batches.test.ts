import { expect, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { describe } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { drained, open, routes, until } from "./support.ts"

describe("a batch over several pulls", () => {
  it.live("ends before what is no event, wherever it stands, and gives each event once and in order", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes())
      const notes = yield* leat.stream(noteContract({ compacted: true }))
      const free = yield* Deferred.make<void>()
      const seen: Array<string> = []
      const subscription = yield* notes.handleBatch("g", (deliveries) => {
        seen.push(deliveries.map(({ event }) => event.text).join(""))
        return Deferred.await(free)
      })
      yield* notes.publish({ key: "k", text: "0" })
      yield* until("handled", () => seen.length === 1)
      // Each is pulled by itself, while the first one is handled.
      const told = () => leat.ledger.snapshot().lanes.reduce((sum, { positions }) => sum + positions, 0)
      for (const [index, text] of ["1", "", "3", "", "", "6", "7"].entries()) {
        if (text === "") notes.offerTombstone("k")
        else notes.offer({ key: "k", text })
        yield* until("pulled", () => told() === index + 2)
      }
      yield* Deferred.succeed(free, undefined)
      yield* drained(subscription)
      expect(seen).toEqual(["0", "1", "3", "67"])
      expect(leat.ledger.snapshot().lanes).toMatchObject([{ done: 8, balanced: true }])
    })
  )
})
