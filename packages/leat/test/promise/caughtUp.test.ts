import { NotCaughtUp, open } from "leat/promise"
import { describe, expect, it } from "vitest"
import { routes } from "../consume/support.ts"
import { noteContract } from "../contracts/Note.ts"

const document = routes({ drain: "20 millis" })
const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

describe("caughtUp of leat/promise", () => {
  it("resolves when all is handled and settled", async () => {
    await using leat = await open({ source: "test", routes: document })
    const notes = await leat.stream(noteContract())
    const seen: Array<string> = []
    const subscription = await notes.handle("g", async ({ text }) => {
      await wait(2)
      seen.push(text)
    })
    await notes.publishAll(Array.from({ length: 20 }, (_, index) => ({ key: "k", text: `${index}` })))
    await subscription.caughtUp()
    expect(seen).toHaveLength(20)
    expect(await subscription.lag()).toBe(0n)
  })

  it("rejects with NotCaughtUp on a halt, on stop, and in one of its own handlers", async () => {
    await using leat = await open({ source: "test", routes: document })
    const notes = await leat.stream(noteContract())
    await notes.publish({ key: "a", text: "1" })
    const halting = await notes.handle("halts", () => Promise.reject(new Error("bad")), { policy: [] })
    await expect(halting.caughtUp()).rejects.toMatchObject({ _tag: "NotCaughtUp", reason: "Halted" })

    const stuck = await notes.handle("stops", async (_, { signal }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve))
      throw new Error("aborted")
    })
    const waiting = stuck.caughtUp().catch((error: unknown) => error)
    await stuck.stop()
    expect(await waiting).toMatchObject({ reason: "Stopped", group: "stops", stream: "test.notes" })

    const told = Promise.withResolvers<unknown>()
    const own = await notes.handle("own", async () => {
      await wait(1)
      await own.caughtUp().catch((error: unknown) => told.resolve(error))
    })
    expect(await told.promise).toBeInstanceOf(NotCaughtUp)
    await own.caughtUp()
  })

  it("is given up by its signal, with its reason", async () => {
    await using leat = await open({ source: "test", routes: document })
    const notes = await leat.stream(noteContract())
    await notes.publish({ key: "a", text: "1" })
    const subscription = await notes.handle(
      "g",
      (_, { signal }) => new Promise((resolve) => signal.addEventListener("abort", () => resolve()))
    )
    const reason = new Error("enough")
    await expect(subscription.caughtUp({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    setTimeout(() => controller.abort(reason), 10)
    await expect(subscription.caughtUp({ signal: controller.signal })).rejects.toBe(reason)
  })
})
