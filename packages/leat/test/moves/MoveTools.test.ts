import { Clock, Effect } from "effect"
import {
  type ContractInfo,
  type ControlError,
  ControlTools,
  MemoryBroker,
  memoryDriver,
  memoryTransport,
  MoveTools
} from "leat"
import { batchOf, type Driver, sendEffect, type Transport, TransportError } from "leat/transport"
import { describe, expect, it } from "vitest"
import type { ControlStream } from "../../src/control/ControlStream.ts"
import { noteContract } from "../contracts/Note.ts"
import { type Fleet, headerOf, incarnation, placementIn, story, stream, until } from "./fleet.ts"

/** A document that has the stream in one place, and a version. */
const documentOf = (version: number, at: string, more = ""): string => `version: ${version}
clusters: { a: { transport: one }, b: { transport: two } }
routes:
${more}  - match: { stream: "test.*" }
    to: [{ cluster: ${at.split("/")[0]}, topic: ${at.split("/")[1]} }]
  - match: { stream: "*" }
    to: [{ cluster: a, topic: "{stream}" }]
`

/** Two clusters, and processes around a control stream of its own that has the first document. */
const opened = (fleet: Fleet, count = 2, options: { readonly partitions?: number } = {}) =>
  Effect.gen(function* () {
    const brokers = [
      new MemoryBroker({ partitions: 2 }),
      new MemoryBroker({ partitions: options.partitions ?? 4 })
    ] as const
    const drivers: ReadonlyArray<Driver> = brokers.map((broker, index) => ({
      ...memoryDriver(broker),
      name: ["one", "two"][index] ?? ""
    }))
    const tool = { author: "tool", drivers, reason: "the new cluster" }
    yield* ControlTools.apply(fleet.transport, { author: "deploy", document: documentOf(1, "a/old"), drivers })
    const controls: Array<ControlStream> = []
    for (let number = 1; number <= count; number++) controls.push(yield* fleet.process(number))
    const [a, b] = brokers.map(memoryTransport) as [Transport, Transport]
    yield* a.ensure({ topic: "old", partitions: 2 })
    yield* Effect.sleep("6 seconds")
    return { a, b, tool, controls, one: controls[0] as ControlStream, brokers, drivers }
  })

const refusal = (effect: Effect.Effect<unknown, ControlError>): Effect.Effect<string> =>
  Effect.match(effect, { onFailure: ({ reason, detail }) => `${reason}: ${detail}`, onSuccess: () => "done" })

const asked = (document: string) => ({ document, streams: [stream] })

const put = (
  transport: Transport,
  topic: string,
  headers: ReadonlyArray<readonly [string, Uint8Array]>,
  timeMs: number
) =>
  Effect.scoped(
    Effect.flatMap(transport.openWriter(topic), (writer) =>
      sendEffect(writer, 1, batchOf([{ key: "k", value: "x", headers, timeMs }]), 0, 1, 1000)
    )
  )

