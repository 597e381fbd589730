import { logTransport } from "@leat/log"
import { Effect, Layer } from "effect"
import { faultTransport, TransportSuite, TransportUnderTest } from "leat/testing"
import { describe, expect, it } from "vitest"
import { temporaryDirectory } from "./support/temporary.ts"

/** A directory for each case; each connection is a worker of its own, as another process would be. */
const overNew = Layer.effect(
  TransportUnderTest,
  Effect.map(temporaryDirectory, (directory) => {
    const connect = logTransport({ directory })
    return {
      connect,
      compact: Effect.orDie(Effect.scoped(Effect.flatMap(connect, ({ compact }) => compact)))
    }
  })
)

// Each case has a directory of its own, and mostly waits.
describe.concurrent("the log", () => {
  TransportSuite("log", overNew)

  it("trims, also behind a FaultTransport: the cases of it do run", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const transport = yield* logTransport({ directory: yield* temporaryDirectory })
        expect(faultTransport(transport, {}).trim).toBe(transport.trim)
      }).pipe(Effect.scoped)
    ))

  TransportSuite(
    "log behind a FaultTransport without faults",
    Layer.effect(
      TransportUnderTest,
      Effect.map(temporaryDirectory, (directory) => {
        const open = logTransport({ directory })
        return {
          connect: Effect.map(open, (transport) => faultTransport(transport, {})),
          compact: Effect.orDie(Effect.scoped(Effect.flatMap(open, ({ compact }) => compact)))
        }
      })
    )
  )
})
