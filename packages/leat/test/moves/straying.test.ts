import { Cause, Effect, Exit, Logger, type Scope } from "effect"
import { simulate } from "leat/testing"
import { TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { MemoryPartition } from "../../src/transport/memory/MemoryPartition.ts"
import { type Note, noteContract } from "../contracts/Note.ts"
import { apply, documentAt, type Fleet, fleetOf, place, processOf, topicOf } from "./moveKit.ts"
import { Stall } from "./Stall.ts"

const stream = "test.notes"
const at = (name: string, partitions: number) => ({ cluster: "local", topic: topicOf(name), partitions })

/** Runs a story on virtual time, and fails as it does. Returns what the log was told. */
function story(tell: Effect.Effect<void, unknown, Scope.Scope>): ReadonlyArray<string> {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
  const { exit } = simulate(1, tell.pipe(Effect.scoped, Effect.provide(Logger.layer([logger]))))
  if (Exit.isFailure(exit)) throw new Error(`the story failed: ${Cause.pretty(exit.cause)}\n${lines.join("\n")}`)
  return lines
}

type Process = Effect.Success<ReturnType<typeof processOf>>

/** Events that are told stored, with a text that begins as given. */
const published = Effect.fnUntraced(function* (process: Process, prefix: string, count: number) {
  const notes = yield* process.stream(noteContract())
  for (let index = 0; index < count; index++)
    yield* notes.publish({ key: `note ${index % 7}`, text: `${prefix}${index}` }, { level: "stored" })
})

const handledBy = Effect.fnUntraced(function* (process: Process, group: string) {
  const texts: Array<string> = []
  const notes = yield* process.stream(noteContract())
  yield* notes.handle(group, ({ text }: Note) => Effect.sync(() => void texts.push(text)))
  return texts
})

const named = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}${index}`)

const begun = Effect.gen(function* () {
  const fleet = yield* fleetOf
  yield* apply(fleet, documentAt(1, "a"))
  yield* fleet.transport.ensure({ topic: topicOf("a"), partitions: 2 })
  return fleet
})

/** The stream goes to another place, and is there. */
const moved = Effect.fnUntraced(function* (fleet: Fleet, version: number, to: ReturnType<typeof at>, name: string) {
  yield* apply(fleet, documentAt(version, name), { [stream]: to })
  yield* Effect.sleep("30 seconds")
  yield* fleet.tool.look
  expect(fleet.tool.control.streams.get(stream)?.epochs.at(-1)).toMatchObject({ phase: "open", place: to })
})

const grow = ({ broker }: Fleet, name: string, more: number) =>
  Effect.sync(() => {
    const partitions = broker.find(topicOf(name))?.partitions as Array<MemoryPartition>
    for (let index = 0; index < more; index++) partitions.push(new MemoryPartition())
  })

describe("a stream that was moved to a topic that is given more partitions", () => {
  it("is written where it was placed by whoever begins after that, is read, and moves on", () => {
    const lines = story(
      Effect.gen(function* () {
        const fleet = yield* begun
        const reader = yield* processOf(fleet)
        const early = yield* handledBy(reader, "early")
        yield* place(fleet, stream, at("a", 2))
        yield* Effect.sleep("10 seconds")
        yield* moved(fleet, 2, at("b", 2), "b")
        yield* grow(fleet, "b", 2)
        const writer = yield* processOf(fleet)
        yield* published(writer, "grown ", 40)
        const late = yield* handledBy(yield* processOf(fleet), "late")
        yield* Effect.sleep("10 seconds")
        expect(early.toSorted()).toEqual(named("grown ", 40).toSorted())
        expect(late.toSorted()).toEqual(named("grown ", 40).toSorted())
        const rows = yield* fleet.transport.bounds(topicOf("b"))
        expect(rows.map(({ end }) => end > 0n)).toEqual([true, true, false, false])
        // As it was applied once more: nobody moves from two of its partitions to all of them.
        yield* apply(fleet, documentAt(3, "b"), { [stream]: at("b", 4) })
        yield* Effect.sleep("5 seconds")
        yield* fleet.tool.look
        expect(fleet.tool.control.streams.get(stream)?.epochs.at(-1)).toMatchObject({ epoch: 2, place: at("b", 2) })
        yield* moved(fleet, 4, at("c", 4), "c")
        yield* published(writer, "after ", 40)
        yield* Effect.sleep("10 seconds")
        const all = [...named("grown ", 40), ...named("after ", 40)].toSorted()
        expect(early.toSorted()).toEqual(all)
        expect(late.toSorted()).toEqual(all)
      })
    )
    const told = `Warn stream ${stream} lies in the first 2 of the 4 partitions of local/${topicOf("b")}, which had so many when it was placed there: it is written to those, and what others write to the rest is read by nobody; a move to another topic spreads it again`
    expect(new Set(lines.filter((line) => line.startsWith("Warn")))).toEqual(new Set([told]))
  })
})

describe("a program that has a table of its own put in force", () => {
  it("does not say where a stream lies that its fleet has placed, and says all else", () => {
    story(
      Effect.gen(function* () {
        const fleet = yield* begun
        const leat = yield* processOf(fleet)
        yield* leat.stream(noteContract())
        yield* place(fleet, stream, at("a", 2))
        yield* Effect.sleep("10 seconds")
        const swapped = yield* Effect.flip(leat.swapRoutes(documentAt(7, "b")))
        expect(swapped.faults.map(({ message }) => message)).toEqual([
          `stream ${stream} is open and would move: its read leg is local/${topicOf("a")}, and would be local/${topicOf("b")}; only other legs can be added or removed while it is open; in a fleet, npx leat move start moves it`
        ])
        yield* leat.swapRoutes(documentAt(8, "a", ", linger: 1 second"))
        expect(leat.routes().version).toBe(8)
      })
    )
  })
})

/** What happens meanwhile, where the process goes then, and from where it carries what it has stored. */
const meanwhile = [
  ["is read to its end", "b"],
  ["is read on by a group that is behind", "b"],
  ["has the stream again", "a"]
] as const

describe("a process that nobody has heard of while its stream moved", () => {
  it.each(meanwhile)(
    "sends on what it has stored where nobody reads, in front of what it publishes then, and goes where the stream is: its old place %s",
    (what, where) => {
      const lines = story(
        Effect.gen(function* () {
          const fleet = yield* begun
          const stall = new Stall()
          const reader = yield* processOf(fleet)
          const handled = yield* handledBy(reader, "one")
          if (what === "is read on by a group that is behind")
            yield* (yield* reader.stream(noteContract())).handle("slow", () => Effect.sleep("1 hour"))
          // Its control stream is cut off, and its data is not.
          const ofControl = { ...stall.driver(fleet.driver), name: "control" }
          const stray = yield* processOf(fleet, {
            drivers: [fleet.driver, ofControl],
            control: { cluster: { transport: "control" } }
          })
          yield* published(stray, "before ", 5)
          yield* Effect.sleep("5 seconds")
          stall.begin()
          yield* Effect.sleep("11 minutes")
          yield* fleet.tool.look
          expect(fleet.tool.control.members.has(stray.incarnation)).toBe(false)
          yield* place(fleet, stream, at("a", 2))
          yield* Effect.sleep("10 seconds")
          yield* moved(fleet, 2, at("b", 4), "b")
          yield* published(stray, "stray ", 20)
          yield* Effect.sleep("5 seconds")
          if (where === "a") yield* moved(fleet, 3, at("a", 2), "a")
          expect(handled.toSorted()).toEqual(named("before ", 5).toSorted())
          stall.end()
          yield* Effect.sleep("30 seconds")
          yield* published(stray, "after ", 10)
          yield* Effect.sleep("10 seconds")
          expect(handled.toSorted()).toEqual(
            [...named("before ", 5), ...named("stray ", 20), ...named("after ", 10)].toSorted()
          )
          // By key, as they were published.
          const order = [...named("stray ", 20), ...named("after ", 10)]
          const keyOf = (text: string) => Number(text.split(" ")[1]) % 7
          for (let key = 0; key < 7; key++)
            expect(handled.filter((text) => !text.startsWith("before") && keyOf(text) === key)).toEqual(
              order.filter((text) => keyOf(text) === key)
            )
          expect(stray.ledger.snapshot().balanced).toBe(true)
        })
      )
      expect(lines).toContain(
        `Warn the move of ${stream} was not heard of here: this process had the stream open at local/${topicOf("a")}, and goes to local/${topicOf(where)} now; 20 records that it had stored there since the stream moved were sent on`
      )
    }
  )
})

describe("a process that began with routes of its own, while its control stream was away", () => {
  it.each([
    ["in the place of the stream under an older epoch, which nobody reads", "b"],
    ["where the stream lay, and its topic was given more partitions since", "a"]
  ] as const)("sends on what it has stored: %s", (_, own) => {
    const lines = story(
      Effect.gen(function* () {
        const fleet = yield* begun
        const handled = yield* handledBy(yield* processOf(fleet), "one")
        yield* place(fleet, stream, at("a", 2))
        yield* Effect.sleep("10 seconds")
        yield* moved(fleet, 2, at("b", 4), "b")
        if (own === "a") yield* grow(fleet, "a", 2)
        let isAway = true
        const away = new TransportError({
          reason: "Unavailable",
          transport: "control",
          operation: "open",
          detail: "away"
        })
        const ofControl = {
          ...fleet.driver,
          name: "control",
          open: (...given: Parameters<typeof fleet.driver.open>) =>
            Effect.suspend(() => (isAway ? Effect.fail(away) : fleet.driver.open(...given)))
        }
        const stray = yield* processOf(fleet, {
          drivers: [fleet.driver, ofControl],
          control: { cluster: { transport: "control" } },
          routes: documentAt(own === "a" ? 1 : 2, own)
        })
        yield* published(stray, "stray ", 20)
        yield* Effect.sleep("10 seconds")
        expect(handled).toEqual([])
        if (own === "a")
          expect(
            (yield* fleet.transport.bounds(topicOf(own))).some(({ partition, end }) => partition > 1 && end > 0n)
          ).toBe(true)
        isAway = false
        yield* Effect.sleep("1 minute")
        yield* published(stray, "after ", 10)
        yield* Effect.sleep("10 seconds")
        expect(handled.toSorted()).toEqual([...named("stray ", 20), ...named("after ", 10)].toSorted())
      })
    )
    expect(lines).toContain(
      `Warn the move of ${stream} was not heard of here: this process had the stream open at local/${topicOf(own)}, and goes to local/${topicOf("b")} now; 20 records that it had stored there since the stream moved were sent on`
    )
  })
})
