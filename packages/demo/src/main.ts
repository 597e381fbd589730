import { fileURLToPath } from "node:url"
import { Cause, Effect, Exit } from "effect"
import { RouteError } from "leat"
import { Misuse, readArguments, usage } from "./arguments.ts"
import { runJob } from "./job.ts"
import { Report } from "./Report.ts"

const shared = fileURLToPath(new URL("../../../../shared/data", import.meta.url))

/** Exit codes of signals, as shells give them. */
const signalCode = { SIGINT: 130, SIGTERM: 143 } as const

async function main(): Promise<number> {
  const args = readArguments(process.argv.slice(2), shared)
  if (args.help) {
    process.stdout.write(`${usage}\n`)
    return 0
  }
  let stopped: keyof typeof signalCode | undefined
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      // The second one means it.
      if (stopped !== undefined) process.exit(signalCode[signal])
      stopped = signal
    })
  }
  const exit = await Effect.runPromiseExit(
    Effect.scoped(runJob(args, new Report(args.json), () => stopped !== undefined))
  )
  if (Exit.isFailure(exit)) {
    const error = Cause.squash(exit.cause)
    const where = error instanceof RouteError && args.config !== undefined ? `--config ${args.config}: ` : ""
    process.stderr.write(`leat: ${where}${error instanceof Error ? error.message : String(error)}\n`)
    return error instanceof RouteError ? 2 : 1
  }
  const { faults, balanced } = exit.value
  if (faults.length > 0 || !balanced) return 1
  return stopped === undefined ? 0 : signalCode[stopped]
}

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
