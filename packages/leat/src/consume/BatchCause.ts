/**
 * What a handler of several events hands on to those that it publishes: what all of its events agree in, because which of them one is about
 * cannot be known. So it is no cause. Looked at only when something is published.
 */
import type { DeliveryInfo } from "./DeliveryInfo.ts"
import type { EventCause } from "../record/ContextHeaders.ts"

export class BatchCause implements EventCause {
  readonly id = undefined
  readonly first: DeliveryInfo
  readonly #infos: ReadonlyArray<DeliveryInfo>
  #agreed: Omit<EventCause, "id"> | undefined

  constructor(first: DeliveryInfo, infos: ReadonlyArray<DeliveryInfo>) {
    this.first = first
    this.#infos = infos
  }

  get correlationId(): string | undefined {
    return this.#all.correlationId
  }
  get baggage(): string | undefined {
    return this.#all.baggage
  }
  get traceparent(): string | undefined {
    return this.#all.traceparent
  }
  get tracestate(): string | undefined {
    return this.#all.tracestate
  }

  get #all(): Omit<EventCause, "id"> {
    this.#agreed ??= {
      correlationId: this.#agreedIn("correlationId"),
      baggage: this.#agreedIn("baggage"),
      traceparent: this.#agreedIn("traceparent"),
      tracestate: this.#agreedIn("tracestate")
    }
    return this.#agreed
  }

  #agreedIn(field: "correlationId" | "baggage" | "traceparent" | "tracestate"): string | undefined {
    const text = this.first[field]
    return this.#infos.every((info) => info[field] === text) ? text : undefined
  }
}
