import { expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { MemoryBroker, Policy, RouteError } from "leat"
import { open as openPromise } from "leat/promise"
import { describe, it as plainIt } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { open, routes, until } from "./support.ts"

const drop = [{ on: ["HandlerTimeout"], timeoutMs: 30, then: "drop" as const }]
const once = (event: { readonly text: string }) => event.text === "slow"

describe("a handler that takes longer than its policy allows", () => {
  it.live("is interrupted, and judged as HandlerTimeout once it has cleaned up; the others go on", () =>
    Effect.gen(function* () {
      const leat = yield* open(
        routes({ policy: "brief" }, { brief: [{ on: ["*"], timeout: "30 millis", then: "drop" }] })
      )
      const notes = yield* leat.stream(noteContract())
      const seen: Array<string> = []
      const subscription = yield* notes.handle("g", (event) =>
        once(event)
          ? Effect.never.pipe(
              Effect.onInterrupt(() =>
                Effect.delay(
                  Effect.sync(() => void seen.push("cleaned")),
                  20
                )
              )
            )
          : Effect.sync(() => void seen.push(event.text))
      )
      yield* notes.publishAll([
        { key: "a", text: "slow" },
        { key: "a", text: "next" },
        { key: "b", text: "other" }
      ])
      yield* subscription.caughtUp
      expect(seen).toEqual(["other", "cleaned", "next"])
      expect(leat.ledger.snapshot().lanes).toMatchObject([
        { done: 2, dropped: { HandlerTimeout: 1 }, parked: 0, inFlight: 0, balanced: true }
      ])
    })
  )

  it.live("is tried again by the policy, each attempt with all of the time", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes())
      const notes = yield* leat.stream(noteContract())
      const attempts: Array<number> = []
      const policy = [{ on: ["HandlerTimeout"], timeoutMs: 40, retry: { times: 5, baseMs: 1 }, then: "halt" as const }]
      const subscription = yield* notes.handle(
        "g",
        (_, { attempt }) => {
          attempts.push(attempt)
          return attempt < 3 ? Effect.never : Effect.sleep(20)
        },
        { policy }
      )
      yield* notes.publish({ key: "a", text: "1" })
      yield* Effect.timeout(subscription.caughtUp, "10 seconds")
      expect(attempts).toEqual([1, 2, 3])
      expect(leat.ledger.snapshot().lanes).toMatchObject([{ done: 1, balanced: true }])
    })
  )

  plainIt("is told by the reason of its signal, which another end does not have", async () => {
    const leat = await openPromise({ source: "test", routes: routes({ drain: "1 millis" }) })
    const notes = await leat.stream(noteContract())
    const reasons: Array<string> = []
    const told = (signal: AbortSignal) =>
      new Promise<void>((_, reject) => {
        signal.addEventListener("abort", () => {
          const reason: unknown = signal.reason
          reasons.push(reason instanceof Error ? `${reason.name}: ${reason.message}` : String(reason))
          reject(reason)
        })
      })
    const late = await notes.handle("late", (_, { signal }) => told(signal), { policy: drop })
    const stopped = await notes.handle("stopped", (_, { signal }) => told(signal), { policy: Policy.strict })
    await notes.publish({ key: "a", text: "1" })
    await late.caughtUp()
    await stopped.stop()
    await leat.close()
    expect(reasons).toEqual([
      "TimeoutError: the handler has not ended within 30 ms",
      expect.stringMatching(/^AbortError: /)
    ])
  })

  plainIt(
    "hears of it by its signal, runs beside no retry of its own, and is done when it succeeds even so",
    async () => {
      const leat = await openPromise({ source: "test", routes: routes() })
      const notes = await leat.stream(noteContract())
      let running = 0
      let overlaps = 0
      const ends: Array<string> = []
      const policy = [{ on: ["*"], timeoutMs: 20, retry: { times: 3, baseMs: 1 }, then: "drop" as const }]
      const subscription = await notes.handle(
        "g",
        async ({ text }, { attempt, signal }) => {
          if (running++ > 0) overlaps++
          // Whatever the signal says, it goes on for a while.
          await Effect.runPromise(until("it is told", () => signal.aborted))
          await new Promise((resolve) => setTimeout(resolve, 40))
          running--
          ends.push(`${text} ${attempt} ${signal.aborted}`)
          if (text === "fails" && attempt < 2) throw new Error("as it likes")
        },
        { policy }
      )
      await notes.publishAll([
        { key: "a", text: "succeeds" },
        { key: "a", text: "fails" }
      ])
      await subscription.caughtUp()
      expect(ends).toEqual(["succeeds 1 true", "fails 1 true", "fails 2 true"])
      expect(overlaps).toBe(0)
      await leat.close()
    }
  )

  plainIt("is done when it succeeds after its subscription was stopped, too", async () => {
    const leat = await openPromise({ source: "test", routes: routes({ drain: "20 millis" }) })
    const notes = await leat.stream(noteContract())
    const begun: Array<boolean> = []
    let wasAborted = false
    const first = await notes.handle("g", async (_, { signal }) => {
      begun.push(true)
      await new Promise((resolve) => setTimeout(resolve, 80))
      wasAborted = signal.aborted
    })
    await notes.publish({ key: "a", text: "1" })
    while (begun.length === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    await first.stop()
    expect([wasAborted, (await notes.bounds("g"))[0]?.settled]).toEqual([true, 1n])
    await leat.close()
  })

  it.live("holds for deliveries that are taken by hand, and ends when their consumer says so", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes({ concurrency: 4 }))
      const notes = yield* leat.stream(noteContract())
      yield* notes.publishAll(["fails", "succeeds", "next"].map((text) => ({ key: "a", text })))
      const ends: Array<string> = []
      let inHand = 0
      let overlaps = 0
      yield* notes.subscribe("g", { policy: drop }).pipe(
        Stream.take(3),
        Stream.mapEffect(
          ({ event, info, done, fail }) =>
            Effect.gen(function* () {
              if (inHand++ > 0) overlaps++
              // Four at a time are taken, and their consumer does not look at the signal.
              yield* Effect.sleep(event.text === "next" ? 1 : 90)
              inHand--
              ends.push(`${event.text} ${info.attempt} ${info.signal.aborted}`)
              yield* event.text === "fails" ? fail("AsItLikes") : done
            }),
          { concurrency: 4 }
        ),
        Stream.runDrain,
        Effect.timeout("10 seconds")
      )
      expect(ends).toEqual(["fails 1 true", "succeeds 1 true", "next 1 false"])
      expect(overlaps).toBe(0)
      expect(leat.ledger.snapshot().lanes).toMatchObject([{ dropped: { HandlerTimeout: 1 }, balanced: true }])
    })
  )
})

