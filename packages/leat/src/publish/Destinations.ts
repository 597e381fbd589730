/** Where the events of a stream go: what is open of the legs of its route, and how records are dressed for each. */
import type { ContractInfo } from "../contract/Contract.ts"
import type { BucketRange } from "../ledger/BucketRange.ts"
import type { Ledger, WriteAccount } from "../ledger/Ledger.ts"
import { type WireIdentity, type WireWriter, wireWriter } from "../record/WireWriter.ts"
import { bucketsOf } from "../routes/BucketShare.ts"
import { notDurable } from "../routes/levelFaults.ts"
import { partitionFault } from "../routes/partitionFault.ts"
import type { Leg, Route } from "../routes/Routes.ts"
import { ClosedLeg } from "./ClosedLeg.ts"
import type { LegLanes } from "./LegLanes.ts"
import type { Level } from "./Receipt.ts"
import type { Sink } from "./Sink.ts"
import type { Sinks } from "./Sinks.ts"

/** One leg of a stream: where it goes and how its records are dressed. */
export interface Outlet {
  readonly sink: Sink
  /** Of this stream in the sink. */
  readonly lanes: LegLanes
  readonly wire: WireWriter
  readonly account: WriteAccount
  readonly isRequired: boolean
  /** Its events go to so many partitions of the sink, from 0 on. */
  readonly partitions: number
  /** Those that it takes: all, unless the leg is a canary. */
  readonly buckets: BucketRange
}

/** What legs ask of sinks. */
type SinksOfLegs = Pick<Sinks, "configure" | "find" | "reason" | "declared">

/** Beyond those of any contract. One for all streams. */
const allBuckets: BucketRange = { from: 0, to: 2 ** 30 }

const allKeys: Pick<Leg, "canary"> = { canary: undefined }

/** Where a stream goes, and at what a publish completes when it does not say so itself. */
export interface Destinations {
  /** There is at least one that is required. */
  readonly outlets: ReadonlyArray<Outlet>
  /** Best-effort legs whose sinks are not open. */
  readonly closed: ReadonlyArray<ClosedLeg>
  readonly level: Level
  /** Why no publish can complete at the level `durable`, in one sentence; undefined where it can. */
  readonly notDurable: string | undefined
}

/** How many partitions of a sink, or of the topic that it is to be, the events of a leg go to. */
export function writtenOf({ partitions }: Pick<Leg, "partitions">, there: { readonly partitions: number }): number {
  return partitions === undefined ? there.partitions : Math.min(partitions, there.partitions)
}

/** The legs of the streams of a leat: outlets where their sinks are open, else counts of what they miss. */
export class Legs {
  readonly #publisher: Pick<WireIdentity, "incarnation" | "source">
  readonly #sinks: SinksOfLegs
  readonly #ledger: Ledger
  /** Best-effort legs without an open sink, by their account. */
  readonly #closed = new Map<WriteAccount, ClosedLeg>()

  constructor(publisher: Pick<WireIdentity, "incarnation" | "source">, sinks: SinksOfLegs, ledger: Ledger) {
    this.#publisher = publisher
    this.#sinks = sinks
    this.#ledger = ledger
  }

  /** Where a stream goes now: its first record after a leg has opened announces what that leg missed. */
  destinations(contract: ContractInfo, route: Route): Destinations {
    const outlets: Array<Outlet> = []
    const closed: Array<ClosedLeg> = []
    for (const leg of route.legs) {
      this.#sinks.configure(leg)
      const sink = this.#sinks.find(leg)
      const account = this.#accountOf(contract.stream, leg)
      const isFit = sink !== undefined && partitionFault(contract, route, leg, writtenOf(leg, sink)) === undefined
      // A leg that is read has all, also one that was a canary where its stream has moved to.
      const { canary } = leg === route.readLeg ? allKeys : leg
      const buckets = canary === undefined ? allBuckets : bucketsOf(canary, contract.buckets)
      account.buckets = canary === undefined ? undefined : buckets
      if (!isFit) {
        closed.push(this.#missing(leg, account, buckets))
        continue
      }
      sink.lanesOf(account).announce(this.#closed.get(account)?.drops.take() ?? [])
      this.#closed.delete(account)
      outlets.push(this.#outlet(contract, leg, sink, account, buckets))
    }
    const declared = (cluster: string) => this.#sinks.declared(cluster)
    return { outlets, closed, level: route.level, notDurable: notDurable(route.legs, declared) }
  }

  /** Where the events of a leg that is read go; undefined: its sink is not open. */
  outletOf(contract: ContractInfo, leg: Leg): Outlet | undefined {
    const sink = this.#sinks.find(leg)
    return sink && this.#outlet(contract, leg, sink, this.#accountOf(contract.stream, leg), allBuckets)
  }

  #accountOf(stream: string, { sink, epoch, spill, fallback }: Leg): WriteAccount {
    if (spill !== undefined) return this.#ledger.spillingAccount(stream, sink, epoch)
    if (fallback !== undefined) return this.#ledger.fallingAccount(stream, sink, epoch)
    return this.#ledger.account(stream, sink, epoch)
  }

  #missing({ sink }: Leg, account: WriteAccount, buckets: BucketRange): ClosedLeg {
    const found = this.#closed.get(account)
    if (found !== undefined) {
      found.buckets = buckets
      return found
    }
    const leg = new ClosedLeg(account, buckets, this.#ledger.journal, () => this.#sinks.reason(sink))
    this.#closed.set(account, leg)
    return leg
  }

  #outlet({ stream, name }: ContractInfo, leg: Leg, sink: Sink, account: WriteAccount, buckets: BucketRange): Outlet {
    return {
      sink,
      lanes: sink.lanesOf(account),
      wire: wireWriter(leg.wire, { ...this.#publisher, stream, type: name, epoch: leg.epoch }),
      account,
      isRequired: leg.required,
      partitions: writtenOf(leg, sink),
      buckets
    }
  }
}
