import { Clock, Data, Effect, type Scope } from "effect"
import { Leat, type OpenLeat, type RouteError, type TransportError } from "leat"
import { confluent } from "@leat/confluent"
import { kafkajs } from "@leat/kafkajs"
import { log } from "@leat/log"
import { type JobArguments, Misuse } from "./arguments.ts"
import { compare } from "./check/compare.ts"
import { survey, type Survey } from "./check/survey.ts"
import { groupsOf, lagOf, startConsumers } from "./consumers/consumers.ts"
import { allStreams, openStreams, storedCount, type Streams } from "./consumers/streams.ts"
import { type FloorPlan, floorPlanFor } from "./input/floorPlan.ts"
import { inputDigest, inputsOf } from "./input/inputs.ts"
import { publishInput } from "./publisher/publisher.ts"
import { PublisherTurn } from "./publisher/PublisherTurn.ts"
import { awaitEnd } from "./run/awaitEnd.ts"
import { type Document, documentFor, placedAt } from "./run/documents.ts"
import { foreignFile, isFinished } from "./run/found.ts"
import { RunFolder } from "./run/RunFolder.ts"
import type { Ending, Report, Summary } from "./view/Report.ts"

export interface JobOptions {
  readonly args: JobArguments
  readonly report: Report
  readonly isStopped: () => boolean
}

interface Prepared extends JobOptions {
  readonly plan: FloorPlan
  readonly survey: Survey
  readonly document: Document
}

/** The run in the directory came to its end before. */
class Finished extends Data.TaggedError("Finished")<{ readonly directory: string | undefined }> {}

/** What a document of `--config` may name. */
const drivers = [log, kafkajs, confluent]

/** How often what happens is shown, in milliseconds. */
const statusEveryMs = 200

/** Runs the job, or a role's part of it, and compares what came out with what the input says. */
export const runJob = Effect.fnUntraced(function* (options: JobOptions) {
  const { args } = options
  const document = yield* Effect.try({ try: () => documentFor(args), catch: (error) => misuse(error) })
  const plan = floorPlanFor(args.beacons)
  const inputs = yield* Effect.promise(() => inputsOf(args))
  const prepared = { ...options, plan, document, survey: yield* survey(inputs, args.speed, plan) }
  if (!document.takesDirectory || args.directory !== undefined) {
    return yield* runIn(prepared, args.directory).pipe(
      Effect.scoped,
      Effect.catchTag("Finished", ({ directory }) => Effect.fail(new Misuse(finishedSentence(directory))))
    )
  }
  const folder = new RunFolder(yield* Effect.promise(() => inputDigest(args)))
  const again = (directory: string): Effect.Effect<Ending, RouteError | TransportError | Misuse> =>
    runIn(prepared, directory).pipe(
      Effect.scoped,
      Effect.catchTag("Finished", () => again(folder.after(directory)))
    )
  return yield* again(folder.current())
})

function misuse(error: unknown): Misuse {
  return error instanceof Misuse ? error : new Misuse(error instanceof Error ? error.message : String(error))
}

function finishedSentence(directory: string | undefined): string {
  return directory === undefined
    ? "the topics of --config hold a finished run, which is not deleted: name others, or delete them yourself"
    : `--directory ${directory} holds a finished run, which is not deleted: name another directory, or delete it yourself`
}

