import { Effect, Exit, References, Scope } from "effect"
import { type EventId, formatEventId, Leat, MemoryBroker, memoryDriver, memoryTransport } from "leat"
import {
  type FaultPlan,
  faultDriver,
  type FaultRates,
  History,
  randomFaults,
  seededRandom,
  waitUntil
} from "leat/testing"
import { noteContract } from "../contracts/Note.ts"

/** One whole story: publishers, faults, consumers that fail, and a close. */
export interface Scenario {
  readonly events: number
  readonly keys: number
  readonly rates: FaultRates
  readonly overflow: "block" | "reject" | "dropOldest"
  readonly bufferBytes: number
  readonly lingerMs: number
  readonly policy: "keep" | "drop"
  /** Chance that a handler fails, 0 to 1. */
  readonly handlerFaults: number
  readonly consumers: number
  /** Chance, per event published, that a member leaves and another joins. */
  readonly rebalances: number
  /** Bytes of text in each event: large ones fill the buffer. */
  readonly textBytes: number
  /** Everything is offered at once, without waiting for anything: the buffer fills. */
  readonly isBurst: boolean
  /** The leat is closed with events still queued; otherwise it is flushed and its consumers finish. */
  readonly isClosedEarly: boolean
}

export const calm: Scenario = {
  events: 60,
  keys: 5,
  rates: {},
  overflow: "block",
  bufferBytes: 1 << 20,
  lingerMs: 5,
  policy: "keep",
  handlerFaults: 0,
  consumers: 1,
  rebalances: 0,
  textBytes: 10,
  isBurst: false,
  isClosedEarly: false
}

const keep = [{ on: ["*"], retry: { base: "10 millis", factor: 2, maxDelay: "1 second" }, then: "halt" }]
const drop = [{ on: ["*"], retry: { times: 1, base: "5 millis" }, then: "drop" }]

/** Tells the story; the result is everything that is wrong with it. */
export const tell = Effect.fnUntraced(
  function* (scenario: Scenario, seed: number, plan?: FaultPlan) {
    const random = seededRandom(seed)
    const broker = new MemoryBroker({ partitions: 2 })
    const history = new History()
    const drawn = plan ?? randomFaults(random, scenario.rates)
    const positions = new Set<string>()
    const faults: FaultPlan = {
      ...drawn,
      settle: (call) => {
        for (let at = 0n; at < call.position; at++)
          if (!positions.has(`${call.partition}/${at}`))
            wrong.push(`position ${at} of ${call.partition} was settled unfinished`)
        return drawn.settle?.(call)
      }
    }
    const wrong: Array<string> = []
    const finished = new Set<string>()
    /** Ids of admitted events, as the publisher was told them. */
    const announced = new Set<string>()
    const announce = (id: EventId | undefined) => {
      if (id !== undefined) announced.add(`${id.stream}/${id.bucket}/${id.seq}`)
    }
    const scope = yield* Scope.make()
    const leat = yield* Leat.make({
      source: "simulation",
      journal: history,
      drain: "1 minute",
      drivers: [faultDriver(memoryDriver(broker), faults)],
      routes: {
        version: 1,
        clusters: { local: { transport: "memory" } },
        policies: { leg: scenario.policy === "keep" ? keep : drop, group: keep },
        routes: [
          {
            match: { stream: "*" },
            to: [
              {
                cluster: "local",
                topic: "notes",
                policy: "leg",
                linger: `${scenario.lingerMs} millis`,
                buffer: { bytes: Math.max(65_536, scenario.bufferBytes), overflow: scenario.overflow },
                batch: { bytes: 16_384, records: 16 }
              }
            ]
          }
        ],
        subscriptions: [
          { match: { stream: "*" }, policy: "group", concurrency: 3, settleEvery: "20 millis", drain: "200 millis" }
        ]
      }
    }).pipe(Scope.provide(scope))
    const notes = yield* leat.stream(noteContract())
    const state = () =>
      JSON.stringify(leat.ledger.snapshot(), (_, value) => (typeof value === "bigint" ? Number(value) : value))
    const check = Effect.sync(() => {
      if (!leat.ledger.snapshot().balanced) wrong.push(`the ledger does not balance: ${state()}`)
    })
    const consume = notes.handle("readers", (_, { id, key, partition, position }) =>
      Effect.gen(function* () {
        if (id !== undefined) history.handled("readers", id, key)
        yield* check
        if (random() < 0.3) yield* Effect.sleep(Math.floor(random() * 20))
        if (random() < scenario.handlerFaults) return yield* Effect.fail(new Error("a planted fault"))
        if (id !== undefined) finished.add(formatEventId(id))
        positions.add(`${partition}/${position}`)
      })
    )
    const members = yield* Effect.replicateEffect(consume, scenario.consumers)
    for (let index = 0; index < scenario.events; index++) {
      const note = {
        key: `k${Math.floor(random() * scenario.keys)}`,
        text: String(index).padEnd(scenario.textBytes, ".")
      }
      if (scenario.isBurst || random() < 0.5) {
        if (notes.offer(note).admitted) announce(notes.lastId)
      } else {
        yield* notes.publish(note, { level: random() < 0.2 ? "stored" : "queued" }).pipe(
          Effect.match({
            onSuccess: ({ id }) => announce(id),
            onFailure: (error) => announce("id" in error ? error.id : undefined)
          })
        )
      }
      if (!scenario.isBurst && random() < 0.2) yield* Effect.sleep(Math.floor(random() * 10))
      if (random() < scenario.rebalances) {
        yield* members.shift()?.stop ?? Effect.void
        members.push(yield* consume)
      }
      yield* check
    }
    if (!scenario.isClosedEarly) {
      yield* leat.flush
      yield* check
      // What was given up in doubt may still land, and is then the group's too.
      yield* Effect.sleep(scenario.rates.msMax ?? 50)
      yield* waitUntil(
        "the group settled everything",
        Effect.map(members[0]?.lag ?? Effect.succeed(0n), (lag) => lag === 0n),
        { withinMs: 180_000, everyMs: 20 }
      ).pipe(
        Effect.catchTag("NotInTime", ({ message }) => Effect.sync(() => void wrong.push(`${message}: ${state()}`)))
      )
    }
    yield* Effect.forEach(members, ({ stop }) => stop)
    yield* check
    yield* Scope.close(scope, Exit.void)
    yield* check
    yield* history.readBack(memoryTransport(broker), "notes", "local/notes", "test.notes")
    for (const place of ["queued", "inFlight", "inDoubt"] as const)
      for (const key of history.ids("local/notes", place)) wrong.push(`${key} is ${place} after a close`)
    const ended = new Set((["stored", "dropped"] as const).flatMap((place) => history.ids("local/notes", place)))
    for (const key of ended.symmetricDifference(announced))
      wrong.push(
        `${key} was ${announced.has(key) ? "" : "not "}told to its publisher, and ${ended.has(key) ? "" : "not "}accounted for`
      )
    for (const { dropped } of leat.ledger.snapshot().legs)
      if (dropped["closed"] !== undefined) wrong.push(`${dropped["closed"]} legs were given up by the close`)
    if (!scenario.isClosedEarly) {
      for (const key of history.observed("local/notes"))
        if (!finished.has(`${leat.incarnation}/${key}`)) wrong.push(`no handler ever finished ${key}`)
      history.checkGroup("readers", "local/notes", leat.incarnation)
    }
    return [...wrong, ...history.verdict()]
  },
  Effect.scoped,
  Effect.provideService(References.MinimumLogLevel, "None")
)
