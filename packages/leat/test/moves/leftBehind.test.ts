import { Effect } from "effect"
import { type ControlError, ControlTools, MemoryBroker, memoryDriver, memoryTransport, MoveTools } from "leat"
import { PowerLossBroker, powerLossDriver } from "leat/testing"
import type { Driver } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"
import { type Fleet, placementIn, story, stream, until } from "./fleet.ts"

const clusters = "{ a: { transport: one }, b: { transport: two } }"

interface Said {
  readonly version: number
  readonly at: string
  /** What else the leg says. */
  readonly leg?: string
  readonly clusters?: string
  /** Where another stream lies. */
  readonly other?: string
}

const place = (at: string) => `cluster: ${at.split("/")[0]}, topic: ${at.split("/")[1]}`

const documentOf = ({ version, at, leg = "", other = "a/others", ...more }: Said): string => `version: ${version}
clusters: ${more.clusters ?? clusters}
policies:
  away: [{ on: [passing], retry: { base: 10 millis, times: 3 }, then: fallback }]
  held: [{ on: [passing], retry: { base: 10 millis, times: 3 }, then: spill }]
routes:
  - match: { stream: "${stream}" }
    to: [{ ${place(at)}${leg} }]
  - match: { stream: "test.others" }
    to: [{ ${place(other)} }]
`

const opened = (fleet: Fleet, first: Said) =>
  Effect.gen(function* () {
    const brokers = [new MemoryBroker({ partitions: 2 }), new MemoryBroker({ partitions: 2 })] as const
    const drivers: ReadonlyArray<Driver> = [
      ...brokers.map((broker, index) => ({ ...memoryDriver(broker), name: ["one", "two"][index] ?? "" })),
      powerLossDriver(new PowerLossBroker())
    ]
    const tool = { author: "tool", drivers, reason: "the new cluster" }
    yield* ControlTools.apply(fleet.transport, { author: "deploy", document: documentOf(first), drivers })
    const one = yield* fleet.process(1)
    const near = memoryTransport(brokers[0])
    for (const topic of ["old", "others"]) yield* near.ensure({ topic, partitions: 2 })
    yield* Effect.sleep("6 seconds")
    const asked = (said: Said) => ({ ...tool, document: documentOf(said), streams: [stream] })
    return { tool, one, near, asked, brokers }
  })

const refusal = (effect: Effect.Effect<unknown, ControlError>): Effect.Effect<string> =>
  Effect.match(effect, { onFailure: ({ reason, detail }) => `${reason}: ${detail}`, onSuccess: () => "done" })

/** What each stand-in is in a document, and why it keeps the stream. */
const standIns = [
  ["fallback", ", policy: away, fallback: { cluster: b, back: redrive }"],
  ["fallback", ", policy: away, fallback: { cluster: b, back: stay }"]
] as const

const kept = (name: string) =>
  `stream ${stream} has a ${name} at a/old, and what that holds, or takes while the stream moves, is sent on by nobody after it; see that it is empty and its cluster well, and say --stand-ins-empty (standInsEmpty)`

const compacted = `stream ${stream} is compacted at a/old, and a move does not take the latest event of each key along: who begins to read later has only what is published from then on; publish the state again after the move, and say --without-state (withoutState)`

