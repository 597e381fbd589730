import { Cause, Clock, Effect, Exit, Logger, Result, Schedule, type Scope, Stream } from "effect"
import {
  ControlTools,
  type Driver,
  Leat,
  type LeatOptions,
  MemoryBroker,
  memoryDriver,
  type OpenLeat,
  TransportError
} from "leat"
import { open } from "leat/promise"
import { simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { readEntry } from "../../src/control/controlCodec.ts"
import { openControlStream } from "../../src/control/ControlStream.ts"
import { noteContract } from "../contracts/Note.ts"

const documentOf = (version: number, settings = ""): string => `version: ${version}
clusters: { local: { transport: memory } }
routes:
  - match: { stream: "*" }
    to: [{ cluster: local, topic: "{stream}"${settings} }]
`

interface Shared {
  readonly driver: Driver
  /** Whether nobody reaches the cluster of the control stream. */
  isAway: boolean
  readonly lines: Array<string>
}

function shared(): Shared {
  const inner = memoryDriver(new MemoryBroker())
  const away = new TransportError({ reason: "Unavailable", transport: "shared", operation: "open", detail: "away" })
  const found: Shared = {
    isAway: false,
    lines: [],
    driver: {
      ...inner,
      name: "shared",
      open: (cluster, config) =>
        Effect.suspend(() => {
          if (found.isAway) return Effect.fail(away)
          return Effect.map(inner.open(cluster, config), (transport) => ({
            ...transport,
            bounds: (topic: string, group?: string) =>
              Effect.suspend(() => (found.isAway ? Effect.fail(away) : transport.bounds(topic, group)))
          }))
        })
    }
  }
  return found
}

/** Runs a story of a fleet on virtual time, and fails as it does. Returns what the log was told. */
function story(tell: (fleet: Shared) => Effect.Effect<void, unknown, Scope.Scope>): ReadonlyArray<string> {
  const fleet = shared()
  const logger = Logger.make(({ logLevel, message }) => void fleet.lines.push(`${logLevel} ${String(message)}`))
  const program = Effect.suspend(() => tell(fleet)).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
  const { exit, timers } = simulate(1, program)
  if (Exit.isFailure(exit)) throw new Error(`the story failed: ${Cause.pretty(exit.cause)}`)
  expect(timers).toBe(0)
  return fleet.lines
}

const opened = ({ driver }: Shared, options: Partial<LeatOptions> = {}) =>
  Leat.make({ source: "test", drivers: [driver], control: { cluster: { transport: "shared" } }, ...options })
const version = (leat: OpenLeat): number => leat.routes().version
const controlOf = ({ control }: OpenLeat) => {
  if (control === undefined) throw new Error("there is no control")
  return control
}

describe("the routes of a fleet", () => {
  it("are applied by one process and in force in all, while they publish; who starts later begins with them", () => {
    const lines = story((fleet) =>
      Effect.gen(function* () {
        const one = yield* opened(fleet, { routes: documentOf(1) })
        const two = yield* opened(fleet, { routes: documentOf(1) })
        const notes = yield* two.stream(noteContract())
        yield* notes.publish({ key: "a", text: "1" })
        expect(yield* controlOf(one).apply(documentOf(2, ", linger: 7 millis"), "less load")).toEqual({ version: 2 })
        yield* Effect.sleep("3 seconds")
        for (const leat of [one, two]) expect(version(leat)).toBe(2)
        expect(two.routes().lookup("test.notes", "test")?.legs[0]?.lingerMs).toBe(7)
        yield* notes.publish({ key: "a", text: "2" })
        expect(two.ledger.snapshot().balanced).toBe(true)
        const three = yield* opened(fleet)
        expect(version(three)).toBe(2)
        yield* Effect.sleep("12 seconds")
        const { processes, ...rest } = controlOf(one).status()
        expect(rest).toEqual({ version: 2, applied: 2 })
        expect(processes.map(({ incarnation }) => incarnation).toSorted()).toEqual(
          [one, two, three].map(({ incarnation }) => incarnation).toSorted()
        )
        expect(processes.map(({ applied }) => applied)).toEqual([2, 2, 2])
      })
    )
    expect(lines).toEqual([
      "Info version 2 of the routes, which was applied to the fleet, is in force",
      "Info version 2 of the routes, which was applied to the fleet, is in force"
    ])
  })

  it("are in force in a process from its first beat on, which says so, however much there was to read", () => {
    // A process lets others have a turn after so many steps, wherever that is.
    const said = Array.from({ length: 30 }, (_, index) => {
      const records = 40 + index
      let applied: number | undefined
      story((fleet) =>
        Effect.gen(function* () {
          const transport = yield* fleet.driver.open("local", {})
          yield* ControlTools.apply(transport, { author: "deploy", document: documentOf(2) })
          const more = yield* openControlStream({ transport, topic: "leat-control", author: "more", isTool: true })
          for (let count = 0; count < records; count++)
            yield* more.write({ kind: "joined", stream: "none", member: "more" })
          yield* opened(fleet)
          yield* Effect.sleep("1 second")
          const batches = yield* Stream.runCollect(transport.read("leat-control", 0, { fromPosition: 0n }))
          const written = batches.flatMap(({ records: all }) =>
            all.map(({ value }) => readEntry(value ?? new Uint8Array()))
          )
          const beat = written.map((one) => Result.getOrThrow(one).record).find(({ kind }) => kind === "beat")
          applied = beat?.kind === "beat" ? beat.version : undefined
        })
      )
      return applied
    })
    // The first of all that were applied.
    expect(new Set(said)).toEqual(new Set([1]))
  })

  it("are refused by a process that begins with its own, as its first beat says", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const one = yield* opened(fleet, { routes: documentOf(1) })
        yield* controlOf(one).apply(documentOf(2).replace("memory", "shared"))
        yield* Effect.sleep("3 seconds")
        const other = { ...fleet.driver, name: "other" }
        const cluster = { transport: "other" }
        yield* Effect.forkScoped(opened({ ...fleet, driver: other }, { routes: documentOf(1), control: { cluster } }))
        const beat = Effect.suspend(() => {
          const found = controlOf(one).status().processes[1]
          return found === undefined ? Effect.fail("no beat yet") : Effect.succeed(found)
        })
        const first = yield* Effect.retry(beat, { schedule: Schedule.spaced("10 millis"), times: 300 })
        expect(first).toMatchObject({ applied: 0, refused: expect.stringContaining("version 2: ") as unknown })
      })
    )
  })

  it("have one winner: who was overtaken is told, and sees what the other has applied", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const one = yield* opened(fleet, { routes: documentOf(1) })
        const two = yield* opened(fleet, { routes: documentOf(1) })
        const applied = [one, two].map((leat, index) =>
          Effect.match(controlOf(leat).apply(documentOf(2, `, linger: ${index + 1} millis`)), {
            onFailure: (error) => (error._tag === "ControlError" ? error.reason : error.message),
            onSuccess: () => "applied"
          })
        )
        const became = yield* Effect.all(applied, { concurrency: "unbounded" })
        expect(became.toSorted()).toEqual(["Overtaken", "applied"].toSorted())
        yield* Effect.sleep("3 seconds")
        const lingers = [one, two].map((leat) => leat.routes().lookup("s", "test")?.legs[0]?.lingerMs)
        expect(lingers).toEqual(became[0] === "applied" ? [1, 1] : [2, 2])
        expect(yield* controlOf(two).apply(documentOf(3))).toEqual({ version: 3 })
      })
    )
  })

  it("are told with who applied them, and go back to an older document under a new version", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const one = yield* opened(fleet, { routes: documentOf(1) })
        const two = yield* opened(fleet, { routes: documentOf(1) })
        expect(controlOf(two).history()).toEqual([])
        const none = yield* Effect.flip(controlOf(two).rollback(1))
        expect(none.message).toBe(
          "control stream: Refused: no document was applied yet, so there is none to go back to"
        )
        const startMs = yield* Clock.currentTimeMillis
        yield* controlOf(one).apply(documentOf(2, ", linger: 7 millis"), "less load")
        yield* Effect.sleep("3 seconds")
        yield* controlOf(two).apply(`# more\n${documentOf(5, ", linger: 9 millis")}`)
        yield* Effect.sleep("3 seconds")
        expect(yield* controlOf(one).rollback(2, "it was slow")).toEqual({ version: 6 })
        yield* Effect.sleep("3 seconds")
        for (const leat of [one, two]) {
          expect(version(leat)).toBe(6)
          expect(leat.routes().lookup("s", "test")?.legs[0]?.lingerMs).toBe(7)
          const told = controlOf(leat).history()
          expect(told.map(({ timeMs, ...rest }) => ({ ...rest, afterMs: timeMs - startMs < 20_000 }))).toEqual([
            {
              version: 2,
              document: documentOf(2, ", linger: 7 millis"),
              author: one.incarnation,
              reason: "less load",
              afterMs: true
            },
            {
              version: 5,
              document: `# more\n${documentOf(5, ", linger: 9 millis")}`,
              author: two.incarnation,
              reason: "",
              afterMs: true
            },
            {
              version: 6,
              document: documentOf(6, ", linger: 7 millis"),
              author: one.incarnation,
              reason: "back to version 2: it was slow",
              afterMs: true
            }
          ])
        }
        const unknown = yield* Effect.flip(controlOf(two).rollback(3))
        expect(unknown).toMatchObject({
          reason: "Refused",
          detail: "there is no version 3 in the history, which has 2, 5, 6"
        })
        const same = yield* Effect.flip(controlOf(two).rollback(6))
        expect(same.message).toContain("version 6 was applied last, so there is nothing to go back from")
      })
    )
  })

  it("are not written under a version that the fleet has passed, though this process has refused it", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const own: Driver = { ...fleet.driver, name: "own" }
        const one = yield* opened(fleet, { routes: documentOf(1), drivers: [fleet.driver, own] })
        const two = yield* opened(fleet, { routes: documentOf(1) })
        yield* controlOf(one).apply(documentOf(5).replace("transport: memory", "transport: own"))
        yield* Effect.sleep("3 seconds")
        expect(version(two)).toBe(1)
        const error = yield* Effect.flip(controlOf(two).apply(documentOf(4)))
        expect(error).toMatchObject({
          reason: "Refused",
          detail:
            "version 4 is not higher than 5, which was applied last; give it a higher number, also to go back to what it says"
        })
        expect(yield* controlOf(two).apply(documentOf(6))).toEqual({ version: 6 })
      })
    )
  })

  it("are not written with a fault, nor with a version that is in force", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const one = yield* opened(fleet, { routes: documentOf(4) })
        const broken = documentOf(5).replace("cluster: local", "cluster: loca")
        const error = yield* Effect.flip(controlOf(one).apply(broken))
        expect(error.message).toBe("routes[0].to[0].cluster: no cluster named loca; there is local")
        const old = yield* Effect.flip(controlOf(one).apply(documentOf(4, ", linger: 7 millis")))
        expect(old.message).toBe(
          "version: version 4 is not higher than 4, which is in force; give it a higher number, also to go back to what it says"
        )
        expect(controlOf(one).status()).toMatchObject({ version: 0, applied: 0 })
      })
    )
  })

  it("are written as text, whatever they were given as", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const one = yield* opened(fleet, { routes: documentOf(1) })
        const value = {
          version: 2,
          clusters: { local: { transport: "memory" } },
          routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "{stream}" }] }]
        }
        expect(yield* controlOf(one).apply(value, 7 as never)).toEqual({ version: 2 })
        const circle: Record<string, unknown> = { ...value, version: 3 }
        circle["clusters"] = { local: { transport: "memory", own: circle } }
        const errors = yield* Effect.forEach([circle, { ...value, version: 3n }, undefined], (wrong) =>
          Effect.flip(controlOf(one).apply(wrong))
        )
        expect(errors.map(({ _tag }) => _tag)).toEqual(["RouteError", "RouteError", "RouteError"])
        yield* Effect.sleep("2 seconds")
        expect(version(one)).toBe(2)
      })
    )
  })

  it("are refused by the process that cannot have them, and by no other; the next one is taken", () => {
    const lines = story((fleet) =>
      Effect.gen(function* () {
        const own: Driver = { ...fleet.driver, name: "own" }
        const one = yield* opened(fleet, { routes: documentOf(1), drivers: [fleet.driver, own] })
        const two = yield* opened(fleet, { routes: documentOf(1) })
        yield* controlOf(one).apply(documentOf(2).replace("transport: memory", "transport: own"))
        yield* Effect.sleep("3 seconds")
        // The others know why, before it is time for a beat.
        const refusals = () =>
          controlOf(one)
            .status()
            .processes.map(({ refused }) => refused)
        const why = "version 2: clusters.local.transport: no driver named own; the application allows memory, shared"
        expect(refusals()).toEqual([undefined, why])
        yield* Effect.sleep("3 minutes")
        expect([one, two].map(version)).toEqual([2, 1])
        expect(controlOf(two).status()).toMatchObject({
          version: 2,
          applied: 0,
          refused: {
            version: 2,
            why: "clusters.local.transport: no driver named own; the application allows memory, shared"
          }
        })
        // Who starts with it and cannot have it begins with its own; without one of its own it does not start.
        const three = yield* opened(fleet, { routes: documentOf(1) })
        expect(version(three)).toBe(1)
        const error = yield* Effect.flip(Effect.scoped(opened(fleet)))
        expect(error.message).toContain("no driver named own")
        yield* controlOf(one).apply(documentOf(3))
        yield* Effect.sleep("3 seconds")
        expect([one, two, three].map(version)).toEqual([3, 3, 3])
        expect(controlOf(two).status().refused).toBeUndefined()
        expect(refusals()).toEqual([undefined, undefined, undefined])
      })
    )
    const told = lines.filter((line) => line.startsWith("Warn"))
    expect(told).toHaveLength(2)
    expect(told[0]).toBe(
      "Warn version 2 of the routes, which was applied to the fleet, was refused, and what was in force stays in force here: clusters.local.transport: no driver named own; the application allows memory, shared"
    )
  })

  it("are those that were in force, while the control stream is away: publishing goes on, and catches up later", () => {
    const lines = story((fleet) =>
      Effect.gen(function* () {
        const one = yield* opened(fleet, { routes: documentOf(1) })
        yield* controlOf(one).apply(documentOf(2))
        yield* Effect.sleep("2 seconds")
        fleet.isAway = true
        const two = yield* opened(fleet, { routes: documentOf(1) })
        expect(controlOf(two).status()).toMatchObject({ version: 0, applied: 0, processes: [] })
        expect(controlOf(two).status().trouble).toContain("Unavailable: away")
        for (const leat of [one, two]) {
          const notes = yield* leat.stream(noteContract())
          yield* notes.publish({ key: "a", text: "1" })
          const error = yield* Effect.flip(controlOf(leat).apply(documentOf(7)))
          expect(error).toMatchObject({ _tag: "ControlError" })
        }
        expect([one, two].map(version)).toEqual([2, 1])
        expect(controlOf(one).status().trouble).toContain("Unavailable: away")
        const error = yield* Effect.flip(Effect.scoped(opened(fleet)))
        expect(error.message).toContain("control: shared open: Unavailable: away")
        fleet.isAway = false
        yield* Effect.sleep("2 minutes")
        for (const leat of [one, two]) expect(controlOf(leat).status().trouble).toBeUndefined()
        expect(version(two)).toBe(version(one))
      })
    )
    expect(lines.some((line) => line.includes("the own routes are in force until it is"))).toBe(true)
  })

  it("are told by no process that is closed", () => {
    story((fleet) =>
      Effect.gen(function* () {
        const one = yield* opened(fleet, { routes: documentOf(1) })
        yield* Effect.scoped(Effect.andThen(opened(fleet, { routes: documentOf(1) }), Effect.sleep("10 seconds")))
        yield* Effect.sleep("3 seconds")
        expect(
          controlOf(one)
            .status()
            .processes.map(({ incarnation }) => incarnation)
        ).toEqual([one.incarnation])
      })
    )
  })

  it.each([
    [
      7,
      'control: says where the control stream is, as { cluster: { transport: "@leat/log", directory: "./control" } }'
    ],
    [
      { cluster: { transport: "memory" }, topics: 1 },
      "control.topics: is not known here; control has cluster, topic, lease"
    ],
    [{ cluster: { transport: "memory" }, lease: "soon" }, "control.lease: is no duration"],
    [
      { cluster: { transport: "memory" }, lease: "5 seconds" },
      "control.lease: is longer than 5 seconds: processes beat so often"
    ],
    [
      { cluster: { transport: "memory" }, topic: "a b" },
      "control.topic: is the name of a topic, without spaces, slashes and braces"
    ],
    [
      { cluster: { transport: "nowhere" } },
      "control.cluster.transport: no driver named nowhere; the application allows memory"
    ]
  ])("have options with faults of their own: %j", async (control, message) => {
    await expect(open({ source: "test", control: control as never })).rejects.toThrow(message)
  })

  it("are not in a file that is followed too", async () => {
    const options = { source: "test", control: { cluster: { transport: "memory" } }, routes: { file: "f" } }
    await expect(open(options)).rejects.toThrow("routes.file: a file that is followed and a control stream would both")
  })

  it("are there for code without Effect", async () => {
    const { driver } = shared()
    const options = { source: "test", drivers: [driver], control: { cluster: { transport: "shared" } } }
    await using leat = await open({ ...options, routes: documentOf(1) })
    expect(await leat.control?.apply(documentOf(2), "because")).toEqual({ version: 2 })
    expect(leat.control?.history().map(({ reason }) => reason)).toEqual(["because"])
    await expect(leat.control?.rollback(7)).rejects.toThrow("there is no version 7 in the history, which has 2")
    while (leat.control?.status().applied !== 2) await new Promise((resolve) => setTimeout(resolve, 20))
    expect(leat.effect.routes().version).toBe(2)
    await using alone = await open({ source: "test" })
    expect(alone.control).toBeUndefined()
  })
})
