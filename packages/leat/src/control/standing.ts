/** What a writer of a stream does, by what it has read of the control stream. */
import { endsOf, type Placement } from "./Placement.ts"

export type Standing =
  /** Its join was not read back yet, or it is no writer any more: what is offered is gated, nothing is sent. */
  | { readonly does: "wait" }
  /** It sends to this epoch, what was gated first. */
  | { readonly does: "send"; readonly epoch: number }
  /** What is offered is gated. What its old lanes hold is sent, or moved in front of the gated; then it says `drained`. */
  | { readonly does: "drain"; readonly epoch: number; readonly attempt: number }
  /** It was passed over. As `drain`, but nothing more is sent to the old place. */
  | { readonly does: "stop"; readonly epoch: number; readonly attempt: number }
  /** Its old place was abandoned. As `stop`, but nothing is asked there: what has no answer is moved too. */
  | { readonly does: "leave"; readonly epoch: number; readonly attempt: number }
  /** What is offered is gated, until the target is open and, where it was passed over, swept. */
  | { readonly does: "hold" }

export function standingOf(placement: Placement, member: string): Standing {
  if (placement.writers.get(member) !== "joined") return { does: "wait" }
  const passed = placement.epochs.find(({ over }) => over.has(member))
  if (passed !== undefined)
    return passed.over.get(member) === undefined
      ? { does: passed.phase === "abandoned" ? "leave" : "stop", epoch: passed.epoch, attempt: passed.attempt }
      : { does: "hold" }
  const { newest, source } = endsOf(placement)
  if (newest?.phase === "open") return { does: "send", epoch: newest.epoch }
  if (source?.phase === "open") return { does: "send", epoch: source.epoch }
  if (source?.phase === "sealing" && !source.drained.has(member))
    return { does: "drain", epoch: source.epoch, attempt: source.attempt }
  return { does: "hold" }
}

/** Whether a send may start. `hasLease`: its last beat that it has read back is younger than the lease, where leases are strict. */
export function maySend({ does }: Standing, hasLease: boolean): boolean {
  return (does === "send" || does === "drain") && hasLease
}
