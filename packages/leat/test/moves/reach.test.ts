import { Cause, Effect, Exit, Logger } from "effect"
import { MemoryBroker, memoryDriver } from "leat"
import { simulate } from "leat/testing"
import { type Driver, TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { apply, fleetOf, place, processOf } from "./moveKit.ts"

const stream = "test.notes"

const documentAt = (version: number, cluster: string) => `version: ${version}
clusters: { local: { transport: memory }, far: { transport: far } }
routes:
  - match: { stream: "*" }
    to: [{ cluster: ${cluster}, topic: notes, buffer: { bytes: 65536 }, timeout: 5 seconds }]
`

const documentOf = (version: number, topic: string) =>
  documentAt(version, "local").replace("topic: notes", `topic: ${topic}`).replace(", far: { transport: far }", "")

const refusal = (reason: "Unavailable" | "Unauthorized", operation: string) =>
  Effect.fail(new TransportError({ reason, transport: "far", operation, detail: "no way there" }))

/** What a process of the fleet cannot do in the new cluster, whose topic is there. */
const faults: ReadonlyArray<readonly [what: string, driver: (driver: Driver) => Driver, why: string]> = [
  [
    "reach it",
    (driver) => ({ ...driver, open: () => refusal("Unavailable", "open") }),
    "far/notes cannot be opened: far open: Unavailable: no way there"
  ],
  [
    "write there",
    (driver) => ({
      ...driver,
      open: (...given) =>
        Effect.map(driver.open(...given), (transport) => ({
          ...transport,
          openWriter: () => refusal("Unauthorized", "openWriter")
        }))
    }),
    "far/notes cannot be opened: far openWriter: Unauthorized: no way there"
  ],
  [
    "spread its buckets over it",
    (driver) => ({
      ...driver,
      open: (...given) =>
        Effect.map(driver.open(...given), (transport) => ({
          ...transport,
          bounds: (...asked) => Effect.map(transport.bounds(...asked), (rows) => [...rows, ...rows.slice(0, 1)])
        }))
    }),
    "far/notes has 3 partitions, test.Note 8 buckets; give the topic a partition count that divides 8, or say `partitioner: bucket`"
  ]
]

describe("a process that cannot go where a document has a stream", () => {
  it.each(faults)("and cannot %s refuses the document, and nothing is held up", (_, broken, why) => {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
    const story = Effect.gen(function* () {
      const fleet = yield* fleetOf
      const far: Driver = { ...memoryDriver(new MemoryBroker()), name: "far" }
      const target = yield* far.open("far", {})
      for (const transport of [fleet.transport, target]) yield* transport.ensure({ topic: "notes", partitions: 2 })
      yield* apply(fleet, documentAt(1, "local"))
      const writer = yield* processOf(fleet, { drivers: [fleet.driver, far] })
      const notes = yield* writer.stream(noteContract())
      const reader = yield* processOf(fleet, { drivers: [fleet.driver, broken(far)] })
      yield* (yield* reader.stream(noteContract())).handle("one", () => Effect.void)
      yield* place(fleet, stream, { cluster: "local", topic: "notes", partitions: 2 })
      yield* Effect.sleep("10 seconds")
      yield* apply(fleet, documentAt(2, "far"), { [stream]: { cluster: "far", topic: "notes", partitions: 2 } })
      let stored = 0
      for (let text = 0; text < 400; text++) {
        yield* notes.publish({ key: `k${text % 7}`, text: "x".repeat(1000) }, { level: "stored" })
        stored++
        yield* Effect.sleep(100)
      }
      expect(stored).toBe(400)
      yield* fleet.tool.look
      expect(fleet.tool.control.streams.get(stream)?.epochs.map(({ phase }) => phase)).toEqual(["open", "planned"])
      expect(fleet.tool.control.members.get(reader.incarnation)?.refused).toContain(why)
    })
    const { exit } = simulate(1, story.pipe(Effect.scoped, Effect.provide(Logger.layer([logger]))))
    if (Exit.isFailure(exit)) throw new Error(`the story failed: ${Cause.pretty(exit.cause)}\n${lines.join("\n")}`)
  })

  it("whose group would have topics there with names that are too long refuses the document, and a later group does not begin", () => {
    const [fits, long] = ["g".repeat(234), "g".repeat(235)]
    const story = Effect.gen(function* () {
      const fleet = yield* fleetOf
      yield* apply(fleet, documentOf(1, "note"))
      yield* fleet.transport.ensure({ topic: "note", partitions: 2 })
      const reader = yield* processOf(fleet)
      const notes = yield* reader.stream(noteContract())
      const handled: Array<string> = []
      const reading = yield* notes.handle(long, ({ text }) => Effect.sync(() => void handled.push(text)))
      yield* place(fleet, stream, { cluster: "local", topic: "note", partitions: 2 })
      yield* Effect.sleep("10 seconds")
      const to = { [stream]: { cluster: "local", topic: "notes2", partitions: 2 } }
      yield* apply(fleet, documentOf(2, "notes2"), to)
      yield* Effect.sleep("20 seconds")
      yield* fleet.tool.look
      const { members, streams } = fleet.tool.control
      expect(streams.get(stream)?.epochs.map(({ phase }) => phase)).toEqual(["open", "planned"])
      expect(members.get(reader.incarnation)?.refused).toMatch(
        /group g+ reads test\.notes, and cannot read it there: .* may have 250 characters/
      )
      yield* notes.publish({ key: "k", text: "one" }, { level: "stored" })
      yield* reading.caughtUp
      expect(handled).toEqual(["one"])
      // Without the group it goes; and on its way it takes on none that cannot come along.
      yield* reading.stop
      const word = (kind: "paused" | "resumed") =>
        Effect.andThen(
          fleet.tool.look,
          Effect.suspend(() => {
            const base = fleet.tool.control.streams.get(stream)?.step ?? 0
            return fleet.tool.write({ kind, stream, base })
          })
        )
      yield* word("paused")
      yield* Effect.sleep("2 minutes")
      const late = yield* Effect.flip(notes.handle(long, () => Effect.void))
      expect(late.message).toContain("may have 250 characters, with the name of notes2 in them")
      const allowed = yield* notes.handle(fits, ({ text }) => Effect.sync(() => void handled.push(text)))
      yield* word("resumed")
      yield* Effect.sleep("1 minute")
      yield* fleet.tool.look
      expect(fleet.tool.control.streams.get(stream)?.epochs.at(-1)?.phase).toBe("open")
      yield* notes.publish({ key: "k", text: "two" }, { level: "stored" })
      yield* allowed.caughtUp
      expect(handled).toEqual(["one", "one", "two"])
    })
    const { exit } = simulate(1, story.pipe(Effect.scoped))
    if (Exit.isFailure(exit)) throw new Error(`the story failed: ${Cause.pretty(exit.cause)}`)
  })

  it("and is begun while the stream is on its way opens it not, and nothing is held up", () => {
    const story = Effect.gen(function* () {
      const fleet = yield* fleetOf
      const far: Driver = { ...memoryDriver(new MemoryBroker()), name: "far" }
      const broken: Driver = { ...far, open: () => refusal("Unavailable", "open") }
      const target = yield* far.open("far", {})
      for (const transport of [fleet.transport, target]) yield* transport.ensure({ topic: "notes", partitions: 2 })
      yield* apply(fleet, documentAt(1, "local"))
      const writer = yield* processOf(fleet, { drivers: [fleet.driver, far] })
      const notes = yield* writer.stream(noteContract())
      yield* place(fleet, stream, { cluster: "local", topic: "notes", partitions: 2 })
      yield* Effect.sleep("10 seconds")
      const word = (kind: "paused" | "resumed") =>
        Effect.andThen(
          fleet.tool.look,
          Effect.suspend(() => {
            const base = fleet.tool.control.streams.get(stream)?.step ?? 0
            return fleet.tool.write({ kind, stream, base })
          })
        )
      yield* word("paused")
      yield* apply(fleet, documentAt(2, "far"), { [stream]: { cluster: "far", topic: "notes", partitions: 2 } })
      yield* Effect.sleep("10 seconds")
      const late = yield* processOf(fleet, { drivers: [fleet.driver, broken] })
      const failed = yield* Effect.flip(late.stream(noteContract()))
      expect(failed.message).toContain(
        `stream ${stream} is on its way to far/notes, which this process cannot reach: no answer within 30 seconds`
      )
      yield* word("resumed")
      for (let text = 0; text < 100; text++) {
        yield* notes.publish({ key: `k${text % 7}`, text: "x" }, { level: "stored" })
        yield* Effect.sleep(100)
      }
      yield* fleet.tool.look
      expect(fleet.tool.control.streams.get(stream)?.epochs.at(-1)?.phase).toBe("open")
      expect(fleet.tool.control.streams.get(stream)?.epochs.at(-1)?.place.cluster).toBe("far")
    })
    const { exit } = simulate(1, story.pipe(Effect.scoped))
    if (Exit.isFailure(exit)) throw new Error(`the story failed: ${Cause.pretty(exit.cause)}`)
  })
})
