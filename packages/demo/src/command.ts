import type { Writable } from "node:stream"
import { fileURLToPath } from "node:url"
import { Cause, Effect, Exit, Logger } from "effect"
import { RouteError, TransportError } from "leat"
import { Misuse, readArguments, usage } from "./arguments.ts"
import { runJob } from "./job.ts"
import type { Signals } from "./Signals.ts"
import { reportFor } from "./view/reportFor.ts"

const shared = fileURLToPath(new URL("../../../../shared/data", import.meta.url))

/** What a run of the command reads and writes. */
export interface CommandSurroundings {
  readonly stdout: Writable
  readonly stderr: Writable
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signals: Signals
}

/** Runs the job that a command line asks for; gives its exit code when all that it printed is written. */
export async function command(args: ReadonlyArray<string>, surroundings: CommandSurroundings): Promise<number> {
  const { stdout, stderr } = surroundings
  const code = await ending(args, surroundings)
  await Promise.all([written(stdout), written(stderr)])
  return code
}

async function ending(args: ReadonlyArray<string>, surroundings: CommandSurroundings): Promise<number> {
  const { stderr } = surroundings
  try {
    return await runJobOf(args, surroundings)
  } catch (error) {
    if (!(error instanceof Misuse)) throw error
    stderr.write(`leat: ${error.message}\n`)
    return 2
  }
}

async function runJobOf(args: ReadonlyArray<string>, surroundings: CommandSurroundings): Promise<number> {
  const { stdout, stderr, env, signals } = surroundings
  const asked = readArguments(args, shared, env)
  if (asked.help) {
    stdout.write(`${usage}\n`)
    return 0
  }
  const report = reportFor(asked, asked.json ? stderr : stdout, env)
  // leat's own warnings: they would go to stdout.
  const logger = Logger.make(({ message, logLevel }) => {
    const sentence = [message].flat().map(String).join(" ")
    if (logLevel === "Info") report.note(sentence)
    else report.trouble(sentence)
  })
  const job = runJob({ args: asked, report, isStopped: () => signals.first !== undefined })
  const exit = await Effect.runPromiseExit(Effect.provide(job, Logger.layer([logger])))
  report.close()
  if (Exit.isFailure(exit)) return failed(Cause.squash(exit.cause), asked.config, stderr)
  const { summary, faults, isComplete } = exit.value
  report.end(exit.value)
  if (asked.json) stdout.write(`${JSON.stringify(summary)}\n`)
  if (faults.length > 0 || !summary.balanced) return 1
  return isComplete ? 0 : signals.exitCode
}

/** One sentence, and 2 where the call was wrong, else 1. */
function failed(error: unknown, config: string | undefined, stderr: Writable): number {
  const where = error instanceof RouteError && config !== undefined ? `--config ${config}: ` : ""
  stderr.write(`leat: ${where}${error instanceof Error ? error.message : String(error)}\n`)
  const isMisuse = error instanceof TransportError && error.operation === "open" && error.reason === "Unsupported"
  return error instanceof RouteError || error instanceof Misuse || isMisuse ? 2 : 1
}

/** Waits until what was printed is written, or cannot be. */
function written(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    stream.write("", () => resolve())
  })
}
