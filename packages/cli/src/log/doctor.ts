import { existsSync, readFileSync } from "node:fs"
import { log } from "@leat/log"
import { Console, Effect, Option, Result } from "effect"
import { Command, Flag } from "effect/cli"
import { memory, Routes } from "leat"
import { contractInfo, readContracts } from "../contracts/readContracts.ts"
import { directory, json, proto } from "../flags.ts"
import { CommandFailure, exitCode, plural, printJson } from "../outcome.ts"
import { type Finding, findings } from "./findings.ts"
import { inspect } from "./openLog.ts"

/** Says what is wrong with a log and its groups, and with a route document. */
export const doctor = Command.make(
  "doctor",
  {
    directory,
    routes: Flag.String("routes").pipe(
      Flag.optional,
      Flag.withDescription("Route document to check too, with the drivers memory and @leat/log")
    ),
    proto,
    json
  },
  Effect.fnUntraced(function* (flags) {
    const faults = Option.isSome(flags.routes) ? yield* checkRoutes(flags.routes.value, flags.proto) : []
    const inspection = yield* Effect.mapError(inspect(flags.directory), (noLog) =>
      Option.isNone(flags.routes) ? noLog : routesAlone(flags.routes.value, faults, noLog)
    )
    const found = [...faults, ...findings(inspection, Date.now())]
    const { directory: path, formatVersion, fileBytes, topics } = inspection
    const wrong = found.filter(({ severity }) => severity === "wrong")
    const notes = found.filter(({ severity }) => severity === "note")
    const report = {
      directory: path,
      formatVersion,
      fileBytes,
      topics: topics.length,
      wrong: wrong.length,
      findings: found
    }
    if (!flags.json) {
      const size = `${plural(topics.length, "topic")}, ${fileBytes} bytes`
      yield* Console.log(`${path}: a log of format ${formatVersion}, ${size}`)
      for (const { message } of notes) yield* Console.log(`note: ${message}`)
    }
    if (wrong.length > 0) {
      const message = `${plural(wrong.length, "thing")} to act on:\n${wrong.map((one) => one.message).join("\n")}`
      return yield* new CommandFailure({ code: exitCode.violations, message, report })
    }
    yield* flags.json ? printJson(report) : Console.log("nothing is wrong")
  })
).pipe(
  Command.withDescription("Find what is wrong with a log, its groups and a route document; exits 3 when something is")
)

/** Where there is no log to look at, as in a build, the route document was looked at all the same. */
function routesAlone(path: string, faults: ReadonlyArray<Finding>, noLog: CommandFailure): CommandFailure {
  if (faults.length === 0) {
    const { code, message, report = {} } = noLog
    return new CommandFailure({ code, message: `${message}; ${path} has no faults`, report })
  }
  const message = `${plural(faults.length, "thing")} to act on:\n${faults.map((one) => one.message).join("\n")}\n(${noLog.message})`
  const report = { wrong: faults.length, findings: faults, log: noLog.message }
  return new CommandFailure({ code: exitCode.violations, message, report })
}

/** Faults of a route document; contracts are checked against it where there are any. */
const checkRoutes = Effect.fnUntraced(function* (path: string, protoFolder: Option.Option<string>) {
  const text = yield* Effect.try({
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
  const { contracts } = yield* readContracts(protoFolder)
  const compiled = Routes.compile(text, { drivers: [memory, log], contracts: contracts.map(contractInfo) })
  if (Result.isSuccess(compiled)) return []
  return compiled.failure.faults.map(({ path: place, message }): Finding => {
    return { severity: "wrong", about: "routes", message: `${path}: ${place === "" ? "" : `${place}: `}${message}` }
  })
})
