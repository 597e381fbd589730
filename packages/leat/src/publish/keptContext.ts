import { isBytes } from "../record/bytes.ts"
import type { EventContext } from "../record/ContextHeaders.ts"
import { contextFault } from "./contextFault.ts"

/**
 * What a context says now, in an object of its own: the caller may change his. What cannot be read, or is refused, stays as it is: each event is
 * told what is wrong with it.
 */
export function keptContext(context: EventContext | undefined): EventContext | undefined {
  if (context === undefined) return undefined
  try {
    if (contextFault(context) !== undefined) return context
    const { traceparent, tracestate, baggage, correlationId, causationId, cause, headers } = context
    return {
      traceparent,
      tracestate,
      baggage,
      correlationId,
      causationId,
      cause,
      headers: headers && keptHeaders(headers)
    }
  } catch {
    return context
  }
}

function keptHeaders(headers: NonNullable<EventContext["headers"]>): NonNullable<EventContext["headers"]> {
  return headers.map(([name, value]) => [name, isBytes(value) ? new Uint8Array(value) : value])
}
