import { inspectLog, type LogInspection, type LogReader, readLog, type TopicInspection } from "@leat/log"
import { Effect, Option, type Scope } from "effect"
import type { TransportError } from "leat"
import type { Transport } from "leat/transport"
import { CommandFailure, exitCode } from "../outcome.ts"

/** Opens a log for reading; nothing in its folder is created or changed. */
export const openLog = (directory: string): Effect.Effect<LogReader, CommandFailure, Scope.Scope> =>
  Effect.mapError(readLog(directory), openFailure)

/** Everything about a log that is not its records. */
export const inspect = (directory: string): Effect.Effect<LogInspection, CommandFailure> =>
  Effect.mapError(inspectLog(directory), openFailure)

/** The driver's own sentence. */
export function transportFailure({ detail, reason }: TransportError): CommandFailure {
  return new CommandFailure({ code: exitCode.failed, message: detail, report: { reason } })
}

/** The driver's own sentence, and where it has no such topic, which there are: each driver has other words for that. */
export const topicFailure =
  ({ topics }: Pick<Transport, "topics">, topic: string) =>
  (error: TransportError): Effect.Effect<never, CommandFailure> => {
    if (error.reason !== "UnknownTopic" || topics === undefined) return Effect.fail(transportFailure(error))
    // Of a cluster that does not tell its topics now, the driver's sentence is all there is.
    return Effect.matchEffect(topics, {
      onFailure: () => Effect.fail(transportFailure(error)),
      onSuccess: (names) => (names.includes(topic) ? Effect.fail(transportFailure(error)) : noTopic(topic, names))
    })
  }

/** Names that are told; a cluster may have thousands. */
const namesMax = 20

function noTopic(topic: string, names: ReadonlyArray<string>): Effect.Effect<never, CommandFailure> {
  const own = names.filter((name) => !name.startsWith("__")).toSorted()
  const more = own.length > namesMax ? [`and ${own.length - namesMax} more`] : []
  return notThere(`no topic ${topic}`, [...own.slice(0, namesMax), ...more])
}

/** As `reason` of a report: there is no log in the folder. */
export const noLog = "NoLog"

/** Of opening a log, which asks for no topic: the one thing that it may not find is the log. */
export function openFailure({ detail, reason }: TransportError): CommandFailure {
  const told = reason === "UnknownTopic" ? noLog : reason
  return new CommandFailure({ code: exitCode.failed, message: detail, report: { reason: told } })
}

/** The topics of a log: all, or the one that was named. */
export const topicsOf = (
  { directory, topics }: LogInspection,
  named: Option.Option<string>
): Effect.Effect<ReadonlyArray<TopicInspection>, CommandFailure> => {
  const found = Option.match(named, {
    onNone: () => topics,
    onSome: (name) => topics.filter(({ topic }) => topic === name)
  })
  if (Option.isNone(named) || found.length > 0) return Effect.succeed(found)
  return notThere(
    `no topic ${named.value} in ${directory}`,
    topics.map(({ topic }) => topic)
  )
}

/** What was named is not there; these are. */
export const notThere = (what: string, known: ReadonlyArray<string>): Effect.Effect<never, CommandFailure> =>
  Effect.fail(
    new CommandFailure({
      code: exitCode.failed,
      message: `there is ${what}; there is ${known.length === 0 ? "none yet" : known.join(", ")}`
    })
  )
