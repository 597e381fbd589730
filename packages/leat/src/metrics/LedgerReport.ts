/**
 * The ledger of one leat as metrics, until the leat is closed: a series for each account when the account begins, and one for each reason when it
 * is counted for the first time. All of them are read from the accounts when somebody scrapes.
 */
import { Context, Metric } from "effect"
import { type Counts, sum, watchReasons } from "../ledger/Counts.ts"
import type { GroupAccount, ReadTerm } from "../ledger/GroupAccount.ts"
import type { LedgerWatch, StreamAccount, WriteAccount } from "../ledger/Ledger.ts"
import { forgetKept, type Pulled, register, unregister } from "../ledger/pulled.ts"
import { attribute, metricNames } from "../Telemetry.ts"
import { byReason, ReasonSeries } from "./ReasonSeries.ts"

const ofStream: ReadonlyArray<Pulled<StreamAccount>> = [
  { name: metricNames.offered, type: "Counter", read: ({ offered }) => offered }
]

const ofLeg: ReadonlyArray<Pulled<WriteAccount>> = [
  { name: metricNames.admitted, type: "Counter", read: ({ admitted }) => admitted },
  { name: metricNames.sent, type: "Counter", read: ({ stored }) => stored },
  // Not from the census of the lanes: a scrape of 10,000 streams would ask all lanes 10,000 times.
  {
    name: metricNames.pending,
    type: "Gauge",
    read: ({ admitted, recovered, movedIn, movedOut, stored, fellBack, deadLettered, dropped }) =>
      admitted + recovered + movedIn - movedOut - stored - fellBack - sum(deadLettered) - sum(dropped)
  }
]

const ofRecovered: Pulled<WriteAccount> = {
  name: metricNames.recovered,
  type: "Counter",
  read: ({ recovered }) => recovered
}

const ofSpill: ReadonlyArray<Pulled<WriteAccount>> = [
  { name: metricNames.spilled, type: "Gauge", read: ({ spilled }) => spilled },
  ofRecovered
]

const ofFallback: ReadonlyArray<Pulled<WriteAccount>> = [
  { name: metricNames.fellBack, type: "Counter", read: ({ fellBack }) => fellBack },
  ofRecovered
]

const ofMove: ReadonlyArray<Pulled<WriteAccount>> = [
  { name: metricNames.movedIn, type: "Counter", read: ({ movedIn }) => movedIn },
  { name: metricNames.movedOut, type: "Counter", read: ({ movedOut }) => movedOut }
]

const ofGroup: ReadonlyArray<Pulled<GroupAccount>> = [
  { name: metricNames.consumed, type: "Counter", read: (group) => group.total(({ done }) => done) },
  { name: metricNames.groupDuplicates, type: "Counter", read: (group) => group.total(({ duplicate }) => duplicate) },
  { name: metricNames.groupUnchecked, type: "Counter", read: ({ unchecked }) => unchecked },
  { name: metricNames.groupParked, type: "Gauge", read: (group) => group.total(({ parked }) => parked) }
]

/** A retry topic of a group. */
interface Tier {
  readonly account: GroupAccount
  readonly tier: number
}

// Each member of a group sees all of a tier.
const ofTier: ReadonlyArray<Pulled<Tier>> = [
  { name: metricNames.groupWaiting, type: "Gauge", isMost: true, read: ({ account, tier }) => account.waitingIn(tier) }
]

const rejected = byReason(metricNames.rejected)
const legsDeadLettered = byReason(metricNames.legsDeadLettered)
const dropped = byReason(metricNames.dropped)
const ofTerm = {
  moved: byReason(metricNames.groupMoved),
  deadLettered: byReason(metricNames.groupDeadLettered),
  dropped: byReason(metricNames.groupDropped)
} satisfies Readonly<Record<ReadTerm, unknown>>

/** Reports that are open, by registry. */
const openReports = new WeakMap<object, number>()

type Attributes = Readonly<Record<string, string>>

export class LedgerReport implements LedgerWatch {
  readonly #context: Context.Context<never>
  readonly #unregister: Array<() => void> = []
  readonly #reasons: Array<ReasonSeries> = []
  /** Those of sinks with a spill, or a fallback: a leg has one of them at most. */
  readonly #standIns = new Set<WriteAccount>()
  /** Legs that events have moved to or from. */
  readonly #moved = new Set<WriteAccount>()
  #isClosed = false

