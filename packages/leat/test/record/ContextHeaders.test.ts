import fc from "fast-check"
import type { EventContext } from "leat"
import { describe, expect, it } from "vitest"
import { ContextHeaders, type Surroundings } from "../../src/record/ContextHeaders.js"
import { readHeaders, sizeOfLength, writeLength } from "../../src/record/Headers.js"
import { readMeta } from "../../src/record/Wire.js"

const read = (headers: ContextHeaders) => {
  const block = Buffer.alloc(sizeOfLength(headers.count) + headers.length)
  expect(headers.copyTo(block, writeLength(block, 0, headers.count))).toBe(block.length)
  const { dropped: _, isMarker: __, ...context } = readMeta(readHeaders(block, 0), "s")
  return {
    ...context,
    ...(context.headers === undefined
      ? {}
      : { headers: context.headers.map(([name, value]) => [name, new Uint8Array(value)]) })
  }
}

const text = fc.string({ unit: "grapheme", maxLength: 30 })
const traces = fc
  .tuple(fc.constantFrom("a".repeat(32), "b".repeat(32)), fc.constantFrom("c".repeat(16), "d".repeat(16)))
  .map(([traceId, spanId]) => `00-${traceId}-${spanId}-01`)
const contexts: fc.Arbitrary<EventContext> = fc.record(
  {
    traceparent: traces,
    tracestate: text,
    baggage: text,
    correlationId: text,
    causationId: text,
    headers: fc.array(fc.tuple(fc.stringMatching(/^x-[a-z]{0,20}$/), fc.uint8Array({ maxLength: 3000 })), {
      minLength: 1,
      maxLength: 6
    })
  },
  { requiredKeys: [] }
)

describe("the headers of what an event carries", () => {
  it("are read back as they were said, again and again from the same object, and from a copy", () => {
    const headers = new ContextHeaders()
    fc.assert(
      fc.property(contexts, (context) => {
        headers.clear()
        headers.write(context, undefined)
        expect(headers.traceparent).toBe(context.traceparent)
        const copy = headers.copy()
        expect(read(headers)).toEqual(plain(context))
        headers.clear()
        headers.write({ correlationId: "another" }, undefined)
        expect(read(copy)).toEqual(plain(context))
      })
    )
  })

  it("are completed by the event that is handled and the span that runs, where the event says nothing itself", () => {
    const id = { incarnation: "01930000-0000-7000-8000-000000000000", stream: "s", bucket: 3, seq: 7 }
    const causes: fc.Arbitrary<NonNullable<Surroundings["cause"]>> = fc.record(
      {
        id: fc.option(fc.constant(id), { nil: undefined }),
        traceparent: text,
        tracestate: text,
        baggage: text,
        correlationId: text
      },
      { requiredKeys: ["id"] }
    )
    fc.assert(
      fc.property(contexts, causes, fc.option(traces, { nil: undefined }), (own, cause, traceparent) => {
        const headers = new ContextHeaders()
        headers.write(own, { cause, traceparent })
        const causationId = own.causationId ?? (cause.id === undefined ? undefined : `${id.incarnation}/s/3/7`)
        const trace = own.traceparent ?? traceparent ?? cause.traceparent
        const isOfCause = trace !== undefined && trace.split("-")[1] === cause.traceparent?.split("-")[1]
        expect(read(headers)).toEqual(
          plain({
            ...own,
            traceparent: trace,
            tracestate: own.tracestate ?? (isOfCause ? cause.tracestate : undefined),
            baggage: own.baggage ?? cause.baggage,
            correlationId: own.correlationId ?? cause.correlationId ?? causationId,
            causationId
          })
        )
      })
    )
  })

  it("keep no more than 64 KiB for the next event", () => {
    const headers = new ContextHeaders()
    headers.write({ headers: [["large", new Uint8Array(200_000)]] }, undefined)
    expect(headers.length).toBeGreaterThan(200_000)
    headers.clear()
    expect(headers.bytes.length).toBeLessThanOrEqual(65_536)
  })

  it("keep what was written before they outgrow their bytes", () => {
    const headers = new ContextHeaders()
    const own = { correlationId: "walk-12", headers: [["large", new Uint8Array(3000).fill(5)] as const] }
    headers.write(own, undefined)
    expect(read(headers)).toEqual(plain(own))
  })

  it.each([
    ["leat", "leat writes it itself"],
    ["leat-dropped", "leat writes it itself"],
    ["leat-dlq", "leat writes it itself"],
    ["__dlq.errors.topic", "leat writes it itself"],
    ["ce_type", "leat writes it itself"],
    ["ce-type", "leat writes it itself"],
    ["content-type", "leat writes it itself"],
    ["ce-causationid", "say it as causationId"],
    ["traceparent", "say it as traceparent"]
  ])("are refused under the name %s, which would be read as leat's own", (name, instead) => {
    const headers = new ContextHeaders()
    expect(() => headers.write({ headers: [[name, Buffer.from("x")]] }, undefined)).toThrow(
      `no header can be named ${name}: ${instead}`
    )
  })

  it("may be the attributes of a CloudEvent that leat does not have", () => {
    const headers = new ContextHeaders()
    const own = { headers: [["ce_subject", new Uint8Array([1])] as const, ["ce-tenant", new Uint8Array([2])] as const] }
    headers.write(own, undefined)
    expect(read(headers)).toEqual(plain(own))
  })
})

/** Without what is undefined, and without views. */
function plain(context: object): object {
  return Object.fromEntries(Object.entries(context).filter(([, value]) => value !== undefined))
}
