import { Cause, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { expect, it } from "vitest"
import { type Transport, TransportError } from "leat/transport"
import { auditedRecord } from "../../src/audit/auditedRecord.js"
import { isAway, openSpilling, spillPlaces, type SpillPlaces, spillStory, until } from "./spillStory.js"
import { legRow, note, stored } from "./stories.js"

it("what fits into no spill and is refused as a dead letter is given up once while closing, and not tried without an end", () => {
  const places = spillPlaces()
  const sent = { letters: 0, all: 0 }
  const warned = spillStory(
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const policy = [
        { on: ["passing"], then: "spill" },
        { on: ["SpillFull"], then: "deadLetter" }
      ]
      const { leat, notes } = yield* Scope.provide(openSpilling(places, { policy, spill: { bytes: 65_536 } }), scope)
      places.faults = {
        send: ({ topic }) => {
          const isLetter = topic.includes("undelivered")
          if (isLetter) sent.letters++
          // Without an end the story would not end either.
          if (sent.all++ > 2000) throw new Error("it is sent again and again")
          return { kind: "fail", reason: isLetter ? "Unauthorized" : "Unavailable" }
        },
        fence: () => "Unavailable"
      }
      for (let index = 0; index < 100; index++) notes.offer({ key: "k", text: `${index}`.padEnd(1000, ".") })
      yield* Effect.sleep("2 seconds")
      const before = sent.letters
      yield* Scope.close(scope, Exit.void)
      // Each event once at most.
      expect(sent.letters - before).toBeLessThanOrEqual(100)
      const [leg] = leat.ledger.snapshot().legs
      expect(leg?.balanced).toBe(true)
      expect((leg?.spilled ?? 0) + (leg?.dropped["closed"] ?? 0)).toBe(100)
      expect(leg?.spilled).toBeGreaterThan(40)
    })
  )
  expect(warned.length).toBeLessThan(30)
})

/** Answers of the topic come so late. */
const slowly =
  (ms: () => number) =>
  ({ openWriter }: Transport): Partial<Transport> => ({
    openWriter: (topic) =>
      Effect.gen(function* () {
        const writer = yield* openWriter(topic)
        const context = yield* Effect.context<never>()
        return {
          ...writer,
          send: (...[partition, batch, from, to, timeoutMs, answer]: Parameters<typeof writer.send>) =>
            writer.send(partition, batch, from, to, timeoutMs, (runs) => {
              if (topic !== "notes" || ms() === 0) answer(runs)
              else
                Effect.runForkWith(context)(
                  Effect.delay(
                    Effect.sync(() => answer(runs)),
                    ms()
                  )
                )
            })
        }
      })
  })

const texts = (places: SpillPlaces) => Effect.map(stored(places.far), (all) => all.map(({ text }) => text))

it.for([
  ["in time", 300],
  ["never", 600_000]
] as const)("closing waits for what is on its way from the spill: its answer comes %s", ([when, ms]) => {
  const places = spillPlaces()
  const lines = spillStory(
    Effect.gen(function* () {
      let slowMs = 0
      const scope = yield* Scope.make()
      const setting = { far: slowly(() => slowMs), drain: "1 second" } as const
      const { leat, notes } = yield* Scope.provide(openSpilling(places, setting), scope)
      places.faults = isAway
      const waiting = yield* Effect.forkChild(Effect.exit(notes.publish(note("k", "0"))), { startImmediately: true })
      yield* until("it is on disk", () => legRow(leat)?.spilled === 1)
      slowMs = ms
      places.faults = {}
      yield* until("it is on its way", () => places.far.topic("notes").partitions[0]?.end === 1n)
      yield* Scope.close(scope, Exit.void)
      const told = yield* Fiber.join(waiting)
      slowMs = 0
      const next = yield* openSpilling(places)
      yield* next.notes.publish(note("k", "1"))
      if (when === "in time") {
        expect(Exit.isSuccess(told)).toBe(true)
        expect(yield* texts(places)).toEqual(["0", "1"])
      } else {
        const error = Exit.isFailure(told) ? Cause.squash(told.cause) : undefined
        expect(error).toMatchObject({ outcome: { stored: 0, spilled: 1, mayBeStored: 1 } })
        expect(yield* texts(places)).toEqual(["0", "0", "1"])
      }
    })
  )
  const told = lines.filter((line) => line.includes("stay in the spill"))
  expect(told).toEqual(
    when === "in time"
      ? []
      : [
          "1 events for far/notes stay in the spill far.notes.1.spill: the next process that opens it sends them; 1 of them had no answer, and may be stored already"
        ]
  )
})

it("closing says what is sent once more also where the spill is not in its hands", () => {
  const places = spillPlaces()
  const lines = spillStory(
    Effect.gen(function* () {
      let isSlow = false
      const scope = yield* Scope.make()
      const { leat, notes } = yield* Scope.provide(
        openSpilling(places, {
          disk: ({ bounds }) => ({ bounds: (...asked) => Effect.delay(bounds(...asked), isSlow ? 20_000 : 0) })
        }),
        scope
      )
      places.faults = isAway
      for (const text of ["0", "1"]) yield* notes.publish(note("k", text), { level: "durable" })
      places.diskFaults = { settle: () => "silence" }
      places.faults = {}
      yield* until("all is stored", () => legRow(leat)?.stored === 2)
      isSlow = true
      yield* places.disk.losePower(0)
      yield* Effect.sleep("3 seconds")
      yield* Scope.close(scope, Exit.void)
    })
  )
  expect(lines.filter((line) => line.includes("once more"))).toEqual([
    "the spill far.notes.1.spill could not settle 2 records that were sent on, or given up: the next process sends them once more"
  ])
})

