/** Where what leat has to say goes in the door of promises. */
import { Effect } from "effect"
import { MemoryBroker, memoryDriver } from "leat"
import { type LogLine, open } from "leat/promise"
import { afterEach, describe, expect, it, vi } from "vitest"
import type { Driver } from "leat/transport"
import { bent } from "../consume/support.ts"
import { noteContract } from "../contracts/Note.ts"

afterEach(() => {
  vi.restoreAllMocks()
})

const policy = [{ on: ["*"], then: "deadLetter" as const }]

function failsHere(): never {
  throw new TypeError("cannot read it")
}

/** A group dead-letters an event; returns when that is told, or was not within some time. */
async function deadLetters(logger: ((line: LogLine) => unknown) | undefined, isTold: () => boolean): Promise<void> {
  await using leat = await open({ source: "test", logger, drivers: [memoryDriver(new MemoryBroker())] })
  const notes = await leat.stream(noteContract())
  const subscription = await notes.handle("g", failsHere, { policy })
  await notes.publish({ key: "a", text: "1" })
  await subscription.caughtUp()
  await vi.waitFor(() => expect(isTold()).toBe(true))
}

describe("a leat of promises with a logger", () => {
  it("gives it each line, with level, time and cause, and prints nothing", async () => {
    const printed = [vi.spyOn(console, "error"), vi.spyOn(console, "log")]
    const lines: Array<LogLine> = []
    const beganMs = Date.now()
    await deadLetters(
      (line) => lines.push(line),
      () => lines.length > 0
    )
    expect(lines).toEqual([
      {
        level: "warn",
        message: expect.stringMatching(
          /^the group g of test\.notes has dead-lettered an event, .*: TypeError /
        ) as string,
        cause: expect.objectContaining({ message: "cannot read it" }) as Error,
        timeMs: expect.any(Number) as number
      }
    ])
    expect(lines[0]?.cause).toBeInstanceOf(TypeError)
    expect((lines[0]?.timeMs ?? 0) - beganMs).toBeGreaterThanOrEqual(0)
    expect(printed.map(({ mock }) => mock.calls)).toEqual([[], []])
  })

  it("has no cause in a line of which there is none, and hears of closing too", async () => {
    const lines: Array<LogLine> = []
    const stands: Driver = bent((transport) => ({
      ...transport,
      openWriter: (topic) => Effect.map(transport.openWriter(topic), (writer) => ({ ...writer, send: () => undefined }))
    }))
    const leat = await open({ source: "test", logger: (line) => lines.push(line), drain: 1, drivers: [stands] })
    const notes = await leat.stream(noteContract())
    for (let index = 0; index < 3; index++) notes.offer({ key: "a", text: "1" })
    await leat.close()
    expect(lines).toEqual([
      {
        level: "warn",
        message: expect.stringContaining("closing has given up 3 of the events") as string,
        timeMs: expect.any(Number) as number
      }
    ])
    expect(Object.keys(lines[0] ?? {})).not.toContain("cause")
  })

  it.each([
    ["throws", failsHere],
    ["gives a promise that rejects", () => Promise.reject(new Error("no disk"))]
  ])("that %s keeps nothing from going on", async (_, logger) => {
    let calls = 0
    const unhandled = vi.fn<() => void>()
    process.once("unhandledRejection", unhandled)
    await deadLetters(
      () => {
        calls++
        return logger()
      },
      () => calls > 0
    )
    await new Promise((resolve) => setTimeout(resolve, 10))
    process.off("unhandledRejection", unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })

  it("is a function: anything else is refused in one sentence, with the other faults", async () => {
    // @ts-expect-error It is what no type lets through.
    await expect(open({ source: "", logger: console })).rejects.toThrow(
      /^source: .*\nlogger: is a function that takes a line, as \(\{ level, message \}\) => console\[level\]\(message\), and not another object$/
    )
  })
})

describe("a leat of promises without a logger", () => {
  it("prints to standard error, with the date and the stack", async () => {
    const error = vi.spyOn(console, "error").mockImplementation(() => undefined)
    const log = vi.spyOn(console, "log")
    await deadLetters(undefined, () => error.mock.calls.length > 0)
    expect(log).not.toHaveBeenCalled()
    expect(error.mock.calls).toEqual([
      [
        expect.stringMatching(
          /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARN leat: the group g of test\.notes has dead-lettered an event, .*\n {2}TypeError: cannot read it\n {6}at failsHere /
        )
      ]
    ])
  })
})
