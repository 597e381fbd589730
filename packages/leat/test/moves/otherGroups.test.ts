import { Cause, Effect, Exit, Fiber, Logger, Result, type Scope } from "effect"
import { type ControlError, MoveTools, type OpenLeat } from "leat"
import { simulate } from "leat/testing"
import type { Driver, Transport } from "leat/transport"
import { describe, expect, it } from "vitest"
import type { ControlStream } from "../../src/control/ControlStream.ts"
import { memoryDriver } from "../../src/transport/memory/MemoryTransport.ts"
import { noteContract } from "../contracts/Note.ts"
import { type Fleet, HandWriter, place, placementIn, reading, story, stream, table, until } from "./fleet.ts"
import { apply, documentAt, fleetOf, place as placed, processOf, topicOf } from "./moveKit.ts"

const [old, target] = [place("old", 2), place("new", 3)]

interface Given {
  /** What the coordinator sees of the cluster. */
  readonly seen?: (transport: Transport) => Partial<Transport>
  /** Each has read a part of the old topic before the stream was placed, and is gone. */
  readonly stopped: ReadonlyArray<string>
}

/** A stream that was read in part by groups that nobody has named, moved, and written on. */
const moved = (fleet: Fleet, { seen = () => ({}), stopped }: Given) =>
  Effect.gen(function* () {
    yield* fleet.transport.ensure({ topic: old.topic, partitions: old.partitions })
    fleet.seen = { ...fleet.transport, ...seen(fleet.transport) }
    const one = yield* fleet.process(1)
    yield* Effect.sleep("2 seconds")
    yield* one.write({ kind: "placed", stream, base: 0, place: old, epoch: 1 })
    yield* one.look
    const writer = new HandWriter(fleet, one)
    writer.offer(60)
    yield* writer.step
    for (const group of stopped) {
      const running = yield* Effect.forkScoped(reading(fleet, old.topic, group))
      yield* Effect.sleep("5 seconds")
      yield* Fiber.interrupt(running)
    }
    writer.offer(30)
    yield* writer.step
    for (const { topic } of [old, target]) yield* Effect.forkScoped(reading(fleet, topic, "g1"))
    yield* one.write({ kind: "reads", stream, group: "g1" })
    yield* Effect.forkScoped(writer.run())
    yield* Effect.forkScoped(fleet.coordinator(one))
    yield* one.write(table(0, target))
    yield* until("opened", () => placementIn(one).epochs.at(-1)?.phase === "open")
    return one
  })

/** The memory drivers that a tool opens the cluster with. */
const toolOf = (fleet: Fleet, seen: Given["seen"] = () => ({})) => {
  const driver: Driver = {
    ...memoryDriver(fleet.broker),
    open: () => Effect.succeed({ ...fleet.transport, ...seen(fleet.transport) })
  }
  return { author: "tool", drivers: [driver], reason: "a test", stream }
}

/** A document that has the cluster: tools find it there. */
const withDocument = (one: ControlStream) =>
  one.write({
    kind: "table",
    base: one.control.version,
    document: `version: ${one.control.version + 1}\nclusters: { c: { transport: memory } }\nroutes: [{ match: { stream: other }, to: [{ cluster: c, topic: other }] }]\n`,
    places: new Map()
  })

const refusal = (effect: Effect.Effect<unknown, ControlError>) =>
  Effect.map(Effect.result(effect), (result) =>
    Result.isFailure(result) ? `${result.failure.reason}: ${result.failure.detail}` : "done"
  )

const phases = (control: ControlStream) => placementIn(control).epochs.map(({ phase }) => phase)

/** What a group has not settled of the old epoch. */
const left = (fleet: Fleet, control: ControlStream, group: string) =>
  Effect.map(fleet.transport.bounds(old.topic, group), (rows) => {
    const { end = [] } = placementIn(control).epochs[0] ?? {}
    return rows.reduce((total, { settled = 0n }, partition) => total + (end[partition] ?? 0) - Number(settled), 0)
  })

const unanswered = () => ({ groups: () => Effect.die("it broke") })

const withoutGroups = (): Partial<Transport> => ({ groups: undefined as never })

