import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { pieceBytesMax } from "../../src/input/TextLines.ts"
import { readEvents, readLog } from "./readLog.ts"

/** Pieces that logs, terminals, editors and attackers are made of. */
const piece = fc.oneof(
  fc.constantFrom(
    ..."\u2028|\u2029|\u0085|\uFEFF|\uFFFD|\r|\t| |  |\n|\n\n|\r\n|\u001B[31m|é|😀|第二行".split("|"),
    ..."2024-01-02 03:04:05,678|Jan  1 00:00:00|1700000000|[INFO]|ERROR|host|sshd[1]:|<34>1|- - -|stdout F".split("|"),
    ...'{"time":1}|a=b c=d|Traceback (most recent call last):|  File|panic: |goroutine 1 [|Caused by: x|KeyError'.split(
      "|"
    )
  ),
  fc.string({ unit: "binary" }).map((text) => text.replaceAll("\0", "").toWellFormed())
)
const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(""))

/** The lines of a text as the reader sees them. */
const linesOf = (all: string) =>
  all
    .replace(/^\uFEFF/, "")
    .split("\n")
    .map((line) => line.replace(/\r+$/, ""))

describe("text", () => {
  it("is never malformed, and what is kept gives it back, whatever its chunks", async () => {
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 50 }), async (all, chunkBytes) => {
        const events = await readEvents(all, chunkBytes)
        const lines = linesOf(all)
        const kept = lines.map(() => "")
        for (const { inputRef, message } of events) {
          const number = Number(inputRef.slice("some.log:".length))
          const [first = "", ...others] = message.split("\n")
          // Only what is known was taken out, from the front.
          const line = lines[number - 1] ?? ""
          expect(line.endsWith(first)).toBe(true)
          kept[number - 1] = line
          for (const [index, other] of others.entries()) kept[number + index] = other
        }
        const written = (rows: ReadonlyArray<string>) => rows.map((row) => (row.trim() === "" ? "" : row))
        expect(written(kept)).toEqual(written(lines))
      }),
      { numRuns: 500 }
    )
  })

  it.each([
    ["utf-16le", (all: string) => Buffer.from(`\uFEFF${all}`, "utf16le")],
    ["utf-16be", (all: string) => Buffer.from(`\uFEFF${all}`, "utf16le").swap16()]
  ])("in %s is read as in UTF-8, whatever its chunks", async (_, encoded) => {
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 50 }), async (all, chunkBytes) => {
        const plain = all.replace(/^\uFEFF+/, "")
        expect(await readLog(encoded(plain), chunkBytes)).toEqual(await readLog(plain))
      }),
      { numRuns: 200 }
    )
  })

  it.each([1, 2, 3, 64])(
    "in UTF-16 with half of a character has one line that is malformed, in chunks of %d",
    async (chunkBytes) => {
      const bytes = Buffer.from("\uFEFFone\ntw\uD800o\n\uDC00\n😀 four\n", "utf16le")
      const kinds = async (all: Buffer) =>
        (await readLog(all, chunkBytes)).map((line) => (line.kind === "malformed" ? line.ref : line.kind))
      const told = ["log", "some.log:2", "some.log:3", "log"]
      expect(await kinds(bytes)).toEqual(told)
      expect(await kinds(Buffer.from(bytes).swap16())).toEqual(told)
      expect(await kinds(Buffer.concat([bytes, Buffer.of(0x41)]))).toEqual([...told, "some.log:5"])
    }
  )

  it.each([[[0xff]], [[0xff, 0xfe]], [[0xff, 0xfe, 0x41]], [[0xfe, 0xff, 0x0a]]])(
    "that ends inside the mark or a character of UTF-16 ends nothing: %j",
    async (bytes) => {
      expect((await readLog(Uint8Array.from(bytes), 1)).length).toBeLessThanOrEqual(1)
    }
  )

  it("that no form is known of is kept to the letter", async () => {
    const word = fc.stringMatching(/^[a-zàéß第二行\u2028\u2029\u0085\uFEFF ]{1,30}x$/u)
    await fc.assert(
      fc.asyncProperty(fc.array(word), async (words) => {
        const all = `.${words.join("\n.")}`
        const events = await readEvents(all)
        expect(events.map(({ message }) => message).join("\n")).toBe(all)
      })
    )
  })

  it("has times that a line of unknown form never turns back, and is read the same again", async () => {
    await fc.assert(
      fc.asyncProperty(text, async (all) => {
        const mixed = `${all}\n`.replaceAll("\n", "\nwords of no form\n")
        const events = await readEvents(mixed)
        expect(await readEvents(mixed, 7)).toEqual(events)
        const unknown = events.flatMap(({ message, atUs }, index) =>
          message.startsWith("words of no form") ? [{ atUs, before: events[index - 1]?.atUs ?? 0n }] : []
        )
        expect(unknown.length).toBeGreaterThan(0)
        expect(unknown.filter(({ atUs, before }) => atUs !== before)).toEqual([])
      })
    )
  })

  it("has a byte order mark in front, and U+2028 inside, as one line", async () => {
    const line = (second: number, message: string) => `2015-07-29 17:41:0${second},000 - INFO  [t:C@1] - ${message}\n`
    const events = await readEvents(`\uFEFF${line(1, "one")}${line(2, "two\u2028halves\u2029and\u0085a third")}`)
    expect(events.map(({ message }) => message)).toEqual(["one", "two\u2028halves\u2029and\u0085a third"])
  })

  it("in a line of many megabytes is cut between characters into events of one time and host", async () => {
    const start = "Jan  1 00:00:00 gate p[7]: "
    const all = start + "€".repeat(900_000)
    const events = await readEvents(`${all}\nwords`)
    expect(events.map(({ inputRef }) => inputRef)).toEqual([
      ...Array.from({ length: 6 }, (_, index) => `some.log:1${index === 0 ? "" : `+${index + 1}`}`),
      "some.log:2"
    ])
    expect(
      start +
        events
          .slice(0, 6)
          .map(({ message }) => message)
          .join("")
    ).toBe(all)
    expect(new Set(events.map(({ host, atUs }) => `${host} ${atUs}`)).size).toBe(1)
    expect(events.slice(0, 6).map(({ processId }) => processId)).toEqual([7, 7, 7, 7, 7, 7])
    expect(events.every(({ message }) => Buffer.byteLength(message) <= pieceBytesMax)).toBe(true)
  })
})

