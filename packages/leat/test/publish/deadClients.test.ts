import { Effect, Fiber } from "effect"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"
import { type Death, documentOf, main, openMirrored, rowOf } from "./mirrors.js"
import { spillStory } from "./spillStory.js"
import { note, stored, story } from "./stories.js"

const as = (user: string) => ({ clusters: { main: { transport: "main", user }, far: { transport: "far" } } })
const timed = { ...main, timeout: "1 second" }

describe("another section of a cluster whose client does nothing any more", () => {
  it.each<Death>(["refuses", "throws", "never answers"])(
    "takes over what waits, and what is in doubt, in bounded time: it %s",
    (how) =>
      story(
        Effect.gen(function* () {
          const { leat, notes, main: one } = yield* openMirrored([timed], as("one"))
          yield* notes.publish(note("k", "1"))
          one.dead = { user: "one", how }
          for (const text of ["2", "3", "4"]) yield* notes.publish(note("k", text), { level: "queued" })
          yield* Effect.sleep("5 seconds")
          yield* leat.swapRoutes(documentOf(2, [timed], as("two")))
          yield* notes.publish(note("k", "5"), { level: "queued" })
          yield* Effect.sleep("2 minutes")
          expect((yield* stored(one.broker)).map(({ text }) => text)).toEqual(["1", "2", "3", "4", "5"])
          expect(rowOf(leat, "main/notes")).toMatchObject({ stored: 5, balanced: true })
          expect(leat.sinks()[0]).not.toHaveProperty("trouble")
          yield* leat.swapRoutes(documentOf(3, [timed], as("three")))
          yield* notes.publish(note("k", "6"))
          expect(one.calls.at(-1)).toBe("send notes 1 by three")
        })
      )
  )

  it("is told where a partition is left at it, also the last one", () => {
    const warned = spillStory(
      Effect.gen(function* () {
        const { leat, notes, main: one } = yield* openMirrored([timed], as("one"))
        yield* notes.publish(note("k", "1"))
        one.dead = { user: "one", how: "refuses" }
        notes.offer(note("k", "2"))
        yield* Effect.sleep("2 seconds")
        yield* Effect.orDie(leat.swapRoutes(documentOf(2, [timed], as("two"))))
        yield* Effect.sleep("2 minutes")
        expect(rowOf(leat, "main/notes")).toMatchObject({ stored: 2 })
      })
    )
    expect(warned.filter((line) => line.includes("partition 0 of notes has another client now"))).toHaveLength(1)
  })

  it("is followed by the next one, which is right, where it has died before it took everything over", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, main: one } = yield* openMirrored([timed], as("one"))
        yield* notes.publish(note("k", "1"))
        one.dead = { user: "one", how: "refuses" }
        notes.offer(note("k", "2"))
        yield* Effect.sleep("2 seconds")
        yield* leat.swapRoutes(documentOf(2, [timed], as("two")))
        yield* Effect.sleep("30 seconds")
        one.dead = { user: ["one", "two"], how: "refuses" }
        const early = yield* Effect.flip(leat.swapRoutes(documentOf(3, [timed], as("three"))))
        expect(early.message).toContain("is still going over from the section before")
        yield* Effect.sleep("40 seconds")
        yield* leat.swapRoutes(documentOf(3, [timed], as("three")))
        yield* Effect.sleep("2 minutes")
        expect(rowOf(leat, "main/notes")).toMatchObject({ stored: 2, balanced: true })
        expect((yield* stored(one.broker)).map(({ text }) => text)).toEqual(["1", "2"])
      })
    ))

  it.each<Death>(["refuses", "throws", "never answers"])(
    "is proven in bounded time, however many topics are open: it %s",
    (how) =>
      story(
        Effect.gen(function* () {
          const to = [{ ...timed, topic: "{stream}" }]
          const { leat, main: one } = yield* openMirrored(to, as("one"))
          for (let at = 0; at < 40; at++) yield* leat.stream(noteContract({ stream: `s${at}` }))
          one.dead = { user: "one", how }
          yield* Effect.timeout(leat.swapRoutes(documentOf(2, to, as("two"))), "10 seconds")
          const last = yield* leat.stream(noteContract({ stream: "s39" }))
          yield* Effect.timeout(last.publish(note("k", "1")), "1 second")
          expect(one.calls.at(-1)).toBe("send s39 1 by two")
        })
      )
  )

  it("opens what was being opened, and answers what was asked, by the next client", () =>
    story(
      Effect.gen(function* () {
        const to = [{ ...timed, topic: "{stream}" }]
        const { leat, main: one } = yield* openMirrored(to, as("one"))
        const transport = yield* leat.transport("main")
        one.dead = { user: "one", how: "never answers" }
        const asked = yield* Effect.forkChild(Effect.flip(transport.bounds("test.note")))
        one.opening = Effect.never
        const opening = yield* Effect.forkChild(leat.stream(noteContract({ stream: "s1" })))
        yield* Effect.sleep("1 second")
        one.opening = Effect.void
        yield* leat.swapRoutes(documentOf(2, to, as("two")))
        const stream = yield* Effect.timeout(Fiber.join(opening), "5 seconds")
        yield* stream.publish(note("k", "1"))
        expect(one.calls.at(-1)).toBe("send s1 1 by two")
        expect((yield* Effect.timeout(Fiber.join(asked), "1 minute")).reason).toBe("Disconnected")
        expect((yield* transport.bounds("s1")).map(({ end }) => end)).toEqual([1n])
      })
    ))
})
