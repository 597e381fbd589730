import { expect, it } from "@effect/vitest"
import { Effect, Logger, Stream } from "effect"
import { MemoryBroker, memoryTransport } from "leat"
import { describe } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { drained, open, routes, until } from "./support.ts"

const clusters = { local: { transport: "memory", partitions: 2 } }
const failure = (tag: string) => Object.assign(new Error(`planted ${tag}`), { _tag: tag })

/** How often each text was begun, and what runs. */
class Watch {
  readonly begun = new Map<string, number>()
  readonly running = new Set<string>()
  readonly overlapping: Array<string> = []

  around(text: string, work: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.running.has(text)) this.overlapping.push(text)
      this.begun.set(text, (this.begun.get(text) ?? 0) + 1)
      this.running.add(text)
      return Effect.ensuring(
        work,
        Effect.sync(() => this.running.delete(text))
      )
    })
  }

  get twice(): ReadonlyArray<string> {
    return [...this.begun].flatMap(([text, count]) => (count > 1 ? [text] : []))
  }
}

describe("a lane that is revoked", { concurrent: true }, () => {
  it.live("lets its handlers end: none is interrupted while there is time", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 2 })
      const document = { ...routes({ drain: "5 seconds", concurrency: 4 }), clusters }
      const [one, two] = [yield* open(document, broker), yield* open(document, broker)]
      const [notes, others] = [yield* one.stream(noteContract()), yield* two.stream(noteContract())]
      yield* notes.publishAll(Array.from({ length: 40 }, (_, index) => ({ key: `k${index}`, text: `${index}` })))
      let begun = 0
      let interrupted = 0
      yield* notes.handle("g", () => {
        begun++
        return Effect.onInterrupt(Effect.sleep(150), () => Effect.sync(() => void interrupted++))
      })
      yield* until("both lanes are at work", () => begun >= 8)
      const taken: Array<number> = []
      yield* others.handle("g", (_, { partition }) => Effect.sync(() => void taken.push(partition)))
      yield* until("one was handed over", () => taken.length > 0)
      expect(interrupted).toBe(0)
    })
  )

  it.live("with a backlog starts no more handlers, drains, and is handed over without an event handled twice", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 2 })
      const document = { ...routes({ drain: "5 seconds", concurrency: 4 }), clusters }
      const [one, two] = [yield* open(document, broker), yield* open(document, broker)]
      const [notes, others] = [yield* one.stream(noteContract()), yield* two.stream(noteContract())]
      yield* notes.publishAll(Array.from({ length: 600 }, (_, index) => ({ key: `k${index}`, text: `${index}` })))
      const watch = new Watch()
      let begunAfter = 0
      let hasJoined = false
      let isHandedOver = false
      yield* notes.handle("g", ({ text }, { partition }) => {
        if (hasJoined && !isHandedOver && partition === 1) begunAfter++
        return watch.around(text, Effect.sleep(20))
      })
      yield* until("begun", () => watch.begun.size > 4)
      hasJoined = true
      const joinedMs = performance.now()
      yield* others.handle("g", ({ text }) => {
        isHandedOver = true
        return watch.around(text, Effect.sleep(20))
      })
      yield* until("handed over", () => isHandedOver)
      // The drain of one round of handlers, far from the deadline; one round may have begun before the signal came.
      expect(performance.now() - joinedMs).toBeLessThan(2500)
      expect(begunAfter).toBeLessThanOrEqual(4)
      yield* until("all handled", () => watch.begun.size === 600 && watch.running.size === 0)
      expect({ twice: watch.twice, overlapping: watch.overlapping }).toEqual({ twice: [], overlapping: [] })
    })
  )

  it.live("interrupts its handlers within the drain time that the group was told, whatever a table says since", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 2 })
      const document = { ...routes({ drain: "400 millis" }), clusters }
      const [one, two] = [yield* open(document, broker), yield* open(document, broker)]
      const [notes, others] = [yield* one.stream(noteContract()), yield* two.stream(noteContract())]
      yield* notes.publishAll(Array.from({ length: 8 }, (_, index) => ({ key: `k${index}`, text: `${index}` })))
      const watch = new Watch()
      yield* notes.handle("g", ({ text }) => watch.around(text, Effect.never))
      yield* until("begun", () => watch.running.size === 8)
      yield* one.swapRoutes({ ...routes({ drain: "3 seconds" }, {}, 2), clusters })
      const seen: Array<string> = []
      yield* others.handle("g", ({ text }) =>
        watch.around(
          text,
          Effect.sync(() => void seen.push(text))
        )
      )
      yield* until("handed over", () => seen.length > 0)
      expect(watch.overlapping).toEqual([])
    })
  )

  it.live.each(["halted", "full"])("while it is %s is handed over at once", (state) =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 2 })
      const document = {
        ...routes(
          { drain: "20 seconds", buffer: { bytes: 4096 }, policy: "p" },
          {
            p:
              state === "halted"
                ? []
                : [{ on: ["*"], retry: { base: "10 minutes", maxDelay: "10 minutes" }, then: "halt" }]
          }
        ),
        clusters
      }
      const [one, two] = [yield* open(document, broker), yield* open(document, broker)]
      const [notes, others] = [yield* one.stream(noteContract()), yield* two.stream(noteContract())]
      yield* notes.publishAll(Array.from({ length: 400 }, (_, index) => ({ key: `k${index}`, text: "x".repeat(100) })))
      const first = yield* notes.handle("g", () => Effect.fail(failure("Broken")))
      const standing = () => (state === "halted" ? first.halted() : first.blocked())
      yield* until("both stand", () => standing().length === 2)
      const seen = new Set<number>()
      const joinedMs = performance.now()
      yield* others.handle("g", (_, { partition }) => Effect.sync(() => void seen.add(partition)))
      yield* until("handed over", () => seen.size > 0)
      expect(performance.now() - joinedMs).toBeLessThan(10_000)
      expect(standing().length).toBe(1)
    })
  )

  it.live("does not count its holder as crashed", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 2 })
      const document = {
        ...routes({ drain: "2 seconds", crashLoop: 1, policy: "p" }, { p: [{ on: ["CrashLoop"], then: "drop" }] }),
        clusters
      }
      const [one, two] = [yield* open(document, broker), yield* open(document, broker)]
      const [notes, others] = [yield* one.stream(noteContract()), yield* two.stream(noteContract())]
      yield* notes.publishAll(Array.from({ length: 200 }, (_, index) => ({ key: `k${index}`, text: `${index}` })))
      const first = yield* notes.handle("g", () => Effect.sleep(5))
      for (let turn = 0; turn < 4; turn++) {
        const second = yield* others.handle("g", () => Effect.sleep(5))
        yield* Effect.sleep(30)
        yield* second.stop
      }
      yield* drained(first)
      const dropped = [one, two].flatMap((leat) => leat.ledger.snapshot().lanes.map((lane) => lane.dropped))
      expect(dropped.filter((reasons) => Object.keys(reasons).length > 0)).toEqual([])
      expect((yield* memoryTransport(broker).bounds("notes", "g")).map(({ end, settled }) => settled === end)).toEqual([
        true,
        true
      ])
    })
  )
})

