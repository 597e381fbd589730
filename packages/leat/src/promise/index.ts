/** The same front door for code that does not use Effect: promises, `for await` and `AbortSignal`; `await using` from Node 24 on. */
import { Effect, Exit, Result, Scope } from "effect"
import type { AppliedTable, ControlStatus } from "../control/ControlledRoutes.ts"
import type { PastDocument } from "../control/fleet.ts"
import type { Contract } from "../contract/Contract.ts"
import { Leat } from "../Leat.ts"
import type { LeatOptions, OpenLeat, SinkFill } from "../OpenLeat.ts"
import { ownOptions } from "../given/ownOptions.ts"
import { leatFaults, leatOptionNames } from "../leatFaults.ts"
import type { HaltedLane } from "../publish/LaneHome.ts"
import { isHandledBy } from "./handled.ts"
import { type LineLogger, type Logging, loggingTo } from "./logging.ts"
import { PromiseStream } from "./PromiseStream.ts"
import { RouteError } from "../routes/Routes.ts"
import type { Outcome } from "../ledger/Waiter.ts"
import { waited, type WaitOptions } from "./waited.ts"

export { Rejected, type Admission, NotStored, type RejectReason } from "../publish/Admission.ts"
export type { LogLine } from "./logging.ts"
export type { LeatOptions, SinkFill } from "../OpenLeat.ts"
export type { HaltedLane } from "../publish/LaneHome.ts"
export type { LedgerSnapshot, LegRow, ReadRow, StreamRow } from "../ledger/Ledger.ts"
export type { Level } from "../publish/Receipt.ts"
export type { EventCause, EventContext } from "../record/ContextHeaders.ts"
export type { EventId } from "../record/EventId.ts"
export type { RoutesFile } from "../routes/RoutesFile.ts"
export { ControlError, type ControlReason } from "../control/ControlError.ts"
export type { AppliedTable, ControlStatus } from "../control/ControlledRoutes.ts"
export type { FleetProcess, PastDocument } from "../control/fleet.ts"
export type { ControlOptions } from "../routesSource.ts"
export { WrongArgument } from "../given/takes.ts"
export { RouteError } from "../routes/Routes.ts"
export { type FailedPart, PartlyFailed } from "../consume/PartlyFailed.ts"
export { NotCaughtUp } from "../consume/NotCaughtUp.ts"
export type { DeliveryInfo } from "../consume/DeliveryInfo.ts"
export type { StoredEvent, StoredGap, StoredInfo, StoredRange } from "../consume/storedRanges.ts"
export { TransportError } from "../transport/TransportError.ts"
export type { Outcome } from "../ledger/Waiter.ts"
export type { GivenEvent } from "./DeliveryIterator.ts"
export type { WaitOptions } from "./waited.ts"
export type { Forgotten, Handled } from "../consume/Inbox.ts"
export type { PromiseInbox } from "./PromiseInbox.ts"
export { NotAwaited } from "./NotAwaited.ts"
export * from "./PromiseStream.ts"

/** How a leat is opened. Only `source` has no default. */
export interface OpenOptions extends LeatOptions {
  /**
   * Gets each line that leat has to say, in place of standard error: warnings of what needs a person, with the error where there is one. It must be
   * quick; what it throws, or its promise rejects with, is left aside.
   *
   * @example
   * ```ts
   * const leat = await open({ source: "mobile-app", logger: ({ level, message, cause }) => log[level]({ err: cause }, message) })
   * ```
   */
  readonly logger?: LineLogger | undefined
}

/** As `Control` of `leat`, with promises. */
export interface PromiseControl {
  /** Writes a document, text or value, for the whole fleet. Rejects with `RouteError` or `ControlError`. */
  readonly apply: (document: unknown, reason?: string) => Promise<AppliedTable>
  /** Applies an older document again, by its version, with a new one. Rejects with `RouteError` or `ControlError`. */
  readonly rollback: (version: number, reason?: string) => Promise<AppliedTable>
  /** Which document is in force where, as far as this process has read. */
  readonly status: () => ControlStatus
  /** The documents that were applied last, oldest first: as many as 32, and no more than a mebibyte of text. */
  readonly history: () => ReadonlyArray<PastDocument>
}

/**
 * An open leat. Disposing of it drains what was admitted and gives every lane back.
 *
 * @example
 * ```ts
 * const leat = await open({ source: "mobile-app" })
 * try {
 *   const sightings = await leat.stream(BeaconSighting)
 *   await sightings.publish(sighting)
 *   leat.ledger.snapshot().balanced // true, at every moment
 * } finally {
 *   await leat.close()
 * }
 * ```
 */
export class PromiseLeat implements AsyncDisposable {
  readonly #leat: OpenLeat
  readonly #scope: Scope.Closeable
  readonly #logging: Logging
  readonly #streams = new Map<string, unknown>()
  #closed: Promise<void> | undefined

  constructor(leat: OpenLeat, scope: Scope.Closeable, logging: Logging = loggingTo(undefined)) {
    this.#logging = logging
    this.#leat = leat
    this.#scope = scope
  }

  /** The same leat for code that uses Effect. */
  get effect(): OpenLeat {
    return this.#leat
  }

  /** The `source` of the options. */
  get source(): string {
    return this.#leat.source
  }

