import { Effect } from "effect"
import { type EventContext, type Journal, Leat, MemoryBroker } from "leat"
import { describe, expect, it } from "vitest"
import { type Note, noteContract } from "../contracts/Note.js"
import { big, dead, legRow, note, openNotes, stored, story, streamRow } from "./stories.js"

const { proxy: revoked, revoke } = Proxy.revocable({}, {})
revoke()

/** What code may throw that is no error, and that cannot be read. */
const thrown: Readonly<Record<string, () => unknown>> = {
  "an error": () => new Error("no"),
  undefined: () => undefined,
  null: () => null,
  "a symbol": () => Symbol("no"),
  "a revoked proxy": () => revoked,
  "an object without a prototype": () => Object.create(null),
  "an object whose toString throws": () => ({ toString: () => throws(new Error("no text")) }),
  "an error whose message throws": () =>
    Object.defineProperty(new Error("no"), "message", { get: () => throws(revoked) })
}
const kinds = Object.keys(thrown)

function throws(what: unknown): never {
  throw what
}

/** Throws what is called so above. */
function throwsOdd(kind: string): never {
  throw thrown[kind]?.()
}

const invalid = { admitted: false, reason: "invalid" }

/** Offers in all doors, and expects that nothing but this one good event is stored, in balance. */
const expectInvalid = (
  offerOdd: (notes: Effect.Success<ReturnType<typeof openNotes>>["notes"]) => unknown,
  odd: Note,
  context?: EventContext
) =>
  Effect.gen(function* () {
    const { broker, leat, notes } = yield* openNotes()
    expect(offerOdd(notes)).toEqual(invalid)
    const error = yield* Effect.flip(notes.publish(odd, context))
    expect(error).toMatchObject({ reason: "invalid" })
    const { rejected } = yield* notes.publishAll([odd], context)
    expect(rejected).toMatchObject([{ index: 0, error: { reason: "invalid" } }])
    yield* notes.publish(note("k", "good"))
    expect((yield* stored(broker)).map(({ text, id }) => [text, id?.seq])).toEqual([["good", 0]])
    expect(streamRow(leat)).toMatchObject({ offered: 4, admitted: 1, rejected: { invalid: 3 } })
    expect(leat.ledger.snapshot().balanced).toBe(true)
    return error.message
  })

it.each([undefined, null, "text", 5])("what is no event is told as that: %s", (given) =>
  story(
    Effect.gen(function* () {
      const { notes } = yield* openNotes()
      // @ts-expect-error It is what JavaScript may give.
      const { detail } = yield* Effect.flip(notes.publish(given))
      expect(detail).toMatch(/^an event is an object, and not (undefined|null|a text|a number)$/)
    })
  )
)

it("an array is told that publishAll takes several", () =>
  story(
    Effect.gen(function* () {
      const { notes } = yield* openNotes()
      // @ts-expect-error It is what JavaScript may give.
      const { detail } = yield* Effect.flip(notes.publish([note("k", "good")]))
      expect(detail).toBe("an event is an object, and not an array; publishAll takes several")
    })
  ))

describe("code that throws", () => {
  it.each(kinds)("in a getter of the event: %s", (kind) =>
    story(
      Effect.gen(function* () {
        const odd: Note = {
          key: "k",
          get text(): string {
            return throwsOdd(kind)
          }
        }
        expect(yield* expectInvalid((notes) => notes.offer(odd), odd)).toContain("(invalid)")
      })
    )
  )

  it.each(kinds)("in a getter of what the event carries: %s", (kind) =>
    story(
      Effect.gen(function* () {
        const odd = {
          get correlationId(): string {
            return throwsOdd(kind)
          }
        }
        expect(yield* expectInvalid((notes) => notes.offer(note("k", "1"), odd), note("k", "1"), odd)).toContain(
          "(invalid)"
        )
      })
    )
  )

  it.each(kinds)("in the key function or the encoder, halfway: %s", (kind) =>
    story(
      Effect.gen(function* () {
        for (const place of ["key", "encodeInto"] as const) {
          const contract = noteContract({
            key: ({ key, text }) => (place === "key" && text === "odd" ? throwsOdd(kind) : key),
            encodeInto: (event, writer) => {
              // A message that is never closed.
              if (place === "encodeInto" && event.text === "odd") {
                writer.uint32(10).fork()
                throwsOdd(kind)
              }
              noteContract().encodeInto(event, writer)
            }
          })
          const { broker, leat, notes } = yield* openNotes({}, contract)
          expect(notes.offer(note("k", "odd"))).toEqual(invalid)
          yield* notes.publish(note("k", "good"))
          expect((yield* stored(broker)).map(({ text }) => text)).toEqual(["good"])
          expect(streamRow(leat)).toMatchObject({ offered: 2, rejected: { invalid: 1 }, balanced: true })
        }
      })
    )
  )
})

