import { logTransport } from "@leat/log"
import { Effect, Layer } from "effect"
import { MemoryBroker, memoryTransport } from "leat"
import { faultTransport, runCase, transportCases, TransportSuite, TransportUnderTest } from "leat/testing"
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

const behindFaults = Layer.effect(
  TransportUnderTest,
  Effect.map(temporaryDirectory, (directory) => ({
    connect: Effect.map(logTransport({ directory }), (transport) => faultTransport(transport, {}))
  }))
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

  // What memory has is tried behind a FaultTransport there (`packages/leat/test/conformance/memory.test.ts`).
  const { capabilities } = memoryTransport(new MemoryBroker())
  it.for(transportCases.filter((one) => !one.applies(capabilities)))(
    "behind a FaultTransport without faults has what memory has not: $name",
    async (one) => {
      expect(await Effect.runPromise(runCase(one, behindFaults))).toBe(
        one.name.startsWith("a fence") ? "notDeclared" : "passed"
      )
    }
  )
})
