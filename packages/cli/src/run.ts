import { Console as StreamConsole } from "node:console"
import type { Writable } from "node:stream"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, Exit, Logger } from "effect"
import { CommandRun, type CommandStreams } from "./CommandRun.ts"
import { leat } from "./leat.ts"
import { exitCode } from "./outcome.ts"
import { runCommand } from "./runCommand.ts"

/** Exit code of a command that was interrupted before its end. */
const interruptedCode = 130

/**
 * Runs one command line and gives its exit code, when all that it printed is written. `signal` interrupts it. A reader of the output that
 * goes away ends the command in order; an output that cannot be written (a full disk) ends it with one sentence.
 */
export async function run(args: ReadonlyArray<string>, streams: CommandStreams, signal: AbortSignal): Promise<number> {
  const { stdout, stderr } = streams
  let isOutputClosed = false
  let whenInterrupted: number = interruptedCode
  let fault: Error | undefined
  const unwritable = new AbortController()
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    isOutputClosed = true
    if (error.code === "EPIPE") return
    fault ??= error
    unwritable.abort()
  })
  const command = runCommand(leat, args).pipe(
    Effect.provideService(CommandRun, {
      // Asked for by the commands that read it only: standard input is opened by asking.
      stdin: () => streams.stdin,
      isOutputClosed: () => isOutputClosed,
      endsByInterruption: () => {
        whenInterrupted = exitCode.done
      }
    }),
    Effect.provideService(Console.Console, new StreamConsole({ stdout, stderr })),
    // What leat warns of is no part of what a command prints.
    Effect.provideService(Logger.LogToStderr, true),
    Effect.provide(NodeServices.layer)
  )
  const exit = await Effect.runPromiseExit(command, { signal: AbortSignal.any([signal, unwritable.signal]) })
  await written(stdout)
  if (fault !== undefined) stderr.write(`leat: what is printed cannot be written: ${fault.message}\n`)
  await written(stderr)
  if (fault !== undefined) return exitCode.failed
  return Exit.isSuccess(exit) ? exit.value : whenInterrupted
}

/** Waits until what was printed is written, or cannot be. */
function written(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    stream.write("", () => resolve())
  })
}