describe("a handler that is interrupted by somebody else while its lane drains", { concurrent: true }, () => {
  it.live("keeps nobody waiting, and its event comes again", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes({ drain: "20 seconds", policy: "p" }, { p: [{ on: ["*"], then: "drop" }] }))
      const notes = yield* leat.stream(noteContract())
      yield* notes.publish({ key: "k", text: "1" })
      let hasBegun = false
      const subscription = yield* notes.handle("g", () => {
        hasBegun = true
        return Effect.andThen(Effect.sleep(100), Effect.interrupt)
      })
      yield* until("begun", () => hasBegun)
      const stoppedMs = performance.now()
      yield* subscription.stop
      expect(performance.now() - stoppedMs).toBeLessThan(5000)
      expect(yield* subscription.lag).toBe(1n)
    })
  )
})

describe("a handler that runs past the drain time", { concurrent: true }, () => {
  it.live("is interrupted early enough to clean up before the lane is taken", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 2 })
      const document = { ...routes({ drain: "1 second" }), clusters }
      const [one, two] = [yield* open(document, broker), yield* open(document, broker)]
      const [notes, others] = [yield* one.stream(noteContract()), yield* two.stream(noteContract())]
      yield* notes.publishAll(Array.from({ length: 20 }, (_, index) => ({ key: `k${index}`, text: `${index}` })))
      const watch = new Watch()
      let aborted = 0
      yield* notes.handle("g", ({ text }, { signal }) => {
        signal.addEventListener("abort", () => aborted++)
        return watch.around(
          text,
          Effect.onInterrupt(Effect.never, () => Effect.sleep(50))
        )
      })
      yield* until("both lanes run", () => watch.running.size === 20)
      const again = new Set<string>()
      yield* others.handle("g", ({ text }) =>
        watch.around(
          text,
          Effect.sync(() => void again.add(text))
        )
      )
      yield* until("handed over", () => again.size > 0)
      expect(watch.overlapping).toEqual([])
      expect(aborted).toBeGreaterThan(0)
    })
  )

  it.live("is waited for by `stop` until it has cleaned up", () =>
    Effect.gen(function* () {
      const leat = yield* open(routes({ drain: "20 millis" }))
      const notes = yield* leat.stream(noteContract())
      let hasBegun = false
      let isClean = false
      const subscription = yield* notes.handle("g", () => {
        hasBegun = true
        return Effect.onInterrupt(Effect.never, () =>
          Effect.andThen(
            Effect.sleep(100),
            Effect.sync(() => void (isClean = true))
          )
        )
      })
      yield* notes.publish({ key: "k", text: "1" })
      yield* until("begun", () => hasBegun)
      yield* subscription.stop
      expect(isClean).toBe(true)
      expect(yield* subscription.lag).toBe(1n)
    })
  )

  it.live(
    "and does not end is waited for in bounded time, and `stop` says so",
    () =>
      Effect.gen(function* () {
        const warnings: Array<string> = []
        const logger = Logger.make(({ message }) => void warnings.push(String(message)))
        const beganMs = performance.now()
        yield* Effect.gen(function* () {
          const leat = yield* open(routes({ drain: "20 millis" }))
          const notes = yield* leat.stream(noteContract())
          let hasBegun = false
          const subscription = yield* notes.handle("g", () => {
            hasBegun = true
            return Effect.uninterruptible(Effect.sleep("20 seconds"))
          })
          yield* notes.publish({ key: "k", text: "1" })
          yield* until("begun", () => hasBegun)
          yield* subscription.stop
          expect(performance.now() - beganMs).toBeLessThan(15_000)
        }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
        expect(warnings).toMatchObject([expect.stringContaining("1 handler of the group g")])
      }),
    30_000
  )
})