describe("the start of a move", () => {
  it("opens each cluster once for a plan and for a start, however many streams go, and closes all of them", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, drivers } = yield* opened(fleet)
        const counts = { opened: 0, open: 0 }
        const counting = drivers.map((driver): Driver => ({
          ...driver,
          open: (...given) =>
            Effect.acquireRelease(
              Effect.tap(driver.open(...given), () =>
                Effect.sync(() => {
                  counts.opened++
                  counts.open++
                })
              ),
              () => Effect.sync(() => void counts.open--)
            )
        }))
        const document = documentOf(2, 'b/"{stream}"')
        const streams = Array.from({ length: 7 }, (_, index) => `test.s${index}`)
        const move = { ...tool, drivers: counting, document, streams }
        expect((yield* MoveTools.plan(fleet.transport, move)).moves).toHaveLength(7)
        expect(counts).toEqual({ opened: 2, open: 0 })
        expect((yield* MoveTools.start(fleet.transport, move)).moves).toHaveLength(7)
        // The places of a document are asked apart from the plan that it follows.
        expect(counts.opened).toBeLessThanOrEqual(6)
        expect(counts.open).toBe(0)
      })
    )
  })

  it("tries a cluster that cannot be reached for half a minute, however many streams go there", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, drivers } = yield* opened(fleet)
        const [one, two] = drivers as [Driver, Driver]
        const gone = new TransportError({
          reason: "Unavailable",
          transport: "two",
          operation: "open",
          detail: "not there"
        })
        const away = { ...two, open: () => Effect.fail(gone) }
        const streams = Array.from({ length: 7 }, (_, index) => `test.s${index}`)
        const move = { ...tool, drivers: [one, away], document: documentOf(2, 'b/"{stream}"'), streams }
        const beganMs = yield* Clock.currentTimeMillis
        const { refused } = yield* MoveTools.plan(fleet.transport, move)
        expect(refused).toEqual(
          streams.map((name) => `stream ${name}: b/${name} cannot be reached: two open: Unavailable: not there`)
        )
        const tookMs = (yield* Clock.currentTimeMillis) - beganMs
        expect(tookMs).toBeGreaterThanOrEqual(30_000)
        expect(tookMs).toBeLessThan(31_000)
      })
    )
  })

  it("places the stream, waits until all processes know, and applies the document", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, one } = yield* opened(fleet)
        const told = yield* MoveTools.plan(fleet.transport, { ...tool, ...asked(documentOf(2, "b/new")) })
        expect(told).toMatchObject({
          from: 1,
          to: 2,
          refused: [],
          moves: [
            {
              stream,
              from: { cluster: "a", topic: "old", partitions: 2 },
              to: { cluster: "b", topic: "new", partitions: 4 },
              epoch: 1,
              isPlaced: false,
              foreignWriters: []
            }
          ]
        })
        expect(one.control.streams.size).toBe(0)
        const started = yield* MoveTools.start(fleet.transport, { ...tool, ...asked(documentOf(2, "b/new")) })
        expect(started.version).toBe(2)
        yield* one.look
        expect(placementIn(one).epochs.map(({ epoch, place: at, phase }) => [epoch, at, phase])).toEqual([
          [1, { cluster: "a", topic: "old", partitions: 2 }, "open"],
          [2, { cluster: "b", topic: "new", partitions: 4 }, "planned"]
        ])
        expect([...placementIn(one).writers.keys()].toSorted()).toEqual([incarnation(1), incarnation(2)])
        // Two beats of each lie between: the second one is written when the first was read back, and with it that the stream is placed.
        const records = yield* fleet.records
        const [from, to] = [
          records.findIndex(({ kind }) => kind === "placed"),
          records.findLastIndex(({ kind }) => kind === "table")
        ]
        for (const number of [1, 2]) {
          const beats = records
            .slice(from, to)
            .filter((record) => record.kind === "beat" && record.member === incarnation(number))
          expect(beats.length).toBeGreaterThanOrEqual(2)
        }
        yield* Effect.sleep("6 seconds")
        expect(yield* refusal(MoveTools.start(fleet.transport, { ...tool, ...asked(documentOf(3, "a/third")) }))).toBe(
          `Refused: stream ${stream} moves to b/new already; abort that, or wait until it is over`
        )
      })
    )
  })

  it("does not wait for a process that does not beat any more", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, one } = yield* opened(fleet, 1)
        yield* fleet.process(2, { beatEvery: "10 hours" })
        yield* Effect.sleep("6 seconds")
        const startMs = yield* Clock.currentTimeMillis
        yield* MoveTools.start(fleet.transport, { ...tool, ...asked(documentOf(2, "b/new")) })
        const { silent } = yield* MoveTools.plan(fleet.transport, { ...tool, ...asked(documentOf(3, "a/third")) })
        expect(silent).toEqual([])
        const tookMs = (yield* Clock.currentTimeMillis) - startMs
        expect(tookMs).toBeGreaterThan(25_000)
        expect(tookMs).toBeLessThan(60_000)
        yield* one.look
        expect(one.control.version).toBe(2)
        yield* Effect.sleep("60 seconds")
        const later = yield* MoveTools.plan(fleet.transport, { ...tool, ...asked(documentOf(3, "a/third")) })
        expect(later.silent).toEqual([incarnation(2)])
      })
    )
  })

  it.each([
    [
      "a version that is not higher",
      documentOf(1, "b/new"),
      [stream],
      "version 1 is not higher than 1, which was applied last"
    ],
    [
      "streams that are not known",
      documentOf(2, "b/new"),
      [],
      "the document moves no stream that is known; name those that routes have with a star, by --stream"
    ],
    ["a stream that stays", documentOf(2, "b/new"), ["other"], "stream other lies in the same place in both documents"],
    ["faults", "version: 2\nroutes: []\n", [stream], "the document has faults: "],
    [
      "sources that disagree",
      documentOf(
        2,
        "b/new",
        '  - match: { stream: "test.moved", source: x }\n    to: [{ cluster: a, topic: third }]\n'
      ),
      [stream],
      `stream ${stream} would be read at a/third from source x, and at b/new from source *; a stream that can be moved lies in one place`
    ],
    [
      "no old cluster",
      documentOf(2, "b/new").replace("a: { transport: one }, ", "").replace("cluster: a", "cluster: b"),
      [stream],
      "cluster a is not in the document, and what lies in a/old has to be read there; leave it in until the move is over"
    ],
    [
      "another partitioner",
      documentOf(2, "b/new").replace('"test.*" }', '"test.*" }\n    partitioner: bucket'),
      [stream],
      `stream ${stream} would move and have another partitioner; change that on its own`
    ]
  ])("is refused with %s", (_, document, streams, why) => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, one } = yield* opened(fleet)
        expect(yield* refusal(MoveTools.start(fleet.transport, { ...tool, document, streams }))).toContain(why)
        yield* one.look
        expect([one.control.version, one.control.streams.size]).toEqual([1, 0])
      })
    )
  })

  it("is refused while a process has another version in force, and tells what it refuses", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool } = yield* opened(fleet, 1)
        yield* fleet.process(2, { applied: () => 0, refused: () => "version 1: no driver" })
        yield* Effect.sleep("6 seconds")
        expect(yield* refusal(MoveTools.start(fleet.transport, { ...tool, ...asked(documentOf(2, "b/new")) }))).toBe(
          `Refused: process ${incarnation(2)} has its own routes in force, and not version 1; it refuses version 1: no driver`
        )
      })
    )
  })

  it("waits for a process that is about to have the document in force", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, one } = yield* opened(fleet, 1)
        let applied = 0
        yield* fleet.process(2, { applied: () => applied })
        yield* Effect.sleep("2 seconds")
        applied = 1
        yield* MoveTools.start(fleet.transport, { ...tool, ...asked(documentOf(2, "b/new")) })
        yield* one.look
        expect(one.control.version).toBe(2)
      })
    )
  })

  it("waits for a process that was killed before it had the document in force until it counts as gone, and says so", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, one } = yield* opened(fleet, 1)
        yield* fleet.process(2, { applied: () => 0, beatEvery: "10 hours" })
        yield* Effect.sleep("14 seconds")
        const start = { ...tool, ...asked(documentOf(2, "b/new")) }
        const { quiet, silent, refused } = yield* MoveTools.plan(fleet.transport, start)
        const [found] = quiet
        expect([quiet.length, silent, refused]).toEqual([1, [], []])
        expect(found?.incarnation).toBe(incarnation(2))
        const nowMs = yield* Clock.currentTimeMillis
        expect(nowMs - (found?.seenMs ?? 0)).toBe(14_000)
        // A start that begins now would watch it for so long.
        expect(found?.goneMs).toBe(nowMs + 30_000)
        const told: Array<string> = []
        yield* MoveTools.start(fleet.transport, { ...start, onWaiting: (why) => void told.push(why) })
        yield* one.look
        expect(one.control.version).toBe(2)
        const tookMs = (yield* Clock.currentTimeMillis) - nowMs
        // It is watched for a lease, and then nobody waits for it any more.
        expect([tookMs >= 30_000, tookMs < 42_000, tookMs]).toEqual([true, true, tookMs])
        expect(told).toEqual([
          `process ${incarnation(2)} has not the document in force that is, and has not beaten for 14 seconds; in 30 seconds it counts as gone, and is waited for no more`
        ])
      })
    )
  })

  it("is refused where such a process comes back, and has still another document in force", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool } = yield* opened(fleet, 1)
        const two = yield* fleet.process(2, { applied: () => 0, beatEvery: "10 hours" })
        yield* Effect.sleep("14 seconds")
        yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep("5 seconds"), two.beat)))
        expect(yield* refusal(MoveTools.start(fleet.transport, { ...tool, ...asked(documentOf(2, "b/new")) }))).toBe(
          `Refused: process ${incarnation(2)} has its own routes in force, and not version 1`
        )
      })
    )
  })

  it("waits no second time for who is gone, and not at all for who was gone before", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, one } = yield* opened(fleet, 1)
        yield* fleet.process(2, { beatEvery: "10 hours" })
        yield* Effect.sleep("61 seconds")
        const startMs = yield* Clock.currentTimeMillis
        yield* MoveTools.start(fleet.transport, { ...tool, ...asked(documentOf(2, "b/new")) })
        yield* one.look
        expect(one.control.version).toBe(2)
        // Two beats of the other.
        expect((yield* Clock.currentTimeMillis) - startMs).toBeLessThan(12_000)
      })
    )
  })

  it("is refused where nobody has published the stream, and names the stream that is meant", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool } = yield* opened(fleet)
        const move = { ...tool, document: documentOf(2, 'b/"{stream}"').replace("test.*", "nothing.*"), partitions: 4 }
        const whyNot = (name: string, contracts: ReadonlyArray<ContractInfo> = []) =>
          Effect.map(
            MoveTools.plan(fleet.transport, {
              ...move,
              document: move.document.replace("cluster: a", "cluster: b"),
              streams: [name],
              contracts
            }),
            ({ refused }) => refused
          )
        expect(yield* whyNot("ol")).toEqual([
          "stream ol: topic a/ol is not there, so nothing of it can move; did you mean the stream of topic a/old?"
        ])
        expect(yield* whyNot("tst.notes", [noteContract()])).toEqual([
          "stream tst.notes: topic a/tst.notes is not there, so nothing of it can move; did you mean test.notes?"
        ])
        expect(yield* whyNot("shop.orders")).toEqual([
          "stream shop.orders: topic a/shop.orders is not there, so nothing of it can move; a stream that nobody has published yet goes where the document has it that npx leat routes apply applies"
        ])
      })
    )
  })

  it("is refused while somebody else writes the old topic, unless it was said to be stopped", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, a } = yield* opened(fleet)
        const nowMs = yield* Clock.currentTimeMillis
        yield* put(a, "old", [["leat", headerOf(incarnation(1), 1, 0, 1)]], nowMs)
        yield* put(a, "old", [["leat", headerOf(incarnation(8), 1, 0, 1)]], nowMs - 400_000)
        yield* put(a, "old", [["leat", headerOf(incarnation(8), 1, 0, 1, "test.other")]], nowMs)
        const start = { ...tool, ...asked(documentOf(2, "b/new")) }
        expect((yield* MoveTools.plan(fleet.transport, start)).refused).toEqual([])
        yield* put(a, "old", [["leat", headerOf(incarnation(9), 1, 0, 1)]], nowMs)
        yield* put(a, "old", [["x", Uint8Array.of(1)]], nowMs)
        expect((yield* MoveTools.plan(fleet.transport, start)).refused).toEqual([
          `${incarnation(9)}, which is no process of the fleet, has written to a/old 0 seconds ago (1 records of the last minutes); stop it, and say --foreign-writers-stopped (foreignWritersStopped)`,
          "somebody who does not use leat has written to a/old 0 seconds ago (1 records of the last minutes); stop it, and say --foreign-writers-stopped (foreignWritersStopped)"
        ])
        expect(yield* refusal(MoveTools.start(fleet.transport, start))).toMatch(/^Refused: .*no process of the fleet/)
        const stopped = yield* MoveTools.start(fleet.transport, { ...start, foreignWritersStopped: true })
        expect(stopped.moves[0]?.foreignWriters.map(({ records }) => records)).toEqual([1, 1])
      })
    )
  })

  it("is refused where the partitions do not fit the buckets of a contract, and where a topic is not reached", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, drivers, b } = yield* opened(fleet, 1)
        const contract = { ...noteContract(), stream, buckets: 12 }
        yield* b.ensure({ topic: "new", partitions: 5 })
        const start = { ...tool, ...asked(documentOf(2, "b/new")), contracts: [contract] }
        expect(yield* refusal(MoveTools.start(fleet.transport, start))).toMatch(
          /b\/new has 5 partitions, .* 12 buckets/
        )
        const dead = { ...(drivers[1] as Driver), open: () => Effect.die("broken") }
        expect(
          yield* refusal(MoveTools.start(fleet.transport, { ...start, drivers: [drivers[0] as Driver, dead] }))
        ).toContain("b/new cannot be reached")
        const without = { ...start, drivers: [drivers[0] as Driver] }
        expect(yield* refusal(MoveTools.start(fleet.transport, without))).toContain("no driver named two")
      })
    )
  })

  it.each([
    { then: "halt", refused: [] },
    {
      then: "drop",
      refused: [
        "b/new keeps order only where nothing is given up, and its policy gives up after Timeout; a/old keeps it in any case"
      ]
    },
    {
      then: "deadLetter",
      refused: [
        "b/new keeps order only where nothing is given up, and its policy gives up after Timeout; a/old keeps it in any case"
      ]
    }
  ])("to where nothing fences takes a policy that gives nothing up: $then", ({ then, refused }) => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, drivers } = yield* opened(fleet, 1)
        const [one, two] = drivers as [Driver, Driver]
        const unfenced = {
          ...two,
          open: (...given: Parameters<Driver["open"]>) =>
            Effect.map(two.open(...given), (transport) => ({
              ...transport,
              capabilities: { ...transport.capabilities, ordering: "exceptAfterInDoubt" as const }
            }))
        }
        const policies = `policies: { own: [{ on: [Timeout], then: ${then} }] }\n`
        const document = documentOf(2, "b/new").replace("topic: new", "topic: new, policy: own") + policies
        const start = { ...tool, ...asked(document), drivers: [one, unfenced] }
        expect((yield* MoveTools.plan(fleet.transport, start)).refused).toEqual(refused)
      })
    )
  })

  it("is refused where a group of the stream could have no topics of its own beside the new one", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, one } = yield* opened(fleet, 1)
        yield* MoveTools.place(fleet.transport, { ...tool, streams: [stream] })
        const group = "g".repeat(236)
        yield* one.write({ kind: "reads", stream, group })
        const planned = (topic: string) =>
          MoveTools.plan(fleet.transport, { ...tool, ...asked(documentOf(2, `b/${topic}`)) })
        // Of 249 characters: the topic, the group, and ".retry.8" with a dot before it.
        expect((yield* planned("next")).refused).toEqual([])
        expect((yield* planned("newer")).refused).toEqual([
          expect.stringMatching(/^group g+ reads test\.moved, and cannot read it there: .* may have 250 characters/)
        ])
      })
    )
  })

  it("takes the partitions that are asked for where the topic is not there", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool } = yield* opened(fleet, 1)
        const start = { ...tool, ...asked(documentOf(2, "b/new")), partitions: 6 }
        const { moves } = yield* MoveTools.plan(fleet.transport, start)
        expect(moves[0]?.to).toEqual({ cluster: "b", topic: "new", partitions: 6 })
      })
    )
  })
})

