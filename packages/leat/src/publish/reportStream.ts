import { type Context, Effect, type Scope } from "effect"
import { type Ledger, type StreamAccount, sum, type WriteAccount } from "../ledger/Ledger.ts"
import { type Pulled, register, unregister } from "../ledger/pulled.ts"
import { attribute, metricNames } from "../Telemetry.ts"

interface Counted {
  readonly ledger: Ledger
  readonly account: StreamAccount
}

const kinds: ReadonlyArray<Pulled<Counted>> = [
  { name: metricNames.offered, type: "Counter", read: ({ account }) => account.offered },
  { name: metricNames.rejected, type: "Counter", read: ({ account }) => sum(account.rejected) },
  { name: metricNames.sent, type: "Counter", read: overLegs(({ stored }) => stored) },
  { name: metricNames.dropped, type: "Counter", read: overLegs(({ dropped }) => sum(dropped)) },
  // Not from the census of the lanes: a scrape of 10,000 streams would ask all lanes 10,000 times.
  {
    name: metricNames.pending,
    type: "Gauge",
    read: overLegs(({ admitted, stored, dropped }) => admitted - stored - sum(dropped))
  }
]

/** The counters of one stream as metrics, read from the ledger when somebody scrapes, until the scope closes. */
export function reportStream(
  ledger: Ledger,
  stream: string,
  context: Context.Context<never>
): Effect.Effect<void, never, Scope.Scope> {
  const counted = { ledger, account: ledger.stream(stream) }
  const attributes = { [attribute.stream]: stream }
  return Effect.acquireRelease(
    Effect.sync(() => register(kinds, counted, attributes, context)),
    () => Effect.sync(() => unregister(kinds, counted, attributes, context))
  )
}

function overLegs(of: (leg: WriteAccount) => number): (counted: Counted) => number {
  return ({ ledger, account }) => ledger.accountsOf(account.stream).reduce((total, leg) => total + of(leg), 0)
}