describe("deliveries that a consumer ends itself", { concurrent: true }, () => {
  it.live("are not handed out any more once their lane was taken away, however many were taken from it before", () =>
    Effect.gen(function* () {
      const broker = new MemoryBroker({ partitions: 2 })
      const document = { ...routes({ drain: "100 millis" }), clusters }
      const [one, two] = [yield* open(document, broker), yield* open(document, broker)]
      const [notes, others] = [yield* one.stream(noteContract()), yield* two.stream(noteContract())]
      yield* notes.publishAll(Array.from({ length: 16 }, (_, index) => ({ key: `k${index}`, text: `${index}` })))
      const [begun, takenBack]: [Array<string>, Array<string>] = [[], []]
      let isHandedOver = false
      yield* notes.subscribe("g").pipe(
        Stream.runForEach(({ event, info, done }) =>
          Effect.suspend(() => {
            begun.push(event.text)
            if (info.signal.aborted) takenBack.push(event.text)
            const work = begun.length === 1 ? until("handed over", () => isHandedOver) : Effect.void
            return Effect.andThen(Effect.orDie(work), done)
          })
        ),
        Effect.forkScoped
      )
      yield* until("begun", () => begun.length > 0)
      const rest: Array<string> = []
      yield* others.subscribe("g").pipe(
        Stream.runForEach(({ event, done }) =>
          Effect.suspend(() => {
            isHandedOver = true
            rest.push(event.text)
            return done
          })
        ),
        Effect.forkScoped
      )
      yield* until("all handled", () => new Set([...begun, ...rest]).size === 16)
      expect(takenBack).toEqual([])
    })
  )
})
