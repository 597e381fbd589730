import { Cause, Clock, Effect, Exit, Fiber, Logger, Scope, Stream } from "effect"
import { MemoryBroker, memoryTransport, TransportError } from "leat"
import { faultTransport, type SendFault, seededRandom, simulate, waitUntil } from "leat/testing"
import { batchOf, sendEffect, type Transport } from "leat/transport"
import { describe, expect, it } from "vitest"
import { applySaid, type Control, emptyControl } from "../../src/control/Control.ts"
import { readEntry, writeControl, writeEntry } from "../../src/control/controlCodec.ts"
import type { ControlError } from "../../src/control/ControlError.ts"
import type { ControlRecord, Place } from "../../src/control/ControlRecord.ts"
import { type ControlStream, type ControlStreamOptions, openControlStream } from "../../src/control/ControlStream.ts"
import { monotonicMs } from "../../src/Wake.ts"
import { exactly } from "./stories.ts"

const topic = "leat-control"
const place: Place = { cluster: "c", topic: "t", partitions: 1 }
const table = (base: number, document = ""): ControlRecord => ({
  kind: "table",
  base,
  document,
  places: new Map([["X", place]])
})

/** Runs a story on virtual time, and fails as it does. */
function story(program: Effect.Effect<void, unknown, Scope.Scope>, seed = 1, racing = 0): void {
  const { exit } = simulate(seed, Effect.scoped(program), { racing })
  if (Exit.isFailure(exit)) throw new Error(`the story failed: ${Cause.pretty(exit.cause)}`)
}

const opened = (transport: Transport, author: string, options: Partial<ControlStreamOptions> = {}) =>
  openControlStream({ transport, topic, author, beatEvery: "1 hour", ...options })

const reasonOf = (effect: Effect.Effect<unknown, ControlError>): Effect.Effect<string> =>
  Effect.match(effect, { onFailure: ({ reason }) => reason, onSuccess: () => "none" })

interface Raw {
  readonly control: Control
  /** Author and reason of each record that is there, in order, and whether it counts. */
  readonly lines: ReadonlyArray<string>
}

/** What a reader finds that was never away, and has no shell. */
const rawOf = (transport: Transport): Effect.Effect<Raw, TransportError> =>
  Effect.map(Stream.runCollect(transport.read(topic, 0, { fromPosition: 0n })), (batches) => {
    let control = emptyControl
    const lines: Array<string> = []
    for (const { value, timeMs } of batches.flatMap(({ records }) => [...records])) {
      const found = readEntry(value ?? new Uint8Array(0))
      if (found._tag === "Failure") continue
      const { author, reason, record } = found.success
      const after = applySaid(control, record, { author, reason, timeMs })
      lines.push(`${author} ${record.kind} ${reason} ${after === control ? "does not count" : "counts"}`)
      control = after
    }
    return { control, lines }
  })

const put = (transport: Transport, value: string | Uint8Array) =>
  Effect.scoped(
    Effect.flatMap(transport.openWriter(topic), (writer) =>
      sendEffect(writer, 0, batchOf([{ key: null, value }]), 0, 1, 1000)
    )
  )

