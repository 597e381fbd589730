import { Clock, Deferred, Effect, Exit, Logger, References, type Scope } from "effect"
import { type Driver, Leat, MemoryBroker, memoryDriver } from "leat"
import { simulate } from "leat/testing"
import { type Run, type Transport, type Writer, writerOf } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"

type Send = Writer["send"]

/** What the second send of a writer does in place of sending; the other sends are as they should be. */
const faults: Readonly<Record<string, (honest: Send) => Send>> = {
  throws: () => () => {
    throw new Error("not today")
  },
  "answers nothing": () => () => undefined,
  "answers with no array": () => (_partition, _batch, _from, _to, _timeoutMs, answer) =>
    answer(undefined as unknown as ReadonlyArray<Run>),
  "answers with an empty array": () => (_partition, _batch, _from, _to, _timeoutMs, answer) => answer([]),
  "answers with runs that make no sense": () => (_partition, _batch, from, _to, _timeoutMs, answer) =>
    answer([
      { from, to: Number.NaN, fate: "stored" },
      { from: -3, to: from, fate: "stored" },
      { from: 7, to: 9, fate: "stored" },
      null as unknown as Run,
      { from, to: from + 1, fate: "perhaps" as "stored" }
    ]),
  "answers twice": (honest) => (partition, batch, from, to, timeoutMs, answer) => {
    answer([{ from, to, fate: "unknown" }])
    honest(partition, batch, from, to, timeoutMs, answer)
  },
  "throws after its answer":
    (honest) =>
    (...call) => {
      honest(...call)
      throw new Error("not today")
    }
}

const effects: Readonly<Record<string, Effect.Effect<ReadonlyArray<Run>, unknown>>> = {
  "is interrupted": Effect.interrupt,
  "fails against its type": Effect.fail("no"),
  dies: Effect.die("no"),
  "gives nothing": Effect.void as unknown as Effect.Effect<ReadonlyArray<Run>>,
  "never ends": Effect.never
}

const driverOf = (bend: (honest: Writer) => Effect.Effect<Send, never, Scope.Scope>): Driver => {
  const inner = memoryDriver(new MemoryBroker({ partitions: 1 }))
  return {
    ...inner,
    open: (...opening) =>
      Effect.map(inner.open(...opening), (transport) => ({
        ...transport,
        openWriter: (topic) =>
          Effect.flatMap(transport.openWriter(topic), (writer) =>
            Effect.map(bend(writer), (second) => {
              let calls = 0
              return { ...writer, send: (...call) => (++calls === 2 ? second(...call) : writer.send(...call)) }
            })
          )
      }))
  }
}

