import { Effect } from "effect"
import type { Contract, EventContext, EventId } from "leat"
import { openLeat, type OpenOptions, run } from "./drivers.ts"
import { allSamples, type Sample } from "./samples.ts"

/** One event that is stored, and what must be found of it. */
export interface Published {
  readonly id: EventId
  readonly sample: Sample<unknown>
  readonly context: EventContext
}

/** The events of one contract, in the order in which they were published. */
export interface PublishedStream {
  readonly topic: string
  readonly contract: Contract<unknown>
  readonly published: ReadonlyArray<Published>
}

/** What stands beside some events, for the headers to show. */
const context: EventContext = {
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  tracestate: "vendor=opaque",
  baggage: "tenant=zoo",
  correlationId: "walk-12",
  causationId: "01930000-0000-7000-8000-000000000000/risk.logs.line/1/2",
  headers: [
    ["x-bytes", Uint8Array.of(0, 255, 10)],
    ["x-bytes", new Uint8Array(0)],
    ["x-слово", Uint8Array.of(33)]
  ]
}

/** Publishes all samples, every other one with context, and closes its leat: all of it is stored then. */
export const publishSamples = (options: OpenOptions): Promise<ReadonlyArray<PublishedStream>> =>
  run(
    Effect.gen(function* () {
      const leat = yield* openLeat(options)
      return yield* Effect.forEach(allSamples, ({ contract, samples }) =>
        Effect.gen(function* () {
          const stream = yield* leat.stream(contract as Contract<unknown>)
          const published = yield* Effect.forEach(samples, (sample, index) => {
            const beside = index % 2 === 0 ? {} : context
            return Effect.map(stream.publish(sample.event, beside), ({ id }) => ({ id, sample, context: beside }))
          })
          return { topic: `${options.prefix}.${contract.stream}`, contract: contract as Contract<unknown>, published }
        })
      )
    })
  )
