/** What handlers failed with while a test ran: by default a subscription sets aside what fails, and goes on. */
import type { OpenLeat } from "../OpenLeat.ts"
import { failuresOf, type LedgerView } from "../loss/ledgerView.ts"
import { TaggedError } from "../given/TaggedError.ts"

/** Events of one group that ended because its handler failed. */
export interface FailedHandling {
  /** Logical stream of the contract. */
  readonly stream: string
  /** Name of the group. */
  readonly group: string
  /** What the policy was asked about: the `_tag` or the name of the error. */
  readonly name: string
  /** What the policy has said. */
  readonly ended: "deadLettered" | "dropped"
  /** How many. */
  readonly events: number
  /** What the first of them failed with; undefined where no handler did, as of a record that cannot be decoded. */
  readonly error: unknown
}

/**
 * Handlers failed, and what they failed with was dead-lettered or dropped. `cause` is the first error.
 *
 * @example
 * ```ts
 * await orders.handle("billing", (order) => expect(order.cents).toBe(1200n)) // and it is 0n
 * await waitUntilQuiet(leat) // rejects with HandlersFailed, whose cause is the AssertionError
 * ```
 */
export class HandlersFailed extends TaggedError("HandlersFailed")<{
  /** One for each group, ending and name. */
  readonly failures: ReadonlyArray<FailedHandling>
  /** Of the first of them. */
  readonly cause: unknown
}> {
  override get message(): string {
    return this.failures
      .map(({ group, stream, name, ended, events, error }) => {
        const what = ended === "dropped" ? "dropped" : "dead-lettered"
        const why = error instanceof Error ? `${name}: ${error.message}` : name
        return `the group ${group} of ${stream} has ${what} ${events === 1 ? "1 event" : `${events} events`} (${why})`
      })
      .join("\n")
  }
}

/** By leat: what was looked at before. */
const seen = new WeakMap<LedgerView, ReadonlyMap<string, number>>()

/** What has ended so since this was asked last, or since the leat was opened. */
export function failedSince({ ledger }: Pick<OpenLeat, "ledger">): ReadonlyArray<FailedHandling> {
  const before = seen.get(ledger)
  const now = new Map<string, number>()
  const found = new Map<string, FailedHandling>()
  const { lanes } = ledger.snapshot()
  for (const { group, stream, ...row } of lanes)
    for (const ended of ["deadLettered", "dropped"] as const)
      for (const [name, events] of Object.entries(row[ended])) {
        const key = JSON.stringify([group, stream, ended, name])
        const total = (now.get(key) ?? 0) + events
        now.set(key, total)
        const more = total - (before?.get(key) ?? 0)
        const error = failuresOf(ledger, group, stream)?.firstOf(name)?.error
        if (more > 0) found.set(key, { stream, group, name, ended, events: more, error })
      }
  seen.set(ledger, now)
  for (const { group, stream } of lanes) failuresOf(ledger, group, stream)?.forget()
  return Array.from(found.values())
}

/** A group that has events which fail and are tried again, and its last error. */
export function stillFails({
  ledger
}: Pick<OpenLeat, "ledger">): { readonly fails: string; readonly cause: unknown } | undefined {
  for (const { group, stream, parked } of ledger.snapshot().lanes) {
    const last = failuresOf(ledger, group, stream)?.last
    if (parked === 0 || last === undefined) continue
    const { tag, detail, error } = last
    return { fails: `the group ${group} of ${stream} fails with ${tag}: ${detail}`, cause: error }
  }
  return undefined
}
