import { Console, Data, type Effect } from "effect"

/** Exit codes of every command. */
export const exitCode = {
  done: 0,
  /** The command could not do what was asked. */
  failed: 1,
  /** It was called wrongly. */
  misuse: 2,
  /** It did its work and found violations. */
  violations: 3,
  /** It did its work, and what it compared differs. */
  changes: 4
} as const

/** A command ends with something else than done; `message` is for a person, `report` for `--json`. */
export class CommandFailure extends Data.TaggedError("CommandFailure")<{
  readonly code: 1 | 2 | 3
  readonly message: string
  readonly report?: Readonly<Record<string, unknown>>
}> {}

/** A command has done its work and said all, and its exit code says what it has found. */
export class CommandVerdict extends Data.TaggedError("CommandVerdict")<{ readonly code: typeof exitCode.changes }> {}

/** Prints the one object of `--json` on stdout. */
export function printJson(report: Readonly<Record<string, unknown>>): Effect.Effect<void> {
  return Console.log(JSON.stringify(report))
}

/** `1 contract`, `2 contracts`. */
export function plural(count: number, noun: string, many = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : many}`
}

/**
 * Text from a log or a file as a terminal may have it: controls are written as JSON writes them. Line feeds stay, because a sentence may
 * have several lines.
 */
export function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n]/gu, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`)
}
