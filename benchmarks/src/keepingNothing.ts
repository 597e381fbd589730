import { Effect } from "effect"
import { type Driver, MemoryBroker, memoryDriver } from "leat"
import type { Writer } from "leat/transport"

/** A driver that answers every send at once and keeps nothing, so that what is measured is leat alone. */
export function keepingNothing(options: ConstructorParameters<typeof MemoryBroker>[0] = {}): Driver {
  const inner = memoryDriver(new MemoryBroker(options))
  return {
    ...inner,
    open: (cluster, config) =>
      Effect.map(inner.open(cluster, config), (transport) => ({
        ...transport,
        openWriter: (topic: string) =>
          Effect.map(transport.openWriter(topic), (writer): Writer => ({
            ...writer,
            send: (_partition, _batch, from, to, _timeoutMs, answer) => answer([{ from, to, fate: "stored" }])
          }))
      }))
  }
}
