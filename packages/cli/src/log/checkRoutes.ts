/** What is wrong with a route document, with the drivers that the project has which the command is run in. */
import { existsSync, readFileSync } from "node:fs"
import { log } from "@leat/log"
import { Effect, type Option, Result } from "effect"
import { type Driver, memory, Routes } from "leat"
import { contractInfo, readContracts } from "../contracts/readContracts.ts"
import { brokerDrivers, importDriver } from "../importDriver.ts"
import { CommandFailure, exitCode } from "../outcome.ts"
import type { Finding } from "./findings.ts"

/** Faults of a route document; contracts are checked against it where there are any. */
export const checkRoutes = Effect.fnUntraced(function* (path: string, protoFolder: Option.Option<string>) {
  const text = yield* read(path)
  const { contracts } = yield* readContracts(protoFolder)
  const found: Array<Finding> = []
  const drivers: Array<Driver> = [memory, log]
  const named = namedDrivers(text)
  for (const name of brokerDrivers.keys()) {
    const imported = named.has(name) ? yield* Effect.result(importDriver(name)) : undefined
    if (imported !== undefined && Result.isFailure(imported)) {
      const message = `${path}: clusters with transport ${name} were not checked: ${imported.failure.message}`
      found.push({ severity: "note", about: "routes", message })
    }
    drivers.push(imported !== undefined && Result.isSuccess(imported) ? imported.success : stubOf(name))
  }
  const compiled = Routes.compile(text, { drivers, contracts: contracts.map(contractInfo) })
  if (Result.isSuccess(compiled)) return found
  return [
    ...found,
    ...compiled.failure.faults.map(({ path: place, message }): Finding => {
      return { severity: "wrong", about: "routes", message: `${path}: ${place === "" ? "" : `${place}: `}${message}` }
    })
  ]
})

function read(path: string): Effect.Effect<string, CommandFailure> {
  return Effect.try({
    try: () => readFileSync(path, "utf8"),
    catch: (error) => {
      if (!existsSync(path)) {
        const message = `there is no file ${path}; name a route document by --routes`
        return new CommandFailure({ code: exitCode.misuse, message })
      }
      const reason = error instanceof Error ? error.message : String(error)
      return new CommandFailure({ code: exitCode.misuse, message: `${path} cannot be read: ${reason}` })
    }
  })
}

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
