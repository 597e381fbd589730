import { Cause, Clock, Effect, Exit, Fiber, type Scope } from "effect"
import { ControlTools, MemoryBroker, memoryTransport, TransportError } from "leat"
import { simulate } from "leat/testing"
import type { Transport } from "leat/transport"
import { describe, expect, it } from "vitest"
import { openControlStream } from "../../src/control/ControlStream.ts"

const topic = "leat-control"
const documentOf = (version: number, more = ""): string => `version: ${version}\n${more}`

function story(program: Effect.Effect<void, unknown, Scope.Scope>): void {
  const { exit } = simulate(1, Effect.scoped(program))
  if (Exit.isFailure(exit)) throw new Error(`the story failed: ${Cause.pretty(exit.cause)}`)
}

const apply = (transport: Transport, document: string, reason = "") =>
  ControlTools.apply(transport, { author: `tool ${document}`, document, reason })

describe("the tools of a control stream", () => {
  it("apply documents with a version that rises, and say what was applied", () => {
    story(
      Effect.gen(function* () {
        const transport = memoryTransport(new MemoryBroker())
        expect(yield* apply(transport, documentOf(3), "begin")).toEqual({ version: 3 })
        expect(yield* apply(transport, documentOf(8))).toEqual({ version: 8 })
        for (const [document, detail] of [
          [documentOf(8, "a: 1\n"), "version 8 is not higher than 8, which was applied last"],
          ["routes: []", "the document says no version, as version: 1"],
          [
            documentOf(9, "#".repeat(262_144)),
            "the document has 262155 characters, and one for a fleet has at most 262144"
          ]
        ] as const) {
          const error = yield* Effect.flip(apply(transport, document))
          expect(error.reason).toBe("Refused")
          expect(error.detail).toContain(detail)
        }
        const { history, ...fleet } = yield* ControlTools.read(transport)
        expect(fleet).toEqual({ version: 8, document: documentOf(8), processes: [], unreadable: 0 })
        expect(history.map(({ version, reason }) => [version, reason])).toEqual([
          [3, "begin"],
          [8, ""]
        ])
      })
    )
  })

  it("go back to an older document under a new version", () => {
    story(
      Effect.gen(function* () {
        const transport = memoryTransport(new MemoryBroker())
        yield* apply(transport, documentOf(3, "# as it was\n"))
        yield* apply(transport, documentOf(8))
        const back = { author: "person", version: 3, reason: "8 is slow" }
        expect(yield* ControlTools.rollback(transport, back)).toEqual({ version: 9 })
        const { document, history } = yield* ControlTools.read(transport)
        expect(document).toBe(documentOf(9, "# as it was\n"))
        expect(history.at(-1)).toMatchObject({ version: 9, author: "person", reason: "back to version 3: 8 is slow" })
        for (const wrong of [7, 1]) {
          const error = yield* Effect.flip(ControlTools.rollback(transport, { author: "p", version: wrong }))
          expect(error.message).toBe(
            `control stream: Refused: there is no version ${wrong} in the history, which has 3, 8, 9`
          )
        }
        expect((yield* Effect.flip(ControlTools.rollback(transport, undefined as never))).reason).toBe("Refused")
      })
    )
  })

  it("tell when each process was heard of last, where that still stands in the stream", () => {
    story(
      Effect.gen(function* () {
        const transport = memoryTransport(new MemoryBroker())
        const of = (author: string, beatEvery: "5 seconds" | "1 hour") =>
          openControlStream({ transport, topic, author, applied: () => 0, beatEvery })
        yield* apply(transport, documentOf(3))
        const startMs = yield* Clock.currentTimeMillis
        const one = yield* of("one", "5 seconds")
        yield* of("two", "1 hour")
        yield* Effect.sleep("61 seconds")
        const seen = Effect.map(ControlTools.read(transport), ({ processes }) =>
          processes.map(({ seenMs, ...rest }) => [
            rest,
            seenMs === undefined ? "long" : Math.round((seenMs - startMs) / 1000)
          ])
        )
        const [first, second] = ["one", "two"].map((incarnation) => ({ incarnation, applied: 0 }))
        expect(yield* seen).toEqual([
          [first, 60],
          [second, 0]
        ])
        yield* one.snapshot
        yield* one.snapshot
        yield* Effect.sleep("5 seconds")
        expect(yield* seen).toEqual([
          [first, 65],
          [second, "long"]
        ])
      })
    )
  })

  it("have one winner of two who apply at once, and the other is told which version that is", () => {
    story(
      Effect.gen(function* () {
        const transport = memoryTransport(new MemoryBroker())
        yield* apply(transport, documentOf(1))
        const both = [documentOf(2, "a: 1\n"), documentOf(2, "a: 2\n")].map((document) =>
          Effect.match(apply(transport, document), {
            onFailure: ({ message }) => message,
            onSuccess: ({ version }) => `applied ${version}`
          })
        )
        expect((yield* Effect.all(both, { concurrency: "unbounded" })).toSorted()).toEqual([
          "applied 2",
          "control stream: Overtaken: somebody else has applied version 2 meanwhile; look at that and apply again"
        ])
      })
    )
  })
})