describe("malformed", () => {
  it.each([
    ["invalid UTF-8", Buffer.from([0x61, 0xff, 0x62])],
    ["half a character", Buffer.from([0x61, 0xe2, 0x82])],
    ["a surrogate", Buffer.from([0xed, 0xa0, 0x80])],
    ["a NUL", Buffer.from("a\0b")],
    ["UTF-16", Buffer.from("words", "utf16le")]
  ])("is a line with %s, and no other", async (_, bytes) => {
    const lines = await readLog(Buffer.concat([Buffer.from("one\n"), bytes, Buffer.from("\n  two\n")]))
    expect(lines.map((line) => (line.kind === "malformed" ? line.ref : line.kind))).toEqual([
      "log",
      "some.log:2",
      "log"
    ])
  })
})

describe("a hostile line", () => {
  const hostile = [
    "a.b.",
    "[",
    '"',
    'a="',
    "a=b ",
    '\\"',
    '{"a":',
    "Failed password for ",
    "authentication failure; rhost=",
    "main.(",
    '<34>1 2003-10-11T22:14:15.003Z h p - - [a b="',
    "2024-01-02 03:04:05 - INFO [",
    "x - - [1",
    "1.",
    "Error",
    " "
  ]

  /** Time for a text, the best of some attempts, in milliseconds. */
  async function timeOf(one: string): Promise<number> {
    let bestMs = Number.POSITIVE_INFINITY
    for (let attempt = 0; attempt < 5; attempt++) {
      const startMs = performance.now()
      await readLog(one)
      bestMs = Math.min(bestMs, performance.now() - startMs)
    }
    return bestMs
  }

  it.each(hostile)("of many %j costs as much as its length, not as its square", async (part) => {
    const many = (characters: number) => part.repeat(Math.ceil(characters / part.length))
    const [shortMs, longMs] = [await timeOf(many(62_500)), await timeOf(many(500_000))]
    // Eight times as long: 64 times the time if it were quadratic. Below a millisecond nothing can be compared.
    expect(longMs / Math.max(shortMs, 1)).toBeLessThan(32)
  })
})
