import { Effect } from "effect"
import { NotCaughtUp, open } from "leat/promise"
import { TransportError } from "leat/transport"
import { expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { bent, routes } from "./support.ts"

it("caughtUp of a leat that is closed says so, also where its transport says that it is closed", async () => {
  let isClosed = false
  const closed = new TransportError({
    reason: "Closed",
    transport: "memory",
    operation: "bounds",
    detail: "it has ended"
  })
  const driver = bent((transport) => ({
    ...transport,
    bounds: (...asked) => (isClosed ? Effect.fail(closed) : transport.bounds(...asked))
  }))
  const leat = await open({ source: "test", routes: routes(), drivers: [driver] })
  const notes = await leat.stream(noteContract())
  const subscription = await notes.handle("g", () => undefined)
  await leat.close()
  isClosed = true
  const error: unknown = await subscription.caughtUp().then(undefined, (thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(NotCaughtUp)
  expect(error).toMatchObject({ reason: "Stopped", group: "g" })
})
