/** What a handler is told beside the event. */
import { Context } from "effect"
import { BatchCause } from "./BatchCause.ts"
import { type EventId, formatEventId } from "../record/EventId.ts"
import { type Header, ownHeaders } from "../record/Headers.ts"
import type { ReceivedRecords } from "../transport/index.ts"
import { isTraceparent } from "../record/traceparent.ts"
import { readMeta, type RecordMeta } from "../record/Wire.ts"

/** What a record may say of itself; undefined where it does not. */
type Said = {
  readonly [Field in Exclude<keyof RecordMeta, "dropped" | "isMarker" | "isOtherStream" | "attemptsBefore">]-?:
    | RecordMeta[Field]
    | undefined
}

/** What a handler is told beside the event: where it stands, when it was offered and stored, and what came with it. */
export interface DeliveryInfo extends Pick<RecordMeta, "dropped" | "isMarker">, Said {
  /** The key as text (UTF-8); empty when the record has none. */
  readonly key: string
  /** Null: the record has no key. Bytes of its own, as those of `headers`: a handler may change them, or give them away. */
  readonly keyBytes: Uint8Array | null
  /** Name of the cluster in the document. */
  readonly cluster: string
  readonly topic: string
  readonly partition: number
  /** Position in the partition. */
  readonly position: bigint
  /** 1 for the first attempt of this process, and again after `resume`; those that were made before the event was moved to a retry topic are counted too. */
  readonly attempt: number
  /** Epoch milliseconds the backend gives for the record. */
  readonly storedAtMs: number
  /**
   * Aborted when the handler must end: its lane was taken away or the subscription stopped, and the drain time is over; the
   * event comes again. Or the time of its attempt is over: then its `reason` is a `TimeoutError`, as that of `AbortSignal.timeout`. In Effect the
   * handler is interrupted as well.
   */
  readonly signal: AbortSignal
}

/**
 * What is being handled, for whoever publishes inside a handler: its correlation, causation and trace go along by
 * themselves. Undefined outside of handlers, and where a handler has a batch of several events.
 *
 * @example
 * ```ts
 * const causedBy = Effect.map(CurrentDelivery, (delivery) => delivery?.id)
 * ```
 */
export const CurrentDelivery = Context.Reference<DeliveryInfo | undefined>("leat/CurrentDelivery", {
  defaultValue: () => undefined
})

/** What is being handled where a handler has a batch of several events. */
export const CurrentBatch = Context.Reference<BatchCause | undefined>("leat/CurrentBatch", {
  defaultValue: () => undefined
})

/** What is being handled: the event, or the first one of a batch. */
export function inHand(context: Context.Context<never>): DeliveryInfo | undefined {
  return Context.get(context, CurrentDelivery) ?? Context.get(context, CurrentBatch)?.first
}

/** The context of a handler that is called with these. */
export function handlingContext(
  context: Context.Context<never>,
  infos: ReadonlyArray<DeliveryInfo>
): Context.Context<never> {
  const cause = causeOf(infos)
  if (!(cause instanceof BatchCause)) return Context.add(context, CurrentDelivery, cause)
  return Context.add(Context.add(context, CurrentDelivery, undefined), CurrentBatch, cause)
}

/** What those that are published by a handler of these are caused by. */
export function causeOf(infos: ReadonlyArray<DeliveryInfo>): DeliveryInfo | BatchCause | undefined {
  const [first] = infos
  return first === undefined || infos.length === 1 ? first : new BatchCause(first, infos)
}

/** Where a record was read, the same for all of a lane. */
export interface ReadFrom {
  readonly cluster: string
  readonly topic: string
  readonly stream: string
  readonly partition: number
  /** Whether logs may not have the key. */
  readonly isKeyPersonal: boolean
}

// Without the option a byte order mark at the beginning would be taken away: another key.
const keyText = new TextDecoder("utf-8", { ignoreBOM: true })

/**
 * What a record says, and where it stands. Everything is read from the record when it is asked for: most handlers ask for two fields, or none. Bytes are
 * copied for whoever asks: the record's own are those of its whole batch, and its retry and its dead letter are made of them.
 */
export class RecordInfo implements Omit<DeliveryInfo, "attempt" | "signal"> {
  readonly #records: ReceivedRecords
  readonly #index: number
  readonly #from: ReadFrom
  #meta: RecordMeta | undefined
  /** What it has given out. */
  #given: { key?: Uint8Array | null; headers?: ReadonlyArray<Header> } | undefined