describe("a document for placed streams", () => {
  it("moves them, or leaves them where they are, and says which drivers it takes to know", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, drivers, one } = yield* opened(fleet)
        expect(yield* MoveTools.place(fleet.transport, { ...tool, streams: [stream] })).toEqual(
          new Map([[stream, { cluster: "a", topic: "old", partitions: 2 }]])
        )
        const apply = (document: string, more: Partial<ControlTools.ToolTable> = { drivers }) =>
          ControlTools.apply(fleet.transport, { author: `apply ${document}`, document, ...more })
        expect(yield* refusal(apply(documentOf(2, "a/old"), {}))).toBe(
          `Refused: stream ${stream} can be moved by a document, and only who has its drivers knows whether this one does; give the drivers`
        )
        yield* apply(documentOf(2, "a/old"))
        yield* one.look
        expect(placementIn(one).epochs).toHaveLength(1)
        yield* apply(documentOf(3, "b/new"))
        yield* one.look
        expect(placementIn(one).epochs.at(-1)?.place).toEqual({ cluster: "b", topic: "new", partitions: 4 })
        // The same document again changes nothing.
        yield* apply(documentOf(4, "b/new"))
        yield* one.look
        expect(placementIn(one).lastEpoch).toBe(2)
        expect(
          yield* refusal(
            apply(documentOf(5, "b/new").replace("a: { transport: one }, ", "").replace("cluster: a", "cluster: b"))
          )
        ).toBe(
          `Refused: cluster a is not in the document, and stream ${stream} still lies in a/old there; leave it in until its move is over`
        )
        yield* ControlTools.rollback(fleet.transport, { author: "back", version: 2, drivers })
        yield* one.look
        expect(placementIn(one).epochs.map(({ phase }) => phase)).toEqual(["open"])
      })
    )
  })
})

