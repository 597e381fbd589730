import type { LogReader } from "@leat/log"
import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { CommandRun } from "../CommandRun.ts"
import { directory, json, proto, topic } from "../flags.ts"
import { openLog, transportFailure } from "../log/openLog.ts"
import { CommandFailure, exitCode, plural, printJson } from "../outcome.ts"
import { findContractsIn } from "./Contracts.ts"
import { describeLine, describeMasked, describeText, type Describing, type Told } from "./describe.ts"
import type { Found, Place } from "./Place.ts"
import { addNewTopics, type Chosen, choosePlaces } from "./places.ts"
import { type Lost, readMerged } from "./readMerged.ts"
import { parseStartAt } from "./startAt.ts"

/** How often a log that is followed is looked at, and looked through for new topics, in milliseconds. */
const lookMs = 100
const lookForTopicsMs = 1000

/** Records in the one object of `--json`, unless `--limit` says otherwise. */
const jsonRecordsMax = 1000

const flags = {
  directory,
  topic: topic.pipe(Flag.withDescription("Only this topic")),
  stream: Flag.String("stream").pipe(
    Flag.optional,
    Flag.withDescription("Only the topic of this stream, decoded by its contract; with --topic, that topic")
  ),
  partition: Flag.Int("partition").pipe(Flag.optional, Flag.withDescription("Only this partition")),
  from: Flag.String("from").pipe(
    Flag.withDefault("earliest"),
    Flag.withDescription("Where to begin: earliest, latest, a position or a time (2026-11-24T09:00:00Z)")
  ),
  follow: Flag.Boolean("follow").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Go on with what is published from now on, until interrupted")
  ),
  limit: Flag.Int("limit").pipe(
    Flag.filter(
      (limit) => limit > 0,
      () => "--limit is 1 or more"
    ),
    Flag.optional,
    Flag.withDescription(`Records to print at most; ${jsonRecordsMax} with --json, else all`)
  ),
  format: Flag.Literals("format", ["text", "jsonl"]).pipe(
    Flag.withDefault("text"),
    Flag.withDescription("text: a line for a person, personal data masked. jsonl: whole records for `events publish`")
  ),
  proto,
  type: Flag.String("type").pipe(
    Flag.optional,
    Flag.withDescription("Contract of records whose topic and headers name none: risk.v1.BeaconSighting")
  ),
  unmasked: Flag.Boolean("unmasked").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Show personal data too, and what no contract describes")
  ),
  json
}

/** Prints what is in a log, decoded by contract, without being a member of any group. */
export const tail = Command.make(
  "tail",
  flags,
  Effect.fnUntraced(function* ({ directory: folder, topic: named, stream, partition, follow, ...said }) {
    const misuse = misuseOf({ ...said, follow })
    if (misuse !== undefined) return yield* new CommandFailure({ code: exitCode.misuse, message: misuse })
    const from = yield* parseStartAt(said.from)
    const reader = yield* openLog(folder)
    const contracts = yield* findContractsIn(said.proto)
    const contract = Option.isSome(stream) ? yield* contracts.namedStream(stream.value) : undefined
    const fallback = Option.isSome(said.type) ? Option.some(yield* contracts.named(said.type.value)) : Option.none()
    const describing = { contracts, fallback, isUnmasked: said.unmasked }
    const chosen = { topic: Option.orElse(named, () => stream), partition, contract }
    const places = yield* choosePlaces(reader, chosen, from)
    const limit = Option.getOrElse(said.limit, () => (said.json ? jsonRecordsMax : Number.POSITIVE_INFINITY))
    const printing = said.json ? collecting(describing) : printer(said.format, describing)
    const lost = yield* run(reader, places, chosen, { follow, limit, print: printing.print })
    const { records, unread } = printing
    const isComplete = records.length < limit
    const report = said.json ? { count: records.length, isComplete, lost: lost.map(lostRow), unread, records } : {}
    // A whole record in JSON lines is there with its bytes, whether they can be read or not.
    const isFailed = lost.length > 0 || (unread > 0 && said.format === "text")
    if (isFailed) return yield* failure(lost, unread, report)
    if (said.json) yield* printJson(report)
  }, Effect.scoped)
).pipe(Command.withDescription("Print the events of a log, decoded by contract; changes nothing and joins no group"))

