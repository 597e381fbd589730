import { open } from "leat/promise"
import { describe, expect, it } from "vitest"
import { routes } from "../consume/support.ts"
import { noteContract } from "../contracts/Note.ts"

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const document = routes({ drain: "20 seconds", concurrency: 4 })

describe("a handler", () => {
  it("that stops its own subscription does not wait for itself, and its event is done", async () => {
    await using leat = await open({ source: "test", routes: document })
    const notes = await leat.stream(noteContract())
    const seen: Array<string> = []
    const subscription = await notes.handle("g", async ({ text }) => {
      await wait(1)
      await subscription.stop()
      seen.push(text)
    })
    await notes.publish({ key: "k", text: "1" })
    await subscription.ended
    expect(seen).toEqual(["1"])
    expect(await subscription.lag()).toBe(0n)
  })

  it("that closes its own leat does not wait for itself, and its event is done", async () => {
    const leat = await open({ source: "test", routes: document })
    const notes = await leat.stream(noteContract())
    const closed = Promise.withResolvers<void>()
    await notes.handleBatch("g", async () => {
      await leat.close()
      closed.resolve()
    })
    await notes.publish({ key: "k", text: "1" })
    await closed.promise
    await leat.close()
    expect(leat.ledger.snapshot().lanes).toMatchObject([{ done: 1 }])
  })

  it("that has ended is waited for by nobody, so what it left behind waits for the others", async () => {
    await using leat = await open({ source: "test", routes: document })
    const notes = await leat.stream(noteContract())
    const stopped = Promise.withResolvers<number>()
    let running = 0
    const subscription = await notes.handle("g", async ({ text }) => {
      if (text === "2") {
        running++
        await wait(100)
        running--
        return
      }
      setTimeout(() => void subscription.stop().then(() => stopped.resolve(running)), 30)
    })
    await notes.publishAll([
      { key: "a", text: "1" },
      { key: "b", text: "2" }
    ])
    expect(await stopped.promise).toBe(0)
  })

  it("that stops another subscription waits for it", async () => {
    await using leat = await open({ source: "test", routes: document })
    const notes = await leat.stream(noteContract())
    let isDone = false
    const other = await notes.handle("h", async () => {
      await wait(50)
      isDone = true
    })
    const seen = Promise.withResolvers<boolean>()
    await notes.handle("g", async () => {
      await wait(10)
      await other.stop()
      seen.resolve(isDone)
    })
    await notes.publish({ key: "k", text: "1" })
    expect(await seen.promise).toBe(true)
  })
})