describe("a document that moves nothing", () => {
  it("keeps the partitions that a stream was placed with, and asks no cluster", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, drivers, one, a } = yield* opened(fleet, 1)
        yield* MoveTools.place(fleet.transport, { ...tool, streams: [stream] })
        const closed = drivers.map((driver) => ({ ...driver, open: () => Effect.die("nobody opens it") }))
        yield* ControlTools.apply(fleet.transport, {
          author: "next",
          document: documentOf(2, "a/old"),
          drivers: closed
        })
        yield* one.look
        expect(placementIn(one).epochs.map(({ place }) => place.partitions)).toEqual([2])
        expect(yield* a.partitionsOf("old")).toBe(2)
      })
    )
  })
})

describe("the way back", () => {
  it("aborts what is not sealed, and moves back what is", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, one } = yield* opened(fleet, 1)
        expect(yield* refusal(MoveTools.abort(fleet.transport, tool))).toBe(
          "Refused: no stream is about to move; to take one back that has moved, roll back"
        )
        expect(yield* refusal(MoveTools.rollback(fleet.transport, tool))).toBe(
          "Refused: no stream has moved, as far as is known"
        )
        const start = (version: number) =>
          MoveTools.start(fleet.transport, { ...tool, ...asked(documentOf(version, "b/new")) })
        yield* start(2)
        // Another document meanwhile, which moves nothing.
        const other = documentOf(3, "b/new").replace("topic: new", "topic: new, linger: 7 millis")
        yield* ControlTools.apply(fleet.transport, { ...tool, author: "other", document: other })
        expect(yield* MoveTools.abort(fleet.transport, { ...tool, author: "abort" })).toEqual({ version: 4 })
        yield* one.look
        expect(placementIn(one).epochs.map(({ place: at, phase }) => [at.topic, phase])).toEqual([["old", "open"]])
        expect(one.control.history.at(-1)?.reason).toBe("back to version 1: the new cluster")
        yield* Effect.sleep("6 seconds")
        yield* MoveTools.start(fleet.transport, { ...tool, author: "again", ...asked(documentOf(5, "b/new")) })
        yield* one.look
        yield* one.write({ kind: "sealing", stream, base: placementIn(one).step })
        const [source] = placementIn(one).epochs
        const drained = { epoch: 1, attempt: source?.attempt ?? 0, member: incarnation(1), upTo: [0, 0] }
        yield* one.write({ kind: "drained", stream, ...drained })
        yield* one.write({ kind: "sealed", stream, base: placementIn(one).step, end: [0, 0], over: new Map() })
        expect(yield* refusal(MoveTools.abort(fleet.transport, { ...tool, author: "late" }))).toBe(
          `Refused: ${stream} is sealed where it lay, and goes on from there; roll back instead`
        )
        yield* one.write({ kind: "opened", stream, base: placementIn(one).step, begin: [0, 0, 0, 0] })
        yield* MoveTools.rollback(fleet.transport, { ...tool, author: "roll", streams: [stream] })
        yield* one.look
        expect(placementIn(one).epochs.map(({ place: at, phase }) => [at.topic, phase])).toEqual([
          ["old", "sealed"],
          ["new", "open"],
          ["old", "planned"]
        ])
      })
    )
  })
})

