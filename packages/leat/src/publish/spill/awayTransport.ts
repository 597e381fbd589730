/**
 * A cluster that cannot be reached when a sink opens, as the sink sees it: it takes nothing yet, and so its spill, or its fallback, takes what is
 * published, as in any other outage. How many partitions the topic has says the one that an earlier process has had. Once the cluster is there everything
 * goes to it.
 */
import { Effect, Exit, Scope, Stream } from "effect"
import { warn } from "../../Telemetry.ts"
import { contained } from "../../transport/contained.ts"
import { type Capabilities, type Transport, TransportError, type Writer } from "../../transport/index.ts"

/** Pauses between two attempts to open it: the first, and the longest, in milliseconds. */
const againMs = 500
const againMsMax = 5000

export interface Away {
  /** Of the driver, as in `Transport`. */
  readonly name: string
  /** As its section declares them. */
  readonly capabilities: Capabilities
  readonly topic: string
  /** `cluster/topic`. */
  readonly sink: string
  /** Those of its spill, or of its fallback. */
  readonly partitions: number
  readonly opening: Effect.Effect<Transport, Error, Scope.Scope>
}

/** Stands for the cluster, and opens it meanwhile, again and again, until the scope closes. */
export function awayTransport(away: Away): Effect.Effect<Transport, never, Scope.Scope> {
  const { name, capabilities, topic, partitions } = away
  const present: { cluster?: Transport; writer?: Writer } = {}
  const failed = (operation: string) =>
    new TransportError({
      reason: "Unavailable",
      transport: name,
      operation,
      detail: "it was not there when this process started"
    })
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
    topics: asked("topics", (cluster) => cluster.topics ?? Effect.fail(failed("topics")))
  }
  const come = (cluster: Transport, opened: Writer) => {
    present.cluster = cluster
    present.writer = opened
  }
  return Effect.flatMap(Effect.scope, (scope) =>
    Effect.as(Effect.forkIn(keepOpening(away, scope, come), scope), transport)
  )
}

function keepOpening(
  { opening, topic, sink, partitions }: Away,
  scope: Scope.Scope,
  come: (cluster: Transport, writer: Writer) => void
): Effect.Effect<void> {
  return Effect.gen(function* () {
    let told = partitions
    for (let delayMs = againMs; ; delayMs = Math.min(delayMs * 2, againMsMax)) {
      const holding = yield* Scope.fork(scope)
      const opened = Effect.flatMap(opening, (cluster) =>
        Effect.map(contained(cluster.openWriter(topic), sink), (writer) => ({ cluster, writer }))
      )
      const exit = yield* Effect.onInterrupt(Effect.exit(Scope.provide(opened, holding)), () =>
        Scope.close(holding, Exit.void)
      )
      if (Exit.isSuccess(exit)) {
        const { cluster, writer } = exit.value
        if (writer.partitions === partitions) return come(cluster, writer)
        if (writer.partitions !== told)
          yield* warn(
            `${sink} has ${writer.partitions} partitions, and this process, which could not ask when it started, publishes as if it had ${partitions}: start it again`
          )
        told = writer.partitions
      }
      yield* Scope.close(holding, Exit.void)
      yield* Effect.sleep(delayMs)
    }
  })
}