interface Running {
  readonly follow: boolean
  readonly limit: number
  readonly print: (found: ReadonlyArray<Found>) => Effect.Effect<unknown>
}

/** Reads round by round, each up to the end that the log then has; gives what could not be read. */
const run = Effect.fnUntraced(function* (
  reader: LogReader,
  places: Array<Place>,
  chosen: Chosen,
  { follow, limit, print }: Running
) {
  const { isOutputClosed, endsByInterruption } = yield* CommandRun
  const lost: Array<Lost> = []
  let left = limit
  const give = (found: ReadonlyArray<Found>) =>
    Effect.map(print(found.length > left ? found.slice(0, left) : found), () => {
      left -= Math.min(left, found.length)
      return left > 0 && !isOutputClosed()
    })
  const lose = (one: Lost) => {
    lost.push(one)
    return Console.error(`leat: ${lostText(one)}`)
  }
  const rounds = Effect.gen(function* () {
    let topicsSeenMs = Date.now()
    while (yield* Effect.mapError(readMerged(reader, places, give, lose), transportFailure)) {
      if (!follow) return
      yield* Effect.sleep(lookMs)
      // That nobody reads any more is told some time after a line was printed, and another may never come.
      if (isOutputClosed()) return
      if (Date.now() - topicsSeenMs < lookForTopicsMs) continue
      topicsSeenMs = Date.now()
      yield* addNewTopics(reader, places, chosen)
    }
  })
  if (follow) endsByInterruption()
  yield* rounds
  return lost
})

/** Where records are printed or collected, and how many of them could not be read by their contract. */
interface Printing {
  readonly print: (found: ReadonlyArray<Found>) => Effect.Effect<unknown>
  readonly records: Array<unknown>
  unread: number
}

function printer(format: "text" | "jsonl", describing: Describing): Printing {
  const line = ({ record, place }: Found) => {
    if (format === "text") return counted(printing, describeText(record, place, describing))
    return JSON.stringify(counted(printing, describeLine(record, place, describing)))
  }
  const printing: Printing = {
    print: (found) => Console.log(found.map(line).join("\n")),
    records: [],
    unread: 0
  }
  return printing
}

function collecting(describing: Describing): Printing {
  const describe: (...one: Parameters<typeof describeMasked>) => Told<unknown> = describing.isUnmasked
    ? describeLine
    : describeMasked
  const printing: Printing = {
    print: (found) =>
      Effect.sync(() => {
        for (const { record, place } of found)
          printing.records.push(counted(printing, describe(record, place, describing)))
      }),
    records: [],
    unread: 0
  }
  return printing
}

function counted<A>(printing: Printing, { line, isWhole }: Told<A>): A {
  if (!isWhole) printing.unread++
  return line
}

function misuseOf(said: {
  readonly json: boolean
  readonly format: "text" | "jsonl"
  readonly follow: boolean
  readonly limit: Option.Option<number>
}): string | undefined {
  if (said.json && said.format === "jsonl")
    return "--json prints one object and --format jsonl one a line; take one of the two"
  if (said.json && said.follow && Option.isNone(said.limit))
    return "--json prints one object at the end, and --follow has none; add --limit, or take --format jsonl"
  return undefined
}

function failure(lost: ReadonlyArray<Lost>, unread: number, report: Readonly<Record<string, unknown>>): CommandFailure {
  const told = [
    ...(unread > 0 ? [`${plural(unread, "record")} could not be decoded as the contract says`] : []),
    ...(lost.length > 0 ? [`${plural(lost.length, "range")} of positions could not be read; see leat doctor`] : [])
  ]
  return new CommandFailure({ code: exitCode.failed, message: told.join("; "), report })
}

function lostRow({ place, from, to }: Lost) {
  return { topic: place.topic, partition: place.partition, from: Number(from), to: Number(to) }
}

function lostText({ place, from, to }: Lost): string {
  return `${place.topic}/${place.partition}: positions ${from} to ${to - 1n} do not verify and are passed over`
}
