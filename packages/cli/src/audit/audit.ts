import { type AnnouncedLedger, readLedgers } from "@leat/log"
import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { Audit, ControlTools, formatEventId } from "leat"
import { clusterFlags, json, topic } from "../flags.ts"
import { ledgerFolderOf, noLedger } from "../log/ledgerFolder.ts"
import { openFailure, topicFailure, transportFailure } from "../log/openLog.ts"
import { documentDrivers } from "../move/documentDrivers.ts"
import { controlFailure } from "../routes/controlFlags.ts"
import { openControl } from "../routes/openControl.ts"
import { type ClusterFlags, type Looking, misuse, type OpenedCluster, openForLooking } from "../openCluster.ts"
import { auditedFallbacks } from "./auditedFallbacks.ts"
import { auditedTopics } from "./auditedTopics.ts"
import { CommandFailure, exitCode, plural, printJson } from "../outcome.ts"
import { table } from "../table.ts"

/** Ranges of missing events that are named on a terminal. */
const rangesMax = 10

/** Tells of each topic whether anything that was published is missing. */
export const audit = Command.make(
  "audit",
  {
    ...clusterFlags,
    topic: topic.pipe(Flag.withDescription("Only this topic")),
    stream: Flag.String("stream").pipe(
      Flag.optional,
      Flag.withDescription(
        "This stream in all places where its fleet has moved it: the cluster is that of the control stream, and ledgers are those of --ledger"
      )
    ),
    control: Flag.String("control").pipe(
      Flag.withDefault(ControlTools.topicDefault),
      Flag.withDescription(
        `Topic of the control stream, for --stream; ${ControlTools.topicDefault} unless another is named`
      )
    ),
    group: Flag.String("group").pipe(Flag.optional, Flag.withDescription("Tell too how far this group has got")),
    ledger: Flag.String("ledger").pipe(
      Flag.optional,
      Flag.withDescription(
        "Folder that processes give to ledgerStore; that of --directory, or of a log in the route document, when not given"
      )
    ),
    from: Flag.String("from").pipe(
      Flag.optional,
      Flag.withDescription("Audit records from this time on: 2026-11-24T09:00:00Z; all, when not given")
    ),
    objective: Flag.Finite("objective").pipe(
      Flag.optional,
      Flag.withDescription("Events in a hundred that may be lost: 0.01; more than that is a violation")
    ),
    json
  },
  Effect.fnUntraced(function* (flags) {
    const fromTimeMs = yield* parseTime(flags.from)
    const objective = yield* checkObjective(Option.getOrUndefined(flags.objective))
    const group = Option.getOrUndefined(flags.group)
    const reports = Option.isSome(flags.stream)
      ? [yield* reportOfStream(flags, flags.stream.value, { fromTimeMs, group })]
      : yield* reportsOfTopics(flags, { fromTimeMs, group })
    if (!flags.json) yield* print(reports, Option.isSome(flags.stream))
    const message = violationOf(reports, objective)
    const told = Option.isSome(flags.stream) ? { streams: reports } : { topics: reports }
    if (message !== undefined) return yield* new CommandFailure({ code: exitCode.violations, message, report: told })
    if (flags.json) yield* printJson(told)
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Tell of each topic whether an event is missing, doubled or out of order, by the ids that records carry"
  )
)

interface AuditFlags extends ClusterFlags {
  readonly topic: Option.Option<string>
  readonly ledger: Option.Option<string>
  readonly control: string
}

type Asked = Pick<Audit.AuditOptions, "fromTimeMs" | "group">

const reportsOfTopics = Effect.fnUntraced(function* (flags: AuditFlags, asked: Asked) {
  const cluster = yield* openForLooking(flags)
  const topics = Option.isSome(flags.topic) ? [flags.topic.value] : yield* auditedTopics(cluster.transport)
  const ledgers = yield* ledgersOf(flags, cluster)
  const fallbacks = yield* auditedFallbacks(flags, cluster)
  const named = Option.isSome(flags.routes) ? { cluster: cluster.name, fallbacks } : {}
  return yield* Effect.forEach(topics, (name) =>
    Audit.topic(cluster.transport, name, { ledgers, ...named, ...asked }).pipe(
      Effect.catch(topicFailure(cluster.transport, name))
    )
  )
})

const reportOfStream = Effect.fnUntraced(function* (flags: AuditFlags, name: string, asked: Asked) {
  if (Option.isSome(flags.topic)) return yield* misuse("--stream is audited in all its topics; leave --topic out")
  const { transport } = yield* openControl({ ...flags, topic: flags.control })
  const ledgers = Option.isNone(flags.ledger) ? [] : yield* readFolder(flags.ledger.value, flags.ledger.value)
  return yield* Audit.streamOfFleet(
    transport,
    name,
    { topic: flags.control, drivers: documentDrivers },
    { ledgers, ...asked }
  ).pipe(
    Effect.catchTags({
      ControlError: (error) => Effect.fail(controlFailure(error)),
      TransportError: (error) => Effect.fail(transportFailure(error)),
      RouteError: ({ message }) => Effect.fail(new CommandFailure({ code: exitCode.failed, message }))
    })
  )
})

const parseTime = Effect.fnUntraced(function* (text: Option.Option<string>) {
  if (Option.isNone(text)) return undefined
  const timeMs = /^\d{4}-\d\d-\d\d/.test(text.value) ? Date.parse(text.value) : Number.NaN
  if (Number.isNaN(timeMs)) return yield* misuse(`--from ${text.value} is no time; say one as 2026-11-24T09:00:00Z`)
  return timeMs
})

const checkObjective = Effect.fnUntraced(function* (percent: number | undefined) {
  if (percent === undefined || (percent >= 0 && percent <= 100)) return percent
  return yield* misuse(`--objective is from 0 to 100, and not ${percent}; see leat audit --help`)
})

const ledgersOf = Effect.fnUntraced(function* (
  flags: { readonly directory: string; readonly ledger: Option.Option<string> },
  { name, routes }: OpenedCluster<Looking>
): Effect.fn.Return<ReadonlyArray<AnnouncedLedger>, CommandFailure> {
  const asked = Option.getOrUndefined(flags.ledger)
  // Where several logs of the document have ledgers none is guessed: an audit needs none.
  const found = routes === undefined ? undefined : ledgerFolderOf({ name, routes }, flags.ledger)
  const folder = found === undefined ? (asked ?? flags.directory) : yield* Effect.orElseSucceed(found, () => undefined)
  if (folder === undefined) return []
  const ledgers = yield* readFolder(folder, asked)
  // Another cluster of such a process may have a topic of the same name.
  return routes === undefined ? ledgers.map(ofThisLog) : ledgers
})

const readFolder = Effect.fnUntraced(function* (folder: string, asked: string | undefined) {
  const { ledgers, unreadable } = yield* Effect.mapError(readLedgers(folder), (error) =>
    asked === undefined || error.reason !== "UnknownTopic" ? openFailure(error) : noLedger(asked)
  )
  for (const { path, why } of unreadable) yield* Console.error(`leat: ${path}: ${why}`)
  return ledgers
})

function ofThisLog(ledger: AnnouncedLedger): AnnouncedLedger {
  const { clusters, legs } = ledger
  if (clusters === undefined) return ledger
  return { ...ledger, legs: legs.filter(({ sink }) => clusters.includes(sink.slice(0, sink.indexOf("/")))) }
}

function print(reports: ReadonlyArray<Audit.AuditReport>, ofStream: boolean): Effect.Effect<void> {
  const what = ofStream ? "STREAM" : "TOPIC"
  const headings = [
    what,
    "PUBLISHERS",
    "EVENTS",
    "COPIES",
    "DROPPED",
    "MISSING",
    "DISORDERED",
    "CRASHLOST",
    "PENDING",
    "UNAUDITABLE",
    "LOSS"
  ]
  const rows = reports.map((report) => [
    report.topic,
    report.publishers,
    report.events,
    report.copies,
    total(report.dropped),
    report.missing,
    report.outOfOrder,
    report.crashLost,
    report.pending,
    report.unauditable,
    `${(report.lossRatio * 100).toFixed(4)} %`
  ])
  const parts = rows.length === 0 ? [] : [table(headings, rows)]
  const groups = reports.flatMap(({ topic: name, group }) =>
    group === undefined ? [] : [[group.group, name, group.settled, group.waiting, group.deadLetters.open] as const]
  )
  if (groups.length > 0) parts.push(table(["GROUP", what, "SETTLED", "WAITING", "OPEN DEAD LETTERS"], groups))
  const asked = reports.flatMap(({ group }) => group ?? [])
  // Who misspells a group is not told that all of it waits.
  if (asked.length > 0 && asked.every(({ settled, deadLetters }) => settled === 0 && deadLetters.open === 0))
    parts.push(`${asked[0]?.group} has settled nothing here: it has not begun, or its name is another`)
  const missing = reports.flatMap(({ missingRanges }) => missingRanges)
  if (missing.length > 0) parts.push(missing.slice(0, rangesMax).map(rangeText).join("\n"))
  if (missing.length > rangesMax) parts.push(`and ${plural(missing.length - rangesMax, "more range")}; --json has all`)
  parts.push(plural(reports.length, ofStream ? "stream" : "topic"))
  return Console.log(parts.join("\n\n"))
}

/** The first of them by its id, and how many there are. */
function rangeText({ incarnation, stream, bucket, from, to, timeMs }: Audit.SequenceRange): string {
  const before = timeMs === undefined ? "" : `, before ${new Date(timeMs).toISOString()}`
  return `missing: ${formatEventId({ incarnation, stream, bucket, seq: from })}${to - from === 1 ? "" : ` and ${to - from - 1} behind it`}${before}`
}

/** What is not as it should be, in one sentence. */
function violationOf(reports: ReadonlyArray<Audit.AuditReport>, objective: number | undefined): string | undefined {
  const missing = reports.reduce((sum, report) => sum + report.missing, 0)
  if (missing > 0)
    return `${plural(missing, "event")} ${missing === 1 ? "is" : "are"} neither there nor announced as dropped`
  const disordered = reports.reduce((sum, report) => sum + report.outOfOrder, 0)
  if (disordered > 0)
    return `${plural(disordered, "event")} ${disordered === 1 ? "stands" : "stand"} behind a later one of the same key`
  const worst = reports.toSorted((one, other) => other.lossRatio - one.lossRatio)[0]
  if (objective === undefined || worst === undefined || worst.lossRatio * 100 <= objective) return undefined
  const burnt = objective === 0 ? "" : `, ${((worst.lossRatio * 100) / objective).toFixed(1)} times what may be`
  return `${worst.topic} has lost ${(worst.lossRatio * 100).toFixed(4)} % of its events, by drops and crashes${burnt}`
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}
