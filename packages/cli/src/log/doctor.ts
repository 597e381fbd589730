import { Console, Effect, Option, Result } from "effect"
import { Command, Flag } from "effect/cli"
import { directoryDefault, json, proto } from "../flags.ts"
import { CommandFailure, exitCode, plural, printJson } from "../outcome.ts"
import { checkRoutes } from "./checkRoutes.ts"
import { type Finding, findings } from "./findings.ts"
import { inspect, noLog } from "./openLog.ts"

/** Says what is wrong with a log and its groups, and with a route document. */
export const doctor = Command.make(
  "doctor",
  {
    directory: Flag.String("directory").pipe(
      Flag.optional,
      Flag.withDescription(
        "Folder of the log; ./data unless another is named, and none where only --routes is to be checked"
      )
    ),
    routes: Flag.String("routes").pipe(
      Flag.optional,
      Flag.withDescription("Route document to check too, with the drivers of leat that are installed here")
    ),
    proto,
    json
  },
  Effect.fnUntraced(function* (flags) {
    const ofRoutes = Option.isSome(flags.routes) ? yield* checkRoutes(flags.routes.value, flags.proto) : []
    const inspecting = yield* Effect.result(inspect(Option.getOrElse(flags.directory, () => directoryDefault)))
    if (Result.isFailure(inspecting)) {
      if (Option.isNone(flags.routes)) return yield* inspecting.failure
      return yield* routesAlone(flags.routes.value, ofRoutes, inspecting.failure, flags)
    }
    const inspection = inspecting.success
    const found = [...ofRoutes, ...findings(inspection, Date.now())]
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
const routesAlone = Effect.fnUntraced(function* (
  path: string,
  found: ReadonlyArray<Finding>,
  failure: CommandFailure,
  { directory, json: isJson }: { readonly directory: Option.Option<string>; readonly json: boolean }
) {
  const wrong = found.filter(({ severity }) => severity === "wrong")
  const report = { wrong: wrong.length, findings: found, log: failure.message }
  if (!isJson)
    for (const { message, severity } of found) if (severity === "note") yield* Console.log(`note: ${message}`)
  if (wrong.length > 0) {
    const faults = wrong.map(({ message }) => message).join("\n")
    const message = `${plural(wrong.length, "thing")} to act on:\n${faults}\n(${failure.message})`
    return yield* new CommandFailure({ code: exitCode.violations, message, report })
  }
  // Nobody asked for a log that is not there; one that was named, or cannot be read, is another matter.
  const isAsked = Option.isSome(directory) || failure.report?.["reason"] !== noLog
  if (isAsked) {
    const message = `${failure.message}; ${path} has no faults`
    return yield* new CommandFailure({ code: failure.code, message, report: { ...failure.report, ...report } })
  }
  yield* isJson ? printJson(report) : Console.log(`${path} has no faults (${failure.message})`)
})