const runIn = Effect.fnUntraced(function* (
  prepared: Prepared,
  directory: string | undefined
): Effect.fn.Return<Ending, RouteError | TransportError | Misuse | Finished, Scope.Scope> {
  const { args, report, document, plan, survey: known, isStopped } = prepared
  const startedAtMs = yield* Clock.currentTimeMillis
  const routes = directory === undefined ? document.text : placedAt(document, directory)
  const leat = yield* Leat.make({ source: "demo", routes, drivers })
  const streams = yield* openStreams(leat)
  const { name, isShared, cluster } = carrierOf(leat, streams)
  if (args.transport !== undefined && args.config !== undefined && args.transport !== name)
    return yield* Effect.fail(new Misuse(`--transport ${args.transport}: the document of --config is on ${name}`))
  if (args.role !== undefined && !isShared)
    return yield* Effect.fail(new Misuse("--role needs a transport that processes can share, such as the log"))
  const stranger = yield* foreignFile(leat, streams, known.expected)
  if (stranger !== undefined) {
    const where = directory === undefined ? "the cluster of --config" : directory
    const other = directory === undefined ? "other topics" : "another directory"
    const sentence = `${where} holds a run over other files (${stranger}): name those files, or ${other}`
    return yield* Effect.fail(new Misuse(sentence))
  }
  if (yield* isFinished(streams, known.expected)) return yield* new Finished({ directory })

  report.begin({ headline: headline(args, leat, directory), lines: known.lines, role: args.role, plan })
  yield* Effect.forkScoped(watch(leat, streams, report))
  const consumers = yield* startConsumers(leat, streams, plan, args.role, report)
  let malformed = 0
  const listener = {
    malformed: (ref: string, reason: string) => {
      malformed++
      report.malformed(ref, reason)
    },
    progress: (done: number) => report.progress(done),
    trouble: (message: string) => report.trouble(message),
    resumed: (lines: number) => report.resumed(lines)
  }
  const isPublisher = args.role === undefined || args.role === "publisher"
  const transport = yield* leat.transport(cluster)
  const isComplete = yield* awaitEnd({
    streams,
    expected: known.expected,
    role: args.role,
    subscriptions: consumers.subscriptions,
    report,
    isStopped,
    publish: isPublisher
      ? {
          turn: isShared ? yield* PublisherTurn.join(transport) : PublisherTurn.alone(),
          run: (turn) => {
            malformed = 0
            return publishInput({ leat, streams, survey: known, speed: args.speed, turn, isStopped, listener })
          }
        }
      : undefined
  })
  for (const subscription of consumers.subscriptions) yield* subscription.stop
  yield* leat.flush
  const faults = yield* compare({ leat, streams, consumers, expected: known.expected, role: args.role, isComplete })
  const seconds = ((yield* Clock.currentTimeMillis) - startedAtMs) / 1000
  const { positions, sos, security } = consumers
  const consumed = positions.consumed + sos.consumed + security.consumed
  const summary: Summary = { transport: name, ...totals(leat), malformed, consumed, seconds }
  const next = isComplete ? "" : isShared ? goOn : "stopped: what was in memory is gone with this process"
  const ending = { summary, ledger: leat.ledger.snapshot(), role: args.role, isComplete, faults, next }
  return ending
})

const goOn = "stopped: everything that was under way is stored; the same command goes on from here"

function headline({ beacons, logs, isSample, speed, role }: JobArguments, leat: OpenLeat, directory?: string): string {
  const input = isSample
    ? "no files were found, so a generated sample of 100 beacons and mixed logs"
    : `${beacons.length} beacon files, ${logs.length} log files`
  const pace =
    speed === "max" ? "as fast as it goes" : speed === "minute" ? "in a lively minute" : `at ${speed} times real time`
  const what = role === undefined || role === "publisher" ? `playing ${pace}` : `only ${role}`
  const where = directory === undefined ? "" : `log: ${directory}\n`
  return `input: ${input}\n${where}${what}; this leat is ${leat.incarnation}`
}

/** Shows now and then where everything stands. */
const watch = (leat: OpenLeat, streams: Streams, report: Report) =>
  Effect.gen(function* () {
    const stored = yield* Effect.forEach(allStreams(streams), (stream) =>
      Effect.map(storedCount(stream), (count) => ({ stream: stream.contract.stream, stored: count }))
    )
    const groups = yield* Effect.forEach(groupsOf(streams), (one) =>
      Effect.map(lagOf(one), (lag) => ({ group: one.group, stream: one.events.contract.stream, lag }))
    )
    const atMs = yield* Clock.currentTimeMillis
    report.status({ atMs, ledger: leat.ledger.snapshot(), streams: stored, groups })
  }).pipe(
    // The work itself meets the same fault and says so.
    Effect.ignore,
    Effect.andThen(Effect.sleep(statusEveryMs)),
    Effect.forever
  )

function totals(leat: OpenLeat) {
  const { streams, legs, balanced } = leat.ledger.snapshot()
  const sum = (counts: Readonly<Record<string, number>>) =>
    Object.values(counts).reduce((total, count) => total + count, 0)
  const add = <A>(rows: ReadonlyArray<A>, of: (row: A) => number) => rows.reduce((total, row) => total + of(row), 0)
  return {
    offered: add(streams, ({ offered }) => offered),
    rejected: add(streams, ({ rejected }) => sum(rejected)),
    admitted: add(streams, ({ admitted }) => admitted),
    stored: add(legs, ({ stored: count }) => count),
    deadLettered: add(legs, ({ deadLettered }) => sum(deadLettered)),
    dropped: add(legs, ({ dropped }) => sum(dropped)),
    pending: add(legs, ({ queued, inFlight, inDoubt }) => queued + inFlight + inDoubt),
    balanced
  }
}

/** What carries the sightings: the name that `--transport` uses, and whether other processes can be on it. */
function carrierOf(leat: OpenLeat, { sightings }: Streams) {
  const leg = leat.routes().lookup(sightings.contract.stream, leat.source)?.readLeg
  const found = leat.routes().clusters.get(leg?.cluster ?? "")
  return {
    name: found?.driver.name.replace("@leat/", "") ?? "none",
    isShared: found?.capabilities.ephemeral === false,
    cluster: leg?.cluster ?? ""
  }
}
