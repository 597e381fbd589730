/** The topic of a place that a stream moves to, which is not there: how it is made. */
import { Cause, Effect, Exit, Logger, References, type Scope } from "effect"
import { ControlTools, MoveTools } from "leat"
import { simulate } from "leat/testing"
import { type Driver, TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { documentAt, type Fleet, fleetOf, processOf, topicOf } from "./moveKit.ts"

const stream = "test.notes"
const ordinary = noteContract()
const compacted = noteContract({ compacted: true })
const needed = noteContract({ compacted: true, needs: ["compaction"] })

/** Runs a story on virtual time; the warnings. */
function story(program: (fleet: Fleet) => Effect.Effect<void, unknown, Scope.Scope>): ReadonlyArray<string> {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  const told = Effect.flatMap(fleetOf, program).pipe(
    Effect.scoped,
    Effect.provide(Logger.layer([logger])),
    Effect.provideService(References.MinimumLogLevel, "Warn")
  )
  const { exit } = simulate(1, told)
  if (Exit.isFailure(exit)) throw new Error(`the story failed: ${Cause.pretty(exit.cause)}\n${lines.join("\n")}`)
  return lines
}

/** A fleet whose stream lies in a topic of an earlier time. */
const lying = (fleet: Fleet, isCompacted: boolean) =>
  Effect.gen(function* () {
    yield* fleet.transport.ensure({ topic: topicOf("old"), partitions: 2, compacted: isCompacted })
    const tool = { author: "tool", reason: "a topic of its own", drivers: [fleet.driver] }
    yield* ControlTools.apply(fleet.transport, { ...tool, document: documentAt(1, "old") })
    return { ...tool, document: documentAt(2, "new"), streams: [stream], partitions: 4, withoutState: true }
  })

const madeAs = ({ broker }: Fleet) => {
  const { partitions, spec } = broker.find(topicOf("new")) ?? {}
  return [partitions?.length, spec?.compacted ?? false]
}

const phaseOf = (fleet: Fleet) =>
  Effect.map(fleet.tool.look, () => fleet.tool.control.streams.get(stream)?.epochs.at(-1)?.phase)

/** Nobody may make the topic with it. */
const forbidden = (driver: Driver): Driver => ({
  ...driver,
  open: (...given) =>
    Effect.map(driver.open(...given), (transport) => ({
      ...transport,
      ensure: (spec) =>
        spec.topic === topicOf("new")
          ? Effect.fail(
              new TransportError({
                reason: "Unauthorized",
                transport: "memory",
                operation: "ensure",
                detail: "not for you"
              })
            )
          : transport.ensure(spec)
    }))
})

describe("the topic that a stream moves to", () => {
  it.each([
    ["compacted", compacted, false, true],
    ["compacted", compacted, true, true],
    ["ordinary", ordinary, true, false],
    ["ordinary", ordinary, false, false]
  ])("is made as its %s contract wants it, whatever the old one is", (_, contract, wasCompacted, isCompacted) => {
    const lines = story((fleet) =>
      Effect.gen(function* () {
        const move = yield* lying(fleet, wasCompacted)
        const writer = yield* processOf(fleet)
        const notes = yield* writer.stream(contract)
        yield* notes.handle("one", () => Effect.void)
        yield* Effect.sleep("10 seconds")
        yield* MoveTools.start(fleet.transport, move)
        yield* Effect.sleep("1 minute")
        expect([yield* phaseOf(fleet), madeAs(fleet)]).toEqual(["open", [4, isCompacted]])
        yield* notes.publish({ key: "k", text: "there" }, { level: "stored" })
      })
    )
    expect(lines.filter((line) => line.startsWith(`local/${topicOf("new")}`))).toEqual([])
  })

  it("is made as the old one is where no process knows the contract", () => {
    for (const isCompacted of [false, true])
      story((fleet) =>
        Effect.gen(function* () {
          const move = yield* lying(fleet, isCompacted)
          yield* processOf(fleet)
          yield* Effect.sleep("10 seconds")
          yield* MoveTools.start(fleet.transport, move)
          yield* Effect.sleep("1 minute")
          expect([yield* phaseOf(fleet), madeAs(fleet)]).toEqual(["open", [4, isCompacted]])
        })
      )
  })

  it("is made before the control stream is told anything, so that a start which may not make it has begun nothing", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const move = yield* lying(fleet, true)
        yield* processOf(fleet)
        yield* Effect.sleep("10 seconds")
        const asked = { ...move, drivers: [forbidden(fleet.driver)], contracts: [needed] }
        const { message } = yield* Effect.flip(MoveTools.start(fleet.transport, asked))
        expect(message).toContain(`local/${topicOf("new")} cannot be made`)
        expect(message).toContain("not for you")
        expect([yield* phaseOf(fleet), fleet.tool.control.version]).toEqual([undefined, 1])
      })
    )
  })

  it("is left to others by a process that may not make it, unless its contract needs compaction", () => {
    for (const [contract, phase] of [
      [compacted, "open"],
      [needed, "planned"]
    ] as const)
      story((fleet) =>
        Effect.gen(function* () {
          const move = yield* lying(fleet, contract === needed)
          const writer = yield* processOf(fleet, { drivers: [forbidden(fleet.driver)] })
          yield* writer.stream(contract)
          // May make it, and has the stream not open.
          yield* processOf(fleet)
          yield* Effect.sleep("10 seconds")
          yield* MoveTools.start(fleet.transport, move)
          yield* Effect.sleep("3 minutes")
          expect(yield* phaseOf(fleet)).toBe(phase)
          const { refused = "" } = fleet.tool.control.members.get(writer.incarnation) ?? {}
          expect(refused.includes("not for you")).toBe(contract === needed)
        })
      )
  })

  it("is not made where the contract of a process does not fit its partitions, which refuses the document", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const move = yield* lying(fleet, false)
        const writer = yield* processOf(fleet)
        yield* writer.stream(compacted)
        yield* Effect.sleep("10 seconds")
        yield* MoveTools.start(fleet.transport, { ...move, partitions: 3 })
        yield* Effect.sleep("1 minute")
        expect([yield* phaseOf(fleet), fleet.broker.find(topicOf("new"))]).toEqual(["planned", undefined])
        const { refused } = fleet.tool.control.members.get(writer.incarnation) ?? {}
        expect(refused).toContain(`local/${topicOf("new")} has 3 partitions, test.Note 8 buckets`)
      })
    )
  })

  it("is made by a start that knows the contract, and a plan says how it is made", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const move = yield* lying(fleet, false)
        yield* processOf(fleet)
        yield* Effect.sleep("10 seconds")
        const made = (contracts: ReadonlyArray<typeof compacted>) =>
          Effect.map(MoveTools.plan(fleet.transport, { ...move, contracts }), ({ moves }) => moves[0]?.makes)
        expect(yield* made([])).toEqual({ isCompacted: false, isKnown: false })
        expect(yield* made([ordinary])).toEqual({ isCompacted: false, isKnown: true })
        expect(yield* made([compacted])).toEqual({ isCompacted: true, isKnown: true })
        yield* MoveTools.start(fleet.transport, { ...move, isDryRun: true, contracts: [compacted] })
        expect(fleet.broker.find(topicOf("new"))).toBeUndefined()
        yield* MoveTools.start(fleet.transport, { ...move, contracts: [compacted] })
        yield* Effect.sleep("1 minute")
        expect([yield* phaseOf(fleet), madeAs(fleet)]).toEqual(["open", [4, true]])
      })
    )
    story((fleet) =>
      Effect.gen(function* () {
        const move = yield* lying(fleet, true)
        const planned = Effect.map(MoveTools.plan(fleet.transport, move), ({ moves }) => moves[0]?.makes)
        expect(yield* planned).toEqual({ isCompacted: true, isKnown: false })
        yield* fleet.transport.ensure({ topic: topicOf("new"), partitions: 4 })
        expect(yield* planned).toBeUndefined()
      })
    )
  })
})
