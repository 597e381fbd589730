/** What a program that ends by itself leaves behind: nobody closes its leat, so nothing is counted as dropped, and nobody would hear of it. */
import { type Context, Effect, type Scope } from "effect"
import { beforeExit } from "../beforeExit.ts"
import { warn } from "../Telemetry.ts"
import type { LedgerSnapshot } from "../ledger/Ledger.ts"

/** Legs and streams that are named. */
const namesMax = 8

/** Tells, whenever nothing keeps the process any more, of the events that are in its memory alone: once for as long as they are the same. */
export function tellLostAtEnd(
  snapshot: () => LedgerSnapshot,
  context: Context.Context<never>
): Effect.Effect<void, never, Scope.Scope> {
  let told = ""
  return beforeExit(() => {
    const left = lostText(snapshot())
    if (left === told) return
    told = left
    if (left !== "") Effect.runForkWith(context)(warn(left))
  })
}

/** One sentence; empty: nothing is. What is in a spill is on a disk, and is not among it. */
function lostText({ legs, streams }: LedgerSnapshot): string {
  const held = legs.flatMap(({ stream, sink, queued, inFlight, inDoubt, deadLettering }) => {
    const count = queued + inFlight + inDoubt + deadLettering
    return count === 0 ? [] : [`${eventsText(count)} of ${stream} for ${sink}`]
  })
  const waiting = streams.flatMap(({ stream, waiting: count }) =>
    count === 0 ? [] : [`${eventsText(count)} of ${stream} that wait for room`]
  )
  const named = [...held, ...waiting]
  if (named.length === 0) return ""
  const more = named.length > namesMax ? `, and ${named.length - namesMax} more` : ""
  return `nothing keeps this program any more, and it ends with events that only its memory has, and that are not known to be stored: ${named.slice(0, namesMax).join(", ")}${more}; what stands until it is resumed keeps no program`
}

function eventsText(count: number): string {
  return count === 1 ? "1 event" : `${count} events`
}