describe("the time of a delivery that is taken by hand", () => {
  const texts = Array.from({ length: 12 }, (_, index) => `${index}`)
  const policy = [{ on: ["*"], timeoutMs: 150, then: "deadLetter" as const }]
  const document = routes({ concurrency: 12 })

  it.live("does not run while it stands in line behind others", () =>
    Effect.gen(function* () {
      const leat = yield* open(document)
      const notes = yield* leat.stream(noteContract())
      yield* notes.publishAll(texts.map((text) => ({ key: text, text })))
      const taken: Array<string> = []
      yield* notes.subscribe("g", { policy }).pipe(
        Stream.take(texts.length),
        Stream.runForEach(({ event, done }) => {
          taken.push(event.text)
          return Effect.delay(done, 25)
        }),
        Effect.timeout("10 seconds")
      )
      expect(taken).toEqual(texts)
      expect(leat.ledger.snapshot().lanes).toMatchObject([{ deadLettered: {}, dropped: {} }])
    })
  )

  plainIt("does not run until the loop asks for it, and then it does", async () => {
    const leat = await openPromise({ source: "test", routes: document })
    const notes = await leat.stream(noteContract())
    await notes.publishAll(texts.map((text) => ({ key: text, text })))
    const taken: Array<string> = []
    for await (const { event, info } of notes.subscribe("g", { policy, signal: AbortSignal.timeout(10_000) })) {
      taken.push(event.text)
      await new Promise((resolve) => setTimeout(resolve, event.text === "3" ? 250 : 25))
      expect(info.signal.aborted).toBe(event.text === "3")
      if (taken.length === texts.length) break
    }
    expect(taken).toEqual(texts)
    // It was late and has ended well: the loop asked for the next one.
    expect(leat.ledger.snapshot().lanes).toMatchObject([{ deadLettered: {}, dropped: {}, balanced: true }])
    await leat.close()
  })

  it.live("is that of the handler of tombstones too, which nobody takes", () =>
    Effect.gen(function* () {
      const leat = yield* open(document)
      const notes = yield* leat.stream(noteContract({ compacted: true }))
      expect(notes.offerTombstone("a")).toEqual({ admitted: true })
      yield* notes.publish({ key: "a", text: "1" })
      const taken = yield* notes
        .subscribe("g", { policy: drop, onTombstone: () => Effect.never })
        .pipe(Stream.take(1), Stream.runCollect, Effect.timeout("10 seconds"))
      expect(Array.from(taken, ({ event }) => event.text)).toEqual(["1"])
    })
  )
})

describe("the time of a handler", () => {
  it.live("is nothing that a leg has", () =>
    Effect.gen(function* () {
      const document = routes({}, { brief: [{ on: ["*"], timeout: "1 second", then: "halt" }] })
      const [route] = document.routes
      const legs = (route?.to ?? []).map((leg) => ({ ...leg, policy: "brief" }))
      const error = yield* Effect.flip(open({ ...document, routes: [{ ...route, to: legs }] }, new MemoryBroker()))
      expect(error).toBeInstanceOf(RouteError)
      expect(String(error)).toContain("routes[0].to[0].policy: the policy brief limits the time of handlers")
    })
  )

  it.effect("is that of the first rule that says one, a number of milliseconds", () =>
    Effect.sync(() => {
      expect(Policy.attemptMs([...Policy.standard, { on: ["A"], timeoutMs: 5, then: "drop" }, ...drop])).toBe(5)
      expect(Policy.attemptMs(Policy.standard)).toBe(Number.POSITIVE_INFINITY)
      for (const timeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
        expect(Policy.faults([{ on: ["*"], timeoutMs, then: "drop" }])).toMatchObject([{ path: "[0].timeoutMs" }])
      expect(Policy.print(drop)).toEqual(["on HandlerTimeout: then drop, 30 ms for each attempt"])
    })
  )
})
