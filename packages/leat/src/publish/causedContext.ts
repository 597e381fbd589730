/** Context of an event that is published while another is handled, or inside a span. */
import { type EventId, formatEventId } from "../record/EventId.ts"
import type { EventContext } from "../record/Wire.ts"

/** The event that is being handled: what it hands on to the events published meanwhile. */
export interface Cause extends EventContext {
  readonly id?: EventId
}

/** The caller's context, completed from the event being handled and the trace it runs in. */
export function causedContext(
  own: EventContext | undefined,
  cause: Cause | undefined,
  traceparent: string | undefined
): EventContext | undefined {
  const trace = own?.traceparent ?? traceparent ?? cause?.traceparent
  if (cause !== undefined) return caused(cause, own, trace)
  if (trace === undefined || own?.traceparent !== undefined) return own
  return { ...own, traceparent: trace }
}

function caused(cause: Cause, own: EventContext | undefined, traceparent: string | undefined): EventContext {
  const causationId = own?.causationId ?? (cause.id === undefined ? undefined : formatEventId(cause.id))
  const correlationId = own?.correlationId ?? cause.correlationId ?? causationId
  const tracestate = own?.tracestate ?? cause.tracestate
  const baggage = own?.baggage ?? cause.baggage
  return {
    ...own,
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(tracestate === undefined ? {} : { tracestate }),
    ...(baggage === undefined ? {} : { baggage }),
    ...(correlationId === undefined ? {} : { correlationId }),
    ...(causationId === undefined ? {} : { causationId })
  }
}
