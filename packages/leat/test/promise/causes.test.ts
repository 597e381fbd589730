import { formatEventId } from "leat"
import { type DeliveryInfo, type EventContext, open } from "leat/promise"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.ts"

const traceOf = (name: string) => `00-${name.repeat(32)}-b7ad6b7169203331-01`
const ann = { correlationId: "order-a", baggage: "tenant=a", traceparent: traceOf("a"), tracestate: "vendor=a" }
const bob = { correlationId: "order-b", baggage: "tenant=b", traceparent: traceOf("b"), tracestate: "vendor=b" }
const nothing = {
  causationId: undefined,
  correlationId: undefined,
  baggage: undefined,
  traceparent: undefined,
  tracestate: undefined
}

interface Order {
  readonly text: string
  readonly info: DeliveryInfo
}

/** What the bills carry that a handler publishes, one for each order; with the ids of the orders. */
async function billed(
  contexts: ReadonlyArray<EventContext>,
  contextOf: (order: Order) => EventContext | undefined,
  isBatch = true
) {
  await using leat = await open({ source: "test" })
  const orders = await leat.stream(noteContract({ stream: "test.orders", name: "test.Order" }))
  const bills = await leat.stream(noteContract({ stream: "test.bills", name: "test.Bill" }))
  const ids: Array<string> = []
  for (const [index, context] of contexts.entries()) {
    const { id } = await orders.publish({ key: "k", text: `${index}` }, context)
    ids.push(formatEventId(id))
  }
  const bill = async (text: string, info: DeliveryInfo) => {
    await bills.publish({ key: "k", text }, contextOf({ text, info }))
  }
  const batches: Array<number> = []
  const billing = isBatch
    ? await orders.handleBatch("billing", async (deliveries) => {
        batches.push(deliveries.length)
        for (const { event, info } of deliveries) await bill(event.text, info)
      })
    : await orders.handle("billing", ({ text }, info) => bill(text, info))
  await billing.caughtUp()
  // Or the batches are others than those that the story is about.
  expect(batches).toEqual(isBatch ? [contexts.length] : [])
  const got: Array<object> = []
  const reading = await bills.handle("reading", (_, info) => {
    const { causationId, correlationId, baggage, traceparent, tracestate } = info
    got.push({ causationId, correlationId, baggage, traceparent, tracestate })
  })
  await reading.caughtUp()
  return { ids, got }
}

describe("what a handler of batches publishes", () => {
  it("carries nothing of an event that it may not be about", async () => {
    const { got } = await billed([ann, bob, {}], () => undefined)
    expect(got).toEqual([nothing, nothing, nothing])
  })

  it("carries what its events agree in", async () => {
    const of = (baggage: string) => ({ ...ann, baggage })
    const { got } = await billed([of("tenant=a"), of("tenant=b")], () => undefined)
    const agreed = { ...nothing, ...ann, baggage: undefined }
    expect(got).toEqual([agreed, agreed])
  })

  it("carries no trace state where only that is shared", async () => {
    const { got } = await billed([ann, { ...bob, tracestate: ann.tracestate }], () => undefined)
    expect(got).toEqual([nothing, nothing])
  })

  it("carries the context of the one event of its batch", async () => {
    const { got, ids } = await billed([ann], () => undefined)
    expect(got).toEqual([{ ...ann, causationId: ids[0] }])
  })

  it("carries the context of the event that it is said to be about", async () => {
    const { got, ids } = await billed([ann, bob, {}], ({ info }) => ({ cause: info }))
    expect(got).toEqual([
      { ...ann, causationId: ids[0] },
      { ...bob, causationId: ids[1] },
      { ...nothing, causationId: ids[2], correlationId: ids[2] }
    ])
  })
})

describe("what a handler of single events publishes", () => {
  it("has no cause where it is said that there is none", async () => {
    const { got } = await billed([ann], () => ({ cause: "none" }), false)
    expect(got).toEqual([nothing])
  })

  it("has the cause that is said, and what is said beside it", async () => {
    let first: DeliveryInfo | undefined
    const contextOf = ({ info }: Order) => ({ cause: (first ??= info), baggage: "tenant=c" })
    const { got, ids } = await billed([ann, bob], contextOf, false)
    const caused = { ...ann, causationId: ids[0], baggage: "tenant=c" }
    expect(got).toEqual([caused, caused])
  })

  it("has the trace state of the handled event in its trace only", async () => {
    const other = traceOf("c")
    const further = ann.traceparent.replace("b7ad6b7169203331", "b7ad6b7169203332")
    const { got } = await billed([ann], () => ({ traceparent: other }), false)
    expect(got).toMatchObject([{ traceparent: other, tracestate: undefined, baggage: "tenant=a" }])
    const { got: same } = await billed([ann], () => ({ traceparent: further }), false)
    expect(same).toMatchObject([{ traceparent: further, tracestate: "vendor=a" }])
  })
})
