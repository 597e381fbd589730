import { MemoryBroker, memoryDriver } from "leat"
import { NotAwaited, open } from "leat/promise"
import { faultDriver } from "leat/testing"
import { expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { documentOf, note } from "../publish/stories.ts"

/** A signal whose other listener keeps the event from all that come after it. */
function stopping(): AbortController {
  const giving = new AbortController()
  giving.signal.addEventListener("abort", (event) => event.stopImmediatePropagation())
  return giving
}

async function openNotes() {
  const driver = faultDriver(memoryDriver(new MemoryBroker({ partitions: 1 })), {
    send: () => ({ kind: "delay", ms: 20 })
  })
  const leat = await open({ source: "test", routes: documentOf({}), drivers: [driver] })
  return { leat, notes: await leat.stream(noteContract()), [Symbol.asyncDispose]: () => leat.close() }
}

/** What a promise rejects with; it has three seconds. */
const caught = (promise: Promise<unknown>): Promise<unknown> => {
  const told = promise.then(
    () => "it resolved",
    (error: unknown) => error
  )
  return Promise.race([told, new Promise((resolve) => void setTimeout(() => resolve("it never ended"), 3000))])
}

it.for(["publish", "publishAll"] as const)(
  "%s ends although its signal tells it nothing, and says so truly",
  async (how) => {
    await using opened = await openNotes()
    const giving = stopping()
    const options = { signal: giving.signal }
    const publishing: Promise<unknown> =
      how === "publish"
        ? opened.notes.publish(note("k", "1"), options)
        : opened.notes.publishAll([note("k", "1")], options)
    giving.abort("enough")
    const error = await caught(publishing)
    expect(error).toBeInstanceOf(NotAwaited)
    expect(error).toMatchObject({ admitted: 1, cause: "enough" })
  }
)

it("flush and caughtUp end although their signal tells them nothing", async () => {
  await using opened = await openNotes()
  await opened.notes.publish(note("k", "0"))
  const subscription = await opened.notes.handle("g", () => new Promise((resolve) => void setTimeout(resolve, 20)))
  opened.notes.offer(note("k", "1"))
  const giving = stopping()
  const waits = [
    opened.leat.flush({ signal: giving.signal }),
    opened.notes.flush({ signal: giving.signal }),
    subscription.caughtUp({ signal: giving.signal })
  ]
  giving.abort("enough")
  expect(await Promise.all(waits.map(caught))).toEqual(["enough", "enough", "enough"])
})
