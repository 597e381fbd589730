import { Effect } from "effect"
import type { Driver, Writer } from "leat/transport"

/** A driver that says stored of each send from a certain one on, and has lost it: what models have to find. */
export function losing(inner: Driver): Driver {
  let count = 0
  const writerOf = (writer: Writer): Writer => ({
    ...writer,
    send: (partition, batch, from, to, timeoutMs, answer) => {
      if (++count < losing.sends) return writer.send(partition, batch, from, to, timeoutMs, answer)
      answer([{ from, to, fate: "stored", base: 0n }])
    }
  })
  return {
    ...inner,
    open: (...asked) =>
      Effect.map(inner.open(...asked), (transport) => ({
        ...transport,
        openWriter: (topic) => Effect.map(transport.openWriter(topic), writerOf)
      }))
  }
}
losing.sends = 3