describe("a control stream", () => {
  it.each([50, 150])(
    "says that its process is gone: closed %s ms after its first beat, which is read back after 100",
    (ms) =>
      story(
        Effect.gen(function* () {
          const transport = memoryTransport(new MemoryBroker())
          const slow: Transport = {
            ...transport,
            read: (...asked) => Stream.unwrap(Effect.as(Effect.sleep(100), transport.read(...asked)))
          }
          const closing = yield* Scope.make()
          yield* Scope.provide(opened(slow, "one"), closing)
          yield* Effect.sleep(ms)
          expect((yield* rawOf(transport)).lines).toEqual(["one beat  counts"])
          yield* Scope.close(closing, Exit.void)
          const { control, lines } = yield* rawOf(transport)
          expect(lines).toEqual(["one beat  counts", "one forgotten  counts"])
          expect(control.members.has("one")).toBe(false)
        })
      )
  )

  it("has one winner where two write on the same base, and both know who", () =>
    story(
      Effect.gen(function* () {
        const transport = memoryTransport(new MemoryBroker())
        const one = yield* opened(transport, "one")
        const two = yield* opened(transport, "two")
        const written = yield* Effect.all([one.write(table(0, "1"), "mine"), two.write(table(0, "2"), "mine")], {
          concurrency: "unbounded"
        })
        expect(written.filter(({ counts }) => counts)).toHaveLength(1)
        yield* Effect.all([one.look, two.look])
        const winner = written[0].counts ? "1" : "2"
        for (const stream of [one, two]) expect(stream.control).toMatchObject({ version: 1, document: winner })
        const late = yield* opened(transport, "three")
        yield* Effect.sleep("3 seconds")
        expect(exactly(late.control)).toBe(exactly(one.control))
        expect((yield* rawOf(transport)).lines.filter((line) => line.includes("table mine"))).toHaveLength(2)
      })
    ))

  it("is followed: who has written nothing sees each state", () =>
    story(
      Effect.gen(function* () {
        const transport = memoryTransport(new MemoryBroker())
        const one = yield* opened(transport, "one")
        const two = yield* opened(transport, "two")
        const seen: Array<number> = []
        yield* Effect.forkScoped(Stream.runForEach(two.changes, ({ version }) => Effect.sync(() => seen.push(version))))
        for (const base of [0, 1, 2]) {
          yield* one.write(table(base))
          yield* Effect.sleep("1500 millis")
        }
        expect(seen.filter((version, index) => version !== seen[index - 1])).toEqual([0, 1, 2, 3])
      })
    ))

  it("is joined before anything is sent, and left for good", () =>
    story(
      Effect.gen(function* () {
        const one = yield* opened(memoryTransport(new MemoryBroker()), "one")
        expect((yield* Effect.flip(one.join("X"))).message).toBe(
          "control stream: Refused: no table says where stream X lies"
        )
        yield* one.write(table(0))
        expect((yield* one.join("X")).counts).toBe(true)
        expect((yield* one.join("X")).counts).toBe(false)
        expect((yield* one.write({ kind: "left", stream: "X", member: "one", upTo: [7] })).counts).toBe(true)
        expect((yield* Effect.flip(one.join("X"))).detail).toBe(
          "one is no writer of X any more, and takes another name to be one"
        )
      })
    ))

  it("beats while it is open, with the version that was applied", () =>
    story(
      Effect.gen(function* () {
        const transport = memoryTransport(new MemoryBroker())
        const one = yield* opened(transport, "one")
        const living = Effect.andThen(
          opened(transport, "two", { beatEvery: "5 seconds", applied: () => 7 }),
          Effect.sleep("12 seconds")
        )
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* living
            yield* one.look
            expect(one.control.members.get("two")).toEqual({ beats: 3, version: 7, refused: "" })
          })
        )
        yield* Effect.sleep("3 seconds")
        expect([...one.control.members.keys()]).toEqual(["one"])
      })
    ))

  it("forgets who has not beaten for long, and nobody who writes a stream", () =>
    story(
      Effect.gen(function* () {
        const transport = memoryTransport(new MemoryBroker())
        const one = yield* opened(transport, "one", { beatEvery: "5 seconds", forgetAfter: "1 minute" })
        yield* one.write(table(0))
        for (const member of ["dead", "writer"]) yield* one.write({ kind: "beat", member, version: 1, refused: "" })
        yield* one.write({ kind: "joined", stream: "X", member: "writer" })
        yield* Effect.sleep("55 seconds")
        expect(one.control.members.has("dead")).toBe(true)
        yield* Effect.sleep("15 seconds")
        expect([...one.control.members.keys()].toSorted()).toEqual(["one", "writer"])
        const before = (yield* rawOf(transport)).lines.filter((line) => line.includes("forgotten"))
        yield* Effect.sleep("10 minutes")
        const after = (yield* rawOf(transport)).lines.filter((line) => line.includes("forgotten"))
        expect(after).toEqual(before)
      })
    ))

  it("refuses what is out of bounds, and writes nothing", () =>
    story(
      Effect.gen(function* () {
        const transport = memoryTransport(new MemoryBroker())
        const one = yield* opened(transport, "one")
        yield* one.look
        const before = (yield* rawOf(transport)).lines
        const long = yield* Effect.flip(one.write({ kind: "beat", member: "x".repeat(250), version: 1, refused: "" }))
        expect(long.message).toBe(
          "control stream: Refused: member of a control record has to be a text of 1 to 249 characters"
        )
        const places = new Map(
          Array.from({ length: 4096 }, (_, index) => [`${index}${"s".repeat(240)}`, place] as const)
        )
        const large = yield* Effect.flip(one.write({ kind: "table", base: 0, document: "", places }))
        expect(large.message).toContain("Refused: a control record has at most 1000000 bytes, and this one has")
        expect((yield* rawOf(transport)).lines).toEqual(before)
      })
    ))

  it("passes over what is no record, and over kinds that only a newer leat has", () =>
    story(
      Effect.gen(function* () {
        const transport = memoryTransport(new MemoryBroker())
        const one = yield* opened(transport, "one")
        yield* put(transport, "this is no record")
        yield* put(transport, Uint8Array.from([0x0a, 1, 0x61, 0xfa, 0x01, 0]))
        expect((yield* one.write(table(0))).counts).toBe(true)
        expect([...one.control.unknownKinds]).toEqual(["field 31"])
        expect(one.unreadable).toBe(1)
      })
    ))

  it("warns where the topic does not keep what is written there", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    story(
      Effect.gen(function* () {
        const inner = memoryTransport(new MemoryBroker())
        const differences = [{ property: "retention.ms", asked: "-1", found: "604800000" }]
        const transport: Transport = {
          ...inner,
          ensure: (spec) => Effect.as(inner.ensure(spec), { status: "differs", partitions: 1, differences })
        }
        yield* opened(transport, "one")
      }).pipe(Effect.provide(Logger.layer([logger])))
    )
    expect(lines).toEqual([
      "the control stream in topic leat-control may lose what nobody has read: retention.ms is 604800000 instead of -1; correct the topic"
    ])
  })

  it.each([
    ["three partitions", { partitions: 3 }, {}, "has 3 partitions, and a control stream has one"],
    ["no order", { partitions: 1 }, { ordering: "none" as const }, "does not keep the order of a partition"]
  ])("is not opened on a topic with %s", (_, { partitions }, capabilities, detail) =>
    story(
      Effect.gen(function* () {
        const inner = memoryTransport(new MemoryBroker())
        yield* inner.ensure({ topic, partitions })
        const transport = { ...inner, capabilities: { ...inner.capabilities, ...capabilities } }
        const error = yield* Effect.flip(Effect.scoped(opened(transport, "one")))
        expect(error).toMatchObject({ reason: "Unfit" })
        expect(error.detail).toContain(detail)
      })
    )
  )
})

