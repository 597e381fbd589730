import { type Context, Effect, type Scope } from "effect"
import { type Ledger, sum, type WriteAccount } from "../ledger/Ledger.ts"
import { attribute, metricNames, pullCounter, pullGauge } from "../Telemetry.ts"

/** The counters of one stream as metrics, read from the ledger when somebody scrapes, until the scope closes. */
export function reportStream(
  ledger: Ledger,
  stream: string,
  context: Context.Context<never>
): Effect.Effect<void, never, Scope.Scope> {
  const attributes = { [attribute.stream]: stream }
  const account = ledger.stream(stream)
  const overLegs = (of: (leg: WriteAccount) => number) => () =>
    ledger.accountsOf(stream).reduce((total, leg) => total + of(leg), 0)
  const counters = [
    [metricNames.offered, () => account.offered],
    [metricNames.rejected, () => sum(account.rejected)],
    [metricNames.sent, overLegs(({ stored }) => stored)],
    [metricNames.dropped, overLegs(({ dropped }) => sum(dropped))]
  ] as const
  // Not from the census of the lanes: a scrape of 10,000 streams would ask all lanes 10,000 times.
  const pending = overLegs(({ admitted, stored, dropped }) => admitted - stored - sum(dropped))
  return Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => [
        ...counters.map(([name, get]) => pullCounter(name, attributes, context, get)),
        pullGauge(metricNames.pending, attributes, context, pending)
      ]),
      (removers) => Effect.sync(() => removers.forEach((remove) => remove()))
    )
  )
}