describe("what a move would leave behind", () => {
  it.each(standIns)("keeps a stream where it is: a %s, %s", (name, leg) => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, asked } = yield* opened(fleet, { version: 1, at: "a/old", leg })
        const to: Said = { version: 2, at: "b/new" }
        expect((yield* MoveTools.plan(fleet.transport, asked(to))).refused).toEqual([kept(name)])
        expect(yield* refusal(MoveTools.start(fleet.transport, asked(to)))).toBe(`Refused: ${kept(name)}`)
        expect((yield* MoveTools.plan(fleet.transport, { ...asked(to), standInsEmpty: true })).refused).toEqual([])
        // A stream that is placed is moved by any document.
        yield* MoveTools.place(fleet.transport, { ...tool, streams: [stream] })
        expect(yield* refusal(ControlTools.apply(fleet.transport, { ...tool, document: documentOf(to) }))).toBe(
          `Refused: ${kept(name)}`
        )
        yield* MoveTools.start(fleet.transport, { ...asked(to), standInsEmpty: true })
      })
    )
  })

  it("keeps a stream where it is: a spill whose cluster the document does not name", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const named = clusters.replace("{ a:", "{ disk: { transport: powerLoss }, a:")
        const leg = ", policy: held, spill: { cluster: disk }"
        const { tool, asked } = yield* opened(fleet, { version: 1, at: "a/old", leg, clusters: named })
        const lost: Said = { version: 2, at: "b/new" }
        const carried = { ...lost, clusters: named }
        const why = `stream ${stream} has a spill at a/old in cluster disk, which the document does not name, and what that holds is carried by nobody after the move; leave the cluster in, or see that it is empty in each process, and say --stand-ins-empty (standInsEmpty)`
        expect((yield* MoveTools.plan(fleet.transport, asked(lost))).refused).toEqual([why])
        expect((yield* MoveTools.plan(fleet.transport, { ...asked(lost), standInsEmpty: true })).refused).toEqual([])
        expect((yield* MoveTools.plan(fleet.transport, asked(carried))).refused).toEqual([])
        // A stream that is placed is moved by any document.
        yield* MoveTools.place(fleet.transport, { ...tool, streams: [stream] })
        expect(yield* refusal(ControlTools.apply(fleet.transport, { ...tool, document: documentOf(lost) }))).toBe(
          `Refused: ${why}`
        )
        yield* MoveTools.start(fleet.transport, asked(carried))
        // A dead place is left: what was to be sent there is carried.
        expect(yield* refusal(MoveTools.abandon(fleet.transport, { ...tool, stream, epoch: 1 }))).toBe("done")
      })
    )
  })

  it("keeps a stream where it is: a fallback of another source", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, asked } = yield* opened(fleet, { version: 1, at: "a/old" })
        const [, leg] = standIns[0]
        const bySource = (version: number, at: string, more = "") =>
          documentOf({ version, at }).replace(
            `  - match: { stream: "${stream}" }\n    to: [{ ${place(at)} }]`,
            ["one", "two"]
              .map(
                (source) =>
                  `  - match: { stream: "${stream}", source: ${source} }\n    to: [{ ${place(at)}${source === "two" ? more : ""} }]`
              )
              .join("\n")
          )
        yield* ControlTools.apply(fleet.transport, { ...tool, document: bySource(2, "a/old", leg) })
        yield* Effect.sleep("6 seconds")
        const to = { ...asked({ version: 3, at: "b/new" }), document: bySource(3, "b/new") }
        expect((yield* MoveTools.plan(fleet.transport, to)).refused).toContain(kept("fallback"))
      })
    )
  })

  it("keeps a stream where it is: the latest event of each key", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { near, asked } = yield* opened(fleet, { version: 1, at: "a/state" })
        yield* near.ensure({ topic: "state", partitions: 2, compacted: true })
        const to: Said = { version: 2, at: "b/new" }
        const ofState = compacted.replace("a/old", "a/state")
        expect((yield* MoveTools.plan(fleet.transport, asked(to))).refused).toEqual([ofState])
        expect((yield* MoveTools.plan(fleet.transport, { ...asked(to), withoutState: true })).refused).toEqual([])
      })
    )
    // Of a topic that does not say so its contract does.
    story((fleet) =>
      Effect.gen(function* () {
        const { asked } = yield* opened(fleet, { version: 1, at: "a/old" })
        const contracts = [noteContract({ compacted: true, stream })]
        const to: Said = { version: 2, at: "b/new" }
        expect((yield* MoveTools.plan(fleet.transport, { ...asked(to), contracts })).refused).toEqual([compacted])
      })
    )
  })
})

describe("a mirror in the new place", () => {
  it("keeps a stream where it is while its records could not be told from those of the stream", () => {
    const mirror = (epoch: number) => ` }, { cluster: b, topic: new, required: false, epoch: ${epoch}`
    const fault = (epoch: number) =>
      `stream ${stream} has a mirror at b/new that writes epoch ${epoch}, and would begin there with epoch 2: who reads there could not tell them apart; take that leg out first, and move the stream when it is empty`
    for (const epoch of [2, 3])
      story((fleet) =>
        Effect.gen(function* () {
          const { tool, asked } = yield* opened(fleet, { version: 1, at: "a/old", leg: mirror(epoch) })
          const to: Said = { version: 2, at: "b/new" }
          expect((yield* MoveTools.plan(fleet.transport, asked(to))).refused).toEqual([fault(epoch)])
          yield* MoveTools.place(fleet.transport, { ...tool, streams: [stream] })
          expect(yield* refusal(ControlTools.apply(fleet.transport, { ...tool, document: documentOf(to) }))).toBe(
            `Refused: ${fault(epoch)}`
          )
        })
      )
    story((fleet) =>
      Effect.gen(function* () {
        const { asked } = yield* opened(fleet, { version: 1, at: "a/old", leg: mirror(1) })
        expect((yield* MoveTools.plan(fleet.transport, asked({ version: 2, at: "b/new" }))).refused).toEqual([])
      })
    )
  })
})

