import { MemoryBroker, memoryDriver } from "leat"
import { open, type PromiseLeat } from "leat/promise"
import { describe, expect, it } from "vitest"
import { routes } from "../consume/support.ts"
import { noteContract } from "../contracts/Note.ts"

const ended = { done: true, value: undefined }

describe("an iterator over the events of a group", () => {
  it("ends a `next` that waits when it is returned", async () => {
    await using leat = await open({ source: "test" })
    const notes = await leat.stream(noteContract())
    const events = notes.subscribe("g")
    const waiting = [events.next(), events.next()]
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(await events.return()).toEqual(ended)
    expect(await Promise.all(waiting)).toEqual([ended, ended])
    expect(await events.next()).toEqual(ended)
  })

  it("ends a `next` that waits when something is thrown into it, and rejects with that", async () => {
    await using leat = await open({ source: "test" })
    const notes = await leat.stream(noteContract())
    const events = notes.subscribe("g")
    const waiting = events.next()
    const error = new Error("enough")
    await expect(events.throw(error)).rejects.toBe(error)
    expect(await waiting).toEqual(ended)
    expect(await events.next()).toEqual(ended)
  })

  it("subscribes to nothing when it is returned before it is asked", async () => {
    await using leat = await open({ source: "test" })
    const notes = await leat.stream(noteContract())
    const events = notes.subscribe("g")
    expect(await events.return()).toEqual(ended)
    expect(await events.next()).toEqual(ended)
    expect(leat.ledger.snapshot().lanes).toEqual([])
  })

  it("gives events in order to whoever asks before the last answer, and what was given last comes again", async () => {
    await using leat = await open({ source: "test" })
    const notes = await leat.stream(noteContract())
    await notes.publishAll(["1", "2", "3", "4"].map((text) => ({ key: "k", text })))
    const events = notes.subscribe("g")
    const given = await Promise.all([events.next(), events.next(), events.next()])
    expect(given.map(({ value }) => value?.event.text)).toEqual(["1", "2", "3"])
    await events.return()
    const again = notes.subscribe("g")
    expect((await again.next()).value?.event.text).toBe("3")
    await again.return()
  })

  it("ends when its signal is aborted, also before it is asked", async () => {
    await using leat = await open({ source: "test" })
    const notes = await leat.stream(noteContract())
    const stop = new AbortController()
    const events = notes.subscribe("g", { signal: stop.signal })
    const waiting = events.next()
    stop.abort()
    expect(await waiting).toEqual(ended)
    expect(await notes.subscribe("g", { signal: stop.signal }).next()).toEqual(ended)
  })
})

describe("a loop that has an event in hand", () => {
  const two = [
    { key: "k", text: "1" },
    { key: "k", text: "2" }
  ]

  /** What a loop did that has its first event in hand when something ends it, and the events that come to who reads the group next. */
  async function looped(end: (leat: PromiseLeat, stop: AbortController) => unknown, leaves = false) {
    const driver = memoryDriver(new MemoryBroker({ partitions: 1 }))
    const document = routes({ drain: "20 seconds", concurrency: 4 })
    const leat = await open({ source: "test", routes: document, drivers: [driver] })
    const notes = await leat.stream(noteContract())
    await notes.publishAll(two)
    const stop = new AbortController()
    const did: Array<string> = []
    const inHand = Promise.withResolvers<void>()
    const goesOn = Promise.withResolvers<void>()
    const loop = (async () => {
      for await (const { event, info } of notes.subscribe("g", { signal: stop.signal })) {
        did.push(`begins ${event.text}`)
        inHand.resolve()
        await goesOn.promise
        did.push(info.signal.aborted ? "is told to end" : `ends ${event.text}`)
        if (leaves) break
      }
    })()
    await inHand.promise
    const stopped = Promise.resolve(end(leat, stop)).then(() => void did.push("stopped"))
    await new Promise((resolve) => setTimeout(resolve, 20))
    goesOn.resolve()
    await Promise.all([loop, stopped])
    await leat.close()
    await using other = await open({ source: "test", routes: document, drivers: [driver] })
    const again = (await other.stream(noteContract())).subscribe("g")
    const { value } = await again.next()
    await again.return()
    return { did, next: value?.event.text }
  }

  it("is waited for when its leat closes, and has the event done by asking for the next one", async () => {
    const { did, next } = await looped((leat) => leat.close())
    expect({ did, next }).toEqual({ did: ["begins 1", "ends 1", "stopped"], next: "2" })
  })

  it("has the event done by asking for the next one when its signal was aborted", async () => {
    const { did, next } = await looped((_, stop) => stop.abort())
    expect({ did, next }).toEqual({ did: ["begins 1", "stopped", "ends 1"], next: "2" })
  })

  it("is not waited for once it is left, and the event comes again", async () => {
    const { did, next } = await looped((leat) => leat.close(), true)
    expect({ did, next }).toEqual({ did: ["begins 1", "ends 1", "stopped"], next: "1" })
  })
})