describe("a control stream whose cluster has faults", () => {
  const awayError = new TransportError({
    reason: "Unavailable",
    transport: "memory",
    operation: "bounds",
    detail: "away"
  })

  /** The `at`-th table that is sent has a fault; beats have none. */
  const withFault = (inner: Transport, fault: SendFault, times = 1): Transport => {
    let left = 0
    return faultTransport(inner, {
      send: ({ call }) => {
        if (call === 0) return undefined
        return left++ < times ? fault : undefined
      }
    })
  }

  it.each<[string, SendFault]>([
    ["an answer that is lost", { kind: "loseResponse" }],
    ["a connection that breaks", { kind: "cut" }],
    ["a request that comes late, and is fenced off", { kind: "lateWrite", ms: 4000 }],
    ["a broker that is away for a moment", { kind: "fail", reason: "Unavailable" }],
    ["no answer", { kind: "silence" }],
    ["a driver that throws", { kind: "throw" }],
    ["two answers", { kind: "answerTwice", ms: 100 }]
  ])("says once what it says, over %s", (_, fault) =>
    story(
      Effect.gen(function* () {
        const inner = memoryTransport(new MemoryBroker())
        const one = yield* opened(withFault(inner, fault), "one")
        yield* Effect.sleep("1 second")
        expect(yield* one.write(table(0), "mine")).toMatchObject({ counts: true, control: { version: 1 } })
        yield* Effect.sleep("20 seconds")
        const { lines, control } = yield* rawOf(inner)
        expect(lines.filter((line) => line.includes("mine"))).toEqual(["one table mine counts"])
        expect(exactly(one.control)).toBe(exactly(control))
      })
    )
  )

  it("where nothing fences, a late copy does not count, and everybody sees the same", () =>
    story(
      Effect.gen(function* () {
        const inner = memoryTransport(new MemoryBroker())
        const late = withFault(inner, { kind: "lateWrite", ms: 4000 })
        const unfenced = { ...late, capabilities: { ...late.capabilities, fencing: "none" as const } }
        const one = yield* opened(unfenced, "one")
        yield* Effect.sleep("1 second")
        expect(yield* one.write(table(0), "mine")).toMatchObject({ counts: true })
        yield* Effect.sleep("20 seconds")
        const { lines, control } = yield* rawOf(inner)
        expect(lines.filter((line) => line.includes("mine"))).toEqual([
          "one table mine counts",
          "one table mine does not count"
        ])
        expect(exactly(one.control)).toBe(exactly(control))
      })
    ))

  it("goes by the first copy where it reads two at once", () =>
    story(
      Effect.gen(function* () {
        const inner = memoryTransport(new MemoryBroker())
        const lossy = withFault(inner, { kind: "loseResponse" })
        let isAway = false
        const transport: Transport = {
          ...lossy,
          capabilities: { ...lossy.capabilities, fencing: "none" },
          bounds: (name, group) => (isAway ? Effect.fail(awayError) : inner.bounds(name, group))
        }
        const one = yield* opened(transport, "one")
        yield* Effect.sleep("1 second")
        isAway = true
        const writing = yield* Effect.forkScoped(one.write(table(0), "mine"))
        yield* Effect.sleep("2 seconds")
        isAway = false
        expect(yield* Fiber.join(writing)).toMatchObject({ counts: true })
        expect((yield* rawOf(inner)).lines.filter((line) => line.includes("mine"))).toEqual([
          "one table mine counts",
          "one table mine does not count"
        ])
      })
    ))

  it("fails with Unreachable when nothing was stored, and with InDoubt when nobody can tell", () =>
    story(
      Effect.gen(function* () {
        const inner = memoryTransport(new MemoryBroker())
        const refusing = yield* opened(withFault(inner, { kind: "fail", reason: "Unavailable" }, 1e9), "one")
        const cut = withFault(inner, { kind: "cut" }, 1e9)
        const fenced = yield* opened(cut, "two")
        const unfenced = yield* opened({ ...cut, capabilities: { ...cut.capabilities, fencing: "none" } }, "three")
        yield* Effect.sleep("1 second")
        const clock = yield* Clock.Clock
        const startMs = monotonicMs(clock)
        const reasons = [refusing, fenced, unfenced].map((stream) => reasonOf(stream.write(table(0), "mine")))
        expect(yield* Effect.all(reasons, { concurrency: "unbounded" })).toEqual([
          "Unreachable",
          "Unreachable",
          "InDoubt"
        ])
        expect(monotonicMs(clock) - startMs).toBeLessThan(16_000)
        expect((yield* rawOf(inner)).lines.filter((line) => line.includes("mine"))).toEqual([])
      })
    ))

  it("says why nothing can be written there, although it is followed", () =>
    story(
      Effect.gen(function* () {
        const inner = memoryTransport(new MemoryBroker())
        const readOnly = withFault(inner, { kind: "fail", reason: "Unauthorized" }, 1e9)
        const one = yield* opened(readOnly, "one", { beatEvery: "5 seconds" })
        yield* Effect.sleep("30 seconds")
        expect(one.trouble).toContain("Unauthorized")
      })
    ))

  it("fences before it sends anything more, also where the first fence has failed", () =>
    story(
      Effect.gen(function* () {
        const inner = memoryTransport(new MemoryBroker())
        let isAway = false
        let isShut = false
        const strict: Transport = {
          ...inner,
          openWriter: (name) =>
            Effect.map(inner.openWriter(name), (writer) => ({
              ...writer,
              send: (partition, batch, from, to, timeoutMs, answer) => {
                if (isShut) return answer([{ from, to, fate: "notStored", error: awayError }])
                if (!isAway) return writer.send(partition, batch, from, to, timeoutMs, answer)
                isShut = true
                answer([{ from, to, fate: "unknown" }])
              },
              fence: (partition) => {
                if (isAway) return Effect.fail(awayError)
                isShut = false
                return writer.fence(partition)
              }
            }))
        }
        const one = yield* opened(strict, "one")
        yield* Effect.sleep("1 second")
        isAway = true
        expect(yield* reasonOf(one.write(table(0), "lost"))).toBe("InDoubt")
        isAway = false
        expect(yield* one.write(table(0), "mine")).toMatchObject({ counts: true })
      })
    ))

  it("goes on with what it has while the cluster is away, says why, and catches up", () =>
    story(
      Effect.gen(function* () {
        const inner = memoryTransport(new MemoryBroker())
        let isAway = false
        const gone = Effect.suspend(() => (isAway ? Effect.fail(awayError) : Effect.void))
        const away: Transport = {
          ...inner,
          bounds: (name, group) => Effect.andThen(gone, inner.bounds(name, group)),
          read: (name, partition, range) => Stream.unwrap(Effect.as(gone, inner.read(name, partition, range)))
        }
        const one = yield* opened(inner, "one")
        const two = yield* opened(away, "two")
        yield* one.write(table(0))
        yield* Effect.sleep("2 seconds")
        isAway = true
        yield* one.write(table(1))
        yield* Effect.sleep("30 seconds")
        expect(two.control.version).toBe(1)
        expect(two.trouble).toContain("Unavailable: away")
        const writing = yield* Effect.forkScoped(reasonOf(two.write(table(2))))
        expect(yield* Fiber.join(writing)).toBe("InDoubt")
        isAway = false
        yield* Effect.sleep("2 seconds")
        expect(two.trouble).toBeUndefined()
        // What was in doubt was stored, and counts.
        expect(two.control.version).toBe(3)
      })
    ))

  it("waits for no driver for ever that does not answer a read", () =>
    story(
      Effect.gen(function* () {
        const inner = memoryTransport(new MemoryBroker())
        let isSilent = false
        const silent: Transport = {
          ...inner,
          bounds: (name, group) => Effect.suspend(() => (isSilent ? Effect.never : inner.bounds(name, group)))
        }
        const one = yield* opened(inner, "one")
        const two = yield* opened(silent, "two")
        isSilent = true
        yield* one.write(table(0))
        yield* Effect.sleep("1 minute")
        expect(two.trouble).toBe("control stream: Unreachable: no answer within 30000 ms")
        isSilent = false
        yield* Effect.sleep("40 seconds")
        expect(two.control.version).toBe(1)
        // Of the beat in between nobody knows whether it was written.
        yield* two.beat
        expect(two.trouble).toBeUndefined()
      })
    ))

  // Records that others have written since, when it is looked at again: of the three that stood there two are lost.
  it.each([
    [0, "ends at position 2, and was read up to 3"],
    [1, "has another record at position 2 than was read there"],
    [40, "has another record at position 2 than was read there"]
  ])("is not followed any more when it was put back to an older state, and says so: %s", (written, sentence) => {
    const told: Array<string> = []
    const logger = Logger.make(({ message }) => void told.push(String(message)))
    story(
      Effect.gen(function* () {
        const inner = memoryTransport(new MemoryBroker())
        const older = memoryTransport(new MemoryBroker())
        let now = inner
        const restored: Transport = {
          ...inner,
          bounds: (name, group) => Effect.suspend(() => now.bounds(name, group)),
          read: (name, partition, range) => Stream.unwrap(Effect.sync(() => now.read(name, partition, range)))
        }
        const one = yield* opened(restored, "one")
        yield* one.write(table(0))
        yield* one.write(table(1))
        const other = yield* opened(older, "other")
        yield* other.write(table(0, "of another time"))
        for (let count = 0; count < written; count++) yield* other.write(table(count + 1))
        now = older
        yield* Effect.sleep("3 seconds")
        expect(one.trouble).toContain(`Lost: topic leat-control ${sentence}`)
        for (const base of [1, 2, 3, 4].map((more) => more + written)) yield* other.write(table(base))
        yield* Effect.sleep("3 seconds")
        expect(one.trouble).toContain("it was put back to an older state; start this process again")
        expect(one.control.version).toBe(2)
        expect(yield* reasonOf(one.write(table(2)))).toBe("Lost")
      }).pipe(Effect.provide(Logger.layer([logger])))
    )
    expect(told.filter((line) => line.includes("is followed no more"))).toEqual([expect.stringContaining(sentence)])
  })

  it("converges over faults by chance: what counts counts for all, what is unreachable is not there", () => {
    for (let seed = 1; seed <= 25; seed++) {
      const random = seededRandom(seed)
      const isFenced = seed % 2 === 0
      const inner = memoryTransport(new MemoryBroker())
      const faults: ReadonlyArray<SendFault | undefined> = [
        undefined,
        undefined,
        { kind: "loseResponse" },
        { kind: "cut" },
        { kind: "lateWrite", ms: 3000 },
        { kind: "fail", reason: "Unavailable" },
        { kind: "delay", ms: 500 },
        // Behind it nothing is sent until a fence.
        isFenced ? { kind: "silence" } : undefined
      ]
      const faulty = faultTransport(inner, { send: () => faults[Math.floor(random() * faults.length)] })
      const transport = isFenced
        ? faulty
        : { ...faulty, capabilities: { ...faulty.capabilities, fencing: "none" as const } }
      const told: Array<{ readonly reason: string; readonly became: string }> = []
      const acts = (stream: ControlStream, name: string) =>
        Effect.gen(function* () {
          for (let turn = 0; turn < 6; turn++) {
            const reason = `${name}-${turn}`
            const became = yield* Effect.match(stream.write(table(stream.control.version, reason), reason), {
              onFailure: (error) => error.reason,
              onSuccess: ({ counts }) => (counts ? "counts" : "does not count")
            })
            told.push({ reason, became })
            yield* Effect.sleep(Math.floor(random() * 2000))
          }
        })
      story(
        Effect.gen(function* () {
          const names = ["one", "two", "three"]
          const living = Effect.gen(function* () {
            const found = yield* Effect.forEach(names, (name) => opened(transport, name, { beatEvery: "3 seconds" }))
            const all = found.map((stream, index) => acts(stream, names[index] ?? ""))
            yield* Effect.all(all, { concurrency: "unbounded" })
            return found
          })
          const streams = yield* Effect.scoped(living)
          // What is late lands, and nobody beats any more.
          yield* Effect.sleep("1 minute")
          yield* Effect.forEach(streams, ({ look }) => look)
          const { control, lines } = yield* rawOf(inner)
          for (const stream of streams) expect(exactly(stream.control)).toBe(exactly(control))
          const counting = lines.filter((line) => line.includes(" table ") && line.endsWith(" counts"))
          expect(control.version).toBe(counting.length)
          for (const { reason, became } of told) {
            const found = lines.filter((line) => line.includes(` table ${reason} `))
            const counted = found.filter((line) => line.endsWith(" counts")).length
            expect({ seed, reason, became, counted }).toEqual({
              seed,
              reason,
              became,
              counted: became === "counts" ? 1 : became === "InDoubt" ? counted : 0
            })
            expect({ seed, reason, found: found.length > 0 }).toEqual({
              seed,
              reason,
              found: became !== "Unreachable" && (became !== "InDoubt" || found.length > 0)
            })
          }
          expect(told.some(({ became }) => became === "counts")).toBe(true)
        }),
        seed,
        0.2
      )
    }
  })
})

