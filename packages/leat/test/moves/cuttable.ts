/** A driver whose transports can be cut off from their cluster: nothing that is written, read or asked there is answered well meanwhile. */
import { Effect, Stream } from "effect"
import { faultTransport } from "leat/testing"
import { type Driver, TransportError } from "leat/transport"

export function cuttable(driver: Driver, isCut: () => boolean): Driver {
  return {
    ...driver,
    open: (...given) =>
      Effect.map(driver.open(...given), (inner) => {
        const failed = (operation: string) =>
          new TransportError({ reason: "Unavailable", transport: inner.name, operation, detail: "it is cut off" })
        return {
          ...faultTransport(inner, { send: () => (isCut() ? { kind: "cut" } : undefined) }),
          bounds: (...asked) =>
            Effect.suspend(() => (isCut() ? Effect.fail(failed("bounds")) : inner.bounds(...asked))),
          read: (...asked) => Stream.suspend(() => (isCut() ? Stream.fail(failed("read")) : inner.read(...asked)))
        }
      })
  }
}