  constructor(records: ReceivedRecords, index: number, from: ReadFrom, meta: RecordMeta | undefined) {
    this.#records = records
    this.#index = index
    this.#from = from
    this.#meta = meta
  }

  get key(): string {
    const key = this.#records.key(this.#index)
    return key === null ? "" : keyText.decode(key)
  }
  get keyBytes(): Uint8Array | null {
    const given = (this.#given ??= {})
    if (given.key !== undefined) return given.key
    const key = this.#records.key(this.#index)
    given.key = key === null ? null : new Uint8Array(key)
    return given.key
  }
  get cluster(): string {
    return this.#from.cluster
  }
  get topic(): string {
    return this.#from.topic
  }
  get partition(): number {
    return this.#from.partition
  }
  get position(): bigint {
    return this.#records.position(this.#index)
  }
  get storedAtMs(): number {
    return this.#records.timeMs(this.#index)
  }
  get id(): EventId | undefined {
    return this.#says.id
  }
  get epoch(): number | undefined {
    return this.#says.epoch
  }
  get source(): string | undefined {
    return this.#says.source
  }
  get type(): string | undefined {
    return this.#says.type
  }
  get timeMs(): number | undefined {
    return this.#says.timeMs
  }
  get replays(): number | undefined {
    return this.#says.replays
  }
  get moves(): number | undefined {
    return this.#says.moves
  }
  get dropped(): RecordMeta["dropped"] {
    return this.#says.dropped
  }
  get isMarker(): boolean {
    return this.#says.isMarker
  }
  get traceparent(): string | undefined {
    const { traceparent } = this.#says
    // Of another program it may be anything; a handler that hands it on would be refused.
    return traceparent !== undefined && isTraceparent(traceparent) ? traceparent : undefined
  }
  get tracestate(): string | undefined {
    return this.#says.tracestate
  }
  get baggage(): string | undefined {
    return this.#says.baggage
  }
  get correlationId(): string | undefined {
    return this.#says.correlationId
  }
  get causationId(): string | undefined {
    return this.#says.causationId
  }
  get headers(): ReadonlyArray<Header> | undefined {
    const { headers } = this.#says
    if (headers === undefined) return undefined
    const given = (this.#given ??= {})
    given.headers ??= ownHeaders(headers)
    return given.headers
  }

  get #says(): RecordMeta {
    this.#meta ??= readMeta(this.#records.headers(this.#index), this.#from.stream)
    return this.#meta
  }

  /** For logs: what is there, as one line of JSON has it, without a key that is personal. */
  toJSON(): object {
    const { cluster, topic, partition, position, key, id, timeMs, correlationId, causationId, traceparent } = this
    const idText = id === undefined ? undefined : formatEventId(id)
    return {
      cluster,
      topic,
      partition,
      position: `${position}`,
      key: this.#from.isKeyPersonal ? "***" : key,
      id: idText,
      timeMs,
      correlationId,
      causationId,
      traceparent
    }
  }
}

/** The info of one attempt. */
export class RecordDelivery extends RecordInfo implements DeliveryInfo {
  readonly attempt: number
  /** Its handler has succeeded, whatever becomes of the fiber that waits for it. */
  hasSucceeded = false
  /** Its consumer has it in his hands. */
  isTaken = false
  #whenTaken: (() => void) | undefined
  #aborting: AbortController | undefined

  constructor(records: ReceivedRecords, index: number, from: ReadFrom, attempt: number, meta: RecordMeta | undefined) {
    super(records, index, from, meta)
    this.attempt = attempt + (meta?.attemptsBefore ?? 0)
  }

  get signal(): AbortSignal {
    this.#aborting ??= new AbortController()
    return this.#aborting.signal
  }

  /** Says that its consumer has it from now on. False: it was taken back before. */
  take(): boolean {
    if (this.#aborting?.signal.aborted === true) return false
    this.isTaken = true
    this.#whenTaken?.()
    this.#whenTaken = undefined
    return true
  }

  /** Calls `taken` once, when its consumer takes it. */
  whenTaken(taken: () => void): void {
    this.#whenTaken = taken
  }

  /** Tells the handler to end; `reason`: of its signal. */
  abort(reason?: DOMException): void {
    this.#aborting ??= new AbortController()
    this.#aborting.abort(reason)
  }

  override toJSON(): object {
    return { ...super.toJSON(), attempt: this.attempt }
  }
}