describe("a group that no process of the fleet has named", () => {
  it("holds up the end of the old place until it has read on, and is told by name with what it has left", () => {
    const { told } = story((fleet) =>
      Effect.gen(function* () {
        const one = yield* moved(fleet, { stopped: ["weekend"] })
        yield* Effect.sleep("10 minutes")
        expect(phases(one)).toEqual(["sealed", "open"])
        const count = yield* left(fleet, one, "weekend")
        expect(count).toBeGreaterThanOrEqual(30)
        expect(fleet.told).toEqual([
          `Warn: stream ${stream} has stood for 60 seconds: c/old of epoch 1 is read on: other group weekend has ${count} to settle; npx leat move give-up says which of them read no more`
        ])
        yield* Effect.forkScoped(reading(fleet, old.topic, "weekend"))
        yield* until("retired", () => phases(one)[0] === "retired")
        expect(yield* left(fleet, one, "weekend")).toBe(0)
        expect((yield* fleet.records).filter(({ kind }) => kind === "retired")).toMatchObject([
          { groups: ["g1", "weekend"] }
        ])
      })
    )
    expect(told.slice(1)).toEqual([`Info: stream ${stream} goes on`])
  })

  it("that has settled all of it holds nothing up", () => {
    const { told } = story((fleet) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(reading(fleet, old.topic, "other program"))
        const one = yield* moved(fleet, { stopped: [] })
        yield* until("retired", () => phases(one)[0] === "retired")
        expect(yield* fleet.steps).toEqual(["sealing", "sealed", "opened", "handedOver", "handedOver", "retired"])
      })
    )
    expect(told).toEqual([])
  })

  it("is told in the status, and is given up by name; another one still holds it up", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const one = yield* moved(fleet, { stopped: ["gone", "weekend"] })
        yield* withDocument(one)
        yield* Effect.sleep("1 minute")
        const tool = toolOf(fleet)
        const status = Effect.map(MoveTools.status(fleet.transport, tool), ([found]) => found?.epochs[0]?.groups)
        const behind = yield* left(fleet, one, "gone")
        expect(yield* status).toEqual([
          { group: "g1", hasSettled: true, isOther: false },
          { group: "gone", hasSettled: false, isOther: true, behind },
          { group: "weekend", hasSettled: false, isOther: true, behind: yield* left(fleet, one, "weekend") }
        ])
        const giveUp = (group: string, more = {}) => MoveTools.giveUp(fleet.transport, { ...tool, group, ...more })
        expect(yield* refusal(giveUp("gnoe"))).toBe(
          `Refused: no epoch of stream ${stream} waits for a group gnoe; it has g1, gone, weekend`
        )
        expect(yield* refusal(giveUp("g1"))).toBe(
          `Refused: no epoch of stream ${stream} waits for a group g1; it has g1, gone, weekend`
        )
        expect(yield* giveUp("gone", { isDryRun: true })).toEqual(["gone"])
        expect(yield* giveUp("gone")).toEqual(["gone"])
        yield* Effect.sleep("1 minute")
        expect(yield* status).toMatchObject([
          { group: "g1" },
          { hasSettled: true },
          { group: "weekend", hasSettled: false }
        ])
        expect(phases(one)).toEqual(["sealed", "open"])
        expect(yield* giveUp("weekend")).toEqual(["weekend"])
        yield* until("retired", () => phases(one)[0] === "retired")
      })
    )
  })

  it("holds up whatever a person says of groups that nobody knows", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const one = yield* moved(fleet, { stopped: ["weekend"] })
        yield* withDocument(one)
        yield* Effect.sleep("1 minute")
        expect(yield* refusal(MoveTools.retire(fleet.transport, toolOf(fleet)))).toBe(
          `Refused: c/old of epoch 1 is read on: other group weekend has ${yield* left(fleet, one, "weekend")} to settle; npx leat move give-up says which of them read no more`
        )
        expect(phases(one)).toEqual(["sealed", "open"])
      })
    )
  })

  it("is forgotten with a cluster that gives no answer only where a person says that it is gone", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const one = yield* moved(fleet, { stopped: ["weekend"], seen: unanswered })
        yield* withDocument(one)
        yield* Effect.sleep("1 minute")
        const tool = toolOf(fleet, unanswered)
        expect(yield* refusal(MoveTools.retire(fleet.transport, tool))).toBe(
          "Refused: the groups of c/old are not told: memory groups: Unknown: the driver broke: it broke"
        )
        expect(yield* MoveTools.retire(fleet.transport, { ...tool, isGone: true })).toEqual([1])
      })
    )
  })

  it("is not thought away while the cluster gives no answer, or none that can be", () => {
    for (const [groups, why] of [
      [() => Effect.die("it broke"), "the groups of c/old are not told: it broke"],
      [() => Effect.never, "the groups of c/old are not told: no answer within 30 seconds"],
      [() => Effect.succeed("weekend" as never), "the groups of c/old are not told: its driver names a text"]
    ] as ReadonlyArray<readonly [NonNullable<Transport["groups"]>, string]>) {
      const { told } = story((fleet) =>
        Effect.gen(function* () {
          const one = yield* moved(fleet, { stopped: ["weekend"], seen: () => ({ groups }) })
          yield* Effect.sleep("5 minutes")
          expect(phases(one)).toEqual(["sealed", "open"])
        })
      )
      expect(told).toHaveLength(1)
      expect(told[0]).toContain(why)
    }
  })
})

