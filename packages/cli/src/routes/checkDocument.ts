/** What is wrong with a route document, with the drivers that the project has which the command is run in. */
import { log } from "@leat/log"
import { Effect, Option, Result } from "effect"
import { type Driver, memory, type RouteFault, Routes } from "leat"
import { contractInfo, readContracts } from "../contracts/readContracts.ts"
import { brokerDrivers, importDriver } from "../importDriver.ts"
import { readDocument } from "../openCluster.ts"
import type { CommandFailure } from "../outcome.ts"

/** What was found in a document. */
export interface CheckedDocument {
  /** All faults; empty: `routes` is there. */
  readonly faults: ReadonlyArray<RouteFault>
  /** What could not be checked here, as sentences. */
  readonly notes: ReadonlyArray<string>
  readonly routes: Routes | undefined
  /** Of the contracts that it was checked with. */
  readonly streams: ReadonlyArray<string>
}

/** Finds all faults of a document; contracts are checked against it where there are any. */
export const checkDocument = Effect.fnUntraced(function* (
  path: string,
  protoFolder: Option.Option<string>,
  how: "" | " by --routes" = ""
): Effect.fn.Return<CheckedDocument, CommandFailure> {
  const text = yield* readDocument(path, how)
  const { contracts } = yield* readContracts(protoFolder)
  const notes: Array<string> = []
  const drivers: Array<Driver> = [memory, log]
  const named = namedDrivers(text)
  for (const name of brokerDrivers.keys()) {
    const imported = named.has(name) ? yield* Effect.result(importDriver(name)) : undefined
    if (imported !== undefined && Result.isFailure(imported))
      notes.push(`clusters with transport ${name} were not checked: ${imported.failure.message}`)
    drivers.push(imported !== undefined && Result.isSuccess(imported) ? imported.success : stubOf(name))
  }
  const infos = contracts.map(contractInfo)
  const compiled = Routes.compile(text, { drivers, contracts: infos })
  return {
    faults: Result.isFailure(compiled) ? compiled.failure.faults : [],
    notes,
    routes: Option.getOrUndefined(Result.getSuccess(compiled)),
    streams: infos.map(({ stream }) => stream)
  }
})

/** The drivers for brokers that clusters of the document name. They are asked for their sections as the document is compiled. */
function namedDrivers(text: string): ReadonlySet<string> {
  const named = new Set<string>()
  const drivers = [...brokerDrivers.keys()].map((name) => stubOf(name, () => named.add(name)))
  Routes.compile(text, { drivers: [memory, log, ...drivers] })
  return named
}

/** In the place of a driver that is not there: takes any section, and meets every need. */
function stubOf(name: string, asked: () => void = () => undefined): Driver {
  return {
    ...memory,
    name,
    inspect: () => {
      asked()
      const inspected = memory.inspect({})
      if ("issues" in inspected) return inspected
      const { capabilities } = inspected
      return { capabilities: { ...capabilities, acks: ["none", "leader", "quorum", "fsync"], compaction: true } }
    }
  }
}
