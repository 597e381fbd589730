/** What a leat is to whoever opens it: its options, and what it gives. */
import type { Duration, Effect } from "effect"
import type { Subscription } from "./consume/Subscription.ts"
import type { Contract, ContractInfo } from "./contract/Contract.ts"
import type { Journal } from "./ledger/Ledger.ts"
import type { Outcome } from "./ledger/Waiter.ts"
import type { LedgerView } from "./loss/ledgerView.ts"
import type { HaltedLane } from "./publish/LaneHome.ts"
import type { FallbackState } from "./publish/fallback/SinkFallback.ts"
import type { BreakerView } from "./publish/SinkBreaker.ts"
import type { RouteError, Routes } from "./routes/Routes.ts"
import type { Control, ControlOptions } from "./routesSource.ts"
import type { EventStream } from "./Stream.ts"
import type { LedgerStore } from "./transport/Announcement.ts"
import type { Driver, Transport, TransportError } from "./transport/index.ts"

/** How a leat is opened. Only `source` has no default. */
export interface LeatOptions {
  /** Who publishes: the CloudEvents source, and what routes match beside the stream. */
  readonly source: string
  /**
   * Route document: YAML or JSON text, or the value; or `{ file }`, a file that has it and is followed while the leat is open (`RoutesFile`). Without
   * one every stream runs in memory.
   */
  readonly routes?: unknown
  /**
   * The control stream of a fleet: the document that was applied there last is in force, and `routes` only until there is one. Without it each process
   * has its own document.
   */
  readonly control?: ControlOptions | undefined
  /** Drivers that the document may name; `memory` always is one. */
  readonly drivers?: ReadonlyArray<Driver> | undefined
  /** Contracts to check against the routes before anything is opened. Those opened later are checked then. */
  readonly contracts?: ReadonlyArray<ContractInfo> | undefined
  /** Where the ledger is announced now and then, every second when not said and every 10 milliseconds at most, so that after a crash the loss is known. */
  readonly ledger?: { readonly store: LedgerStore; readonly every?: Duration.Input | undefined } | undefined
  /** Sees every move of every leg; for tests. */
  readonly journal?: Journal | undefined
  /**
   * Over the send buffers of all destinations together, beside the bound that each has of its own (`buffer.bytes` of its leg). Half of it is
   * shared out among the destinations that are open, the rest is for whoever comes first: one that stores nothing takes no room of a
   * neighbour's share. Absent: the sum of their own bounds.
   */
  readonly buffers?: { readonly bytes: number } | undefined
  /**
   * How long closing waits for what is buffered, before the rest is counted as dropped[closed]; 30 seconds when absent. What waits for its next
   * retry, or behind an open breaker, is tried at once then, and so is what stands because its cluster was away.
   */
  readonly drain?: Duration.Input | undefined
}

/**
 * An open leat: what `Leat.make` and the layers give.
 *
 * @example
 * ```ts
 * const leat = yield* Leat
 * const sightings = yield* leat.stream(BeaconSighting)
 * yield* sightings.publish(sighting)
 * leat.ledger.snapshot().balanced // true, at every moment
 * ```
 */
export interface OpenLeat {
  /** The `source` of the options. */
  readonly source: string
  /** UUIDv7 of this opening: part of the id of every event published through it. */
  readonly incarnation: string
  /** The document of the fleet, where the options name a control stream. */
  readonly control: Control | undefined
  /** The table in force. */
  readonly routes: () => Routes
  /** Where every event is, what was counted lately, and how fast loss objectives are used up. */
  readonly ledger: LedgerView
  /**
   * Opens the stream of a contract: checks its route and opens those of its sinks that are not open yet. The same object every time.
   *
   * It waits for the clusters of required legs. It does not wait for a best-effort leg (`required: false`): until the sink of such a leg is
   * open, its events are counted as dropped there, and the first record that the sink stores announces them.
   *
   * Fails with `RouteError` when no route matches, a need is not met, a reference of a cluster cannot be read, or the stream is open with
   * another contract; with `TransportError` when a cluster or topic cannot be opened (passing faults, a missing topic among them, are tried
   * again for 30 seconds, with a warning after 2), and with its reason `Closed` once the leat is closing.
   */
  readonly stream: <T>(contract: Contract<T>) => Effect.Effect<EventStream<T>, RouteError | TransportError>
  /**
   * The transport of a cluster of the table, opened on first use: for raw reads, bounds and topics. Fails with `RouteError`
   * when there is no such cluster, or a reference of its section cannot be read, and with `TransportError` as `stream` does.
   */
  readonly transport: (cluster: string) => Effect.Effect<Transport, RouteError | TransportError>
  /**
   * Sends what is buffered without waiting for linger; what waits for its next retry waits on. Completes when everything that is still pending at the call has ended, and says how
   * that ended. What waits behind a halted lane ends when it is resumed: after ten seconds a warning names the lane. Bound the wait with
   * `Effect.timeout` where that matters; what was admitted goes its way. Never fails.
   */
  readonly flush: Effect.Effect<Outcome>
  /**
   * Puts another table in force between two events: YAML or JSON text, or the value. Legs that it adds are opened first, which is waited for; legs that
   * it removes are closed when what they have is sent. A document with faults, one that would move an open stream, and one of whose required legs, or
   * of the new sections of open clusters, one cannot be opened, is refused whole with `RouteError`. Subscriptions that run take their settings over, `from` excepted.
   */
  readonly swapRoutes: (document: unknown) => Effect.Effect<void, RouteError>
  /** How full the buffer of each sink is, in bytes of arenas, which sinks store nothing, and which of best-effort legs are not open. */
  readonly sinks: () => ReadonlyArray<SinkFill>
  /** The subscriptions that run, of all streams. */
  readonly subscriptions: () => ReadonlyArray<Subscription>
  /** Lanes being written that stand still until `resume`, and why. */
  readonly halted: () => ReadonlyArray<HaltedLane>
  /** Lets halted lanes try again. */
  readonly resume: Effect.Effect<void>
}

/** How full the buffer of one sink is. */
export interface SinkFill {
  /** `cluster/topic`. */
  readonly sink: string
  /** Capacity of the arenas in use, in bytes. */
  readonly bufferedBytes: number
  /** Budget of the sink, in bytes: `buffer.bytes` of the leg. */
  readonly bufferBytesMax: number
  /** Of `buffers.bytes`, what this sink has for itself, in bytes: so much it finds room for, whatever others hold. Absent without that option. */
  readonly shareBytes?: number
  /** Why the sink of a best-effort leg is not open; absent while it is. It is tried again and again. */
  readonly closed?: string
  /**
   * What of it has stored nothing for ten seconds or more, although something was sent there, and why: `has stored nothing on partition 3 for
   * 42 seconds: Timeout: ...`. Absent while everything is stored.
   */
  readonly trouble?: string
  /** Whether its breaker is open, and since when (epoch milliseconds). Absent where it has none. */
  readonly breaker?: BreakerView
  /** What its spill holds, earlier processes' events included: records, and their bytes. Absent where it has none. */
  readonly spilled?: { readonly records: number; readonly bytes: number }
  /**
   * What goes to its fallbacks: the partitions, and how many records there wait to be sent on, of all publishers, when it was looked at last; undefined where
   * they stay. `places`: of each, in the order in which they are tried, where there are several. Absent where it has none.
   */
  readonly fallback?: FallbackState
}