describe("a group of another stream in the same topic", () => {
  const others = "test.others"

  it("holds nothing up where its stream has left the topic, and is not told in the status", () => {
    const { told } = story((fleet) =>
      Effect.gen(function* () {
        const one = yield* moved(fleet, { stopped: ["g2"] })
        yield* withDocument(one)
        yield* one.write({ kind: "placed", stream: others, base: one.control.version, place: old, epoch: 1 })
        yield* one.write({ kind: "reads", stream: others, group: "g2" })
        expect(yield* left(fleet, one, "g2")).toBeGreaterThan(0)
        yield* until("retired", () => phases(one)[0] === "retired")
        const [status] = yield* MoveTools.status(fleet.transport, toolOf(fleet))
        expect(status?.epochs[0]?.groups.map(({ group }) => group)).not.toContain("g2")
      })
    )
    expect(told).toEqual([])
  })

  it("holds it up where that stream lies in another topic: the position here is one of somebody else", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const one = yield* moved(fleet, { stopped: ["g2"] })
        yield* withDocument(one)
        yield* one.write({ kind: "placed", stream: others, base: one.control.version, place: target, epoch: 1 })
        yield* one.write({ kind: "reads", stream: others, group: "g2" })
        yield* Effect.sleep("10 minutes")
        expect(phases(one)).toEqual(["sealed", "open"])
        const [status] = yield* MoveTools.status(fleet.transport, toolOf(fleet))
        expect(status?.epochs[0]?.groups).toContainEqual({
          group: "g2",
          hasSettled: false,
          isOther: true,
          behind: yield* left(fleet, one, "g2")
        })
      })
    )
  })
})

describe("a place whose cluster does not tell its groups", () => {
  const untold =
    "the cluster of c/old does not tell which groups read it; when none does any more, npx leat move retire says so"

  it("is retired by nobody but a person, which is told once", () => {
    const { told } = story((fleet) =>
      Effect.gen(function* () {
        const one = yield* moved(fleet, { stopped: [], seen: withoutGroups })
        yield* withDocument(one)
        yield* Effect.sleep("10 minutes")
        expect(phases(one)).toEqual(["sealed", "open"])
        const tool = toolOf(fleet, withoutGroups)
        const [status] = yield* MoveTools.status(fleet.transport, tool)
        expect(status?.epochs[0]).toMatchObject({ groups: [{ group: "g1", hasSettled: true }], trouble: untold })
        expect(yield* MoveTools.retire(fleet.transport, { ...tool, isDryRun: true })).toEqual([1])
        expect(phases(one)).toEqual(["sealed", "open"])
        expect(yield* MoveTools.retire(fleet.transport, tool)).toEqual([1])
        yield* one.look
        expect(phases(one)).toEqual(["retired", "open"])
        expect(yield* refusal(MoveTools.retire(fleet.transport, tool))).toBe(
          `Refused: stream ${stream} has left no place that could be retired now; look at its status`
        )
        yield* Effect.sleep("1 minute")
      })
    )
    expect(told).toEqual([
      `Warn: stream ${stream} has stood for 60 seconds: ${untold}`,
      `Info: stream ${stream} goes on`
    ])
  })

  it("is not retired by a person while a group of the fleet has something to settle", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const one = yield* moved(fleet, { stopped: ["weekend"], seen: withoutGroups })
        yield* one.write({ kind: "reads", stream, group: "weekend" })
        yield* withDocument(one)
        yield* Effect.sleep("1 minute")
        const tool = toolOf(fleet, withoutGroups)
        expect(yield* refusal(MoveTools.retire(fleet.transport, tool))).toBe(
          `Refused: c/old of epoch 1 is read on: group weekend has ${yield* left(fleet, one, "weekend")} to settle`
        )
        expect(yield* MoveTools.giveUp(fleet.transport, { ...tool, group: "weekend" })).toEqual(["weekend"])
        expect(yield* MoveTools.retire(fleet.transport, tool)).toEqual([1])
      })
    )
  })
})

