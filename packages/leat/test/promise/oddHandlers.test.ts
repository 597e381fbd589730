import { getEventListeners } from "node:events"
import { MemoryBroker, memoryDriver } from "leat"
import { open } from "leat/promise"
import { describe, expect, it, vi } from "vitest"
import { routes } from "../consume/support.ts"
import { noteContract } from "../contracts/Note.ts"

/** What became of three events, of which the second one's handler does something odd. */
async function consumed(odd: () => unknown): Promise<object | undefined> {
  const broker = new MemoryBroker({ partitions: 1 })
  const document = routes({ policy: "drop" }, { drop: [{ on: ["*"], then: "drop" }] })
  await using leat = await open({ source: "test", routes: document, drivers: [memoryDriver(broker)] })
  const notes = await leat.stream(noteContract())
  await notes.publishAll(["1", "odd", "3"].map((text) => ({ key: "k", text })))
  const subscription = await notes.handle("g", ({ text }) => (text === "odd" ? (odd() as Promise<void>) : undefined))
  await vi.waitFor(async () => expect(await subscription.lag()).toBe(0n))
  return leat.ledger.snapshot().lanes[0]
}

function revoked(target: object = {}): object {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

class Unreadable {
  get _tag(): string {
    throw new RangeError("planted")
  }
}

describe("a handler's thenable", () => {
  it.each([
    [
      "is a function",
      () =>
        Object.assign(() => undefined, {
          then: (_: unknown, reject: (e: Error) => void) => reject(new RangeError("no"))
        })
    ],
    [
      "resolves with a promise that rejects",
      () => ({ then: (resolve: (value: unknown) => void) => resolve(Promise.reject(new RangeError("no"))) })
    ],
    [
      "throws",
      () => ({
        then: () => {
          throw new RangeError("no")
        }
      })
    ]
  ])("that %s has failed as with `await`", async (_, odd) => {
    expect(await consumed(odd)).toMatchObject({ done: 2, dropped: { RangeError: 1 }, balanced: true })
  })

  it("that throws after it was answered is done", async () => {
    const odd = () => ({
      then: (resolve: () => void) => {
        resolve()
        throw new RangeError("late")
      }
    })
    expect(await consumed(odd)).toMatchObject({ done: 3, dropped: {}, balanced: true })
  })
})

describe("what cannot be read and is thrown by a handler", () => {
  it.each([
    [
      "at once",
      () => {
        throw revoked()
      }
    ],
    [
      "at once, by a getter",
      () => {
        throw new Unreadable()
      }
    ],
    [
      "at once, and is a function",
      () => {
        throw revoked(() => undefined)
      }
    ],
    ["later", async () => Promise.reject(revoked())],
    [
      "later, and is a function without text",
      async () => {
        throw Object.assign(() => undefined, {
          toString() {
            throw new RangeError("planted")
          }
        })
      }
    ],
    [
      "later, by a getter",
      async () => {
        throw new Unreadable()
      }
    ]
  ])("%s is judged by the policy", async (_, odd) => {
    expect(await consumed(odd)).toMatchObject({ done: 2, dropped: { Error: 1 }, balanced: true })
  })
})

describe("a signal that outlives its subscriptions", () => {
  it("keeps nothing of those that have ended", async () => {
    await using leat = await open({ source: "test" })
    const notes = await leat.stream(noteContract())
    const { signal } = new AbortController()
    const subscription = await notes.handle("g", () => undefined, { signal })
    expect(getEventListeners(signal, "abort").length).toBe(1)
    await subscription.stop()
    await subscription.ended
    expect(getEventListeners(signal, "abort").length).toBe(0)
  })
})
