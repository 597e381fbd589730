import { Cause, Console, Effect } from "effect"
import { CliError, CliOutput, Command } from "effect/cli"
import { CommandFailure, CommandVerdict, exitCode, printable, printJson } from "./outcome.ts"
import { sentenceOf } from "./sentenceOf.ts"

const version = "0.1.0"

/** Help for a misused command would bury the one sentence that says what is wrong. */
const presenter: CliOutput.Presenter = {
  present: (event) => {
    const isMisuse = event._tag === "InvalidInvocation" || (event._tag === "Help" && isGroup(event))
    return isMisuse ? Effect.void : CliOutput.defaultPresenter.present(event)
  }
}

/** Whether a command that only has others below it was called by itself, without asking for help. `leat` alone shows what there is. */
function isGroup(told: { readonly commandPath: ReadonlyArray<string>; readonly reason?: string }): boolean {
  return told.commandPath.length > 1 && told.reason !== "Requested"
}

/** Runs a command line and gives its exit code. Whatever goes wrong is one sentence on stderr, and one object on `--json`. */
export const runCommand = Effect.fnUntraced(function* <I, C, E, R>(
  command: Command.Command<"leat", I, C, E, R>,
  args: ReadonlyArray<string>
) {
  // Asked for even when the command line cannot be parsed.
  const isJson = args.some(isJsonFlag)
  const fail = (code: 1 | 2 | 3, message: string, report: Readonly<Record<string, unknown>> = {}) =>
    Effect.as(
      Effect.andThen(
        Console.error(`leat: ${printable(message)}`),
        isJson ? printJson({ error: message, ...report }) : Effect.void
      ),
      code
    )
  return yield* Command.runWith(command, { version })(withJsonLast(args, groupsOf(command))).pipe(
    Effect.provideService(CliOutput.Presenter, presenter),
    Effect.as(exitCode.done),
    Effect.catchCause((cause) => {
      const error = Cause.squash(cause)
      if (error instanceof CommandVerdict) return Effect.succeed(error.code)
      if (error instanceof CommandFailure) return fail(error.code, error.message, error.report)
      if (CliError.isCliError(error)) {
        const all = error._tag === "ShowHelp" ? error.errors : [error]
        if (all.length === 0 && error._tag === "ShowHelp") {
          const name = error.commandPath.join(" ")
          if (!isGroup(error)) return Effect.succeed(exitCode.done)
          return fail(exitCode.misuse, `${name} is no command by itself; see ${name} --help`)
        }
        // Flags are not known either where the command is not.
        const unknown = all.filter(({ _tag }) => _tag === "UnknownSubcommand")
        const errors = unknown.length > 0 ? unknown : all
        const asked = error._tag === "ShowHelp" ? error.commandPath.join(" ") : "leat"
        const told = errors.map(({ message }) => sentenceOf(message)).join("; ")
        return fail(exitCode.misuse, `${told}${told.endsWith("?") ? " See" : "; see"} ${asked} --help`)
      }
      return fail(exitCode.failed, error instanceof Error ? error.message : String(error))
    })
  )
})

/**
 * `--json` belongs to each command and is said of the whole line: it may stand before the name of the command too. What is less than a
 * command, `leat events`, does not know it.
 */
function withJsonLast(args: ReadonlyArray<string>, groups: ReadonlySet<string>): ReadonlyArray<string> {
  const others = args.filter((arg) => !isJsonFlag(arg))
  const isCommand = others.length > 1 || (others[0] !== undefined && !groups.has(others[0]))
  return isCommand ? [...others, ...args.filter(isJsonFlag)] : others
}

/** Commands that only have others below them. */
function groupsOf(command: Command.Command.Any): ReadonlySet<string> {
  const commands = command.subcommands.flatMap((group) => group.commands)
  return new Set(commands.filter(({ subcommands }) => subcommands.length > 0).map(({ name }) => name))
}

function isJsonFlag(arg: string): boolean {
  return arg === "--json" || arg === "--json=true"
}
