/** A driver whose transports can be cut off: nothing that is asked of them is answered well, while other clusters of the same process go on. */
import { Effect, Stream } from "effect"
import { faultTransport } from "leat/testing"
import { type Driver, type Transport, TransportError } from "leat/transport"

export const cuttableName = "cuttable"

export function cuttable(inner: Driver, isCut: () => boolean): Driver {
  return {
    ...inner,
    name: cuttableName,
    open: (...given) => Effect.map(inner.open(...given), (transport) => cuttableTransport(transport, isCut))
  }
}

function cuttableTransport(inner: Transport, isCut: () => boolean): Transport {
  const writing = faultTransport(inner, { send: () => (isCut() ? { kind: "cut" } : undefined) })
  const error = (operation: string) =>
    new TransportError({ reason: "Unavailable", transport: inner.name, operation, detail: "it is cut off" })
  return {
    ...writing,
    bounds: (...asked) => Effect.suspend(() => (isCut() ? Effect.fail(error("bounds")) : inner.bounds(...asked))),
    read: (...asked) => Stream.suspend(() => (isCut() ? Stream.fail(error("read")) : inner.read(...asked)))
  }
}
