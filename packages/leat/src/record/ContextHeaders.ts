/**
 * The headers of what an event carries beside its value: read, checked and written once, before anything of the event is placed
 * in a buffer, and copied from here to every leg. Whoever offers an event may hand over anything from JavaScript; what would not
 * come back as it was is refused with a sentence.
 */
import { Buffer } from "node:buffer"
import { byteLength, isBytes } from "./bytes.ts"
import { type EventId, formatEventId } from "./EventId.ts"
import { type Header, sizeOfHeader, writeLength } from "./Headers.ts"
import { keptFault } from "./keptHeaders.ts"
import { isSameTrace } from "./traceparent.ts"

/** What an event carries besides its value. All of it is copied through unchanged, to every leg and every consumer. */
export interface EventContext {
  /** W3C trace context of the event. */
  readonly traceparent?: string | undefined
  /** W3C trace state, beside `traceparent`. */
  readonly tracestate?: string | undefined
  /** W3C baggage. */
  readonly baggage?: string | undefined
  /** Text that all events of one business transaction share. */
  readonly correlationId?: string | undefined
  /** Id of the event whose handling published this one, as `formatEventId` writes it; filled in inside handlers of single events. */
  readonly causationId?: string | undefined
  /**
   * The event that this one is published because of, instead of the one that is handled here and now: what is not said otherwise is taken from it.
   * Handlers of batches say it with the `info` of an event. With "none" nothing is taken over.
   */
  readonly cause?: EventCause | "none" | undefined
  /** Further headers; names may repeat. A name that leat writes itself (`leat`, `ce_type`, `traceparent`, ...) is refused. */
  readonly headers?: ReadonlyArray<Header> | undefined
}

/** What an event hands on to those that are published because of it: each `DeliveryInfo` is one. */
export interface EventCause {
  /** Becomes their `causationId`; undefined where it is not known. */
  readonly id: EventId | undefined
  readonly traceparent?: string | undefined
  readonly tracestate?: string | undefined
  readonly baggage?: string | undefined
  readonly correlationId?: string | undefined
}

/** Where an event is offered: completes what its own context does not say. */
export interface Surroundings {
  /** The event that is being handled. */
  readonly cause: EventCause | undefined
  /** W3C trace context of the span that is running. */
  readonly traceparent: string | undefined
}

/** Bytes kept for the next event; what was larger is left to the collector. */
const keptBytesMax = 65_536

export class ContextHeaders {
  /** The headers, one after the other, without their number. */
  bytes: Buffer
  /** Bytes of all headers. */
  length = 0
  /** Number of headers. */
  count = 0
  /** The trace context among them. */
  traceparent: string | undefined

  constructor(bytes: Buffer = Buffer.allocUnsafeSlow(1024)) {
    this.bytes = bytes
  }

  /** Begins with nothing. */
  clear(): void {
    if (this.bytes.length > keptBytesMax) this.bytes = Buffer.allocUnsafeSlow(1024)
    this.length = 0
    this.count = 0
    this.traceparent = undefined
  }

  /** Writes what an event carries: its own context, completed from where it is offered. Throws a sentence for what cannot be carried. */
  write(own: EventContext | undefined, around: Surroundings | undefined): void {
    if (own !== undefined && (typeof own !== "object" || own === null)) throw new Error("the context is no object")
    const cause = own?.cause === undefined ? around?.cause : own.cause === "none" ? undefined : own.cause
    const handled = cause?.id === undefined ? undefined : formatEventId(cause.id)
    const causationId = said(own?.causationId, handled)
    const correlationId = said(
      own?.correlationId,
      said(cause?.correlationId, cause === undefined ? undefined : causationId)
    )
    const traceparent = said(own?.traceparent, said(around?.traceparent, cause?.traceparent))
    this.traceparent = this.#text("traceparent", "traceparent", traceparent)
    this.#text("tracestate", "tracestate", said(own?.tracestate, stateOf(this.traceparent, cause)))
    this.#text("baggage", "baggage", said(own?.baggage, cause?.baggage))
    this.#text("correlationId", "ce_correlationid", correlationId)
    this.#text("causationId", "ce_causationid", causationId)
    this.#others(own?.headers)
  }

  /** Copies the headers to `at`; returns the position after them. */
  copyTo(target: Buffer, at: number): number {
    this.bytes.copy(target, at, 0, this.length)
    return at + this.length
  }

  /** The same headers in bytes of their own. */
  copy(): ContextHeaders {
    const copy = new ContextHeaders(Buffer.from(this.bytes.subarray(0, this.length)))
    copy.length = this.length
    copy.count = this.count
    copy.traceparent = this.traceparent
    return copy
  }

  #text(property: string, name: string, value: unknown): string | undefined {
    if (value === undefined) return undefined
    checkText(value, property)
    const bytes = Buffer.byteLength(value)
    const at = this.#open(name, bytes)
    this.bytes.write(value, at)
    return value
  }

  #others(headers: unknown): void {
    if (headers === undefined) return
    if (!Array.isArray(headers)) throw new Error("headers is no list of [name, bytes]")
    const list: ReadonlyArray<unknown> = headers
    for (let index = 0; index < list.length; index++) {
      const header = list[index]
      if (!Array.isArray(header)) throw new Error(`headers[${index}] is no pair of a name and bytes`)
      const [name, value]: ReadonlyArray<unknown> = header
      checkText(name, `the name of headers[${index}]`)
      const fault = keptFault(name)
      if (fault !== undefined) throw new Error(`no header can be named ${name}: ${fault}`)
      if (!isBytes(value)) throw new Error(`the value of the header ${name} is no Uint8Array`)
      const at = this.#open(name, byteLength(value))
      this.bytes.set(value, at)
    }
  }

  /** Writes name and length of a header; returns where its value goes. */
  #open(name: string, valueBytes: number): number {
    const nameBytes = Buffer.byteLength(name)
    const size = sizeOfHeader(nameBytes, valueBytes)
    this.#reserve(size)
    const { bytes, length } = this
    const nameAt = writeLength(bytes, length, nameBytes)
    bytes.write(name, nameAt)
    this.length = length + size
    this.count++
    return writeLength(bytes, nameAt + nameBytes, valueBytes)
  }

  #reserve(size: number): void {
    const needed = this.length + size
    if (needed <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2))
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
  }
}

/** Of an event that carries nothing. */
export const noHeaders = new ContextHeaders(Buffer.alloc(0))

/** The trace state of a cause: it says something about its trace, and nothing about another one. */
function stateOf(traceparent: string | undefined, cause: EventCause | undefined): string | undefined {
  const state = cause?.tracestate
  if (state === undefined || traceparent === undefined || cause?.traceparent === undefined) return undefined
  return isSameTrace(traceparent, cause.traceparent) ? state : undefined
}

/** Null is said too, and then refused. */
function said<A>(own: A | undefined, otherwise: A | undefined): A | undefined {
  return own === undefined ? otherwise : own
}

function checkText(value: unknown, what: string): asserts value is string {
  if (typeof value !== "string") throw new Error(`${what} is no text`)
  if (!value.isWellFormed()) throw new Error(`${what} holds half of a surrogate pair, which UTF-8 cannot say`)
}
