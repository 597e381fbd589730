/**
 * Where what leat has to say goes: to the logger that the leat was opened with, else to standard error, for what a program prints on standard output is
 * its own.
 */
import { Cause, Effect, Logger } from "effect"

/** One line of leat's log: what a person should know. */
export interface LogLine {
  /** `warn`: it needs a person; `error`: leat itself, or a driver, has a fault; `info`: it is as it should be, and people want to know. */
  readonly level: "info" | "warn" | "error"
  /** One sentence or two, without the time. */
  readonly message: string
  /** What somebody else's code has thrown, as a handler that failed. Absent where nothing was. */
  readonly cause?: unknown
  /** Epoch milliseconds. */
  readonly timeMs: number
}

/** Runs an effect of leat with its logger. */
export type Logging = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** What `logger` of the options takes. What it throws, or its promise rejects with, keeps nothing from going on. */
export type LineLogger = (line: LogLine) => unknown

/** Undefined: to standard error. */
export function loggingTo(logger: LineLogger | undefined): Logging {
  const loggers = new Set([logger === undefined ? standardError : givenTo(logger)])
  return (effect) => Effect.provideService(effect, Logger.CurrentLoggers, loggers)
}

const standardError = Logger.make(({ logLevel, message, cause, date }) => {
  const stack = cause.reasons.length === 0 ? "" : `\n  ${Cause.pretty(cause).replaceAll("\n", "\n  ")}`
  console.error(`${date.toISOString()} ${logLevel.toUpperCase()} leat: ${textOf(message)}${stack}`)
})

function givenTo(logger: LineLogger): Logger.Logger<unknown, void> {
  return Logger.make(({ logLevel, message, cause, date }) => {
    const level = levels[logLevel] ?? "info"
    const line = { level, message: textOf(message), timeMs: date.getTime() }
    try {
      const answer = logger(cause.reasons.length === 0 ? line : { ...line, cause: Cause.squash(cause) })
      // Nobody waits for it, and a rejection that nobody hears of ends the process.
      void Promise.resolve(answer).catch(() => undefined)
    } catch {
      // The fault of a logger is none of leat's.
    }
  })
}

const levels: Readonly<Record<string, LogLine["level"]>> = { Warn: "warn", Error: "error", Fatal: "error" }

function textOf(message: unknown): string {
  return Array.isArray(message) ? message.map(String).join(" ") : String(message)
}
