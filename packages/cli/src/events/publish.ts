import { createReadStream, existsSync } from "node:fs"
import { Console, Effect, Option, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { CommandRun } from "../CommandRun.ts"
import { noLog, openLog } from "../log/openLog.ts"
import { directory, directoryDefault, dryRun, json, proto, topic } from "../flags.ts"
import { CommandFailure, exitCode, printJson } from "../outcome.ts"
import { type Contracts, findContractsIn, type FoundContract } from "./Contracts.ts"
import { openEventTarget } from "./EventTarget.ts"
import { publishLines } from "./publishLines.ts"
import { readLines } from "./readLines.ts"
import { openDryTarget, openTarget } from "./RecordTarget.ts"
import { Tally } from "./Tally.ts"

/** Lines that are read before they are stored. */
const linesMax = 500

/** How long a line waits for others, in milliseconds: a tail that follows may be slow. */
const lookMs = 100

/** Stores the events of a file, or of what is piped in, in a log. */
export const publish = Command.make(
  "publish",
  {
    directory,
    topic: topic.pipe(Flag.withDescription("Topic to publish to; that of the line, or of the stream, when not given")),
    stream: Flag.String("stream").pipe(Flag.optional, Flag.withDescription("Stream whose contract the events have")),
    type: Flag.String("type").pipe(
      Flag.optional,
      Flag.withDescription("Contract that the events have: risk.v1.BeaconSighting")
    ),
    file: Flag.String("file").pipe(
      Flag.optional,
      Flag.withDescription("File to read; what is piped in when not given")
    ),
    source: Flag.String("source").pipe(
      Flag.withDefault("leat-cli"),
      Flag.withDescription("Who publishes, for events that have no id yet")
    ),
    proto,
    dryRun: dryRun.pipe(Flag.withDescription("Check every line, and store nothing")),
    json
  },
  Effect.fnUntraced(function* (flags) {
    const { directory: folder, dryRun: isDryRun, source } = flags
    if (Option.isSome(flags.file) && !existsSync(flags.file.value)) {
      const message = `there is no file ${flags.file.value}; name another by --file, or pipe lines in`
      return yield* new CommandFailure({ code: exitCode.misuse, message })
    }
    const isNew = folder !== directoryDefault && (yield* isNoLog(folder))
    const contracts = yield* Effect.cached(findContractsIn(flags.proto))
    // Named wrongly, it is told before anything is read.
    if (Option.isSome(flags.type) || Option.isSome(flags.stream)) yield* contractOf(yield* contracts, flags)
    const events = Effect.gen(function* () {
      const all = yield* contracts
      const found = yield* contractOf(all, flags)
      return yield* openEventTarget(all, found, { folder, topic: flags.topic, source, isDryRun })
    })
    const { stdin } = yield* CommandRun
    const input = Option.isSome(flags.file) ? createReadStream(flags.file.value) : stdin()
    const tally = new Tally()
    const publishing = {
      topic: Option.orElse(flags.topic, () => flags.stream),
      records: yield* Effect.cached(isDryRun ? openDryTarget(folder) : openTarget(folder)),
      events: yield* Effect.cached(events),
      tally
    }
    const stopped = yield* Stream.fromAsyncIterable(readLines(input), readFailure).pipe(
      Stream.groupedWithin(linesMax, lookMs),
      Stream.mapEffect((lines) => publishLines(lines, publishing)),
      Stream.filter((why) => why !== undefined),
      Stream.runHead
    )
    const { offered, stored, duplicates, malformed, notStored } = tally
    const report = { offered, stored: isDryRun ? 0 : stored, duplicates, malformed, notStored, dryRun: isDryRun }
    const full = isDryRun ? { ...report, storable: stored } : report
    if (isNew && stored > 0)
      yield* Console.error(
        `leat: there ${isDryRun ? "is" : "was"} no log in ${folder}; one ${isDryRun ? "would be" : "was"} made`
      )
    const told = isDryRun ? `would store ${stored} of ${offered}, malformed ${malformed}` : String(tally)
    if (Option.isSome(stopped)) {
      const message = `stopped at what the log did not take: ${stopped.value}; ${told}; run it again, ids keep whole records from being stored twice`
      return yield* new CommandFailure({ code: exitCode.failed, message, report: full })
    }
    if (!tally.isWhole) return yield* new CommandFailure({ code: exitCode.failed, message: told, report: full })
    yield* flags.json ? printJson(full) : Console.log(told)
  }, Effect.scoped)
).pipe(
  Command.withDescription("Publish lines of JSON to a log: whole records from `events tail --format jsonl`, or events")
)

function contractOf(
  contracts: Contracts,
  {
    type,
    stream,
    topic: named
  }: {
    readonly type: Option.Option<string>
    readonly stream: Option.Option<string>
    readonly topic: Option.Option<string>
  }
): Effect.Effect<FoundContract, CommandFailure> {
  if (Option.isSome(type)) return contracts.named(type.value)
  if (Option.isSome(stream)) return contracts.namedStream(stream.value)
  if (Option.isSome(named)) return contracts.namedStream(named.value)
  const message = "these are events without a contract; name it by --stream or --type"
  return Effect.fail(new CommandFailure({ code: exitCode.misuse, message }))
}

/** A name that somebody has typed may be misspelt, and a log is made there all the same: that is told. */
const isNoLog = (folder: string): Effect.Effect<boolean> =>
  Effect.scoped(
    Effect.match(openLog(folder), {
      onFailure: ({ report }) => report?.["reason"] === noLog,
      onSuccess: () => false
    })
  )

function readFailure(error: unknown): CommandFailure {
  const reason = error instanceof Error ? error.message : String(error)
  return new CommandFailure({ code: exitCode.failed, message: `the lines cannot be read: ${reason}` })
}