it("what is dropped from the spill while its lane closes is announced all the same", () => {
  const places = spillPlaces()
  spillStory(
    Effect.gen(function* () {
      let diskMs = 0
      let isRefusing = false
      const error = new TransportError({ reason: "Rejected", transport: "memory", operation: "send", detail: "no" })
      /** Events, and no markers; after a while. */
      const refusing = ({ openWriter }: Transport): Partial<Transport> => ({
        openWriter: (topic) =>
          Effect.gen(function* () {
            const writer = yield* openWriter(topic)
            const context = yield* Effect.context<never>()
            return {
              ...writer,
              send: (...[partition, batch, from, to, timeoutMs, answer]: Parameters<typeof writer.send>) => {
                const isEvent = Array.from({ length: to - from }, (_, index) => batch.value(from + index)).some(
                  (value) => value !== null
                )
                if (!isRefusing || topic !== "notes" || !isEvent)
                  writer.send(partition, batch, from, to, timeoutMs, answer)
                else
                  Effect.runForkWith(context)(
                    Effect.delay(
                      Effect.sync(() => answer([{ from, to, fate: "notStored", error }])),
                      100
                    )
                  )
              }
            }
          })
      })
      const scope = yield* Scope.make()
      const policy = [
        { on: ["passing"], then: "spill" },
        { on: ["Rejected"], then: "drop" }
      ]
      const { leat, notes } = yield* Scope.provide(
        openSpilling(places, {
          policy,
          far: refusing,
          disk: ({ openWriter }) => ({
            openWriter: (topic) =>
              Effect.gen(function* () {
                const writer = yield* openWriter(topic)
                const context = yield* Effect.context<never>()
                return {
                  ...writer,
                  send: (...sent: Parameters<typeof writer.send>) => {
                    if (diskMs === 0) writer.send(...sent)
                    else
                      Effect.runForkWith(context)(
                        Effect.delay(
                          Effect.sync(() => writer.send(...sent)),
                          diskMs
                        )
                      )
                  }
                }
              })
          })
        }),
        scope
      )
      places.faults = isAway
      for (let text = 0; text < 6; text++) yield* notes.publish(note("k", String(text)), { level: "durable" })
      // The marker of the lane takes a while, and what is refused does not.
      diskMs = 1000
      places.faults = {}
      isRefusing = true
      yield* until("one is dropped", () => (legRow(leat)?.dropped["Rejected"] ?? 0) > 0)
      yield* Scope.close(scope, Exit.void)
      diskMs = 0
      isRefusing = false
      const next = yield* openSpilling(places, { policy })
      yield* next.notes.publish(note("k", "6"))
      const log = places.far.topic("notes").partitions[0]
      const said = new Set<number>()
      for (const { headers } of log?.read(log.start, log.end)?.records ?? [])
        for (const { from, to } of auditedRecord(headers)?.dropped ?? [])
          for (let seq = from; seq < to; seq++) said.add(seq)
      const dropped = (legRow(leat)?.dropped["Rejected"] ?? 0) + (legRow(next.leat)?.dropped["Rejected"] ?? 0)
      expect(said.size).toBe(dropped)
    })
  )
})

it.for(["fence", "settle", "trim", "bounds"] as const)(
  "closing has an end where the driver does not let itself be interrupted: %s",
  (what) => {
    const places = spillPlaces()
    const lines = spillStory(
      Effect.gen(function* () {
        let isHung = false
        const never = Effect.uninterruptible(Effect.never)
        const hung = <A, E, R>(is: typeof what, effect: Effect.Effect<A, E, R>) =>
          Effect.suspend(() => (isHung && what === is ? never : effect))
        const scope = yield* Scope.make()
        const { leat, notes } = yield* Scope.provide(
          openSpilling(places, {
            drain: "1 second",
            far: ({ openWriter }) => ({
              openWriter: (topic) =>
                Effect.map(openWriter(topic), (writer) => ({
                  ...writer,
                  fence: (partition) => hung("fence", writer.fence(partition))
                }))
            }),
            disk: ({ subscribe, trim, bounds }) => ({
              trim: (...asked) => hung("trim", trim?.(...asked) ?? Effect.void),
              bounds: (...asked) => hung("bounds", bounds(...asked)),
              subscribe: (asked) =>
                Stream.map(subscribe(asked), (lane) => ({
                  ...lane,
                  settle: (position) => hung("settle", lane.settle(position))
                }))
            })
          }),
          scope
        )
        places.faults = isAway
        yield* notes.publish(note("k", "0"), { level: "durable" })
        isHung = true
        places.faults = {}
        if (what === "bounds") yield* places.disk.losePower(0)
        yield* Effect.sleep("3 seconds")
        const closing = yield* Effect.forkDetach(Scope.close(scope, Exit.void))
        yield* Effect.timeout(Fiber.join(closing), "30 seconds")
        expect(legRow(leat)?.stored).toBe(what === "fence" || what === "bounds" ? 0 : 1)
      })
    )
    // A fence is waited for: nothing else may be sent while it runs.
    expect(lines.some((line) => line.includes("is not closed within"))).toBe(what === "fence")
  }
)
