/**
 * Callers in JavaScript, whom no type stops: whatever they give to a function of leat, it answers, or fails with an error of leat's own that
 * says what is wrong.
 */
import { inspect } from "node:util"
import { Cause, Effect, Exit, References } from "effect"
import * as effectDoor from "leat"
import * as promiseDoor from "leat/promise"
import { open } from "leat/promise"
import { describe, expect, it } from "vitest"
import { noteContract } from "./contracts/Note.ts"

const anything: ReadonlyArray<unknown> = [
  undefined,
  null,
  5,
  Number.NaN,
  1n,
  "text",
  "routes.yaml",
  "",
  true,
  Symbol("s"),
  {},
  { a: 1 },
  [],
  [1],
  () => undefined
]
const note = { key: "a", text: "1" }
const nothing = () => undefined

type Callable = (...given: ReadonlyArray<unknown>) => unknown
const isCallable = (value: unknown): value is Callable => typeof value === "function"

/** The error that a call ends with; undefined when it does not fail, or is still at work after a while. */
async function errorOf(call: () => unknown): Promise<unknown> {
  const whileWaiting = new Promise((resolve) => setTimeout(resolve, 20))
  try {
    const answer = call()
    if (Effect.isEffect(answer)) {
      const quiet = Effect.provideService(Effect.timeoutOption(answer, 20), References.MinimumLogLevel, "None")
      const exit = await Effect.runPromiseExit(Effect.scoped(quiet as Effect.Effect<unknown>))
      return Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    }
    if (answer instanceof Promise) await Promise.race([answer, whileWaiting])
    const asked = isIterable(answer) ? answer[Symbol.asyncIterator]() : undefined
    if (asked !== undefined) await Promise.race([asked.next(), whileWaiting])
    await asked?.return?.()
    return undefined
  } catch (error) {
    return error
  }
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value
}

/** What is wrong with how a call fails: an error that leat did not make. */
async function raw(name: string, call: () => unknown): Promise<ReadonlyArray<string>> {
  const error = await errorOf(call)
  const isOwn = error === undefined || (error instanceof Error && "_tag" in error && error.message !== "")
  return isOwn ? [] : [`${name}: ${inspect(error)}`]
}

/** Each function of an object, with what it is called on. */
function functionsOf(where: string, owner: object): ReadonlyArray<readonly [name: string, call: Callable]> {
  const prototype: unknown = Object.getPrototypeOf(owner)
  const isOfClass = typeof prototype === "object" && prototype !== null && prototype !== Object.prototype
  const names = [...Object.getOwnPropertyNames(owner), ...(isOfClass ? Object.getOwnPropertyNames(prototype) : [])]
  const all = names.filter((name) => name !== "constructor" && name !== "prototype")
  return all.flatMap((name) => {
    const value: unknown = Reflect.get(owner, name)
    if (!isCallable(value) || Function.prototype.toString.call(value).startsWith("class ")) return []
    return [[`${where}.${name}`, (...given) => Reflect.apply(value, owner, given)]]
  })
}

/** What the entries export: functions, and those of what is no function. */
function exportsOf(where: string, door: object): ReadonlyArray<readonly [name: string, call: Callable]> {
  // What `CurrentDelivery` can do is Effect's, and drivers are called by leat.
  const own = Object.entries(door).filter(([name]) => name !== "CurrentDelivery" && name !== "memory")
  const inside = own.flatMap(([name, value]) =>
    (typeof value === "object" && value !== null) || /^[A-Z]/.test(name)
      ? functionsOf(`${where}.${name}`, value as object)
      : []
  )
  return [...functionsOf(where, door), ...inside]
}

