/** A `send` that is an effect: how drivers whose client is asynchronous give one, and how tools and tests ask for one. */
import { Cause, Effect, Exit, FiberSet, type Scope } from "effect"
import type { OutgoingBatch, Position, Run, Writer } from "./index.ts"
import { TransportError } from "./TransportError.ts"

/** A writer whose `send` is an effect, which is interrupted when the writer's scope closes. */
export interface EffectWriter {
  /** As `Writer.partitions`. */
  readonly partitions: number
  /** As `Writer.send`; succeeds with the answer within `timeoutMs`. Whatever else it does is an unknown outcome. */
  readonly send: (
    partition: number,
    batch: OutgoingBatch,
    from: number,
    to: number,
    timeoutMs: number
  ) => Effect.Effect<ReadonlyArray<Run>, unknown>
  /** As `Writer.fence`. */
  readonly fence: (partition: number) => Effect.Effect<Position, TransportError>
}

/**
 * A writer over one whose `send` is an effect. Costs a fiber for each send: a driver with a client that takes callbacks implements
 * `Writer` itself.
 *
 * @example
 * ```ts
 * openWriter: (topic) => writerOf("kafkajs", new KafkajsWriter(brokers, topic))
 * ```
 */
export const writerOf = (transport: string, writer: EffectWriter): Effect.Effect<Writer, never, Scope.Scope> =>
  Effect.map(FiberSet.makeRuntime<never, ReadonlyArray<Run>, unknown>(), (run) => ({
    partitions: writer.partitions,
    fence: (partition) => writer.fence(partition),
    send: (partition, batch, from, to, timeoutMs, answer) => {
      run(Effect.suspend(() => writer.send(partition, batch, from, to, timeoutMs))).addObserver((exit) =>
        answer(
          Exit.isSuccess(exit)
            ? exit.value
            : [unknownRun(transport, from, to, `the driver failed: ${String(Cause.squash(exit.cause))}`)]
        )
      )
    }
  }))

/**
 * Hands records over and waits for the answer: for tools and tests. A driver that throws has said nothing: the outcome is unknown.
 *
 * @example
 * ```ts
 * const runs = yield* sendEffect(writer, 0, batch, 0, batch.count, 10_000)
 * ```
 */
export const sendEffect = (
  writer: Pick<Writer, "send">,
  partition: number,
  batch: OutgoingBatch,
  from: number,
  to: number,
  timeoutMs: number
): Effect.Effect<ReadonlyArray<Run>> =>
  Effect.callback((resume) => {
    try {
      writer.send(partition, batch, from, to, timeoutMs, (runs) => resume(Effect.succeed(runs)))
    } catch (error) {
      resume(Effect.succeed([unknownRun("writer", from, to, `the driver failed: ${String(error)}`)]))
    }
  })

/** What is said of records whose driver has said nothing. */
export function unknownRun(
  transport: string,
  from: number,
  to: number,
  detail: string,
  reason: "Timeout" | "Unknown" = "Unknown"
): Run {
  return { from, to, fate: "unknown", error: new TransportError({ reason, transport, operation: "send", detail }) }
}
