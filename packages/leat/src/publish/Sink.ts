/**
 * The shell of one destination, (cluster, topic): one budget of bytes, and for each partition a `WriteLane` with a fiber that
 * carries out what the lane says. All decisions are the lane's; all waiting is here.
 */
import { Cause, Clock, Context, Effect, Exit, type Fiber, Random, Scheduler } from "effect"
import { ArenaPool } from "./ArenaPool.ts"
import type { Ledger, WriteAccount } from "../ledger/Ledger.ts"
import type { RecordBatch } from "../record/RecordBatch.ts"
import type { Leg } from "../routes/Routes.ts"
import * as Telemetry from "../Telemetry.ts"
import { sendEffect, unknownRun } from "../transport/Sending.ts"
import { type Run, type Transport, TransportError, type Writer } from "../transport/index.ts"
import { RoomQueue } from "./RoomQueue.ts"
import type { Waiter } from "../ledger/Waiter.ts"
import { Wake } from "../Wake.ts"
import type { DroppedRange } from "../record/DropNotice.ts"
import { markerHeaders } from "../record/Wire.ts"
import { writeHeader, writeLength } from "../record/Headers.ts"
import { complete, type Halted, WriteLane } from "./WriteLane.ts"

/** Bytes that a marker record needs at most. */
const markerBytes = 64

const noTime = new Float64Array(1)

/** How long the answer to a send may come after its deadline before leat stops waiting for the driver, in milliseconds. */
const graceMs = 1000

interface LaneRunner {
  readonly lane: WriteLane
  readonly wake: Wake
  /** Bytes of recent batches: the next one starts with as much. */
  expectedBytes: number
  fiber: Fiber.Fiber<void> | undefined
}

/** Why and where a lane of a sink stands still until `resume`. */
export interface HaltedLane extends Halted {
  /** `cluster/topic`. */
  readonly sink: string
  readonly partition: number
}

export interface SinkOptions {
  readonly leg: Leg
  readonly transport: Transport
  readonly ledger: Ledger
  /** Whether the topic is compacted: a record without a key has no place there, so drops are not announced on close. */
  readonly isCompacted: boolean
  /** How long closing waits for what is buffered, in milliseconds. */
  readonly drainMs: number
}

export class Sink {
  leg: Leg
  readonly partitions: number
  /** Those who wait for room. */
  readonly waiting: RoomQueue
  /** Bytes of the largest record that can ever be taken. */
  largest: number
  readonly #recordBytesMax: number
  readonly #pool: ArenaPool
  readonly #runners: ReadonlyArray<LaneRunner>
  readonly #writer: Writer
  readonly #transport: Transport
  readonly #isCompacted: boolean
  readonly #context: Context.Context<never>

