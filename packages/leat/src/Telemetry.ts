/**
 * Every name under which leat reports: spans, attributes and metrics, after OpenTelemetry's messaging conventions (which are
 * in development, and so stand in one place). leat emits through Effect's Tracer and Metric; the application picks the
 * exporter. Spans are made per batch sent and per event processed, never per event published.
 */
import { Cause, Clock, Context, Effect, Exit, type Fiber, Metric, Option, References, Tracer } from "effect"
import * as HttpTraceContext from "effect/http/HttpTraceContext"
import { fromInput } from "effect/http/Headers"

export const attribute = {
  system: "messaging.system",
  operationName: "messaging.operation.name",
  operationType: "messaging.operation.type",
  destination: "messaging.destination.name",
  partition: "messaging.destination.partition.id",
  group: "messaging.consumer.group.name",
  messageId: "messaging.message.id",
  conversationId: "messaging.message.conversation_id",
  batchCount: "messaging.batch.message_count",
  errorType: "error.type",
  stream: "leat.stream",
  sink: "leat.sink",
  position: "leat.position",
  attempt: "leat.attempt",
  reason: "leat.reason",
  window: "leat.window",
  tier: "leat.tier"
} as const

/** Counters, read from the ledger when somebody scrapes. */
export const metricNames = {
  sent: "messaging.client.sent.messages",
  consumed: "messaging.client.consumed.messages",
  offered: "leat.offered",
  rejected: "leat.rejected",
  admitted: "leat.admitted",
  legsDeadLettered: "leat.dead.lettered",
  dropped: "leat.dropped",
  pending: "leat.pending",
  spilled: "leat.spilled",
  recovered: "leat.recovered",
  fellBack: "leat.fell.back",
  movedIn: "leat.moved.in",
  movedOut: "leat.moved.out",
  fallbackPartitions: "leat.fallback.partitions",
  fallbackWaiting: "leat.fallback.waiting",
  groupMoved: "leat.group.moved",
  groupDeadLettered: "leat.group.dead.lettered",
  groupDropped: "leat.group.dropped",
  groupDuplicates: "leat.group.duplicates",
  groupUnchecked: "leat.group.unchecked",
  groupParked: "leat.group.parked",
  groupWaiting: "leat.group.waiting",
  retries: "leat.retries",
  bufferBytes: "leat.buffer.bytes",
  breakerState: "leat.breaker.state",
  lossBurn: "leat.loss.burn",
  lossState: "leat.loss.state"
} as const

/** Seconds, with the buckets that the conventions ask for. */
const boundaries = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
/** Seconds in buckets, as plain numbers that are read when somebody scrapes: recording one costs no lookup and no fiber. */
export class Histogram {
  readonly #counts = new Float64Array(boundaries.length)
  #count = 0
  #sum = 0
  #min = Number.MAX_VALUE
  #max = 0

