import type { ClientError, DeliveryReport, Metadata, Producer } from "../src/client/client.ts"

interface Message {
  readonly topic: string
  readonly partition: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestamp: number | undefined
  readonly opaque: unknown
  /** Its number in the partition, from 1 on. */
  readonly number: number
}

const metadata: Metadata = { brokers: [], topics: [{ name: "t", partitions: [{ id: 0, leader: 1 }] }] }

/**
 * A producer whose broker is the test: what is outstanding is settled by `answer`, request by request. It tells of failures as the real
 * one does, from another thread than the end of a flush: a turn of the loop later.
 */
export class FakeProducer implements Producer {
  /** What became of each message, in the order they were answered; 0 is success. */
  readonly answered: Array<Message & { readonly code: number; readonly offset: number }> = []
  readonly hasPositions: boolean
  /** Code with which the n-th message from now on is refused. */
  refusal: { after: number; readonly code: number } | undefined
  /** Whether flushes last until `endFlush`. */
  isFlushHeld = false
  /** Messages that were handed over while a flush was running: the real one may send them apart from those that follow. */
  cut = 0
  isAway = false
  probes = 0
  /** Flushes so far. */
  flushes = 0
  #running = 0
  #endFlush: (() => void) | undefined
  readonly #outstanding = new Map<number, Array<Message>>()
  readonly #produced = new Map<number, number>()
  readonly #acknowledged = new Map<number, number>()
  readonly #offsets = new Map<number, number>()
  readonly #listeners = new Map<string, Array<(...values: ReadonlyArray<never>) => void>>()

  constructor(hasPositions = false) {
    this.hasPositions = hasPositions
  }

  get outstanding(): number {
    let total = 0
    for (const messages of this.#outstanding.values()) total += messages.length
    return total
  }

  produce(
    topic: string,
    partition: number,
    value: Uint8Array | null,
    key: Uint8Array | null,
    timestamp: number | undefined,
    opaque: unknown
  ): void {
    if (this.refusal !== undefined && this.refusal.after-- === 0) {
      const { code } = this.refusal
      this.refusal = undefined
      throw Object.assign(new Error("refused"), { code })
    }
    if (this.#running > 0) this.cut++
    const number = (this.#produced.get(partition) ?? 0) + 1
    this.#produced.set(partition, number)
    const queue = this.#outstanding.get(partition) ?? []
    this.#outstanding.set(partition, queue)
    const copy = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes))
    queue.push({ topic, partition, key: copy(key), value: copy(value), timestamp, opaque, number })
  }

  /** The broker answers one request: the next `count` messages of a partition. */
  answer(partition: number, count: number, code: number): void {
    for (const [index, message] of (this.#outstanding.get(partition)?.splice(0, count) ?? []).entries()) {
      // The real one counts offsets on from -1 where nothing was stored.
      const offset = code === 0 ? (this.#offsets.get(partition) ?? 0) : index - 1
      if (code === 0) {
        this.#offsets.set(partition, offset + 1)
        this.#acknowledged.set(partition, message.number)
      }
      this.answered.push({ ...message, code, offset })
      if (code !== 0 || this.hasPositions) setImmediate(() => this.#report(message, code, offset))
    }
  }

  #report({ topic, partition, key, value, timestamp, opaque }: Message, code: number, offset: number): void {
    const report: DeliveryReport = {
      topic,
      partition,
      key,
      value,
      offset,
      ...(timestamp === undefined ? {} : { timestamp }),
      ...(opaque === undefined ? {} : { opaque })
    }
    this.emit("delivery-report", code === 0 ? null : { code, message: "" }, report)
  }

  statistics(): void {
    const partitions = Object.fromEntries([...this.#acknowledged].map(([at, number]) => [at, { acked_msgid: number }]))
    this.emit("event.stats", { message: JSON.stringify({ topics: { t: { partitions } } }) })
  }

  flush(_timeoutMs: number, done: (error: ClientError | null | undefined) => void): void {
    this.flushes++
    this.#running++
    this.#endFlush = () =>
      void setImmediate(() => {
        this.#running--
        done(this.outstanding === 0 ? null : { code: -185, message: "" })
      })
    if (!this.isFlushHeld) this.endFlush()
  }

  /** Ends the flush that runs, if one does, a turn of the loop later. */
  endFlush(): void {
    this.#endFlush?.()
    this.#endFlush = undefined
  }

  getMetadata(_options: object, done: (error: ClientError | null, metadata: Metadata) => void): void {
    this.probes++
    setImmediate(() => done(this.isAway ? { code: -195, message: "" } : null, metadata))
  }

  on(event: string, listener: (...values: ReadonlyArray<never>) => void): void {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener])
  }

  emit(event: string, ...values: ReadonlyArray<unknown>): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(...(values as ReadonlyArray<never>))
  }

  connect(_options: object, done: (error: null, metadata: Metadata) => void): void {
    setImmediate(() => done(null, metadata))
  }
  disconnect(): void {}
  setPollInBackground(): void {}
  isConnected(): boolean {
    return true
  }
  _disconnect(done: () => void): void {
    done()
  }
}