  constructor(context: Context.Context<never>) {
    this.#context = context
    openReports.set(this.#registry, this.#openThere + 1)
  }

  streamBegan(account: StreamAccount): void {
    const attributes = { [attribute.stream]: account.stream }
    this.#register(ofStream, account, attributes)
    this.#watch(rejected, account.rejected, attributes)
  }

  legBegan(account: WriteAccount): void {
    const attributes = attributesOf(account)
    this.#register(ofLeg, account, attributes)
    this.#watch(legsDeadLettered, account.deadLettered, attributes)
    this.#watch(dropped, account.dropped, attributes)
    account.moveBegan = this.#moveBegan
  }

  /** Most streams never move. */
  readonly #moveBegan = (account: WriteAccount): void => {
    if (this.#moved.has(account)) return
    this.#moved.add(account)
    this.#register(ofMove, account, attributesOf(account))
  }

  spillBegan(account: WriteAccount): void {
    this.#standInBegan(ofSpill, account)
  }

  fallbackBegan(account: WriteAccount): void {
    this.#standInBegan(ofFallback, account)
  }

  #standInBegan(kinds: ReadonlyArray<Pulled<WriteAccount>>, account: WriteAccount): void {
    if (this.#standIns.has(account)) return
    this.#standIns.add(account)
    this.#register(kinds, account, attributesOf(account))
  }

  groupBegan(account: GroupAccount): void {
    const attributes = { [attribute.stream]: account.stream, [attribute.group]: account.group }
    this.#register(ofGroup, account, attributes)
    this.#watchTiers(account, attributes)
    const series = new Map<ReadTerm, ReasonSeries>()
    account.began = (term, reason) => {
      const found =
        series.get(term) ?? this.#series(ofTerm[term], (of) => account.total((row) => of(row[term])), attributes)
      series.set(term, found)
      found.began(reason)
    }
  }

  #watchTiers(account: GroupAccount, attributes: Attributes): void {
    const known = new Map<number, () => void>()
    account.tierChanged = (tier, isKnown) => {
      known.get(tier)?.()
      known.delete(tier)
      if (!isKnown || this.#isClosed) return
      const [of, own] = [
        { account, tier },
        { ...attributes, [attribute.tier]: String(tier) }
      ]
      register(ofTier, of, own, this.#context)
      known.set(tier, () => unregister(ofTier, of, own, this.#context))
    }
    this.#unregister.push(() => {
      for (const one of known.values()) one()
      known.clear()
    })
  }

  /** Takes all of it out: the leat is closed, and nothing is counted any more. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    const others = this.#openThere - 1
    openReports.set(this.#registry, others)
    for (const one of this.#unregister) one()
    // Another leat may never count such a reason, and its counter would be gone with this one.
    for (const one of this.#reasons) one.close(others > 0)
    if (others === 0) forgetKept(this.#context)
  }

  get #registry(): object {
    return Context.get(this.#context, Metric.MetricRegistry)
  }

  get #openThere(): number {
    return openReports.get(this.#registry) ?? 0
  }

  #register<A>(kinds: ReadonlyArray<Pulled<A>>, of: A, attributes: Attributes): void {
    if (this.#isClosed) return
    this.#unregister.push(() => unregister(kinds, of, attributes, this.#context))
    register(kinds, of, attributes, this.#context)
  }

  /** Most accounts never count a reason: what stands for one is made with the first. */
  #watch(kinds: ReturnType<typeof byReason>, counts: Counts, attributes: Attributes): void {
    let series: ReasonSeries | undefined
    watchReasons(counts, (reason) => {
      series ??= this.#series(kinds, (of) => of(counts), attributes)
      series.began(reason)
    })
  }

  #series(
    kinds: ReturnType<typeof byReason>,
    total: (of: (counts: Readonly<Counts>) => number) => number,
    attributes: Attributes
  ): ReasonSeries {
    const series = new ReasonSeries(kinds, total, attributes, this.#context)
    this.#reasons.push(series)
    if (this.#isClosed) series.close(false)
    return series
  }
}

function attributesOf({ stream, sink }: WriteAccount): Attributes {
  return { [attribute.stream]: stream, [attribute.sink]: sink }
}
