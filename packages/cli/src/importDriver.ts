import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Effect } from "effect"
import type { Driver } from "leat"
import { CommandFailure, exitCode } from "./outcome.ts"

/** Drivers for brokers, and what their packages call them. A route document names them; other code is never loaded for it. */
export const brokerDrivers: ReadonlyMap<string, string> = new Map([
  ["@leat/kafkajs", "kafkajs"],
  ["@leat/confluent", "confluent"]
])

/** Imports a driver as the project has it that the command is run in: the version that its services use. */
export const importDriver = Effect.fnUntraced(function* (name: string): Effect.fn.Return<Driver, CommandFailure> {
  const path = yield* Effect.try({
    try: () => createRequire(join(process.cwd(), "package.json")).resolve(name),
    catch: () => {
      const message = `${name} is not installed here; run this in the folder of your service, or npm install --save-dev ${name}`
      return new CommandFailure({ code: exitCode.failed, message })
    }
  })
  const module: unknown = yield* Effect.tryPromise({
    try: () => import(pathToFileURL(path).href),
    catch: (error) => {
      const reason = error instanceof Error ? error.message : String(error)
      return new CommandFailure({ code: exitCode.failed, message: `${name} cannot be loaded: ${reason}` })
    }
  })
  const driver = (module as Readonly<Record<string, unknown>>)[brokerDrivers.get(name) ?? ""]
  if (isDriver(driver)) return driver
  return yield* new CommandFailure({
    code: exitCode.failed,
    message: `${path} has no driver; is it the package ${name} in a version that goes with this command?`
  })
})

function isDriver(value: unknown): value is Driver {
  return typeof value === "object" && value !== null && "inspect" in value && "open" in value
}
