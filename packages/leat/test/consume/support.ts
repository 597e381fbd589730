import { Effect } from "effect"
import { Leat, MemoryBroker, memoryDriver } from "leat"
import { waitUntil } from "leat/testing"
import type { Driver, Lane, Transport } from "leat/transport"
import { Stream } from "effect"

/** A document of one topic, `notes`, and what its subscriptions say. */
export const routes = (subscription: object = {}, policies: object = {}, version = 1) => ({
  version,
  clusters: { local: { transport: "memory", partitions: 1 } },
  policies,
  routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "notes", linger: "1 millis" }] }],
  subscriptions: [{ match: { stream: "*" }, settleEvery: "5 millis", ...subscription }]
})

export const open = (document: unknown, broker = new MemoryBroker({ partitions: 1 })) =>
  Leat.make({ source: "test", routes: document, drivers: [memoryDriver(broker)] })

/** The memory driver with another transport in place of its own. */
export const bent = (
  bend: (transport: Transport) => Transport,
  broker = new MemoryBroker({ partitions: 1 })
): Driver => {
  const inner = memoryDriver(broker)
  return { ...inner, open: (cluster, config) => Effect.map(inner.open(cluster, config), bend) }
}

/** The memory driver with other lanes in place of its own. */
export const withLanes = (bend: (lane: Lane) => Lane, broker?: MemoryBroker): Driver =>
  bent((one) => ({ ...one, subscribe: (asked) => Stream.map(one.subscribe(asked), bend) }), broker)

export const until = (what: string, isSo: () => boolean) => waitUntil(what, Effect.sync(isSo))

export const drained = (subscription: { readonly lag: Effect.Effect<bigint, unknown> }) =>
  waitUntil(
    "all settled",
    Effect.map(subscription.lag, (lag) => lag === 0n)
  )
