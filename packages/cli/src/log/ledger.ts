import { resolve } from "node:path"
import { type AnnouncedLedger, type Ledgers, readLedgers } from "@leat/log"
import { Console, Duration, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { clusterFlags, json } from "../flags.ts"
import { CommandFailure, exitCode, plural, printJson } from "../outcome.ts"
import { table } from "../table.ts"
import { type ChosenCluster, chooseCluster, misuse, withoutCluster } from "../openCluster.ts"
import { growthOf } from "./growth.ts"
import { ledgerFolderOf, noLedger } from "./ledgerFolder.ts"
import { ofCluster, withCrashLosses } from "./ledgersOfCluster.ts"
import { openFailure } from "./openLog.ts"
import { printGrowth } from "./printGrowth.ts"
import { printStoredTopics } from "./storedTopics.ts"
import { sumLedgers } from "./sumLedgers.ts"

/** Sums what processes announced of their events. */
export const ledger = Command.make(
  "ledger",
  {
    ...clusterFlags,
    ledger: Flag.String("ledger").pipe(
      Flag.optional,
      Flag.withDescription(
        "Folder that processes give to ledgerStore; that of --directory, or of a log in the route document, when not given"
      )
    ),
    for: Flag.String("for").pipe(
      Flag.optional,
      Flag.withDescription("Look for so long, and count what came meanwhile: 10 seconds")
    ),
    json
  },
  Effect.fnUntraced(function* (flags) {
    const forMs = Option.isSome(flags.for) ? yield* parseTime(flags.for.value) : undefined
    if (Option.isNone(flags.routes)) yield* withoutCluster(flags)
    const cluster = Option.isSome(flags.routes) ? yield* chooseCluster(flags.routes.value, flags.cluster) : undefined
    const folder =
      cluster === undefined
        ? Option.getOrElse(flags.ledger, () => flags.directory)
        : yield* ledgerFolderOf(cluster, flags.ledger)
    const read = folder === undefined ? Effect.succeed(nothing) : readOf(folder, cluster, Option.isSome(flags.ledger))
    if (forMs !== undefined && folder === undefined)
      return yield* misuse(
        "--for reads ledgers, and no log of the route document has any; name their folder by --ledger"
      )
    if (forMs !== undefined) return yield* look(folder ?? "", read, forMs, flags.json)
    const { ledgers, unreadable } = yield* read
    for (const { path, why } of unreadable) yield* Console.error(`leat: ${path}: ${why}`)
    if (cluster === undefined) return yield* tell(folder ?? "", ledgers, unreadable, flags.json)
    if (ledgers.length === 0) return yield* printStoredTopics(cluster, flags.json)
    yield* tell(folder ?? "", yield* withCrashLosses(ledgers, cluster), unreadable, flags.json)
  }, Effect.scoped)
).pipe(
  Command.withDescription("Sum what processes announced of their events: offered, stored, dropped, lost in crashes")
)

const nothing: Ledgers = { ledgers: [], unreadable: [] }

/** Reads the ledgers of a folder: all of them, or what they say of a cluster. */
function readOf(
  folder: string,
  cluster: ChosenCluster | undefined,
  isNamed: boolean
): Effect.Effect<Ledgers, CommandFailure> {
  return readLedgers(folder).pipe(
    Effect.mapError((error) => (isNamed && error.reason === "UnknownTopic" ? noLedger(folder) : openFailure(error))),
    Effect.map(({ ledgers, unreadable }) => ({
      ledgers: cluster === undefined ? ledgers : ofCluster(ledgers, cluster),
      unreadable
    }))
  )
}

/** Sums, and says whether what was announced balances. */
const tell = Effect.fnUntraced(function* (
  folder: string,
  ledgers: ReadonlyArray<AnnouncedLedger>,
  unreadable: Ledgers["unreadable"],
  isJson: boolean
) {
  const sums = sumLedgers(ledgers)
  const crashLost = sums.legs.reduce((sum, leg) => sum + leg.crashLost, 0)
  const rows = ledgers.flatMap(({ streams, legs, lanes }) => [...streams, ...legs, ...lanes])
  const isBalanced = rows.every(({ balanced }) => balanced)
  const incarnations = ledgers.map(({ announcedAtMs, objectives = [], ...one }) => {
    const { incarnation, source, owner, state, crashLosses } = one
    const announcedAt = new Date(announcedAtMs).toISOString()
    return { incarnation, source, owner, announcedAt, state, crashLosses, objectives }
  })
  const told = { crashLost, leftInSpills: leftInSpills(ledgers), ...sums, incarnations, unreadable }
  const report = { directory: resolve(folder), balanced: isBalanced, ...told }
  if (!isJson) yield* print(ledgers, sums)
  for (const contradiction of contradictionsOf(sums.legs)) yield* Console.error(`leat: ${contradiction}`)
  if (!isBalanced) {
    const message = "what was announced does not balance; that is a fault of leat, keep the folder and tell its makers"
    return yield* new CommandFailure({ code: exitCode.violations, message, report })
  }
  if (isJson) yield* printJson(report)
})

/** Events in spills of processes that have ended, as these said last. Who sends them on counts them in its own ledger. */
function leftInSpills(ledgers: ReadonlyArray<AnnouncedLedger>): number {
  const spilledIn = (legs: AnnouncedLedger["legs"]) => legs.reduce((sum, { spilled }) => sum + spilled, 0)
  return ledgers.reduce((all, { state, legs, crashLosses }) => {
    if (state === "closed") return all + spilledIn(legs)
    // Of one that is gone the topic says how much of it has been sent since; where nobody can look it is unknown, and not pending.
    return crashLosses.reduce((sum, { stream, sink, spilled }) => {
      const own = legs.filter((leg) => leg.stream === stream && leg.sink === sink)
      return sum + Math.min(spilled, spilledIn(own))
    }, all)
  }, 0)
}

function leftText(ledgers: ReadonlyArray<AnnouncedLedger>, legs: ReturnType<typeof sumLedgers>["legs"]) {
  const left = leftInSpills(ledgers)
  if (left === 0) return []
  const recovered = legs.reduce((sum, row) => sum + row.recovered, 0)
  return [
    `${left} of PENDING ${left === 1 ? "was" : "were"} left in spills by processes that have ended, and ${left === 1 ? "stays" : "stay"} here also when ${left === 1 ? "it was" : "they were"} sent: whoever opens such a spill next sends them, and counts them as RECOVERED where it announces its ledger; ${recovered} ${recovered === 1 ? "is" : "are"}`
  ]
}

/** What is in a topic otherwise than the processes that are gone have announced. */
function contradictionsOf(legs: ReturnType<typeof sumLedgers>["legs"]): ReadonlyArray<string> {
  return legs.flatMap(({ stream, sink, missing, excess }) => [
    ...(missing === 0
      ? []
      : [
          `${plural(missing, "event", "events")} of ${stream} that a process which is gone was told are stored in ${sink} cannot be found there; keep the topic as it is, leat audit says which they are`
        ]),
    ...(excess === 0
      ? []
      : [
          `${plural(excess, "event", "events")} of ${stream} in ${sink} were stored or dropped beyond what a process which is gone has admitted; that is a fault of leat, keep the folder and tell its makers`
        ])
  ])
}

/** Shortest and longest time that is looked for, in milliseconds. */
const lookMsMin = 1000
const lookMsMax = 3_600_000

const parseTime = Effect.fnUntraced(function* (text: string) {
  // The form is looked at where the value is made.
  const duration = Duration.fromInput(text as Duration.Input)
  const ms = Option.match(duration, { onNone: () => Number.NaN, onSome: Duration.toMillis })
  if (ms >= lookMsMin && ms <= lookMsMax) return ms
  return yield* misuse(`--for ${text} is no time from 1 second to 1 hour; say one as "10 seconds"`)
})

/** Counts what processes announce meanwhile. */
const look = Effect.fnUntraced(function* (
  folder: string,
  read: Effect.Effect<Ledgers, CommandFailure>,
  forMs: number,
  isJson: boolean
) {
  const before = yield* read
  yield* Console.error(`leat: counters are read; they are read again in ${lengthText(forMs)}`)
  yield* Effect.sleep(forMs)
  const after = yield* read
  for (const { path, why } of after.unreadable) yield* Console.error(`leat: ${path}: ${why}`)
  const growth = growthOf(before.ledgers, after.ledgers)
  yield* isJson
    ? printJson({ directory: resolve(folder), ...growth, unreadable: after.unreadable })
    : printGrowth(growth)
})

/** How the loss objectives of processes stand that run, or may run. */
function objectiveRows(ledgers: Ledgers["ledgers"]) {
  return ledgers
    .filter(({ state }) => state === "running" || state === "elsewhere")
    .flatMap(({ source, objectives = [] }) =>
      objectives.map(({ sink, stream, loss, windowMs, state, burns }) => {
        const rates = burns.map((one) => `${Number(one.burn.toPrecision(2))} in ${lengthText(one.windowMs)}`)
        const objective = `${Number((loss * 100).toPrecision(6))} % in ${lengthText(windowMs)}`
        return [sink, stream, source, objective, state, rates.join(", ")]
      })
    )
}

function lengthText(ms: number): string {
  return Duration.format(Duration.millis(ms))
}

function print(ledgers: ReadonlyArray<AnnouncedLedger>, { streams, legs, groups }: ReturnType<typeof sumLedgers>) {
  const parts: Array<string> = []
  const gone = ledgers.filter(({ state }) => state === "gone" || state === "forgotten")
  const hasGone = ({ stream, sink }: { readonly stream: string; readonly sink: string }) =>
    gone.some((one) => one.legs.some((leg) => leg.stream === stream && leg.sink === sink))
  if (streams.length > 0) {
    const rows = streams.map((row) => [row.stream, row.offered, row.admitted, row.rejected, row.waiting])
    parts.push(table(["STREAM", "OFFERED", "ADMITTED", "REJECTED", "WAITING"], rows))
  }
  if (legs.length > 0) {
    // Only where there are such.
    const some = (name: "recovered" | "fellBack" | "movedIn" | "movedOut") => legs.some((row) => row[name] > 0)
    const recovered = some("recovered") ? ["RECOVERED"] : []
    const fellBack = some("fellBack") ? ["FELLBACK"] : []
    const movedIn = some("movedIn") ? ["MOVEDIN"] : []
    const movedOut = some("movedOut") ? ["MOVEDOUT"] : []
    const first = ["SINK", "STREAM", "ADMITTED", ...recovered, ...movedIn, "STORED", ...fellBack]
    const headings = [...first, "DROPPED", ...movedOut, "PENDING", "CRASHLOST", "UNKNOWN"]
    const rows = legs.map((row) => [
      row.sink,
      row.stream,
      row.admitted,
      ...(some("recovered") ? [row.recovered] : []),
      ...(some("movedIn") ? [row.movedIn] : []),
      row.stored,
      ...(some("fellBack") ? [row.fellBack] : []),
      row.dropped,
      ...(some("movedOut") ? [row.movedOut] : []),
      row.pending,
      row.crashLost,
      // What a process that is gone admitted after its last announcement is in no file.
      hasGone(row) ? `${row.unknown}+` : row.unknown
    ])
    parts.push(table(headings, rows), ...leftText(ledgers, legs))
  }
  if (groups.length > 0) {
    const rows = groups.map(({ group, stream, positions, done, moved, deadLettered, dropped }) => [
      group,
      stream,
      positions,
      done,
      moved,
      deadLettered,
      dropped
    ])
    parts.push(table(["GROUP", "STREAM", "POSITIONS", "DONE", "MOVED", "DEAD", "DROPPED"], rows))
  }
  const objectives = objectiveRows(ledgers)
  if (objectives.length > 0) parts.push(table(["SINK", "STREAM", "SOURCE", "OBJECTIVE", "STATE", "BURN"], objectives))
  const states = (["running", "closed", "gone", "forgotten", "elsewhere"] as const).flatMap((state) => {
    const count = ledgers.filter((one) => one.state === state).length
    return count === 0 ? [] : [`${count} ${state}`]
  })
  const after =
    gone.length > 0 ? "; + is what those that are gone admitted after their last announcement, which no file says" : ""
  const told =
    states.length === 0 ? "; a service does when it is opened with the option ledger" : `: ${states.join(", ")}`
  return Console.log(
    [...parts, `${plural(ledgers.length, "process announced", "processes announced")}${told}${after}`].join("\n\n")
  )
}