describe("a person's word", () => {
  const movedOver = (fleet: Fleet) =>
    Effect.gen(function* () {
      const fleetOpened = yield* opened(fleet, 1)
      const { tool, one } = fleetOpened
      const late = yield* fleet.process(2, { beatEvery: "10 hours" })
      yield* Effect.sleep("2 seconds")
      yield* MoveTools.start(fleet.transport, { ...tool, ...asked(documentOf(2, "b/new")) })
      yield* one.look
      yield* one.write({ kind: "reads", stream, group: "g" })
      yield* one.write({ kind: "sealing", stream, base: placementIn(one).step })
      const attempt = placementIn(one).epochs[0]?.attempt ?? 0
      yield* one.write({ kind: "drained", stream, epoch: 1, attempt, member: incarnation(1), upTo: [0, 0] })
      return { ...fleetOpened, late }
    })

  it("gives up who was passed over, by name or by how long nothing was heard of it", () => {
    for (const by of ["name", "silence"] as const)
      story((fleet) =>
        Effect.gen(function* () {
          const { tool, one, a } = yield* movedOver(fleet)
          const giveUp = (who: { member: string } | { silentFor: "5 seconds" | "20 seconds" }) =>
            MoveTools.giveUp(fleet.transport, { ...tool, stream, ...who })
          expect(yield* refusal(giveUp({ member: incarnation(2) }))).toBe(
            `Refused: stream ${stream} waits for no ${incarnation(2)} that was passed over; it waits for nobody`
          )
          yield* Effect.sleep("40 seconds")
          const over = new Map([[incarnation(2), one.control.members.get(incarnation(2))?.beats ?? 0]])
          yield* one.write({ kind: "sealed", stream, base: placementIn(one).step, end: [0, 0], over })
          yield* one.write({ kind: "opened", stream, base: placementIn(one).step, begin: [0, 0, 0, 0] })
          yield* put(a, "old", [["leat", headerOf(incarnation(2), 1, 0, 1)]], 1)
          expect(yield* refusal(giveUp({ member: incarnation(1) }))).toBe(
            `Refused: stream ${stream} waits for no ${incarnation(1)} that was passed over; it waits for ${incarnation(2)}`
          )
          expect(yield* refusal(giveUp({ silentFor: "5 seconds" }))).toContain(
            "who was heard of within 15 seconds lives"
          )
          const who = by === "name" ? { member: incarnation(2) } : ({ silentFor: "20 seconds" } as const)
          expect(yield* giveUp(who)).toEqual([incarnation(2)])
          yield* one.look
          // It is read how far it may have written, and that is swept.
          expect(placementIn(one).epochs[0]?.over).toEqual(new Map([[incarnation(2), [0, 1]]]))
          expect(placementIn(one).writers.get(incarnation(2))).toBe("givenUp")
          // Nor has a document to be in force there before the next move.
          expect([...one.control.members.keys()]).not.toContain(incarnation(2))
        })
      )
  })

  it.each(["a word without a stream", "a coordinator, by a word of one of them"])(
    "gives up a dead process in all streams, by %s",
    (by) => {
      story((fleet) =>
        Effect.gen(function* () {
          const { tool, one, a, b, drivers } = yield* opened(fleet, 1)
          const other = "test.second"
          const at = (version: number, place: string) => documentOf(version, place)
          yield* ControlTools.apply(fleet.transport, {
            ...tool,
            author: "apart",
            document: at(2, 'a/"{stream}"'),
            drivers
          })
          for (const topic of [stream, other]) yield* a.ensure({ topic, partitions: 2 })
          yield* fleet.process(2, { beatEvery: "10 hours" })
          yield* Effect.sleep("6 seconds")
          yield* MoveTools.start(fleet.transport, {
            ...tool,
            document: at(3, 'b/"{stream}"'),
            streams: [stream, other],
            foreignWritersStopped: true
          })
          yield* Effect.sleep("20 seconds")
          yield* one.look
          const over = new Map([[incarnation(2), one.control.members.get(incarnation(2))?.beats ?? 0]])
          for (const name of [stream, other]) {
            const step = () => one.control.streams.get(name)?.step ?? 0
            yield* one.write({ kind: "sealing", stream: name, base: step() })
            const attempt = one.control.streams.get(name)?.epochs[0]?.attempt ?? 0
            const drained = { epoch: 1, attempt, member: incarnation(1), upTo: [0, 0] }
            yield* one.write({ kind: "drained", stream: name, ...drained })
            yield* put(a, name, [["leat", headerOf(incarnation(2), 1, 0, 1, name)]], 1)
            yield* one.write({ kind: "sealed", stream: name, base: step(), end: [0, 0], over })
            yield* one.write({ kind: "opened", stream: name, base: step(), begin: [0, 0, 0, 0] })
          }
          const dead = { member: incarnation(2) }
          const ofAll = by === "a word without a stream"
          expect(yield* MoveTools.giveUp(fleet.transport, { ...tool, ...dead, ...(ofAll ? {} : { stream }) })).toEqual([
            incarnation(2)
          ])
          yield* one.look
          const isGivenUp = (name: string) => one.control.streams.get(name)?.writers.get(incarnation(2)) === "givenUp"
          expect([stream, other].map(isGivenUp)).toEqual([true, ofAll])
          expect(yield* refusal(MoveTools.giveUp(fleet.transport, { ...tool, ...dead, stream }))).toContain(
            "it waits for nobody"
          )
          const transportOf = (cluster: string) => Effect.succeed(cluster === "a" ? a : b)
          yield* Effect.forkScoped(fleet.coordinator(one, { transportOf }))
          // What it wrote behind the end is sent on, as of one that lives.
          const isRetired = (name: string) => one.control.streams.get(name)?.epochs[0]?.phase === "retired"
          yield* until("retired", () => [stream, other].every(isRetired))
          expect(isGivenUp(other)).toBe(true)
          for (const name of [stream, other]) {
            const bounds = yield* b.bounds(name)
            expect(bounds.reduce((sum, { end }) => sum + end, 0n)).toBe(1n)
          }
        })
      )
    }
  )

  it("gives up a group that reads no more: nothing is kept for it", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, one } = yield* movedOver(fleet)
        const giveUp = (group: string) => MoveTools.giveUp(fleet.transport, { ...tool, stream, group })
        expect(yield* refusal(giveUp("g"))).toBe(`Refused: no epoch of stream ${stream} waits for a group g; it has g`)
        const over = new Map([[incarnation(2), one.control.members.get(incarnation(2))?.beats ?? 0]])
        yield* one.write({ kind: "sealed", stream, base: placementIn(one).step, end: [0, 3], over })
        expect(yield* refusal(giveUp("h"))).toBe(`Refused: no epoch of stream ${stream} waits for a group h; it has g`)
        expect(yield* giveUp("g")).toEqual(["g"])
        yield* one.look
        expect([...(placementIn(one).epochs[0]?.handedOver ?? [])]).toEqual(["g"])
      })
    )
  })

  it("does not give up a writer that was heard of just now", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, one, late } = yield* movedOver(fleet)
        yield* Effect.sleep("40 seconds")
        const over = new Map([[incarnation(2), one.control.members.get(incarnation(2))?.beats ?? 0]])
        yield* one.write({ kind: "sealed", stream, base: placementIn(one).step, end: [0, 0], over })
        yield* late.beat
        yield* Effect.sleep("3 seconds")
        expect(yield* refusal(MoveTools.giveUp(fleet.transport, { ...tool, stream, member: incarnation(2) }))).toBe(
          `Refused: ${incarnation(2)} was heard of 3 seconds ago: it lives; stop it, and then give it up`
        )
      })
    )
  })

  it("abandons an epoch, and says why not where that cannot be", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, one } = yield* movedOver(fleet)
        const abandon = (epoch: number, name = stream) =>
          MoveTools.abandon(fleet.transport, { ...tool, stream: name, epoch })
        expect(yield* refusal(abandon(7))).toBe(`Refused: epoch 7 of stream ${stream} is not known; there is 1, 2`)
        expect(yield* refusal(abandon(2))).toBe(
          `Refused: epoch 2 of stream ${stream} is the newest, so there is nowhere to go; move the stream elsewhere first`
        )
        expect(yield* refusal(abandon(1, "other"))).toBe(`Refused: stream other is not placed; there is ${stream}`)
        expect(yield* refusal(abandon(1))).toBe("done")
        yield* one.look
        expect(placementIn(one).epochs[0]?.phase).toBe("abandoned")
        expect(yield* refusal(abandon(1))).toBe(`Refused: epoch 1 of stream ${stream} is abandoned already`)
      })
    )
  })

  it("sees how far all is, who is missing, and which group is behind by how much", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, one, a } = yield* movedOver(fleet)
        const status = Effect.map(MoveTools.status(fleet.transport, tool), ([found]) => found)
        const now = yield* status
        expect(now).toMatchObject({ stream, writers: 2, groups: ["g"] })
        expect(now?.epochs).toMatchObject([
          {
            epoch: 1,
            cluster: "a",
            topic: "old",
            partitions: 2,
            phase: "sealing",
            missing: [incarnation(2)],
            groups: []
          },
          { epoch: 2, phase: "planned", missing: [] }
        ])
        const nowMs = yield* Clock.currentTimeMillis
        expect(nowMs - (now?.sinceMs ?? 0)).toBeLessThan(2000)
        for (let count = 0; count < 3; count++)
          yield* put(a, "old", [["leat", headerOf(incarnation(1), 1, count, 1)]], 1)
        const over = new Map([[incarnation(2), one.control.members.get(incarnation(2))?.beats ?? 0]])
        yield* one.write({ kind: "sealed", stream, base: placementIn(one).step, end: [0, 3], over })
        const [old] = (yield* status)?.epochs ?? []
        expect(old).toMatchObject({
          phase: "sealed",
          passedOver: [{ member: incarnation(2), isOwing: true }],
          groups: [{ group: "g", hasSettled: false, isOther: false, behind: 3 }]
        })
        const [unasked] = yield* MoveTools.status(fleet.transport)
        expect(unasked?.epochs[0]?.groups).toEqual([{ group: "g", hasSettled: false, isOther: false }])
      })
    )
  })

  it("writes nothing in a dry run, and says what would come of it", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, one } = yield* movedOver(fleet)
        yield* Effect.sleep("20 seconds")
        const before = (yield* fleet.records).filter(({ kind }) => kind !== "beat")
        const dry = { ...tool, isDryRun: true }
        expect(yield* MoveTools.abort(fleet.transport, dry)).toEqual({ version: 3 })
        expect(yield* refusal(MoveTools.abandon(fleet.transport, { ...dry, stream, epoch: 1 }))).toBe("done")
        expect(
          yield* refusal(MoveTools.start(fleet.transport, { ...dry, document: "version: 9", streams: ["test.other"] }))
        ).toMatch(/^Refused: the document has faults/)
        expect((yield* fleet.records).filter(({ kind }) => kind !== "beat")).toEqual(before)
        expect(one.control.version).toBe(2)
      })
    )
  })

  it("is refused from callers without types in one sentence", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { transport } = fleet
        const never = undefined as never
        for (const [call, why] of [
          [MoveTools.start(transport, never), "Refused: a tool is named as { author, drivers }, and not by undefined"],
          [MoveTools.plan(never, never), "Refused: a control stream is on a transport, and not on undefined"],
          [
            MoveTools.place(transport, { author: "x", drivers: [], streams: [1] } as never),
            "Refused: streams is a list of names of streams"
          ],
          [
            MoveTools.start(transport, { author: "x", drivers: [], document: "", onWaiting: 7 } as never),
            "Refused: onWaiting is a function, and not a number"
          ],
          [
            MoveTools.abort(transport, { author: "x" } as never),
            "Refused: drivers is a list of drivers, and not undefined"
          ],
          [
            MoveTools.abandon(transport, { author: "x", drivers: [] } as never),
            "Refused: stream is a text, and not undefined"
          ]
        ] as const)
          expect(yield* refusal(call as Effect.Effect<unknown, ControlError>)).toBe(why)
      })
    )
  })
})