  /** Records `times` operations that took so many seconds each. */
  record(seconds: number, times = 1): void {
    let bucket = 0
    while (bucket < boundaries.length && seconds > (boundaries[bucket] ?? 0)) bucket++
    if (bucket < boundaries.length) this.#counts[bucket] = (this.#counts[bucket] ?? 0) + times
    this.#count += times
    this.#sum += seconds * times
    if (seconds < this.#min) this.#min = seconds
    if (seconds > this.#max) this.#max = seconds
  }

  get state(): Metric.HistogramState {
    let total = 0
    const buckets = boundaries.map((boundary, index): [number, number] => {
      total += this.#counts[index] ?? 0
      return [boundary, total]
    })
    return { buckets, count: this.#count, sum: this.#sum, min: this.#min, max: this.#max }
  }
}

/** By registry and operation: durations are the whole process's. */
const durations = new WeakMap<object, Map<string, Histogram>>()

function durationsOf(name: string, operation: string, context: Context.Context<never>): Histogram {
  const registry = Context.get(context, Metric.MetricRegistry)
  const known = durations.get(registry) ?? new Map<string, Histogram>()
  durations.set(registry, known)
  const found = known.get(operation)
  if (found !== undefined) return found
  const histogram = new Histogram()
  known.set(operation, histogram)
  const attributes = { [attribute.operationName]: operation }
  Metric.registerUnsafe(Metric.histogram(name, { boundaries, attributes }), context, {
    get: () => histogram.state,
    update: (seconds) => histogram.record(seconds),
    modify: (seconds) => histogram.record(seconds)
  })
  return histogram
}

/** How long handlers took, of all subscriptions that report to the registry of this context. */
export function processDuration(context: Context.Context<never>): Histogram {
  return durationsOf("messaging.process.duration", "process", context)
}

/** How long sends took, from the moment they were handed over to their answer. */
export function sendDuration(context: Context.Context<never>): Histogram {
  return durationsOf("messaging.client.operation.duration", "send", context)
}

/** Most links that one span of a batch carries; more would weigh more than the batch. */
export const linksMax = 64

interface Destination {
  readonly system: string
  readonly topic: string
  readonly partition: number
}

/** What a span is called and made with. */
export interface SpanSpec {
  readonly name: string
  readonly options: Tracer.SpanOptionsNoTrace
}

/**
 * Runs an effect in a span. An application that has installed no tracer pays for none: not even `span` is called. What the effect does is
 * what counts: it is run without a span where none can be made, and ends as it ends, also where the span cannot be ended.
 */
export function spanned(span: () => SpanSpec) {
  return <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.withFiber(({ cache }) => {
      if (cache.tracer === undefined || !cache.tracerEnabled) return effect
      let hasBegun = false
      let ended: Exit.Exit<A, E> | undefined
      const watched = Effect.onExit(
        Effect.suspend(() => {
          hasBegun = true
          return effect
        }),
        (exit) => Effect.sync(() => (ended = exit))
      )
      return Effect.suspend(() => {
        const { name, options } = span()
        return Effect.withSpan(name, options, { captureStackTrace: false })(watched)
      }).pipe(Effect.catchCause((cause) => ended ?? (hasBegun ? Effect.failCause(cause) : effect)))
    })
}

/** Ends a span, with the reason when what it stands for has failed. */
export type EndSpan = (errorType: string | undefined) => void

const noSpan: EndSpan = () => {}

/**
 * Calls `run` at once, in a span that goes on until `run` or somebody after it ends it. Not in a fiber that a scheduler may put behind others:
 * calls keep their order. `run`, which never throws, is called without a span where none can be made.
 */
export function inSpan(context: Context.Context<never>, span: () => SpanSpec, run: (end: EndSpan) => void): void {
  let hasBegun = false
  const begun = Effect.suspend(() => {
    const { name, options } = span()
    return Effect.flatMap(Effect.makeSpan(name, options), (made) => {
      const call = Effect.sync(() => {
        hasBegun = true
        run(endingOf(made, context))
      })
      return Effect.withParentSpan(call, made, { captureStackTrace: false })
    })
  })
  Effect.runSyncExitWith(context)(begun)
  if (!hasBegun) run(noSpan)
}

function endingOf(span: Tracer.Span, context: Context.Context<never>): EndSpan {
  const isTimed = Context.get(context, References.TracerTimingEnabled)
  const clock = Context.get(context, Clock.Clock)
  return (errorType) => {
    try {
      if (errorType !== undefined) span.attribute(attribute.errorType, errorType)
      span.end(isTimed ? clock.currentTimeNanosUnsafe() : 0n, Exit.void)
    } catch {
      // A tracer that throws keeps nothing of leat's from going on.
    }
  }
}

/**
 * Tells the log of the application. A logger that throws keeps nothing of leat's from going on. `error`: what somebody else's code has thrown; its stack
 * is logged as a cause. What is no error has none, and may be data of an event.
 */
export function warn(sentence: string, error?: unknown): Effect.Effect<void> {
  const plain = Effect.catchDefect(Effect.logWarning(sentence), () => Effect.void)
  if (!isError(error)) return plain
  // A stack that cannot be read must not hide the sentence.
  return Effect.catchDefect(Effect.logWarning(sentence, Cause.fail(error)), () => plain)
}

function isError(thrown: unknown): boolean {
  try {
    return thrown instanceof Error
  } catch {
    // A proxy that is revoked.
    return false
  }
}

/** As `warn`, of what is as it should be and people want to know. */
export function inform(sentence: string): Effect.Effect<void> {
  return Effect.catchDefect(Effect.logInfo(sentence), () => Effect.void)
}

/** The span of one batch on its way to a broker. */
export function sendSpan(
  destination: Destination,
  sink: string,
  count: number,
  traceparents: ReadonlyArray<string>
): SpanSpec {
  return {
    name: `send ${destination.topic}`,
    options: {
      kind: "client",
      root: true,
      links: linksOf(traceparents),
      attributes: {
        ...destinationAttributes("send", "send", destination),
        [attribute.sink]: sink,
        [attribute.batchCount]: count
      }
    }
  }
}

/** The span of one delivery in a handler: a root of its own that links to the span it was published in. */
export function processSpan(
  destination: Destination,
  group: string,
  delivery: {
    readonly count: number
    readonly position: bigint
    readonly attempt: number
    readonly id?: string | undefined
  },
  traceparents: ReadonlyArray<string>
): SpanSpec {
  return {
    name: `process ${destination.topic}`,
    options: {
      kind: "consumer",
      root: true,
      links: linksOf(traceparents),
      attributes: {
        ...destinationAttributes("process", "process", destination),
        [attribute.group]: group,
        [attribute.position]: String(delivery.position),
        [attribute.attempt]: delivery.attempt,
        ...(delivery.count === 1 ? {} : { [attribute.batchCount]: delivery.count }),
        ...(delivery.id === undefined ? {} : { [attribute.messageId]: delivery.id })
      }
    }
  }
}

/** The span of one settle. */
export function commitSpan(destination: Destination, group: string, position: bigint): SpanSpec {
  return {
    name: `commit ${destination.topic}`,
    options: {
      kind: "client",
      root: true,
      attributes: {
        ...destinationAttributes("commit", "settle", destination),
        [attribute.group]: group,
        [attribute.position]: String(position)
      }
    }
  }
}

/** Whether the application has installed a tracer. */
export function isTraced(context: Context.Context<never>): boolean {
  return context.mapUnsafe.has(Tracer.Tracer.key) && Context.get(context, References.TracerEnabled)
}

/** W3C `traceparent` of the span that a fiber runs in; undefined without one, and for spans that stand for disabled tracing. */
export function traceparentOf({ cache: { span } }: Fiber.Fiber<unknown, unknown>): string | undefined {
  if (span === undefined || !/^(?!0+$)[0-9a-f]{32}$/.test(span.traceId) || !/^(?!0+$)[0-9a-f]{16}$/.test(span.spanId)) {
    return undefined
  }
  return `00-${span.traceId}-${span.spanId}-${span.sampled ? "01" : "00"}`
}

function destinationAttributes(name: string, type: string, { system, topic, partition }: Destination) {
  return {
    [attribute.system]: system,
    [attribute.operationName]: name,
    [attribute.operationType]: type,
    [attribute.destination]: topic,
    [attribute.partition]: String(partition)
  }
}

function linksOf(traceparents: ReadonlyArray<string>): Array<Tracer.SpanLink> {
  return traceparents.slice(0, linksMax).flatMap((traceparent) => {
    const span = HttpTraceContext.w3c(fromInput({ traceparent }))
    return Option.isSome(span) ? [{ span: span.value, attributes: {} }] : []
  })
}
