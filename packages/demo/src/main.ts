import { fileURLToPath } from "node:url"
import { Cause, Effect, Exit, Logger } from "effect"
import { RouteError, TransportError } from "leat"
import { Misuse, readArguments, usage } from "./arguments.ts"
import { runJob } from "./job.ts"
import { reportFor } from "./view/reportFor.ts"
import { Signals } from "./Signals.ts"

const shared = fileURLToPath(new URL("../../../../shared/data", import.meta.url))

async function main(): Promise<number> {
  const args = readArguments(process.argv.slice(2), shared)
  if (args.help) {
    process.stdout.write(`${usage}\n`)
    return 0
  }
  const signals = new Signals()
  const report = reportFor(args)
  // leat's own warnings: they would go to stdout.
  const logger = Logger.make(({ message }) => report.trouble([message].flat().map(String).join(" ")))
  const exit = await Effect.runPromiseExit(
    Effect.provide(runJob({ args, report, isStopped: () => signals.first !== undefined }), Logger.layer([logger]))
  )
  report.close()
  if (Exit.isFailure(exit)) return failed(Cause.squash(exit.cause), args.config)
  const { summary, faults, isComplete } = exit.value
  report.end(exit.value)
  if (args.json) process.stdout.write(`${JSON.stringify(summary)}\n`)
  if (faults.length > 0 || !summary.balanced) return 1
  return isComplete ? 0 : signals.exitCode
}

/** One sentence, and 2 where the call was wrong, else 1. */
function failed(error: unknown, config: string | undefined): number {
  const where = error instanceof RouteError && config !== undefined ? `--config ${config}: ` : ""
  process.stderr.write(`leat: ${where}${error instanceof Error ? error.message : String(error)}\n`)
  const isMisuse = error instanceof TransportError && error.operation === "open" && error.reason === "Unsupported"
  return error instanceof RouteError || error instanceof Misuse || isMisuse ? 2 : 1
}

// Whoever reads may have gone (`| head`); what was under way is finished all the same.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error
})

main().then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    if (!(error instanceof Misuse)) throw error
    process.stderr.write(`leat: ${error.message}\n`)
    process.exitCode = 2
  }
)
