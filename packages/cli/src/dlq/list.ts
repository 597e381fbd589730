import { Console, Effect, Option, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { DeadLetters } from "leat"
import { CommandRun } from "../CommandRun.ts"
import { transportFailure } from "../log/openLog.ts"
import { CommandFailure, exitCode, plural, printJson } from "../outcome.ts"
import { table } from "../table.ts"
import { type Looking, type OpenedCluster, openForLooking } from "../openCluster.ts"
import { letterJson, letterText } from "./describeLetter.ts"
import { choosingFlags, letterFlags, tellingFlags } from "./letterFlags.ts"
import { parseWhere, setAsideMs } from "./where.ts"
import {
  describingOf,
  groupsWithLetters,
  hasLetters,
  lettersOf,
  topicOf,
  type WhoseFlags,
  ownLetters
} from "./whose.ts"

/** Letters in the one object of `--json`, unless `--limit` says otherwise. */
const jsonLettersMax = 1000

/** Lists dead letters of a topic and a group; without them, how many there are of each. */
export const list = Command.make(
  "list",
  {
    ...letterFlags,
    ...tellingFlags,
    ...choosingFlags,
    all: Flag.Boolean("all").pipe(
      Flag.withDefault(false),
      Flag.withDescription("List letters too that were replayed or dropped")
    )
  },
  Effect.fnUntraced(function* (flags) {
    const where = yield* parseWhere(flags.where)
    const cluster = yield* openForLooking(flags)
    const topic = yield* topicOf(flags, cluster)
    const group = Option.getOrUndefined(flags.group)
    const isOwnName = group === undefined && Option.isSome(flags.topic)
    const isOwn = group !== undefined || flags.undelivered
    if (topic === undefined || !(isOwn || isOwnName)) return yield* overview(cluster, topic, flags)
    const which = isOwn ? yield* ownLetters(flags, cluster) : { deadLetters: topic }
    const describing = yield* describingOf(flags, isOwn ? topic : undefined)
    const limit = Option.getOrElse(flags.limit, () => (flags.json ? jsonLettersMax : Number.POSITIVE_INFINITY))
    const { isOutputClosed } = yield* CommandRun
    const rows: Array<unknown> = []
    let unknown = 0
    const { partition } = where
    const options = { state: flags.all ? "all" : "open", ...(partition === undefined ? {} : { partition }) } as const
    const count = yield* lettersOf(cluster.transport, which, options).pipe(
      Stream.filter(where.holds),
      // One more says that there is more.
      Stream.take(limit + 1),
      Stream.takeWhile(() => !isOutputClosed()),
      Stream.mapEffect((letter, index) => {
        if (index >= limit) return Effect.void
        if (letter.letter.by === "unknown") unknown++
        if (!flags.json) return Console.log(letterText(letter, describing))
        return Effect.sync(() => void rows.push(letterJson(letter, describing)))
      }),
      Stream.runCount
    )
    const shown = Math.min(count, limit)
    const isComplete = count <= limit
    if (flags.json) return yield* printJson({ ...which, count: shown, isComplete, letters: rows })
    const hint =
      unknown === 0 || group !== undefined
        ? ""
        : `; ${unknown} say nothing of a failure: with --group, --topic is the topic that the group reads`
    const others = count === 0 && "topic" in which ? yield* othersThan(cluster.transport, which) : ""
    const state = flags.all ? "" : " open"
    yield* Console.log(
      `${plural(shown, `${state} dead letter`.trim())}${isComplete ? "" : ", and more"}${hint}${others}`
    )
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "List dead letters, decoded by contract; without a topic and a group, count those of each group"
  )
)

/** Who misspells a group is not told that there is nothing to do. Empty where the group has had letters, or no other has. */
const othersThan = Effect.fnUntraced(function* (transport: Looking, which: DeadLetters.GroupLetters) {
  if (yield* hasLetters(transport, which)) return ""
  const groups = yield* groupsWithLetters(transport, which.topic)
  if (groups.length === 0) return ""
  return `: ${which.group} never had one of ${which.topic}, and these groups had: ${groups.join(", ")}`
})

/** How many letters each group has. */
const overview = Effect.fnUntraced(function* (
  { transport }: OpenedCluster<Looking>,
  topic: string | undefined,
  flags: WhoseFlags & { readonly json: boolean }
) {
  const found = yield* Effect.mapError(DeadLetters.find(transport), (error) =>
    error.reason === "Unsupported"
      ? new CommandFailure({
          code: exitCode.misuse,
          message: "this cluster does not tell its topics; name them by --topic and --group"
        })
      : transportFailure(error)
  )
  const asked = found.filter(({ of, undelivered }) => {
    const isGroup = Option.isNone(flags.group) || of?.group === flags.group.value
    const isWanted = undelivered === undefined ? isGroup : Option.isNone(flags.group)
    return isWanted && (topic === undefined || (undelivered ?? of?.topic) === topic)
  })
  const rows = yield* Effect.forEach(asked, ({ deadLetters, of, undelivered }) => {
    const counts = { open: 0, replayed: 0, dropped: 0 }
    let oldestMs: number | undefined
    const count = (letter: DeadLetters.ListedLetter) =>
      Effect.sync(() => {
        counts[letter.resolution?.how ?? "open"]++
        if (letter.resolution === undefined)
          oldestMs = Math.min(oldestMs ?? Number.POSITIVE_INFINITY, setAsideMs(letter))
      })
    return lettersOf(transport, { deadLetters }, { state: "all" }).pipe(
      Stream.runForEach(count),
      Effect.map(() => ({
        deadLetters,
        ...of,
        ...(undelivered === undefined ? {} : { undelivered }),
        ...counts,
        ...(oldestMs === undefined ? {} : { oldestOpen: new Date(oldestMs).toISOString() })
      }))
    )
  })
  const open = rows.reduce((sum, row) => sum + row.open, 0)
  if (flags.json) return yield* printJson({ open, topics: rows })
  const headings = ["TOPIC", "GROUP", "OPEN", "REPLAYED", "DROPPED", "OLDEST OPEN"]
  const cells = rows.map((row) => [
    row.topic ?? row.undelivered ?? row.deadLetters,
    row.group ?? (row.undelivered === undefined ? "-" : "(publishers)"),
    row.open,
    row.replayed,
    row.dropped,
    row.oldestOpen ?? "-"
  ])
  if (rows.length > 0) yield* Console.log(table(headings, cells))
  const others = rows.length === 0 && Option.isSome(flags.group) ? othersText(flags.group.value, found) : ""
  yield* Console.log(`${plural(open, "open dead letter")}${others}`)
})

/** Which groups have letters anywhere, where the one that was asked for has none. */
function othersText(group: string, found: ReadonlyArray<DeadLetters.FoundLetters>): string {
  const groups = new Set(found.flatMap(({ of }) => (of === undefined ? [] : [of.group])))
  if (groups.size === 0) return `: neither ${group} nor any other group ever had one here`
  return `: ${group} never had one here, and these groups had: ${[...groups].join(", ")}`
}
