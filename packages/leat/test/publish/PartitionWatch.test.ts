import { Effect, Exit, Logger } from "effect"
import { Leat, MemoryBroker, memoryDriver, TransportError } from "leat"
import { simulate } from "leat/testing"
import type { Driver, TransportReason } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { note } from "./stories.js"

const failed = (reason: TransportReason) =>
  new TransportError({ reason, transport: "far", operation: "partitionsOf", detail: "no answer" })

/** What the broker says now. */
interface Now {
  count: number | undefined
  asked: number
  /** The topic is not there: `count` is what it would be created with. */
  isGone?: boolean
}

/** A broker whose topics are said to have another number of partitions by now. */
function growing(partitions: "growable" | "fixed", now: Now): Driver {
  const inner = memoryDriver(new MemoryBroker({ partitions: 2 }))
  return {
    ...inner,
    name: "far",
    open: (...asked) =>
      Effect.map(inner.open(...asked), (transport) => ({
        ...transport,
        capabilities: { ...transport.capabilities, partitions },
        partitionsOf: (topic) => {
          now.asked++
          if (now.count === undefined) return transport.partitionsOf(topic)
          if (now.count > 0) return Effect.succeed(now.count)
          return Effect.fail(failed("Timeout"))
        },
        bounds: (topic, group) => {
          const { count } = now
          if (count === undefined) return transport.bounds(topic, group)
          if (now.isGone === true) return Effect.fail(failed("UnknownTopic"))
          return Effect.succeed(Array.from({ length: count }, (_, partition) => ({ partition, start: 0n, end: 0n })))
        }
      }))
  }
}

/** The warnings of a leat whose topic changes as `change` says. */
const warned = (partitions: "growable" | "fixed", change: (now: Now) => Effect.Effect<void>) => {
  const lines: Array<string> = []
  const now: Now = { count: undefined, asked: 0 }
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  const program = Effect.gen(function* () {
    const driver = growing(partitions, now)
    const routes = {
      version: 1,
      clusters: { far: { transport: "far" } },
      routes: [{ match: { stream: "*" }, to: [{ cluster: "far", topic: "notes" }] }]
    }
    const leat = yield* Leat.make({ source: "test", routes, drivers: [driver] })
    const notes = yield* leat.stream(noteContract())
    yield* change(now)
    // It goes on all the same.
    yield* notes.publish(note("k", "1"))
  })
  const { exit, timers } = simulate(1, Effect.scoped(Effect.provide(program, Logger.layer([logger]))))
  if (Exit.isFailure(exit)) throw new Error("it failed", { cause: exit.cause })
  expect(timers).toBe(0)
  return lines
}

const set = (now: Now, count: number) =>
  Effect.andThen(
    Effect.sync(() => {
      now.count = count
    }),
    Effect.sleep("20 seconds")
  )

describe("a topic whose partitions change under an open stream", () => {
  it("is told once for each number, with what was, what is, and what to do", () => {
    const lines = warned("growable", (now) => Effect.andThen(set(now, 4), set(now, 6)))
    expect(lines.length).toBe(2)
    expect(lines[0]).toContain("far/notes has 4 partitions now, and had 2 when this process opened it")
    expect(lines[0]).toContain("stop all that publish there, then start them again. Consumers read all 4")
    expect(lines[1]).toContain("far/notes has 6 partitions now")
  })

  it("is told with the reason why the next process would not open it", () => {
    const [line] = warned("growable", (now) => set(now, 7))
    expect(line).toContain("A process that opens it now is refused: far/notes has 7 partitions, test.Note 8 buckets")
  })

  it("is told when some are gone", () => {
    const [line] = warned("growable", (now) => set(now, 1))
    expect(line).toContain("events for the others cannot be stored")
  })

  it("is not told where the number is the same, or not known, or cannot change", () => {
    expect(warned("growable", (now) => Effect.andThen(set(now, 0), set(now, 2)))).toEqual([])
    let asked = 0
    const fixed = (now: Now) =>
      Effect.map(set(now, 4), () => {
        asked = now.asked
      })
    expect(warned("fixed", fixed)).toEqual([])
    // When it was opened.
    expect(asked).toBe(1)
  })

  it("is not told while it is not there: what it would be created with is no number of its own", () => {
    const gone = (now: Now) => {
      now.isGone = true
      return set(now, 4)
    }
    expect(warned("growable", gone)).toEqual([])
  })

  it("is told again after it was as before", () => {
    const lines = warned("growable", (now) => Effect.andThen(Effect.andThen(set(now, 4), set(now, 2)), set(now, 4)))
    expect(lines.length).toBe(2)
  })
})