  /** UUIDv7 of this opening: part of the id of every event published through it. */
  get incarnation(): string {
    return this.#leat.incarnation
  }

  /**
   * Where every event is: `ledger.snapshot()` gives one row for each stream, leg and lane, `ledger.window("1 hour")` what was counted in that
   * time, and `ledger.objectives()` how fast loss objectives are used up.
   */
  get ledger(): OpenLeat["ledger"] {
    return this.#leat.ledger
  }

  /**
   * Which route a stream takes and why, for a person: several lines of text.
   *
   * @example
   * ```ts
   * console.log(leat.explain("risk.beacons.sighting"))
   * ```
   */
  explain(stream: string): string {
    return this.#leat.routes().explain(stream, this.source)
  }

  /**
   * Opens the stream of a contract; the same object every time. Rejects with `RouteError` when no route matches or a need
   * is not met, with `TransportError` when a cluster cannot be opened.
   *
   * @example
   * ```ts
   * const sightings = await leat.stream(BeaconSighting)
   * ```
   */
  async stream<T>(contract: Contract<T>): Promise<PromiseStream<T>> {
    const opened = await this.#run(this.#leat.stream(contract))
    // One contract per stream, so what was stored under its name has its type.
    const found = this.#streams.get(contract.stream) as PromiseStream<T> | undefined
    if (found !== undefined) return found
    const stream = new PromiseStream(opened, this, this.#logging)
    this.#streams.set(contract.stream, stream)
    return stream
  }

  /**
   * Sends what is buffered without waiting for linger; resolves when everything that is still pending at the call has ended, and says how
   * that ended. What waits behind a halted lane ends when it is resumed: after ten seconds a warning names the lane. Rejects only with the
   * reason of the signal; what was admitted goes its way.
   *
   * @example
   * ```ts
   * await leat.flush({ signal: AbortSignal.timeout(5000) })
   * ```
   */
  flush(options?: WaitOptions): Promise<Outcome> {
    return waited(this.#logging, this.#leat.flush, options)
  }

  /**
   * Puts another route document in force: YAML or JSON text, or the value. Legs that it adds are opened first, which takes as long as that; legs that
   * it removes are closed when what they have is sent. Rejects with `RouteError` and changes nothing when it has faults, would move a stream that is
   * open, or when a leg that it requires cannot be opened.
   *
   * @example
   * ```ts
   * await leat.swapRoutes(await readFile("routes.yaml", "utf8"))
   * ```
   */
  swapRoutes(document: unknown): Promise<void> {
    return this.#run(this.#leat.swapRoutes(document))
  }

  /** The document of the fleet, where the options name a control stream. */
  get control(): PromiseControl | undefined {
    const control = this.#leat.control
    if (control === undefined) return undefined
    return {
      apply: (document, reason) => this.#run(control.apply(document, reason)),
      rollback: (version, reason) => this.#run(control.rollback(version, reason)),
      status: control.status,
      history: control.history
    }
  }

  /** How full the buffer of each open sink is, in bytes of arenas. */
  sinks(): ReadonlyArray<SinkFill> {
    return this.#leat.sinks()
  }

  /** Lanes being written that stand still until `resume`, and why. */
  halted(): ReadonlyArray<HaltedLane> {
    return this.#leat.halted()
  }

  /** Lets halted lanes try again. */
  resume(): Promise<void> {
    return this.#run(this.#leat.resume)
  }

  /**
   * Drains what was admitted, gives every lane back and closes the transports; waits for that, however often it is called. The same as
   * disposing. Called by a handler of this leat it begins and waits for nothing, because that handler has to end first.
   */
  close(): Promise<void> {
    this.#closed ??= this.#run(Scope.close(this.#scope, Exit.void))
    return isHandledBy(this) ? Promise.resolve() : this.#closed
  }

  #run<A, E>(effect: Effect.Effect<A, E>): Promise<A> {
    return Effect.runPromise(this.#logging(effect))
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

const openOptionNames: ReadonlyArray<string> = [...leatOptionNames, "logger"]

/**
 * Opens a leat. Rejects with `RouteError` when the route document or the options have faults, all of them.
 *
 * @example
 * ```ts
 * const leat = await open({ source: "mobile-app" })
 * const sightings = await leat.stream(BeaconSighting)
 *
 * const told = sightings.offer(sighting)
 * if (!told.admitted) console.warn(told.reason)
 *
 * await sightings.handle("positions", (event, { key, attempt }) => estimate(event))
 * ```
 */
export async function open(options: OpenOptions): Promise<PromiseLeat> {
  const own = ownOptions(options, openOptionNames)
  if (Result.isFailure(own)) throw new RouteError({ faults: [own.failure] })
  const faults = leatFaults(own.success, openOptionNames)
  if (faults.length > 0) throw new RouteError({ faults })
  const { logger, ...rest } = own.success
  const logging = loggingTo(logger)
  const scope = Effect.runSync(Scope.make())
  // What was open before it failed, as the cluster of the control stream, is nobody's.
  const making = Effect.onExit(Scope.provide(Leat.make(rest), scope), (exit) =>
    Exit.isSuccess(exit) ? Effect.void : Scope.close(scope, exit)
  )
  const leat = await Effect.runPromise(logging(making))
  return new PromiseLeat(leat, scope, logging)
}
