import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { inspect } from "node:util"
import * as effectDoor from "leat"
import { NotStored, Rejected, TransportError } from "leat"
import * as promiseDoor from "leat/promise"
import { NotCaughtUp, PartlyFailed } from "leat/promise"
import * as testingDoor from "leat/testing"
import * as transportDoor from "leat/transport"
import { describe, expect, it } from "vitest"

const outcome = {
  stored: 0,
  deadLettered: {},
  deadLetters: [],
  dropped: { Rejected: 1 },
  mayBeStored: 0,
  spilled: 0,
  fellBack: 0
}

describe("an error of leat", () => {
  it.each([
    [
      new Rejected({ reason: "invalid", stream: "notes", detail: "Note.text is undefined" }),
      "Rejected: notes: the event was rejected (invalid): Note.text is undefined"
    ],
    [
      new NotStored({ stream: "notes", id: undefined, outcome }),
      "NotStored: notes: the event was admitted, then dropped by policy (1 Rejected)"
    ],
    [
      new NotCaughtUp({ reason: "Stopped", group: "g", stream: "notes", halted: [] }),
      "NotCaughtUp: the group g of notes has not caught up: its subscription was stopped"
    ],
    [new PartlyFailed({ failures: [] }), "PartlyFailed: 0 of the events of a batch failed"]
  ])("prints its name, its message and where it comes from: %#", (error, text) => {
    const [first, second] = inspect(error).split("\n")
    expect(first).toBe(text)
    expect(second).toMatch(/^ +at .*TaggedError\.test\.ts/)
  })

  it("prints what has caused it, also within something else", () => {
    const cause = new RangeError("no port 70000")
    const error = new TransportError({
      reason: "Timeout",
      transport: "memory",
      operation: "send",
      detail: "late",
      cause
    })
    expect(inspect(error)).toMatch(
      /^TransportError: memory send: Timeout: late\n +at [^]*\n {2}\[cause\]: RangeError: no port 70000\n +at /
    )
    expect(inspect({ error })).toMatch(/^\{\n {2}error: TransportError: memory send: Timeout: late\n/)
  })

  it("prints once what leads back to it", () => {
    const between = new Error("between")
    const fields = { reason: "Timeout", transport: "memory", operation: "send", detail: "late" } as const
    const error = new TransportError({ ...fields, cause: between })
    between.cause = error
    const text = inspect(error)
    expect(text).toContain("cause: [Circular TransportError: memory send: Timeout: late]")
    expect(text.match(/Error: between/g)).toHaveLength(1)
    expect(inspect(error)).toBe(text)
  })

  it("has the fields that it had: it is compared and written as JSON by them", () => {
    const error = new Rejected({ reason: "invalid", stream: "notes", detail: "why" })
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      _tag: "Rejected",
      reason: "invalid",
      stream: "notes",
      detail: "why"
    })
  })

  it("is made in one way: all that the doors give print so", () => {
    const doors = [effectDoor, promiseDoor, testingDoor, transportDoor]
    const classes = doors.flatMap((door) =>
      Object.values(door).flatMap((one: unknown) =>
        typeof one === "function" && one.prototype instanceof Error ? [one.prototype as object] : []
      )
    )
    expect(classes.length).toBeGreaterThan(10)
    // What is none of Effect's Node prints as it should.
    const tagged = classes.filter((one) => Reflect.has(one, "toJSON"))
    const printed = Symbol.for("nodejs.util.inspect.custom")
    for (const one of tagged)
      expect([Reflect.get(one, "name"), String(Reflect.get(one, printed))]).toEqual([
        Reflect.get(one, "name"),
        expect.stringContaining("stack")
      ])
    const source = join(import.meta.dirname, "../../src")
    const others = readdirSync(source, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && !path.endsWith("given/TaggedError.ts"))
      .filter((path) => readFileSync(join(source, path), "utf8").includes("extends Data.TaggedError"))
    expect(others).toEqual([])
  })
})
