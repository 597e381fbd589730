import { Effect, Fiber } from "effect"
import { describe, expect, it } from "vitest"
import { Ledger, requireLegs } from "../../src/ledger/Ledger.js"
import { bucketKeys } from "./bucketKeys.js"
import { documentOf, main, mirror, openMirrored, rowOf } from "./mirrors.js"
import { big, note, stored, story } from "./stories.js"

/** Of the eight buckets of the contract. */
const half = { ...mirror, canary: { buckets: "0-49%" } }
const tenth = { ...mirror, canary: { buckets: "0-9%" } }

/** A note for each bucket, in order. */
const round = (text: string) => bucketKeys.map((key) => note(key, text))

const bucketsIn = (records: ReadonlyArray<{ readonly id?: { readonly bucket: number } | undefined }>) =>
  records.map(({ id }) => id?.bucket)

describe("a canary", () => {
  it("takes the events of its buckets, with the ids that they have, and nothing else", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, main: one, far } = yield* openMirrored([main, half])
        yield* notes.publishAll(round("1"))
        const all = yield* stored(one.broker)
        const some = yield* stored(far.broker, "copies")
        expect(bucketsIn(all)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
        expect(some.map(({ id, text }) => [id, text])).toEqual(all.slice(0, 4).map(({ id, text }) => [id, text]))
        expect(rowOf(leat, "far/copies")).toMatchObject({ buckets: { from: 0, to: 4 }, admitted: 4, stored: 4 })
        expect(rowOf(leat, "main/notes")).not.toHaveProperty("buckets")
        expect(leat.ledger.snapshot()).toMatchObject({ balanced: true, streams: [{ admitted: 8 }] })
      })
    ))

  it("is waited for by the events of its buckets alone", () =>
    story(
      Effect.gen(function* () {
        const { notes, far } = yield* openMirrored([main, half])
        far.faults = { send: () => ({ kind: "delay", ms: 5000 }) }
        const inside = yield* notes.publish(note(bucketKeys[3], "in")).pipe(Effect.timeoutOption(1000))
        const outside = yield* notes.publish(note(bucketKeys[4], "out")).pipe(Effect.timeoutOption(1000))
        expect([inside._tag, outside._tag]).toEqual(["None", "Some"])
        const { outcome } = yield* notes.publish(note(bucketKeys[5], "out"))
        expect(yield* outcome).toMatchObject({ stored: 1 })
      })
    ))

  it("that is full holds nobody up whose key is not its own", () =>
    story(
      Effect.gen(function* () {
        const small = { ...half, buffer: { bytes: 65_536, overflow: "reject" } }
        const { notes, far } = yield* openMirrored([main, small])
        far.faults = { send: () => ({ kind: "delay", ms: 60_000 }) }
        const own = (bucket: 0 | 3 | 4) => ({ ...big("x"), key: bucketKeys[bucket] })
        while (notes.offer(own(0)).admitted);
        expect(notes.offer(own(0))).toMatchObject({ admitted: false, reason: "overflow" })
        for (let count = 0; count < 100; count++) expect(notes.offer(own(4)).admitted).toBe(true)
      })
    ))

  it("that is best effort and away counts and announces as dropped what is of its buckets", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, far } = yield* openMirrored([main, { ...half, required: false }])
        yield* notes.publish(note(bucketKeys[0], "1"))
        const other = { ...half, topic: "others", required: false }
        far.opening = Effect.never
        yield* leat.swapRoutes(documentOf(2, [main, other]))
        yield* notes.publishAll(round("2"))
        expect(rowOf(leat, "far/others")).toMatchObject({ admitted: 4, dropped: { Unavailable: 4 } })
        // With another share of the same leg, still away.
        yield* leat.swapRoutes(documentOf(3, [main, { ...tenth, topic: "others", required: false }]))
        yield* notes.publishAll(round("3"))
        expect(rowOf(leat, "far/others")).toMatchObject({ admitted: 5, dropped: { Unavailable: 5 } })
      })
    ))

  it("gets another share between two events, is added and is removed, and the counts balance throughout", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes, main: one, far } = yield* openMirrored([main])
        const tables: ReadonlyArray<readonly [count: number, legs: ReadonlyArray<object>]> = [
          [1, [main, tenth]],
          [4, [main, half]],
          [8, [main, mirror]],
          [1, [main, tenth]],
          [0, [main]],
          [4, [main, half]]
        ]
        const expected: Array<string> = []
        for (const [at, [count, legs]] of tables.entries()) {
          yield* leat.swapRoutes(documentOf(at + 2, legs))
          yield* notes.publishAll(round(`${at}`))
          for (let bucket = 0; bucket < count; bucket++) expected.push(`${at} ${bucket}`)
          expect(leat.ledger.snapshot().balanced).toBe(true)
        }
        const there = yield* stored(far.broker, "copies")
        expect(there.map(({ id, text }) => `${text} ${id?.bucket}`)).toEqual(expected)
        expect(one.count("open")).toBe(1)
        expect(yield* stored(one.broker)).toHaveLength(48)
      })
    ))

  it("is not waited for any longer by an event that another share leaves out", () =>
    story(
      Effect.gen(function* () {
        const full = { ...half, buffer: { bytes: 65_536, overflow: "block" } }
        const { leat, notes, far } = yield* openMirrored([main, full])
        far.faults = { send: () => ({ kind: "delay", ms: 20_000 }) }
        const own = (bucket: 0 | 3 | 4) => ({ ...big("x"), key: bucketKeys[bucket] })
        while (notes.offer(own(3)).admitted);
        const first = yield* Effect.forkChild(notes.publish(own(0)))
        yield* Effect.sleep(100)
        const waiting = yield* Effect.forkChild(notes.publish(own(3)))
        yield* Effect.sleep(100)
        expect(leat.ledger.snapshot().streams[0]).toMatchObject({ waiting: 2, balanced: true })
        yield* leat.swapRoutes(documentOf(2, [main, { ...full, canary: { buckets: "0-9%" } }]))
        const done = yield* Effect.timeoutOption(Fiber.join(waiting), 1000)
        expect(done._tag).toBe("Some")
        // The one before it in line is still of the share.
        expect(first.pollUnsafe()).toBeUndefined()
        expect(leat.ledger.snapshot()).toMatchObject({ streams: [{ waiting: 1 }], balanced: true })
        yield* Fiber.join(first)
      })
    ))

  it("does not balance where it has admitted other events than those of its buckets", () => {
    const ledger = new Ledger()
    const stream = ledger.stream("s")
    const account = ledger.account("s", "far/copies", 1)
    let sequences = [5, 0, 2]
    const taken = {
      takenIn: ({ from, to }: { readonly from: number; readonly to: number }) =>
        sequences.slice(from, to).reduce((sum, next) => sum + next, 0)
    }
    account.buckets = { from: 1, to: 3 }
    requireLegs(stream, [account], taken)
    const balanced = (admitted: number) => {
      account.admitted = admitted
      return ledger.snapshot().streams[0]?.balanced
    }
    Object.assign(stream, { offered: 7, admitted: 7 })
    expect([balanced(0), balanced(1)]).toEqual([true, false])
    sequences = [6, 1, 2]
    Object.assign(stream, { offered: 9, admitted: 9 })
    expect([balanced(0), balanced(1), balanced(2)]).toEqual([false, true, false])
    // The same share again: what was wrong stays wrong.
    requireLegs(stream, [account], taken)
    expect(ledger.snapshot().streams[0]?.balanced).toBe(false)
    account.buckets = { from: 0, to: 1 }
    requireLegs(stream, [account], taken)
    sequences = [7, 1, 2]
    Object.assign(stream, { offered: 10, admitted: 10 })
    expect([balanced(2), balanced(3)]).toEqual([false, true])
  })
})
