/**
 * A cluster that cannot be reached when a sink opens, as the sink sees it: it takes nothing yet, and so its spill, or its fallback, takes what is
 * published, as in any other outage. How many partitions the topic has says the one that an earlier process has had. Once the cluster is there everything
 * goes to it.
 *
 * It is opened again and again. An opening without an answer is left, and the next one has twice as long: a first connection may hang, and a large log
 * takes its time.
 */
import { Clock, Effect, Exit, Scope, Stream } from "effect"
import { warn } from "../../Telemetry.ts"
import { monotonicMs } from "../../Wake.ts"
import { seconds } from "../Standstills.ts"
import { type OpenedTopic, openTopic } from "../openTopic.ts"
import { reasonOf, textOf } from "./answers.ts"
import { type Capabilities, type Transport, TransportError, type Writer } from "../../transport/index.ts"

/** Pauses between two attempts to open it: the first, and the longest, in milliseconds. */
const againMs = 500
const againMsMax = 5000

/** How long the opening of a cluster may take, which is tried for 30 seconds before it fails, and that of a writer, in milliseconds. */
const openMs = 60_000
const writerMs = 30_000

/** How often both get twice as long, at most. */
const longerMax = 5

export interface Away extends OpenedTopic {
  /** Of the driver, as in `Transport`. */
  readonly name: string
  /** As its section declares them. */
  readonly capabilities: Capabilities
  /** Those of its spill, or of its fallback. */
  readonly partitions: number
  readonly opening: Effect.Effect<Transport, Error, Scope.Scope>
}

/** What stands for a cluster. */
export interface StandIn {
  readonly transport: Transport
  /** Why the cluster is not there yet, in words that follow the name of the sink; undefined: it is. */
  readonly trouble: () => string | undefined
}

/** What is known of the opening. */
interface Present {
  cluster?: Transport
  writer?: Writer
  /** Why it has failed last. */
  why: string
}

const notThere = "it was not there when this process started"

/** Stands for the cluster, and opens it meanwhile, until the scope closes. */
export function awayTransport(away: Away): Effect.Effect<StandIn, never, Scope.Scope> {
  const { name, capabilities, topic, partitions } = away
  const present: Present = { why: notThere }
  const failed = (operation: string) =>
    new TransportError({ reason: "Unavailable", transport: name, operation, detail: notThere })
  const asked = <A, R>(operation: string, ask: (cluster: Transport) => Effect.Effect<A, TransportError, R>) =>
    Effect.suspend(() => (present.cluster === undefined ? Effect.fail(failed(operation)) : ask(present.cluster)))
  const given = <A, R>(operation: string, ask: (cluster: Transport) => Stream.Stream<A, TransportError, R>) =>
    Stream.suspend(() => (present.cluster === undefined ? Stream.fail(failed(operation)) : ask(present.cluster)))
  const writer: Writer = {
    partitions,
    send: (partition, batch, from, to, timeoutMs, answer) => {
      if (present.writer !== undefined) present.writer.send(partition, batch, from, to, timeoutMs, answer)
      else answer([{ from, to, fate: "notStored", error: failed("send") }])
    },
    fence: (partition) => Effect.suspend(() => present.writer?.fence(partition) ?? Effect.fail(failed("fence")))
  }
  const transport: Transport = {
    name,
    capabilities,
    openWriter: (one) =>
      one === topic && present.cluster === undefined
        ? Effect.succeed(writer)
        : asked("openWriter", (cluster) => cluster.openWriter(one)),
    partitionsOf: (one) =>
      one === topic && present.cluster === undefined
        ? Effect.succeed(partitions)
        : asked("partitionsOf", (cluster) => cluster.partitionsOf(one)),
    subscribe: (subscription) => given("subscribe", (cluster) => cluster.subscribe(subscription)),
    read: (...range) => given("read", (cluster) => cluster.read(...range)),
    bounds: (...of) => asked("bounds", (cluster) => cluster.bounds(...of)),
    ensure: (spec) => asked("ensure", (cluster) => cluster.ensure(spec)),
    topics: asked("topics", (cluster) => cluster.topics ?? Effect.fail(failed("topics"))),
    groups: (one) => asked("groups", (cluster) => cluster.groups?.(one) ?? Effect.fail(failed("groups")))
  }
  return Effect.gen(function* () {
    const scope = yield* Effect.scope
    const clock = yield* Clock.Clock
    const sinceMs = monotonicMs(clock)
    yield* Effect.forkIn(keepOpening(away, scope, present), scope)
    const trouble = () =>
      present.cluster === undefined
        ? `is not open yet after ${seconds(monotonicMs(clock) - sinceMs)}: ${present.why}`
        : undefined
    return { transport, trouble }
  })
}

function keepOpening(away: Away, scope: Scope.Scope, present: Present): Effect.Effect<void> {
  return Effect.gen(function* () {
    let told = ""
    const tell = (sentence: string) => {
      const isNew = told !== sentence
      told = sentence
      return isNew ? warn(sentence) : Effect.void
    }
    for (let [delayMs, longer] = [againMs, 0]; ; delayMs = Math.min(delayMs * 2, againMsMax)) {
      const holding = yield* Scope.fork(scope)
      const opening = Scope.provide(opened(away, 2 ** longer, tell), holding)
      const exit = yield* Effect.onInterrupt(Effect.exit(opening), () => Scope.close(holding, Exit.void))
      if (Exit.isSuccess(exit)) {
        Object.assign(present, exit.value)
        return
      }
      present.why = textOf(exit.cause)
      if (reasonOf(exit.cause) === "Timeout") longer = Math.min(longer + 1, longerMax)
      yield* Scope.close(holding, Exit.void)
      yield* Effect.sleep(delayMs)
    }
  })
}

/** Of the cluster its own opening tells, of the topic nobody else does. What has no answer so many times as long as the first is waited for fails. */
function opened(
  { name, opening, topic, sink, compaction, partitions }: Away,
  times: number,
  tell: (sentence: string) => Effect.Effect<void>
): Effect.Effect<Required<Omit<Present, "why">>, Error, Scope.Scope> {
  const inTime = <A, E extends Error, R>(operation: string, ms: number, asked: Effect.Effect<A, E, R>) =>
    Effect.timeoutOrElse<A, E, R, never, TransportError, never>(asked, {
      duration: ms,
      orElse: () => Effect.fail(timedOut(name, operation, ms))
    })
  return Effect.gen(function* () {
    const cluster = yield* inTime("open", openMs * times, opening)
    const asked = openTopic(cluster, { topic, sink, compaction })
    const writer = yield* Effect.tapCause(inTime("openWriter", writerMs * times, asked), (cause) =>
      tell(`${sink} is not open yet, and is tried again: ${textOf(cause)}`)
    )
    if (writer.partitions === partitions) return { cluster, writer }
    const why = `has ${writer.partitions} partitions, and this process, which could not ask when it started, publishes as if it had ${partitions}: start it again`
    yield* tell(`${sink} ${why}`)
    return yield* Effect.fail(new Error(`it ${why}`))
  })
}

function timedOut(transport: string, operation: string, ms: number): TransportError {
  return new TransportError({ reason: "Timeout", transport, operation, detail: `no answer within ${ms} ms` })
}
