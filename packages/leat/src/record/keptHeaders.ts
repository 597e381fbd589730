/**
 * The header names that leat writes itself. A caller's header of such a name would be read as what leat says: it could make an event one of
 * another type, which its consumers skip, or forge an announced drop. So it is refused when an event is offered.
 */
import { deadLetterFamily, deadLetterHeader } from "./DeadLetter.ts"

/** Attributes of CloudEvents that leat writes and reads; others are the caller's (`ce_subject`, extensions). */
const attributes = ["specversion", "id", "source", "type", "time", "leatepoch"]

const own = "leat writes it itself"
const kept: ReadonlyMap<string, string> = new Map([
  ["leat", own],
  ["leat-dropped", own],
  [deadLetterHeader, own],
  ["content-type", own],
  ...attributes.map((name) => [`ce_${name}`, own] as const),
  ["ce_correlationid", "say it as correlationId"],
  ["ce_causationid", "say it as causationId"],
  ...["traceparent", "tracestate", "baggage"].map((name) => [name, `say it as ${name}`] as const)
])

/** NATS does not allow the underscore, so its binding of CloudEvents says `ce-id`: both spellings are one name. */
export function spelled(name: string): string {
  return name.startsWith("ce-") ? `ce_${name.slice(3)}` : name
}

/** Why a caller may not have a header of this name, and what to do instead; undefined when it may. */
export function keptFault(name: string): string | undefined {
  return name.startsWith(deadLetterFamily) ? own : kept.get(spelled(name))
}
