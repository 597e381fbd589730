/** What falls back and stays there, before a stream is moved and after it: groups handle it, whenever their processes have begun. */
import { Cause, Effect, Exit, Scope } from "effect"
import { ControlTools, type EventStream, Leat, MemoryBroker, memoryDriver, memoryTransport, MoveTools } from "leat"
import { faultDriver, simulate } from "leat/testing"
import type { Driver } from "leat/transport"
import { describe, expect, it } from "vitest"
import { type Note, noteContract } from "../contracts/Note.ts"

const contract = noteContract()

class StayingFleet {
  readonly brokers = {
    near: new MemoryBroker({ partitions: 2 }),
    far: new MemoryBroker({ partitions: 2 }),
    third: new MemoryBroker({ partitions: 2 })
  }
  readonly control = new MemoryBroker()
  /** Nothing is stored there, and nothing fenced. */
  away: "near" | "far" | undefined
  /** How long the third cluster takes to be opened, in milliseconds. */
  openMs = 0

  get drivers(): ReadonlyArray<Driver> {
    const data = (["near", "far", "third"] as const).map((name) => ({
      ...faultDriver(memoryDriver(this.brokers[name]), {
        send: () => (this.away === name ? { kind: "fail", reason: "Unavailable" } : undefined),
        fence: () => (this.away === name ? "Unavailable" : undefined)
      }),
      name,
      ...(name === "third" ? { open: this.#openThird } : {})
    }))
    return [...data, { ...memoryDriver(this.control), name: "control" }]
  }

  readonly #openThird: Driver["open"] = (...given) =>
    Effect.suspend(() => Effect.delay(memoryDriver(this.brokers.third).open(...given), this.openMs))

  document(version: number, at: "near" | "far", falls: boolean): string {
    const fallback = { policy: "falling", fallback: { cluster: "third", back: "stay" } }
    return JSON.stringify({
      version,
      clusters: { near: { transport: "near" }, far: { transport: "far" }, third: { transport: "third" } },
      policies: { falling: [{ on: ["passing"], retry: { base: "10 millis", times: 2 }, then: "fallback" }] },
      routes: [{ match: { stream: "*" }, to: [{ cluster: at, topic: at, ...(falls ? fallback : {}) }] }]
    })
  }

  readonly tool = { author: "tool", reason: "another cluster" }

  apply(version: number, at: "near" | "far", falls: boolean) {
    const document = this.document(version, at, falls)
    return ControlTools.apply(memoryTransport(this.control), { ...this.tool, drivers: this.drivers, document })
  }

  move(version: number, at: "near" | "far", falls: boolean) {
    return MoveTools.start(memoryTransport(this.control), {
      ...this.tool,
      drivers: this.drivers,
      document: this.document(version, at, falls),
      streams: [contract.stream],
      foreignWritersStopped: true,
      standInsEmpty: true
    })
  }

  readonly opened = Effect.suspend(() =>
    Effect.flatMap(
      Leat.make({ source: "test", drivers: this.drivers, control: { cluster: { transport: "control" } } }),
      (leat) => leat.stream(contract)
    )
  )
}

const group = Effect.fnUntraced(function* (notes: EventStream<Note>, name: string, texts: Set<string> = new Set()) {
  yield* notes.handle(name, ({ text }) => Effect.sync(() => void texts.add(text)))
  return texts
})

const publish = (notes: EventStream<Note>, what: string) =>
  Effect.forEach(Array.from({ length: 10 }).keys(), (index) =>
    notes.publish({ key: `k${index}`, text: `${what} ${index}` }, { level: "stored" })
  )

/** How many of these were handled. */
const of = (texts: ReadonlySet<string>, what: string) =>
  Array.from(texts).filter((text) => text.startsWith(what)).length

function story(tell: (fleet: StayingFleet) => Effect.Effect<void, unknown, Scope.Scope>): void {
  const program = Effect.scoped(Effect.suspend(() => tell(new StayingFleet())))
  const { exit } = simulate(1, program, { stepsMax: 5_000_000, stepsAtOnceMax: 50_000 })
  if (Exit.isFailure(exit)) throw new Error(Cause.pretty(exit.cause))
}

describe("what falls back and stays, of a stream that is moved", () => {
  it("is handled at the new place by groups that were there before the move, by later ones, and by later processes", () => {
    story((fleet) =>
      Effect.gen(function* () {
        yield* fleet.apply(1, "near", false)
        const notes = yield* fleet.opened
        const before = yield* group(notes, "before")
        yield* Effect.sleep("10 seconds")
        yield* fleet.move(2, "far", true)
        yield* Effect.sleep("1 minute")
        yield* publish(notes, "moved")
        fleet.away = "far"
        yield* publish(notes, "fell")
        yield* Effect.sleep("1 minute")
        const later = yield* group(notes, "later")
        const other = yield* group(yield* fleet.opened, "other")
        yield* Effect.sleep("1 minute")
        for (const texts of [before, later, other]) expect([of(texts, "moved"), of(texts, "fell")]).toEqual([10, 10])
      })
    )
  })

  it("is handled at the old place by a group that was not there while it moved", () => {
    story((fleet) =>
      Effect.gen(function* () {
        yield* fleet.apply(1, "near", true)
        const notes = yield* fleet.opened
        const scope = yield* Scope.make()
        const reader = yield* Scope.provide(fleet.opened, scope)
        const texts = new Set<string>()
        yield* Scope.provide(group(reader, "g", texts), scope)
        yield* publish(notes, "before")
        yield* Effect.sleep("10 seconds")
        yield* Scope.close(scope, Exit.void)
        fleet.away = "near"
        yield* publish(notes, "fell")
        fleet.away = undefined
        yield* Effect.sleep("70 seconds")
        yield* fleet.move(2, "far", false)
        yield* Effect.sleep("1 minute")
        yield* publish(notes, "moved")
        const [status] = yield* MoveTools.status(memoryTransport(fleet.control))
        expect(status?.epochs.map(({ phase }) => phase)).toEqual(["retired", "open"])
        // Longer than it takes to see that nothing else is left at the old place.
        fleet.openMs = 10_000
        yield* group(yield* fleet.opened, "g", texts)
        yield* Effect.sleep("1 minute")
        expect([of(texts, "before"), of(texts, "fell"), of(texts, "moved")]).toEqual([10, 10, 10])
      })
    )
  })
})
