import { log, logTransport } from "@leat/log"
import { Effect, Stream } from "effect"
import { DeadLetters } from "leat"
import { open } from "leat/promise"
import { readDeadLetter } from "leat/transport"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it, onTestFinished } from "vitest"
import { noteContract, routesTo } from "./support/Note.ts"

const contract = { ...noteContract, needs: [] }
const once = [{ on: ["RangeError"], retry: { times: 0, baseMs: 10 }, then: "deadLetter" as const }]
const retryTopics = { delaysMs: [1000, 2000] }

interface Call {
  readonly text: string
  readonly attempt: number
  readonly topic: string
  readonly atMs: number
  readonly storedAtMs: number
}

it(
  "what waits in retry topics of a log is there when it is opened again, comes when it is due, and after a replay once more",
  { timeout: 60_000 },
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "leat-retry-"))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const calls: Array<Call> = []
    const reading = async (
      until: () => boolean,
      work?: (publish: (text: string) => Promise<unknown>) => Promise<void>
    ) => {
      const leat = await open({ source: "retry", drivers: [log], routes: routesTo(directory) })
      const notes = await leat.stream(contract)
      const subscription = await notes.handle(
        "g",
        ({ text }, { attempt, topic, storedAtMs }) => {
          calls.push({ text, attempt, topic, storedAtMs, atMs: Date.now() })
          if (text === "bad") throw new RangeError("planted")
        },
        { policy: once, retryTopics }
      )
      await work?.((text) => notes.publish({ key: "k", text }))
      await expect.poll(until, { timeout: 20_000, interval: 20 }).toBe(true)
      await subscription.stop()
      const { balanced } = leat.ledger.snapshot()
      await leat.close()
      return balanced
    }
    const last = () => calls.at(-1)?.text
    const first = await reading(
      () => last() === "good",
      async (publish) => {
        await publish("bad")
        await publish("good")
      }
    )
    expect(calls.map(({ text, attempt }) => `${text}#${attempt}`)).toEqual(["bad#1", "good#1"])
    // The next process finds it, and what it wrote to the second topic.
    const second = await reading(() => calls.length === 4)
    const inTransport = <A, E>(
      use: (transport: Effect.Success<ReturnType<typeof logTransport>>) => Effect.Effect<A, E>
    ) => Effect.runPromise(Effect.scoped(Effect.flatMap(logTransport({ directory }), use)))
    const letters = () =>
      inTransport((transport) => Stream.runCollect(DeadLetters.list(transport, { topic: "notes", group: "g" })))
    const [letter] = await letters()
    expect(letter?.letter).toMatchObject({ topic: "notes", position: 0n, attempts: 3, moves: 2, replays: 0 })
    await inTransport((transport) => Effect.scoped(DeadLetters.replay(transport, { topic: "notes", group: "g" })))
    // The log knows the ids of its events. What is moved again is none that it has.
    const third = await reading(() => calls.length === 7)
    expect(calls.slice(2).map(({ attempt, topic }) => `${topic}#${attempt}`)).toEqual([
      "notes.g.retry.1#2",
      "notes.g.retry.2#3",
      "notes.g.replay#1",
      "notes.g.retry.1#2",
      "notes.g.retry.2#3"
    ])
    expect([first, second, third]).toEqual([true, true, true])
    const [again] = await letters()
    expect(again?.letter).toMatchObject({ attempts: 3, moves: 2, replays: 1 })
    for (const { topic, atMs, storedAtMs } of calls) {
      const delayMs = topic.endsWith("1") ? 1000 : topic.endsWith("2") ? 2000 : 0
      expect(atMs - storedAtMs).toBeGreaterThanOrEqual(delayMs)
    }
    const stored = await inTransport((transport) =>
      Stream.runCollect(transport.read("notes.g.retry.1", 0, { fromPosition: 0n }))
    )
    const moved = stored.flatMap(({ records }) => records.map(({ headers }) => readDeadLetter(headers)?.letter))
    expect(moved).toMatchObject([
      { attempts: 1, moves: 1, replays: 0 },
      { attempts: 1, moves: 1, replays: 1 }
    ])
  }
)