describe("somebody who watches a control stream", () => {
  const lineOf = (change: ControlTools.FleetChange): string => {
    if (change.kind === "applied") return `applied ${change.document.version} ${change.document.reason}`
    if (change.kind === "gone") return `gone ${change.incarnation}`
    return `${change.isNews ? "news" : "beat"} ${change.process.incarnation} ${change.process.applied}`
  }
  const watching = (transport: Pick<Transport, "read" | "bounds">, lines: Array<string>) =>
    ControlTools.watch(
      transport,
      {
        topic,
        troubled: (why) => Effect.sync(() => lines.push(why === undefined ? "well" : `trouble: ${why}`))
      },
      (change) => Effect.sync(() => void lines.push(lineOf(change)))
    )

  it("is told what is in force and who lives, and then each thing that is said", () => {
    story(
      Effect.gen(function* () {
        const transport = memoryTransport(new MemoryBroker())
        let applied = 1
        yield* apply(transport, documentOf(3))
        yield* apply(transport, documentOf(4), "more")
        const process = { transport, topic, author: "one", applied: () => applied, beatEvery: "5 seconds" } as const
        const lines: Array<string> = []
        const living = Effect.gen(function* () {
          yield* openControlStream(process)
          yield* Effect.sleep("1 second")
          yield* Effect.forkScoped(watching(transport, lines))
          yield* Effect.sleep("7 seconds")
          applied = 2
          yield* Effect.sleep("5 seconds")
          yield* apply(transport, documentOf(5))
          yield* Effect.sleep("1 second")
          return yield* Effect.scope
        })
        const watcher = yield* Effect.forkScoped(Effect.scoped(living))
        yield* Fiber.join(watcher)
        expect(lines).toEqual(["applied 4 more", "news one 3", "beat one 3", "news one 4", "applied 5 "])
      })
    )
  })

  it("misses no document where the stream was trimmed under it, and is told of a cluster that is away", () => {
    story(
      Effect.gen(function* () {
        const inner = memoryTransport(new MemoryBroker())
        let isAway = false
        const away = new TransportError({ reason: "Unavailable", transport: "t", operation: "bounds", detail: "away" })
        const transport: Transport = {
          ...inner,
          bounds: (name, group) => Effect.suspend(() => (isAway ? Effect.fail(away) : inner.bounds(name, group)))
        }
        yield* apply(inner, documentOf(1))
        const lines: Array<string> = []
        yield* Effect.forkScoped(watching(transport, lines))
        yield* Effect.sleep("1 second")
        isAway = true
        yield* Effect.sleep("2 seconds")
        yield* apply(inner, documentOf(2))
        const one = yield* openControlStream({ transport: inner, topic, author: "one", beatEvery: "1 hour" })
        yield* Effect.sleep("2 seconds")
        yield* one.snapshot
        yield* one.snapshot
        const [bounds] = yield* inner.bounds(topic)
        expect(Number(bounds?.start)).toBeGreaterThan(2)
        isAway = false
        yield* Effect.sleep("1 second")
        yield* apply(inner, documentOf(3))
        yield* Effect.sleep("1 second")
        expect(lines).toEqual([
          "applied 1 ",
          "trouble: t bounds: Unavailable: away",
          "applied 2 ",
          expect.stringMatching(/^news one \d$/),
          "well",
          "applied 3 "
        ])
      })
    )
  })

  it.each([
    [undefined, { topic }, "a control stream is on a transport, and not on undefined"],
    [memoryTransport(new MemoryBroker()), undefined, "topic is a text, and not undefined"]
  ])("is told what it has to give: %#", async (transport, options, told) => {
    const watched = ControlTools.watch(transport as never, options as never, () => Effect.void)
    const error = await Effect.runPromise(Effect.flip(watched))
    expect([error.reason, error.detail]).toEqual(["Refused", told])
  })

  it("ends where the topic is put back to an older state, and where there is none", () => {
    story(
      Effect.gen(function* () {
        const transport = memoryTransport(new MemoryBroker())
        const none = yield* Effect.flip(watching(transport, []))
        expect(none.reason).toBe("Unreachable")
        yield* apply(transport, documentOf(1))
        let lost = 0n
        const old: Transport = {
          ...transport,
          bounds: (name) =>
            Effect.map(transport.bounds(name), (all) => all.map((one) => ({ ...one, end: one.end - lost })))
        }
        const fiber = yield* Effect.forkScoped(Effect.flip(watching(old, [])))
        yield* Effect.sleep("2 seconds")
        lost = 1n
        const error = yield* Fiber.join(fiber)
        expect(error.message).toBe(
          "control stream: Lost: topic leat-control ends at position 0, and was read up to 1: it was put back to an older state"
        )
      })
    )
  })
})
