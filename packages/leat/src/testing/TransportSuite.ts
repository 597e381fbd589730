/**
 * The conformance suite: what every transport must do, case by case, and nothing that it does not declare. The cases read
 * the same `capabilities` as the rest of leat, so a promise and its test cannot part.
 */
import { type Duration, Effect, Exit, type Layer } from "effect"
import { consumingCases } from "./conformance/consuming.ts"
import { handoverCases } from "./conformance/handover.ts"
import { membershipCases } from "./conformance/membership.ts"
import { readingCases } from "./conformance/reading.ts"
import { type TransportCase, TransportUnderTest } from "./conformance/TransportCase.ts"
import { writingCases } from "./conformance/writing.ts"

export { TransportUnderTest, type TransportCase } from "./conformance/TransportCase.ts"

/**
 * Every case, for runners of other kinds: a case applies when `applies` says so of the capabilities.
 *
 * @example
 * ```ts
 * const { capabilities } = memoryTransport(broker)
 * transportCases.filter(({ applies }) => applies(capabilities)).map(({ name }) => name)
 * ```
 */
export const transportCases: ReadonlyArray<TransportCase> = [
  ...writingCases,
  ...readingCases,
  ...consumingCases,
  ...handoverCases,
  ...membershipCases
]

/**
 * The two functions of a test runner that the suite needs; vitest's and `node:test`'s both fit.
 *
 * @example
 * ```ts
 * import { describe, it } from "node:test"
 *
 * TransportSuite("memory", layer, { describe, it })
 * ```
 */
export interface TestRunner {
  readonly describe: (name: string, define: () => void) => unknown
  readonly it: (name: string, run: () => Promise<void>) => unknown
}

const vitest: TestRunner | undefined = process.env["VITEST"] === undefined ? undefined : await import("vitest")

/**
 * Runs one case against a freshly built layer; fails with what is wrong, or when it takes too long. A case that does not
 * apply succeeds at once, as `notDeclared`.
 *
 * @example
 * ```ts
 * const layer = Layer.succeed(TransportUnderTest, { connect: Effect.succeed(memoryTransport(broker)) })
 * for (const one of transportCases) yield* runCase(one, layer) // "passed"
 * ```
 */
export function runCase<E>(
  { run, applies, within: own = "20 seconds" }: TransportCase,
  layer: Layer.Layer<TransportUnderTest, E>,
  within: Duration.Input = own
): Effect.Effect<"passed" | "notDeclared", unknown> {
  return Effect.gen(function* () {
    const { connect } = yield* TransportUnderTest
    const { capabilities } = yield* connect
    if (!applies(capabilities)) return "notDeclared" as const
    yield* run
    return "passed" as const
  }).pipe(Effect.scoped, Effect.timeout(within), Effect.provide(layer))
}

/**
 * Defines the suite in the test runner. The layer is built once per case: what is slow to start stands outside of it. Cases
 * for what the transport does not declare pass without doing anything. Throws where there is no runner.
 *
 * @example
 * ```ts
 * import { TransportSuite, TransportUnderTest } from "leat/testing"
 *
 * const broker = new MemoryBroker()
 * TransportSuite("memory", Layer.succeed(TransportUnderTest, { connect: Effect.succeed(memoryTransport(broker)) }))
 * ```
 */
export function TransportSuite<E>(
  name: string,
  layer: Layer.Layer<TransportUnderTest, E>,
  runner: TestRunner | undefined = vitest
): void {
  if (runner === undefined)
    throw new Error(
      "TransportSuite runs in vitest; in another runner, give its `describe` and `it` as the third argument"
    )
  const { describe, it } = runner
  describe(`${name} is a transport`, () => {
    for (const one of transportCases) {
      it(one.name, async () => {
        const exit = await Effect.runPromiseExit(runCase(one, layer))
        if (Exit.isFailure(exit)) throw new Error(`${name}: ${one.name}`, { cause: exit.cause })
      })
    }
  })
}