describe("what an event carries, from JavaScript", () => {
  const half = "a\ud800"
  const cases: ReadonlyArray<readonly [unknown, string]> = [
    ["text", "the context is no object"],
    [null, "the context is no object"],
    [{ correlationId: null }, "correlationId is no text"],
    [{ correlationId: 7 }, "correlationId is no text"],
    [{ correlationId: half }, "correlationId holds half of a surrogate pair"],
    [{ causationId: half }, "causationId holds half"],
    [{ traceparent: half }, "traceparent holds half"],
    [{ tracestate: {} }, "tracestate is no text"],
    [{ baggage: ["a"] }, "baggage is no text"],
    [{ cause: null }, 'cause is the info of a delivery or "none", and not null'],
    [{ cause: "nobody" }, 'cause is the info of a delivery or "none", and not "nobody"'],
    [{ cause: { event: {}, info: { id: undefined } } }, "and not another object"],
    [{ cause: { id: "204" } }, "and not another object"],
    [{ cause: { id: undefined, correlationId: half } }, "correlationId holds half of a surrogate pair"],
    [{ headers: { tenant: "acme" } }, "headers is no list"],
    [{ headers: "acme" }, "headers is no list"],
    [{ headers: ["acme"] }, "headers[0] is no pair"],
    [{ headers: [undefined] }, "headers[0] is no pair"],
    [{ headers: [["tenant"]] }, "the value of the header tenant is no Uint8Array"],
    [{ headers: [["tenant", "acme"]] }, "the value of the header tenant is no Uint8Array"],
    [{ headers: [["tenant", "123"]] }, "the value of the header tenant is no Uint8Array"],
    [{ headers: [["tenant", [1, 2]]] }, "the value of the header tenant is no Uint8Array"],
    [{ headers: [["tenant", new Uint16Array(2)]] }, "is no Uint8Array"],
    [{ headers: [["tenant", new DataView(new ArrayBuffer(4))]] }, "is no Uint8Array"],
    [{ headers: [["tenant", new Proxy(new Uint8Array(4), {})]] }, "is no Uint8Array"],
    [{ headers: [["tenant", { length: -5, __proto__: Uint8Array.prototype }]] }, "is no Uint8Array"],
    [{ headers: [[7, new Uint8Array(1)]] }, "the name of headers[0] is no text"],
    [
      {
        headers: [
          ["a", new Uint8Array(1)],
          [half, new Uint8Array(1)]
        ]
      },
      "the name of headers[1] holds half"
    ],
    [{ headers: [["tenant", revoked]] }, "is no Uint8Array"],
    [{ level: "storedd" }, "the level storedd is none of queued, durable, stored; did you mean stored?"],
    [{ level: 5 }, "the level a number is none of queued"],
    [{ correlationID: "x" }, "correlationID is no option of a publish; it has level, signal, traceparent,"],
    [{ correlationID: "x" }, "headers; did you mean correlationId?"],
    [{ traceparent: "rubbish" }, "traceparent is no W3C trace context, as 00-0af7651916cd"],
    [{ traceparent: `00-${"0".repeat(32)}-b7ad6b7169203331-01` }, "is no W3C trace context"],
    [{ traceparent: `00-${"a".repeat(32)}-${"0".repeat(16)}-01` }, "is no W3C trace context"],
    [{ traceparent: `ff-${"a".repeat(32)}-${"b".repeat(16)}-01` }, "is no W3C trace context"],
    [{ traceparent: `00-${"A".repeat(32)}-${"b".repeat(16)}-01` }, "is no W3C trace context"],
    [{ traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01-more` }, "is no W3C trace context"],
    [revoked, "revoked"]
  ]

  it.each(cases.map(([, sentence], index) => [index, sentence] as const))(
    "is rejected, and nothing is thrown: %i, %s",
    (index, sentence) =>
      story(
        Effect.gen(function* () {
          const event = note("k", "1")
          const odd = cases[index]?.[0] as EventContext
          const message = yield* expectInvalid((notes) => notes.offer(event, odd), event, odd)
          expect(message).toContain(sentence)
        })
      )
  )

  it("is taken where it is a trace context, of a later version too", () =>
    story(
      Effect.gen(function* () {
        const { broker, notes } = yield* openNotes()
        const own = [`00-${"a".repeat(32)}-${"b".repeat(16)}-01`, `cc-${"a".repeat(32)}-${"b".repeat(16)}-01-more`]
        for (const traceparent of own) yield* notes.publish(note("k", "1"), { traceparent, level: "stored" })
        expect((yield* stored(broker)).map(({ traceparent }) => traceparent)).toEqual(own)
      })
    ))

  it("is told by its brand: bytes of another realm count, and a subclass cannot lie about its length", () =>
    story(
      Effect.gen(function* () {
        class Liar extends Uint8Array {
          override get length(): number {
            return 1_000_000
          }
        }
        const { broker, notes } = yield* openNotes()
        yield* notes.publish(note("k", "1"), { headers: [["tenant", Liar.of(1, 2, 3)]] })
        const [record] = yield* stored(broker)
        expect(record?.headers?.map(([name, value]) => [name, Array.from(value)])).toEqual([["tenant", [1, 2, 3]]])
      })
    ))
})

describe("keys from JavaScript", () => {
  it.each([null, true, 1.5, Number.NaN, Symbol("k"), {}, "\udc00"])("that are none are invalid: %s", (key) =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes({}, noteContract({ compacted: true, key: () => key as never }))
        expect(notes.offer(note("k", "1"))).toEqual(invalid)
        expect(notes.offerTombstone(key as never)).toEqual(invalid)
        expect(notes.offer(undefined as never)).toEqual(invalid)
        expect(leat.ledger.snapshot()).toMatchObject({ balanced: true, streams: [{ offered: 3, admitted: 0 }] })
      })
    )
  )

  it("a tombstone without one is emptyKey, and an event that is none is invalid", () =>
    story(
      Effect.gen(function* () {
        const { notes } = yield* openNotes({}, noteContract({ compacted: true }))
        expect(notes.offerTombstone(undefined as never)).toEqual({ admitted: false, reason: "emptyKey" })
        expect(notes.offer(undefined as never)).toEqual(invalid)
      })
    ))
})

describe("code of an event that offers others", () => {
  it.each(["the same stream", "another stream"])(
    "to %s: all of them are stored as they are, the inner ones first",
    (which) =>
      story(
        Effect.gen(function* () {
          const { broker, leat, notes } = yield* openNotes({ leg: { wire: "cloudevents" } })
          const others = yield* leat.stream(noteContract({ stream: "test.others", name: "test.Other" }))
          const to = which === "the same stream" ? notes : others
          const outer = (at: "key" | "text" | "correlationId"): [Note, EventContext] => {
            const offers = () => {
              for (const text of ["a", "b"])
                expect(to.offer(note("inner", `${at}/${text}`.padEnd(300, "."))).admitted).toBe(true)
            }
            const event = {
              get key(): string {
                if (at === "key") offers()
                return "outer"
              },
              get text(): string {
                if (at === "text") offers()
                return `outer/${at}`.padEnd(700, ".")
              }
            }
            const context = {
              get correlationId(): string {
                if (at === "correlationId") offers()
                return `of ${at}`
              }
            }
            return [event, context]
          }
          for (const at of ["key", "text", "correlationId"] as const)
            expect(notes.offer(...outer(at))).toEqual({ admitted: true })
          yield* leat.flush
          const records = (yield* stored(broker)).map(({ text, correlationId }) => [
            text?.replaceAll(".", ""),
            correlationId
          ])
          expect(records.filter(([, correlationId]) => correlationId !== undefined)).toEqual([
            ["outer/key", "of key"],
            ["outer/text", "of text"],
            ["outer/correlationId", "of correlationId"]
          ])
          expect(new Set(records.flatMap(([text]) => text ?? []))).toEqual(
            new Set(["key", "text", "correlationId"].flatMap((at) => [`outer/${at}`, `${at}/a`, `${at}/b`]))
          )
          expect(leat.ledger.snapshot().balanced).toBe(true)
        })
      )
  )

  it("to itself: the innermost is invalid, and the others are as they are", () =>
    story(
      Effect.gen(function* () {
        const { broker, leat, notes } = yield* openNotes()
        const answers: Array<boolean> = []
        const event = (depth: number): Note => {
          let isRead = false
          return {
            get key() {
              // The encoder reads it too.
              if (!isRead) {
                isRead = true
                answers[depth] = notes.offer(event(depth + 1)).admitted
              }
              return `${depth}`
            },
            text: `${depth}`
          }
        }
        expect(notes.offer(event(0)).admitted).toBe(true)
        expect(answers).toEqual([true, true, true, true, true, true, true, false])
        yield* leat.flush
        const texts = (yield* stored(broker)).map(({ text }) => text)
        expect(texts).toEqual(["7", "6", "5", "4", "3", "2", "1", "0"])
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    ))

  it("and flushes, closes or fills the buffer: the event is stored, or rejected with the reason", () =>
    story(
      Effect.gen(function* () {
        const { leat, notes } = yield* openNotes(dead({ buffer: { bytes: 65_536, overflow: "dropOldest" } }))
        for (let index = 0; index < 100; index++) {
          const event = {
            key: "k",
            get text() {
              for (let inner = 0; inner < 30; inner++) notes.offer(big(`${inner}`))
              Effect.runFork(notes.flush)
              return "outer".padEnd((index * 7919) % 60_000, ".")
            }
          }
          notes.offer(event)
          expect(leat.ledger.snapshot().balanced).toBe(true)
          yield* Effect.sleep(1)
        }
        const { admitted = 0 } = legRow(leat) ?? {}
        expect(admitted).toBe(streamRow(leat)?.admitted)
      })
    ))
})

it("what is kept for a dead sink stands in few batches: each one costs more than its arena", () =>
  story(
    Effect.gen(function* () {
      const leg = { buffer: { bytes: 262_144, overflow: "dropOldest" }, batch: { bytes: 32_768 } } as const
      let bursts = 0
      let isDropping = false
      const journal: Journal = {
        moved: (_account, _bucket, _seq, _from, to) => {
          if (to === "dropped" && !isDropping) bursts++
          isDropping = to === "dropped"
        }
      }
      const { leat, notes } = yield* openNotes({ ...dead(leg), journal, broker: new MemoryBroker({ partitions: 4 }) })
      for (let index = 0; index < 60_000; index++) notes.offer(note(`${index % 100}`, "a note of some length"))
      const dropped = legRow(leat)?.dropped["overflow"] ?? 0
      expect(dropped).toBeGreaterThan(10_000)
      expect(dropped / bursts).toBeGreaterThan(50)
      expect(leat.sinks()[0]?.bufferedBytes).toBeGreaterThan(130_000)
    })
  ))

it("what an incident of one event leaves behind is nothing: an event of a third of the buffer, and all the small ones after it", () =>
  story(
    Effect.gen(function* () {
      const { leat, notes } = yield* openNotes({ leg: { buffer: { bytes: 65_536, overflow: "reject" } } })
      yield* notes.publish(big("large", 22_000))
      for (let index = 0; index < 10; index++) expect(notes.offer(big("small", 10))).toEqual({ admitted: true })
      expect(leat.sinks()[0]?.bufferedBytes).toBeLessThan(65_536)
    })
  ))

it("a rejected event holds nothing of the budget: too large for the transport, invalid, or without room on another leg", () =>
  story(
    Effect.gen(function* () {
      const leg = { buffer: { bytes: 65_536, overflow: "reject" }, batch: { bytes: 4096 }, topic: "notes" }
      const leat = yield* Leat.make({
        source: "test",
        routes: {
          version: 1,
          clusters: {
            wide: { transport: "memory", partitions: 8 },
            narrow: { transport: "memory", partitions: 8, recordBytesMax: 50_000 }
          },
          routes: [
            {
              match: { stream: "*" },
              to: [
                { cluster: "wide", ...leg, linger: "10 seconds" },
                { cluster: "narrow", ...leg, linger: "10 seconds" }
              ]
            }
          ]
        }
      })
      const notes = yield* leat.stream(noteContract())
      expect(notes.offer(big("too large", 60_000))).toEqual({ admitted: false, reason: "tooLarge" })
      expect(notes.offer(note("k", "invalid"))).toEqual(invalid)
      expect(leat.sinks().map(({ bufferedBytes }) => bufferedBytes)).toEqual([0, 0])
      let admitted = 0
      while (notes.offer(note(`${admitted}`, "x".repeat(4000))).admitted) admitted++
      const held = leat.sinks()
      for (let index = 0; index < 20; index++) notes.offer(note(`${index}`, "x".repeat(9000)))
      expect(leat.sinks()).toEqual(held)
    })
  ))