describe("snapshots of a control stream", () => {
  const kept = (transport: Transport) =>
    Effect.map(transport.bounds(topic), ([bounds]) => Number((bounds?.end ?? 0n) - (bounds?.start ?? 0n)))

  it("keep it short, and who starts or was away for long knows the same as who has read all", () =>
    story(
      Effect.gen(function* () {
        const transport = memoryTransport(new MemoryBroker())
        const options = { beatEvery: "1 second", snapshotEvery: 20 } as const
        const sleeper = yield* opened(transport, "sleeper", { lookEvery: "1 hour" })
        const living = Effect.gen(function* () {
          const [first, second] = [yield* opened(transport, "one", options), yield* opened(transport, "two", options)]
          yield* first.write(table(0, "first"))
          yield* Effect.all([first.join("X"), second.join("X")])
          yield* Effect.sleep("10 minutes")
          return first
        })
        const one = yield* Effect.scoped(living)
        expect(yield* kept(transport)).toBeLessThan(100)
        const [bounds] = yield* transport.bounds(topic)
        expect(Number(bounds?.start)).toBeGreaterThan(1000)
        const late = yield* opened(transport, "late")
        yield* Effect.sleep("3 seconds")
        yield* Effect.all([one.look, sleeper.look])
        expect(late.control).toMatchObject({ version: 1, document: "first" })
        // It was closed, and has said so of itself and of the stream that it wrote.
        expect(late.control.members.has("two")).toBe(false)
        expect(late.control.streams.get("X")?.writers.get("two")).toBe("left")
        expect(exactly(late.control)).toBe(exactly(one.control))
        expect(exactly(sleeper.control)).toBe(exactly(one.control))
        expect((yield* sleeper.write(table(1, "second"))).counts).toBe(true)
      })
    ))

  it("are in parts where they are long", () =>
    story(
      Effect.gen(function* () {
        const transport = memoryTransport(new MemoryBroker())
        const one = yield* opened(transport, "one")
        const wide = { ...place, partitions: 4096 }
        for (const base of [0, 1, 2]) {
          const streams = Array.from(
            { length: 90 },
            (_, index) => [`${base} ${index} ${"s".repeat(200)}`, wide] as const
          )
          const places = new Map(streams)
          yield* one.write({ kind: "table", base, document: "€".repeat(200_000), places })
        }
        yield* one.snapshot
        yield* one.write(table(3))
        yield* one.snapshot
        const [bounds] = yield* transport.bounds(topic)
        expect(Number(bounds?.start)).toBeGreaterThan(0)
        // The one before is there too, in six parts or more: who reads it goes on.
        expect((yield* rawOf(transport)).lines.filter((line) => line.includes(" snapshot ")).length).toBeGreaterThan(10)
        const late = yield* opened(transport, "late")
        yield* Effect.sleep("3 seconds")
        expect(late.control.streams.size).toBe(271)
        expect(exactly(late.control)).toBe(exactly(one.control))
      })
    ))

  it("are needed where the beginning is gone: without one nobody starts", () =>
    story(
      Effect.gen(function* () {
        const transport = memoryTransport(new MemoryBroker())
        const one = yield* opened(transport, "one")
        for (const base of [0, 1, 2]) yield* one.write(table(base))
        yield* transport.trim?.(topic, 0, 2n) ?? Effect.void
        const error = yield* Effect.flip(Effect.scoped(opened(transport, "two")))
        expect(error.message).toBe(
          "control stream: Lost: topic leat-control: it begins at position 2, and no snapshot in it has what was before; it was trimmed too far"
        )
        // Who has read it goes on, and saves it.
        yield* one.snapshot
        const two = yield* opened(transport, "two")
        expect(two.control.version).toBe(3)
      })
    ))

  it("are begun from anew by who is overtaken by a trim between its look and its read", () =>
    story(
      Effect.gen(function* () {
        const inner = memoryTransport(new MemoryBroker())
        let before: Effect.Effect<void, TransportError> = Effect.void
        const slow: Transport = {
          ...inner,
          read: (name, partition, range) =>
            Stream.unwrap(
              Effect.suspend(() => {
                const first = before
                before = Effect.void
                return Effect.as(first, inner.read(name, partition, range))
              })
            )
        }
        const two = yield* opened(slow, "two", { lookEvery: "1 hour" })
        const one = yield* opened(inner, "one")
        yield* Effect.sleep("1 second")
        for (const base of [0, 1, 2]) yield* one.write(table(base))
        yield* one.snapshot
        const end = BigInt((yield* rawOf(inner)).lines.length)
        before = inner.trim?.(topic, 0, end - 1n) ?? Effect.void
        yield* two.look
        expect(two.trouble).toBeUndefined()
        expect(exactly(two.control)).toBe(exactly(one.control))
      })
    ))

  it("are begun from by who opens it while it is trimmed for the first time", () =>
    story(
      Effect.gen(function* () {
        const inner = memoryTransport(new MemoryBroker())
        const one = yield* opened(inner, "one")
        for (const base of [0, 1, 2]) yield* one.write(table(base))
        yield* one.snapshot
        const end = BigInt((yield* rawOf(inner)).lines.length)
        let trimming = inner.trim?.(topic, 0, end - 1n) ?? Effect.void
        const slow: Transport = {
          ...inner,
          read: (name, partition, range) => {
            const first = trimming
            trimming = Effect.void
            return Stream.unwrap(Effect.as(first, inner.read(name, partition, range)))
          }
        }
        const two = yield* opened(slow, "two")
        expect(two.control.version).toBe(3)
        yield* Effect.sleep("3 seconds")
        yield* Effect.all([one.look, two.look])
        expect(exactly(two.control)).toBe(exactly(one.control))
      })
    ))

  it("are of no use when what lies between them and the beginning is gone", () =>
    story(
      Effect.gen(function* () {
        const transport = memoryTransport(new MemoryBroker())
        const one = yield* opened(transport, "one")
        yield* Effect.sleep("1 second")
        const { control: before, lines } = yield* rawOf(transport)
        yield* one.write(table(0))
        const bytes = writeControl(before)
        yield* one.write({ kind: "snapshot", upTo: lines.length, part: 0, parts: 1, bytes })
        yield* transport.trim?.(topic, 0, BigInt(lines.length + 1)) ?? Effect.void
        expect(yield* reasonOf(Effect.scoped(opened(transport, "two")))).toBe("Lost")
      })
    ))

  it("are trimmed behind only when they were read back whole", () =>
    story(
      Effect.gen(function* () {
        const inner = memoryTransport(new MemoryBroker())
        let isBusy = false
        const half = (author: string): Uint8Array => {
          const bytes = new Uint8Array(1)
          return writeEntry({
            author,
            number: 1,
            reason: "",
            record: { kind: "snapshot", upTo: 1, part: 0, parts: 2, bytes }
          })
        }
        // Behind each record, halves of more snapshots than a reader keeps begun.
        const crowded: Transport = {
          ...inner,
          openWriter: (name) =>
            Effect.map(inner.openWriter(name), (writer) => ({
              ...writer,
              send: (partition, batch, from, to, timeoutMs, answer) => {
                writer.send(partition, batch, from, to, timeoutMs, answer)
                if (!isBusy) return
                const halves = batchOf(
                  Array.from({ length: 20 }, (_, index) => ({ key: null, value: half(`author ${index}`) }))
                )
                writer.send(partition, halves, 0, halves.count, timeoutMs, () => undefined)
              }
            }))
        }
        const one = yield* opened(crowded, "one")
        yield* one.write(table(0, "€".repeat(200_000)))
        yield* one.snapshot
        const start = () => Effect.map(inner.bounds(topic), ([bounds]) => bounds?.start)
        isBusy = true
        yield* one.snapshot
        expect(yield* start()).toBe(0n)
        isBusy = false
        yield* one.snapshot
        expect(yield* start()).toBeGreaterThan(0n)
      })
    ))

  it("are not taken from somebody who has written half of one, or garbage", () =>
    story(
      Effect.gen(function* () {
        const transport = memoryTransport(new MemoryBroker())
        const one = yield* opened(transport, "one")
        yield* one.write(table(0, "first"))
        const garbage = Uint8Array.of(0x0a, 9)
        yield* one.write({ kind: "snapshot", upTo: 1, part: 0, parts: 2, bytes: garbage })
        yield* one.write({ kind: "snapshot", upTo: 1, part: 0, parts: 1, bytes: garbage })
        yield* transport.trim?.(topic, 0, 1n) ?? Effect.void
        expect(yield* reasonOf(Effect.scoped(opened(transport, "two")))).toBe("Lost")
        yield* one.snapshot
        yield* waitUntil(
          "two starts",
          Effect.map(reasonOf(Effect.scoped(opened(transport, "two"))), (why) => why === "none")
        )
      })
    ))
})