describe("a plan", () => {
  it("makes no topic: neither where the stream is to go nor where it lies", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { asked, brokers } = yield* opened(fleet, { version: 1, at: "a/unpublished" })
        const { refused } = yield* MoveTools.plan(fleet.transport, asked({ version: 2, at: "b/new" }))
        // Nobody can move what nobody has published.
        expect(refused).toHaveLength(1)
        expect(brokers.map((broker) => [broker.find("unpublished"), broker.find("new")])).toEqual([
          [undefined, undefined],
          [undefined, undefined]
        ])
      })
    )
  })
})

describe("a place that is dead", () => {
  it("is not abandoned while something stands in for its leg, until a person has seen that it is empty", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, asked } = yield* opened(fleet, { version: 1, at: "a/old", leg: standIns[0][1] })
        yield* MoveTools.start(fleet.transport, { ...asked({ version: 2, at: "b/new" }), standInsEmpty: true })
        const dead = { ...tool, stream, epoch: 1 }
        expect(yield* refusal(MoveTools.abandon(fleet.transport, dead))).toBe(
          `Refused: epoch 1 of stream ${stream} lies in a/old, whose leg has a fallback: what that holds is sent there when the place comes back, and is read by nobody then; see that it is empty, and say --stand-ins-empty (standInsEmpty)`
        )
        expect(yield* refusal(MoveTools.abandon(fleet.transport, { ...dead, standInsEmpty: true }))).toBe("done")
      })
    )
  })
})

describe("a document that names one cluster twice", () => {
  it("does not move a stream from one name to the other", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { asked } = yield* opened(fleet, { version: 1, at: "a/old" })
        const to: Said = {
          version: 2,
          at: "main/old",
          clusters: clusters.replace("{ a:", "{ main: { transport: one }, a:")
        }
        expect((yield* MoveTools.plan(fleet.transport, asked(to))).refused).toEqual([
          `stream ${stream} would move from a/old to main/old, which is the same topic under another name of its cluster; a stream has to move to another topic, and a cluster keeps its name while streams lie there`
        ])
      })
    )
  })
})

describe("the way back", () => {
  it.each([clusters, "{ spare: &two { transport: two }, a: { transport: one }, b: *two }"])(
    "keeps the clusters that the older document did not know: %s",
    (known) => {
      story((fleet) =>
        Effect.gen(function* () {
          const { tool, one, asked } = yield* opened(fleet, {
            version: 1,
            at: "a/old",
            clusters: "{ a: { transport: one } }"
          })
          yield* MoveTools.start(fleet.transport, asked({ version: 2, at: "b/new", clusters: known }))
          yield* one.look
          expect(placementIn(one).epochs.at(-1)?.place.cluster).toBe("b")
          yield* MoveTools.abort(fleet.transport, tool)
          yield* one.look
          expect(placementIn(one).epochs).toMatchObject([{ epoch: 1, phase: "open" }])
          expect(one.control.document).toContain("cluster: a, topic: old")
        })
      )
    }
  )

  it("moves no stream that was not asked for", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const { tool, one, asked } = yield* opened(fleet, { version: 1, at: "a/old" })
        yield* MoveTools.start(fleet.transport, asked({ version: 2, at: "b/new" }))
        yield* MoveTools.start(fleet.transport, {
          ...asked({ version: 3, at: "b/new", other: "b/others" }),
          streams: ["test.others"]
        })
        yield* until("placed", () => one.control.streams.size === 2)
        expect(yield* refusal(MoveTools.rollback(fleet.transport, { ...tool, streams: [stream] }))).toBe(
          "Refused: no document in the history has those streams where they lay and all others where they lie; apply one that does"
        )
        expect(yield* refusal(MoveTools.rollback(fleet.transport, { ...tool, streams: ["test.others"] }))).toBe("done")
      })
    )
  })
})
