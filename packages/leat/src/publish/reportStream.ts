import type { Context } from "effect"
import { type Ledger, type StreamAccount, sum, type WriteAccount } from "../ledger/Ledger.ts"
import { type Pulled, register, unregister } from "../ledger/pulled.ts"
import { attribute, metricNames } from "../Telemetry.ts"

/** What the counters of a stream are read from. */
export interface Counted {
  readonly ledger: Ledger
  readonly account: StreamAccount
}

const kinds: ReadonlyArray<Pulled<Counted>> = [
  { name: metricNames.offered, type: "Counter", read: ({ account }) => account.offered },
  { name: metricNames.rejected, type: "Counter", read: ({ account }) => sum(account.rejected) },
  { name: metricNames.sent, type: "Counter", read: overLegs(({ stored }) => stored) },
  { name: metricNames.legsDeadLettered, type: "Counter", read: overLegs(({ deadLettered }) => sum(deadLettered)) },
  { name: metricNames.dropped, type: "Counter", read: overLegs(({ dropped }) => sum(dropped)) },
  // Not from the census of the lanes: a scrape of 10,000 streams would ask all lanes 10,000 times.
  {
    name: metricNames.pending,
    type: "Gauge",
    read: overLegs(
      ({ admitted, stored, deadLettered, dropped }) => admitted - stored - sum(deadLettered) - sum(dropped)
    )
  }
]

/** The counters of one stream as metrics, read from the ledger when somebody scrapes, until `unreportStream`. */
export function reportStream(ledger: Ledger, stream: string, context: Context.Context<never>): Counted {
  const counted = { ledger, account: ledger.stream(stream) }
  register(kinds, counted, attributesOf(counted), context)
  return counted
}

/** The stream has closed. */
export function unreportStream(counted: Counted, context: Context.Context<never>): void {
  unregister(kinds, counted, attributesOf(counted), context)
}

function attributesOf({ account }: Counted): Readonly<Record<string, string>> {
  return { [attribute.stream]: account.stream }
}

function overLegs(of: (leg: WriteAccount) => number): (counted: Counted) => number {
  return ({ ledger, account }) => ledger.accountsOf(account.stream).reduce((total, leg) => total + of(leg), 0)
}
