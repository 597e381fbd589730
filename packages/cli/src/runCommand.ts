import { Cause, Console, Effect } from "effect"
import { CliError, CliOutput, Command } from "effect/cli"
import { CommandFailure, exitCode, printJson } from "./outcome.ts"

const version = "0.1.0"

/** Help for a misused command would bury the one sentence that says what is wrong. */
const presenter: CliOutput.Presenter = {
  present: (event) => (event._tag === "InvalidInvocation" ? Effect.void : CliOutput.defaultPresenter.present(event))
}

/** Runs a command line and gives its exit code. Whatever goes wrong is one sentence on stderr, and one object on `--json`. */
export const runCommand = Effect.fnUntraced(function* <I, C, E, R>(
  command: Command.Command<"leat", I, C, E, R>,
  args: ReadonlyArray<string>
) {
  // Asked for even when the command line cannot be parsed.
  const isJson = args.some((arg) => arg === "--json" || arg === "--json=true")
  const fail = (code: 1 | 2 | 3, message: string, report: Readonly<Record<string, unknown>> = {}) =>
    Effect.as(
      Effect.andThen(
        Console.error(`leat: ${message}`),
        isJson ? printJson({ error: message, ...report }) : Effect.void
      ),
      code
    )
  return yield* Command.runWith(command, { version })(args).pipe(
    Effect.provideService(CliOutput.Presenter, presenter),
    Effect.as(exitCode.done),
    Effect.catchCause((cause) => {
      const error = Cause.squash(cause)
      if (error instanceof CommandFailure) return fail(error.code, error.message, error.report)
      if (CliError.isCliError(error)) {
        const all = error._tag === "ShowHelp" ? error.errors : [error]
        if (all.length === 0) return Effect.succeed(exitCode.done)
        // Flags are not known either where the command is not.
        const unknown = all.filter(({ _tag }) => _tag === "UnknownSubcommand")
        const errors = unknown.length > 0 ? unknown : all
        return fail(exitCode.misuse, `${errors.map(({ message }) => message).join("; ")}; see leat --help`)
      }
      return fail(exitCode.failed, error instanceof Error ? error.message : String(error))
    })
  )
})
