import { open } from "leat/promise"
import { describe, expect, it } from "vitest"
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