/** Publishes three events, of which the second meets the fault; returns what the ledger says, and what a reader gets. */
function publishThree(driver: Driver) {
  const program = Effect.gen(function* () {
    const leat = yield* Leat.make({ source: "test", drivers: [driver] })
    const notes = yield* leat.stream(noteContract())
    const clock = yield* Clock.Clock
    const beganMs = clock.currentTimeMillisUnsafe()
    for (const text of ["1", "2", "3"]) yield* notes.publish({ key: "k", text })
    const elapsedMs = clock.currentTimeMillisUnsafe() - beganMs
    const read = new Set<string>()
    yield* notes.handle("g", ({ text }) => Effect.sync(() => void read.add(text)))
    yield* Effect.sleep("1 second")
    return { legs: leat.ledger.snapshot().legs, halted: leat.halted(), read: [...read], elapsedMs }
  })
  const { exit } = simulate(1, program.pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None")))
  if (Exit.isFailure(exit)) throw new Error("the story failed", { cause: exit.cause })
  return exit.value
}

describe("a driver whose send", () => {
  it.for(Object.entries(faults))("%s has said nothing, and the lane goes on", ([, fault]) => {
    const told = publishThree(driverOf(({ send }) => Effect.succeed(fault(send))))
    expect(told.halted).toEqual([])
    expect(told.legs).toMatchObject([{ admitted: 3, stored: 3, balanced: true }])
    expect(told.read).toEqual(["1", "2", "3"])
  })

  it("throws is not waited for until its time is over", () => {
    expect(
      publishThree(driverOf(({ send }) => Effect.succeed(faults["throws"]?.(send) ?? send))).elapsedMs
    ).toBeLessThan(1000)
  })

  it.for(Object.entries(effects))("is an effect that %s has said nothing, and the lane goes on", ([, effect]) => {
    const told = publishThree(
      driverOf((writer) => Effect.map(writerOf("bent", { ...writer, send: () => effect }), ({ send }) => send))
    )
    expect(told.halted).toEqual([])
    expect(told.legs).toMatchObject([{ admitted: 3, stored: 3, balanced: true }])
    expect(told.read).toEqual(["1", "2", "3"])
  })
})

/** A driver that has to be fenced after its second send, and what it does then. */
function fencing(bend: (writer: Writer) => Writer["fence"]): Driver {
  const inner = driverOf(() =>
    Effect.succeed((_partition, _batch, from, to, _timeoutMs, answer) => answer([{ from, to, fate: "unknown" }]))
  )
  return {
    ...inner,
    open: (...opening) =>
      Effect.map(inner.open(...opening), (transport) => ({
        ...transport,
        openWriter: (topic) => Effect.map(transport.openWriter(topic), (writer) => ({ ...writer, fence: bend(writer) }))
      }))
  }
}

describe("a driver whose fence never answers", () => {
  it("has not fenced in time, and is asked again", () => {
    let fences = 0
    const driver = fencing((writer) => (partition) => (++fences === 1 ? Effect.never : writer.fence(partition)))
    expect(publishThree(driver).legs).toMatchObject([{ admitted: 3, stored: 3, balanced: true }])
    expect(fences).toBe(2)
  })

  it("and cannot be interrupted is waited for, which is told once", () => {
    const warnings: Array<string> = []
    const logger = Logger.make(({ message }) => void warnings.push(String(message)))
    const program = Effect.gen(function* () {
      const ended = yield* Deferred.make<void>()
      const driver = fencing(
        (writer) => (partition) =>
          Effect.uninterruptible(Effect.andThen(Deferred.await(ended), writer.fence(partition)))
      )
      const leat = yield* Leat.make({ source: "test", drivers: [driver] })
      const notes = yield* leat.stream(noteContract())
      for (const text of ["1", "2"]) {
        notes.offer({ key: "k", text })
        yield* Effect.sleep("100 millis")
      }
      yield* Effect.sleep("10 seconds")
      expect(warnings).toEqual([])
      yield* Effect.sleep("1 hour")
      expect(warnings).toEqual([
        "the driver has not ended the fence of partition 0 of memory/test.notes, and cannot be interrupted: nothing is sent there until it has"
      ])
      yield* Deferred.succeed(ended, undefined)
      yield* Effect.sleep("1 second")
      expect(leat.ledger.snapshot().legs).toMatchObject([{ stored: 2, balanced: true }])
    })
    const { exit } = simulate(1, program.pipe(Effect.scoped, Effect.provide(Logger.layer([logger]))))
    expect(exit).toEqual(Exit.void)
  })
})

/** Opens a stream on a transport that says other things of itself; why it could not be opened. */
function whyNotOpened(bend: (transport: Transport) => Transport): string {
  const inner = memoryDriver(new MemoryBroker({ partitions: 1 }))
  const driver = { ...inner, open: (...asked: Parameters<Driver["open"]>) => Effect.map(inner.open(...asked), bend) }
  const program = Effect.gen(function* () {
    const leat = yield* Leat.make({ source: "test", drivers: [driver] })
    return (yield* Effect.flip(leat.stream(noteContract({ unordered: true })))).message
  })
  const { exit } = simulate(1, Effect.scoped(program))
  if (Exit.isFailure(exit)) throw new Error("the stream was opened", { cause: exit.cause })
  return exit.value
}

describe("a driver that declares what is no number from 1", () => {
  it.each([
    { pipeline: 0 },
    { pipeline: Number.NaN },
    { pipeline: undefined as unknown as number },
    { pipeline: 1.5 },
    { recordBytesMax: 0 },
    { recordBytesMax: Number.NaN }
  ])("opens no cluster: %o", (declared) => {
    const message = whyNotOpened((transport) => ({
      ...transport,
      capabilities: { ...transport.capabilities, ...declared }
    }))
    expect(message).toMatch(/^memory open: Unsupported: the driver declares (pipeline|recordBytesMax): /)
  })

  it.each([0, -1, 1.5, Number.NaN])("as partitions opens no stream: %d", (partitions) => {
    const message = whyNotOpened((transport) => ({
      ...transport,
      openWriter: (topic) => Effect.map(transport.openWriter(topic), (writer) => ({ ...writer, partitions }))
    }))
    expect(message).toContain(`test.notes has ${partitions} partitions, as its driver says`)
  })
})
