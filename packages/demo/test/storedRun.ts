import { Effect, Stream } from "effect"
import { logTransport } from "@leat/log"
import { SecurityAlert, SosAlert } from "../src/gen/risk/v1/alert.ts"
import { BeaconSighting, PositionEstimate } from "../src/gen/risk/v1/beacon.ts"
import { LogLine } from "../src/gen/risk/v1/log.ts"

const contracts = { BeaconSighting, PositionEstimate, LogLine, SosAlert, SecurityAlert }

interface Decodes {
  readonly stream: string
  readonly decode: (bytes: Uint8Array) => unknown
}

/** All that a run has in a log, by raw reads of the test's own: one text for each event, sorted. `prefix` stands before its topics. */
export async function storedRun(
  directory: string,
  prefix = ""
): Promise<Readonly<Record<string, ReadonlyArray<string>>>> {
  return Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const transport = yield* logTransport({ directory })
        const run: Record<string, ReadonlyArray<string>> = {}
        for (const [name, contract] of Object.entries<Decodes>(contracts)) {
          const texts: Array<string> = []
          for (const { partition, start, end } of yield* transport.bounds(prefix + contract.stream))
            yield* Stream.runForEach(
              transport.read(prefix + contract.stream, partition, { fromPosition: start, toPosition: end }),
              ({ records }) =>
                Effect.sync(() => {
                  for (const { value } of records)
                    if (value !== null) texts.push(JSON.stringify(contract.decode(value), bigintsAsText))
                })
            )
          run[name] = texts.toSorted()
        }
        return run
      })
    )
  )
}

function bigintsAsText(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value
}