/** Runs a story of whole processes on virtual time, and fails as it does. */
function processes(tell: Effect.Effect<void, unknown, Scope.Scope>): ReadonlyArray<string> {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
  const { exit } = simulate(1, tell.pipe(Effect.scoped, Effect.provide(Logger.layer([logger]))), {
    stepsMax: 10_000_000,
    stepsAtOnceMax: 50_000
  })
  if (Exit.isFailure(exit)) throw new Error(`the story failed: ${Cause.pretty(exit.cause)}\n${lines.join("\n")}`)
  return lines
}

describe("a consumer that is stopped while its stream moves", () => {
  it("reads all that it has not read, in order, when it starts again", () => {
    const name = "test.notes"
    const place4 = (at: string) => ({ cluster: "local", topic: topicOf(at), partitions: 4 })
    const lines = processes(
      Effect.gen(function* () {
        const fleet = yield* fleetOf
        yield* apply(fleet, documentAt(1, "a"))
        yield* fleet.transport.ensure({ topic: topicOf("a"), partitions: 4 })
        const writer = yield* processOf(fleet)
        const notes = yield* writer.stream(noteContract())
        let text = 0
        const publish = (count: number) =>
          Effect.gen(function* () {
            for (let sent = 0; sent < count; sent++)
              yield* notes.publish({ key: `k${text % 7}`, text: String(text++) }, { level: "stored" })
          })
        const got: Array<number> = []
        const consume = (leat: OpenLeat) =>
          Effect.flatMap(leat.stream(noteContract()), (read) =>
            read.handle("weekend", (event) => Effect.sync(() => void got.push(Number(event.text))))
          )
        yield* publish(50)
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* consume(yield* processOf(fleet))
            yield* until("read", () => got.length >= 50)
          })
        )
        yield* publish(50)
        // From here on the stream is placed: nobody has said that the group reads it.
        yield* placed(fleet, name, place4("a"))
        yield* Effect.sleep("2 seconds")
        yield* apply(fleet, documentAt(2, "b"), { [name]: place4("b") })
        const placement = () => fleet.tool.control.streams.get(name)
        const looking = yield* Effect.forkScoped(
          Effect.forever(Effect.andThen(Effect.sleep("1 second"), fleet.tool.look))
        )
        yield* until("opened", () => placement()?.epochs.at(-1)?.phase === "open")
        yield* publish(50)
        yield* Effect.sleep("10 minutes")
        expect([...(placement()?.groups ?? [])]).toEqual([])
        expect(placement()?.epochs.map(({ phase }) => phase)).toEqual(["sealed", "open"])
        yield* consume(yield* processOf(fleet))
        yield* until("all read", () => got.length >= 150)
        yield* until("retired", () => placement()?.epochs[0]?.phase === "retired")
        yield* Fiber.interrupt(looking)
        expect([...got].toSorted((one, other) => one - other)).toEqual(Array.from({ length: 150 }, (_, index) => index))
        for (let key = 0; key < 7; key++) {
          const own = got.filter((one) => one % 7 === key)
          expect(own).toEqual(own.toSorted((one, other) => one - other))
        }
      })
    )
    expect(lines.filter((line) => line.includes("other group weekend has 50 to settle"))).toHaveLength(1)
  })
})