  constructor(
    { leg, transport, ledger, isCompacted }: SinkOptions,
    writer: Writer,
    context: Context.Context<never>,
    scheduler: Scheduler.Scheduler
  ) {
    this.leg = leg
    this.#isCompacted = isCompacted
    this.partitions = writer.partitions
    this.#recordBytesMax = transport.capabilities.recordBytesMax
    this.largest = Math.min(this.#recordBytesMax, leg.bufferBytesMax)
    this.waiting = new RoomQueue(Context.get(context, Clock.Clock), scheduler, context)
    this.#writer = writer
    this.#transport = transport
    this.#context = context
    this.#pool = new ArenaPool(leg.bufferBytesMax)
    this.#runners = Array.from({ length: writer.partitions }, () => ({
      lane: new WriteLane({
        ledger,
        policy: leg.policy,
        lingerMs: leg.lingerMs,
        batchBytes: leg.batchBytes,
        batchRecords: leg.batchRecords,
        recordBytesMax: transport.capabilities.recordBytesMax,
        canFence: transport.capabilities.fencing !== "none",
        recycle: (batch, isReusable) => this.#recycle(batch, isReusable)
      }),
      wake: new Wake(scheduler),
      expectedBytes: 0,
      fiber: undefined
    }))
  }

  /** Opens the writer and its lanes; closing the scope drains them until `drainMs` have passed and drops the rest. */
  static readonly open = Effect.fnUntraced(function* (options: SinkOptions) {
    const { leg, transport, ledger, drainMs } = options
    const context = yield* Effect.context<never>()
    const scheduler = yield* Scheduler.Scheduler
    const writer = yield* transport.openWriter(leg.topic)
    const sink = new Sink(options, writer, context, scheduler)
    yield* Effect.acquireRelease(
      Effect.sync(() => ledger.watchPending((add) => sink.#census(add))),
      (remove) => Effect.sync(remove)
    )
    yield* Effect.acquireRelease(
      Effect.sync(() => sink.#start()),
      () => sink.#close(drainMs)
    )
    yield* Effect.acquireRelease(
      Effect.sync(() => sink.#report()),
      (removers) => Effect.sync(() => removers.forEach((remove) => remove()))
    )
    return sink
  })

  /** Takes over other settings for the same destination. What is buffered stays; a smaller budget only lets nothing more in. */
  configure(leg: Leg): void {
    this.leg = leg
    this.#pool.bytesMax = leg.bufferBytesMax
    this.largest = Math.min(this.#recordBytesMax, leg.bufferBytesMax)
    this.waiting.freed()
    for (const { lane, wake } of this.#runners) {
      lane.configure(leg)
      wake.signal()
    }
  }

  /** Bytes of the arenas that hold records. */
  get bufferedBytes(): number {
    return this.#pool.usedBytes
  }

  /** Whether `room` would give a batch. Changes nothing. */
  hasRoom(partition: number, bytes: number): boolean {
    const runner = this.#runners[partition]
    if (runner === undefined) return false
    const { open } = runner.lane
    if (open !== undefined && open.room >= bytes) return true
    if (open !== undefined && this.#mayGrow(open, bytes) && this.#pool.hasRoomToGrow(open, bytes)) return true
    if (this.#pool.hasRoom(bytes)) return true
    if (this.leg.overflow !== "dropOldest") return false
    return this.#pool.hasRoom(
      bytes,
      this.#runners.reduce((total, one) => total + one.lane.droppableBytes, 0)
    )
  }

  /** A batch of the lane with room for `bytes` more; undefined when the budget is used up and nothing may be dropped for it. */
  room(partition: number, bytes: number): RecordBatch | undefined {
    const runner = this.#runners[partition]
    if (runner === undefined) return undefined
    const open = runner.lane.open
    if (open !== undefined && open.room >= bytes) return open
    return this.#make(runner, open, bytes)
  }

  /** A record was committed to the batch that `room` gave. */
  appended(partition: number, account: WriteAccount): void {
    const runner = this.#runners[partition]
    if (runner?.lane.appended(account) === true) runner.wake.signal()
  }

  /** An admitted event found no room in this best-effort leg. */
  refused(partition: number, account: number, bucket: number, seq: number, reason: string): void {
    this.#runners[partition]?.lane.refused(account, bucket, seq, reason)
  }

  /** Drops that were counted while the sink was not open, for the next record of their lanes to announce. */
  announce(ranges: ReadonlyArray<DroppedRange>): void {
    for (const [partition, { lane }] of this.#runners.entries())
      lane.announce(ranges.filter(({ bucket }) => bucket % this.partitions === partition))
  }

  /** Sends what is there without waiting for linger, and has `waiter` told of each record. */
  flush(waiter: Waiter): void {
    for (const { lane, wake } of this.#runners) {
      lane.flush()
      lane.census((batch, from, to) => {
        waiter.pending += to - from
        batch.await(from, to, waiter)
      })
      wake.signal()
    }
  }

  get halted(): ReadonlyArray<HaltedLane> {
    return this.#runners.flatMap(({ lane }, partition) =>
      lane.halted === undefined ? [] : [{ ...lane.halted, sink: this.leg.sink, partition }]
    )
  }

  /** Lets halted lanes go on. */
  readonly resume: Effect.Effect<void> = Clock.currentTimeMillis.pipe(
    Effect.map((nowMs) => {
      for (const { lane, wake } of this.#runners) {
        if (lane.halted === undefined) continue
        lane.resume(nowMs)
        wake.signal()
      }
    })
  )

  #make(runner: LaneRunner, open: RecordBatch | undefined, bytes: number): RecordBatch | undefined {
    const { lane } = runner
    if (open !== undefined && this.#mayGrow(open, bytes) && this.#pool.grow(open, bytes)) return open
    if (open !== undefined) runner.expectedBytes = Math.max(runner.expectedBytes, open.bytes)
    const wanted = Math.min(Math.max(bytes, runner.expectedBytes), Math.max(bytes, this.leg.batchBytes))
    let batch = this.#pool.take(wanted) ?? this.#pool.take(bytes)
    while (batch === undefined && this.leg.overflow === "dropOldest" && this.#dropOldest())
      batch = this.#pool.take(bytes)
    if (batch === undefined) return undefined
    lane.begin(batch)
    // The batch before takes no more, so it need not wait for its linger.
    runner.wake.signal()
    return batch
  }

  /** Whether the batch still takes `bytes` more, in a larger arena. */
  #mayGrow(open: RecordBatch, bytes: number): boolean {
    return open.bytes + bytes <= Math.max(this.leg.batchBytes, bytes)
  }

  /** Drops the oldest batch of all lanes that may be dropped; returns whether there was one. */
  #dropOldest(): boolean {
    let oldest: LaneRunner | undefined
    let oldestMs = Number.POSITIVE_INFINITY
    for (const runner of this.#runners) {
      const openedAtMs = runner.lane.oldestDroppableMs
      if (openedAtMs === undefined || openedAtMs >= oldestMs) continue
      oldestMs = openedAtMs
      oldest = runner
    }
    return oldest !== undefined && oldest.lane.dropOldest("overflow") > 0
  }

  #recycle(batch: RecordBatch, isReusable: boolean): void {
    this.#pool.give(batch, isReusable)
    this.waiting.freed()
  }

  #start(): void {
    this.#runners.forEach((runner, partition) => {
      const run = this.#run(runner, partition).pipe(
        // A defect of ours must not look like a quiet lane.
        Effect.catchDefect((defect) =>
          Effect.sync(() => {
            runner.lane.halted = { tag: "Defect", attempts: 0, detail: String(defect) }
          })
        )
      )
      runner.fiber = Effect.runForkWith(this.#context)(run)
    })
  }

  #run = Effect.fnUntraced(function* (this: Sink, runner: LaneRunner, partition: number) {
    const { lane, wake } = runner
    const clock = yield* Clock.Clock
    for (;;) {
      const command = lane.next(clock.currentTimeMillisUnsafe())
      switch (command._tag) {
        case "Send": {
          const { batch, from, to } = command
          // Follows larger batches at once and smaller ones slowly: growing costs a copy, an arena too large some budget.
          runner.expectedBytes = Math.max(batch.bytes, runner.expectedBytes - (runner.expectedBytes >> 3))
          const runs = yield* this.#send(partition, batch, from, to)
          lane.settled(runs, clock.currentTimeMillisUnsafe(), yield* Random.next)
          break
        }
        case "Fence": {
          const failure = yield* this.#writer.fence(partition).pipe(
            Effect.as(undefined),
            Effect.catchCause((cause) => Effect.succeed(faultOf(cause)))
          )
          lane.fenced(failure, clock.currentTimeMillisUnsafe(), yield* Random.next)
          break
        }
        case "Wait":
          yield* wake.waitFor(command.untilMs - clock.currentTimeMillisUnsafe())
          break
        case "Idle":
          yield* wake.wait
          break
        case "Done":
          return
      }
    }
  })

  #send(partition: number, batch: RecordBatch, from: number, to: number): Effect.Effect<ReadonlyArray<Run>> {
    const { timeoutMs, sink, topic } = this.leg
    const transport = this.#transport.name
    const span = () => Telemetry.sendSpan({ system: transport, topic, partition }, sink, to - from, batch.traceparents)
    return sendEffect(this.#writer, partition, batch, from, to, timeoutMs).pipe(
      Effect.map((runs) => complete(runs, from, to)),
      Effect.timeoutOrElse({
        duration: timeoutMs + graceMs,
        orElse: () => {
          const detail = `the driver gave no answer within ${timeoutMs + graceMs} ms`
          return Effect.succeed([unknownRun(transport, from, to, detail, "Timeout")])
        }
      }),
      Effect.tap((runs) => {
        const failed = runs.find(({ error }) => error !== undefined)?.error
        return failed === undefined
          ? Effect.void
          : Effect.annotateCurrentSpan(Telemetry.attribute.errorType, failed.reason)
      }),
      Telemetry.timed(Telemetry.operationDuration, "send"),
      Telemetry.spanned(span)
    )
  }

  #close = Effect.fnUntraced(function* (this: Sink, drainMs: number) {
    for (const runner of this.#runners) {
      this.#mark(runner)
      runner.lane.close()
      runner.wake.signal()
    }
    const fibers = this.#runners.flatMap(({ fiber }) => (fiber === undefined ? [] : [fiber]))
    yield* Effect.forEach(fibers, (fiber) => Effect.exit(awaitFiber(fiber)), {
      concurrency: "unbounded",
      discard: true
    }).pipe(Effect.timeoutOption(drainMs))
    for (const { lane } of this.#runners) lane.abandon("closed")
    for (const fiber of fibers) fiber.interruptUnsafe()
  })

  /** Drops that no later record announces are announced by a record of their own. */
  #mark({ lane }: LaneRunner): void {
    if (lane.unannounced.length === 0 || lane.pending > 0 || this.#isCompacted) return
    const batch = this.#pool.take(markerBytes)
    if (batch === undefined) return
    let end = writeLength(batch.arena, 0, markerHeaders.length)
    for (const [name, value] of markerHeaders) end = writeHeader(batch.arena, end, Buffer.from(name), value)
    batch.place(-1, 0, 0, noTime)
    batch.commit(false, 0, end, end, "marker")
    lane.begin(batch)
  }

  #census(add: (account: number, place: "queued" | "inFlight" | "inDoubt", count: number) => void): void {
    for (const { lane } of this.#runners) {
      lane.census((batch, from, to, place) => {
        for (let index = from; index < to; index++) add(batch.account[index] ?? 0, place, 1)
      })
    }
  }

  #report(): ReadonlyArray<() => void> {
    const attributes = { [Telemetry.attribute.sink]: this.leg.sink }
    return [
      Telemetry.pullGauge(Telemetry.metricNames.bufferBytes, attributes, this.#context, () => this.bufferedBytes),
      Telemetry.pullCounter(Telemetry.metricNames.retries, attributes, this.#context, () =>
        this.#runners.reduce((total, { lane }) => total + lane.retries, 0)
      )
    ]
  }
}

function awaitFiber(fiber: Fiber.Fiber<void>): Effect.Effect<void> {
  return Effect.callback((resume) => {
    fiber.addObserver((exit) => resume(Exit.isSuccess(exit) ? Effect.void : Effect.interrupt))
  })
}

function faultOf(cause: Cause.Cause<TransportError>): { readonly tag: string; readonly detail: string } {
  const error = Cause.squash(cause)
  return error instanceof TransportError
    ? { tag: error.reason, detail: error.detail }
    : { tag: "Unknown", detail: String(error) }
}