describe("a call from JavaScript", () => {
  it("of an exported function never ends in an error that is not leat's own", { timeout: 60_000 }, async () => {
    const all = [...exportsOf("leat", effectDoor), ...exportsOf("leat/promise", promiseDoor)]
    expect(all.map(([name]) => name)).toEqual(
      expect.arrayContaining(["leat/promise.open", "leat.Leat.make", "leat.formatEventId"])
    )
    // The headers of a record are read for each one, and their elements are not checked.
    const simple = anything.filter((one) => !Array.isArray(one) || one.length === 0)
    const found = await Promise.all(
      all.flatMap(([name, call]) => simple.map((one) => raw(`${name}(${typeof one})`, () => call(one))))
    )
    expect(found.flat()).toEqual([])
  })

  it("of a method never does, whichever argument or option is wrong", { timeout: 60_000 }, async () => {
    const leat = await open({ source: "test" })
    const stream = await leat.stream(noteContract())
    const other = await Effect.runPromise(
      leat.effect.stream(noteContract({ name: "test.Other", stream: "test.others" }))
    )
    const owners = { leat, effect: leat.effect, stream, other, routes: leat.effect.routes() }
    const options = [
      "signal",
      "level",
      "headers",
      "correlationId",
      "concurrency",
      "records",
      "from",
      "policy",
      "onTombstone"
    ]
    const found: Array<Promise<ReadonlyArray<string>>> = []
    for (const [where, owner] of Object.entries(owners))
      for (const [name, call] of functionsOf(where, owner)) {
        if (/close|dispose/i.test(name)) continue
        for (const one of anything) {
          const given = [[one], ["g", one], [note, one], ["g", nothing, one], [[note], one]]
          for (const option of options)
            given.push([note, { [option]: one }], ["g", nothing, { [option]: one }], ["g", { [option]: one }])
          for (const each of given) found.push(raw(`${name} ${each.length}`, () => call(...each)))
        }
      }
    const subscription = await stream.handle("g", nothing)
    for (const [name, call] of functionsOf("subscription", subscription))
      for (const one of anything)
        found.push(
          raw(name, () => call(one)),
          raw(name, () => call({ signal: one }))
        )
    expect((await Promise.all(found)).flat()).toEqual([])
    await leat.close()
    expect(leat.ledger.snapshot().balanced).toBe(true)
  })

  const given = promiseDoor.open as Callable
  const withLogger = { source: "a", logger: () => undefined }
  it.each([
    ["open()", () => given(), "options: a leat is opened with an object that has a source"],
    [
      "drivers: log",
      () => given({ source: "a", drivers: effectDoor.memory }),
      "drivers: is a list, as drivers: [log], and not another object"
    ],
    [
      "drivers: [undefined]",
      () => given({ source: "a", drivers: [undefined] }),
      "drivers[0]: is no driver, but undefined: a driver is imported"
    ],
    [
      "driver: [log]",
      () => given({ source: "a", driver: [] }),
      "driver: is no option of a leat; it has source, routes"
    ],
    [
      "source: 5",
      () => given({ source: 5 }),
      "source: a leat needs a source: the name of the service that publishes, and not a number"
    ],
    ["a source of a space", () => given({ source: " " }), "source: a source needs a name: this one is empty"],
    ["a line feed in the source", () => given({ source: "a\nb" }), "of a source holds a control character"],
    [
      "half a pair in the source",
      () => given({ source: "\ud800" }),
      "the name of a source holds half of a surrogate pair"
    ],
    ["a long source", () => given({ source: "s".repeat(1025) }), "of a source has at most 1024 bytes, and not 1025"],
    ["ledger: store", () => given({ source: "a", ledger: "./data" }), "ledger: says where counters go"],
    [
      "logger: console",
      () => given({ source: "a", logger: console }),
      "logger: is a function that takes a line, as ({ level, message }) => console[level](message), and not another object"
    ],
    [
      "a logger in Effect",
      () => Effect.runPromise(Effect.scoped(effectDoor.Leat.make(withLogger))),
      "logger: is an option of open in leat/promise; with Effect, lines go to the loggers of the program: Effect.provide(Logger.layer([mine]))"
    ],
    [
      "buffers: 5",
      () => given({ source: "a", buffers: 5 }),
      "buffers: say how many bytes all buffers may have together"
    ],
    [
      "buffers: { bytes: 1000 }",
      () => given({ source: "a", buffers: { bytes: 1000 } }),
      "buffers.bytes: 1000 is not a whole number from 65536"
    ],
    [
      "buffers: { byte }",
      () => given({ source: "a", buffers: { bytes: 65_536, byte: 1 } }),
      "buffers.byte: is not known here; buffers have bytes"
    ],
    [
      "ledger: { every: 0 }",
      () => given({ source: "a", ledger: { store: { save: () => undefined }, every: 0 } }),
      "ledger.every: is no duration from 10 milliseconds"
    ],
    [
      "ledger: { every: 0.001 }",
      () => given({ source: "a", ledger: { store: { save: () => undefined }, every: 0.001 } }),
      "ledger.every: is no duration from 10 milliseconds"
    ],
    ["drain: soon", () => given({ source: "a", drain: "soon" }), 'drain: is no duration: "10 seconds"'],
    [
      "the name of a file",
      () => given({ source: "a", routes: "routes.yaml" }),
      'routes.yaml is the name of a file, and not its text; give the file to open: routes: { file: "routes.yaml" }, or its text'
    ],
    ["no document", () => given({ source: "a", routes: "" }), "routes: the text holds nothing"],
    ["a number", () => given({ source: "a", routes: 5 }), "routes: is a number; a route document is an object"]
  ])("says what is wrong with %s", async (_, call, words) => {
    const error = await errorOf(call)
    expect(error).toBeInstanceOf(promiseDoor.RouteError)
    expect(String(error)).toContain(words)
  })

  it("says what is wrong with a contract, a signal, and events that are none", async () => {
    await using leat = await open({ source: "test" })
    const stream = await leat.stream(noteContract())
    const call = (owner: object, name: string, ...rest: ReadonlyArray<unknown>) =>
      errorOf(() => Reflect.apply(Reflect.get(owner, name) as Callable, owner, rest))
    expect(String(await call(leat, "stream"))).toContain(
      "contract: is no contract, but undefined: a contract is imported from"
    )
    expect(await call(stream, "publish", note, { signal: 5 })).toMatchObject({
      _tag: "Rejected",
      detail: expect.stringContaining("signal: is a number, and no AbortSignal")
    })
    expect(String(await call(stream, "handle", "g", nothing, { signal: 5 }))).toContain(
      "signal: is a number, and no AbortSignal"
    )
    expect(String(await call(stream, "subscribe", "g", { signal: 5 }))).toContain(
      "signal: is a number, and no AbortSignal"
    )
    expect(String(await call(stream, "publishAll", note))).toContain(
      "publishAll: takes an iterable of events, and not another object; one event is for publish"
    )
    expect(leat.ledger.snapshot()).toMatchObject({ balanced: true })
  })

  it("refuses a wait whose bound has a name that there is not", async () => {
    await using leat = await open({ source: "test" })
    const stream = await leat.stream(noteContract())
    await using subscription = await stream.handle("g", nothing)
    const waits: ReadonlyArray<Callable> = [
      (options) => leat.flush(options as object),
      (options) => stream.flush(options as object),
      (options) => subscription.caughtUp(options as object)
    ]
    for (const wait of waits) {
      expect(String(await errorOf(() => wait({ timeoutMs: 5000 })))).toContain(
        "timeoutMs: is no option of a wait, which has signal, as { signal: AbortSignal.timeout(500) }"
      )
      expect(await wait({ signal: undefined })).not.toBeInstanceOf(Error)
    }
  })

  it("rejects, and throws nothing at once, where its options cannot be read", async () => {
    await using leat = await open({ source: "test" })
    const stream = await leat.stream(noteContract())
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    const failing = {
      get signal(): AbortSignal {
        throw new RangeError("planted")
      }
    }
    for (const options of [proxy, failing]) {
      const asked = [
        stream.publish(note, options),
        stream.publishAll([note], options),
        stream.handle("g", nothing, options),
        stream.handleBatch("g", nothing, options)
      ]
      for (const settled of await Promise.allSettled<unknown>(asked))
        expect(settled).toMatchObject({
          status: "rejected",
          reason: { message: expect.stringMatching(/(options|signal): cannot be read: /) }
        })
    }
    expect(leat.ledger.snapshot()).toMatchObject({ balanced: true })
  })
})
