import { Clock, Effect, Fiber, type Scope } from "effect"
import type { ControlError, OpenLeat, RouteError, TransportError } from "leat"
import { type JobArguments, Misuse } from "./arguments.ts"
import { compare } from "./check/compare.ts"
import { survey, type Survey } from "./check/survey.ts"
import { startConsumers } from "./consumers/consumers.ts"
import { type FloorPlan, floorPlanFor } from "./input/floorPlan.ts"
import { inputDigest, inputsOf } from "./input/inputs.ts"
import { publishInput, type PublisherListener } from "./publisher/publisher.ts"
import { PublisherTurn } from "./publisher/PublisherTurn.ts"
import { awaitEnd } from "./run/awaitEnd.ts"
import { type Document, documentFor } from "./run/documents.ts"
import { thereAndBack } from "./run/moving.ts"
import { openRun, type RunTaken } from "./run/openRun.ts"
import { RunFolder } from "./run/RunFolder.ts"
import { runPrefix } from "./run/Runs.ts"
import { totals } from "./run/totals.ts"
import { watch } from "./run/watch.ts"
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

/** Runs the job, or a role's part of it, and compares what came out with what the input says. */
export const runJob = Effect.fnUntraced(function* (options: JobOptions) {
  const { args } = options
  const document = yield* Effect.try({ try: () => documentFor(args), catch: (error) => misuse(error) })
  const plan = floorPlanFor(args.beacons)
  const inputs = yield* Effect.promise(() => inputsOf(args))
  const prepared = { ...options, plan, document, survey: yield* survey(inputs, args.speed, plan) }
  const isOwnFolder = document.takesDirectory && args.directory === undefined
  return yield* isOwnFolder ? inOwnFolder(prepared) : whereNamed(prepared)
})

/** In the topics of a named directory or of a document: a run that is there is never deleted, a new one begins beside it. */
const whereNamed = (prepared: Prepared): Effect.Effect<Ending, RouteError | TransportError | ControlError | Misuse> => {
  const { directory } = prepared.args
  return runIn(prepared, directory, false).pipe(
    Effect.scoped,
    Effect.catchTag("RunTaken", ({ isFinished }) =>
      isFinished ? Effect.fail(new Misuse(finishedSentence(directory))) : whereNamed(prepared)
    )
  )
}

/** In a folder of the job's own for each run: a finished one makes room. */
const inOwnFolder = Effect.fnUntraced(function* (prepared: Prepared) {
  const { args, report } = prepared
  const folder = new RunFolder(yield* Effect.promise(() => inputDigest(args)))
  const again = (directory: string): Effect.Effect<Ending, RouteError | TransportError | ControlError | Misuse> =>
    runIn(prepared, directory, true).pipe(
      Effect.scoped,
      Effect.catchTag("RunTaken", ({ isFinished }) => {
        if (isFinished) return again(folder.after(directory))
        report.note(`a new run; the one before is not finished, and stays in ${directory}`)
        return again(folder.beside(directory))
      })
    )
  return yield* again(folder.current())
})

function misuse(error: unknown): Misuse {
  return error instanceof Misuse ? error : new Misuse(error instanceof Error ? error.message : String(error))
}

function finishedSentence(directory: string | undefined): string {
  const [where, other] =
    directory === undefined
      ? ["the topics of --config hold", "other topics"]
      : [`--directory ${directory} holds`, "another directory"]
  return `${where} a finished run, which is not deleted: --fresh begins a new one beside it, or name ${other}`
}

const runIn = Effect.fnUntraced(function* (
  prepared: Prepared,
  directory: string | undefined,
  isOwnFolder: boolean
): Effect.fn.Return<Ending, RouteError | TransportError | ControlError | Misuse | RunTaken, Scope.Scope> {
  const { args, report, document, plan, survey: known, isStopped } = prepared
  const startedAtMs = yield* Clock.currentTimeMillis
  const opened = yield* openRun({ args, document, expected: known.expected, directory, isOwnFolder })
  const { leat, streams, transport, carrier, run, control } = opened
  if (args.isFresh && run > 0)
    report.note(
      `a new run, number ${run}: its topics begin with ${runPrefix(run)}; the runs before it stay as they are`
    )
  report.begin({ headline: headline(args, leat, directory), lines: known.lines, role: args.role, plan })
  yield* Effect.forkScoped(watch(leat, streams, report))
  const consumers = yield* startConsumers(streams, plan, args.role, report)
  const listener = new CountingListener(report)
  const isPublisher = args.role === undefined || args.role === "publisher"
  const turn = isPublisher
    ? carrier.isShared
      ? yield* PublisherTurn.join(transport, runPrefix(run))
      : PublisherTurn.alone()
    : undefined
  let isOver = false
  const moving =
    control === undefined || directory === undefined || !args.moves
      ? undefined
      : yield* Effect.forkScoped(
          thereAndBack({
            ...control,
            leat,
            streams,
            directory,
            run,
            report,
            isStopped,
            share: () => (isOver || known.lines === 0 ? 1 : listener.done / known.lines),
            isMine: () => turn?.isMine === true,
            isOver: () => isOver
          })
        )
  const hasEnded = yield* awaitEnd({
    streams,
    expected: known.expected,
    role: args.role,
    subscriptions: consumers.subscriptions,
    report,
    isStopped,
    publish: turn && {
      turn,
      run: (mine) => {
        listener.malformedLines = 0
        return publishInput({ leat, streams, survey: known, speed: args.speed, turn: mine, isStopped, listener })
      }
    }
  })
  isOver = true
  const hasMoved = moving === undefined || (yield* Fiber.join(moving))
  const isComplete = hasEnded && hasMoved
  for (const subscription of consumers.subscriptions) yield* subscription.stop
  yield* leat.flush
  const faults = yield* compare({ streams, consumers, expected: known.expected, role: args.role, isComplete })
  const seconds = ((yield* Clock.currentTimeMillis) - startedAtMs) / 1000
  const { positions, sos, security } = consumers
  const consumed = positions.consumed + sos.consumed + security.consumed
  const malformed = listener.malformedLines
  const summary: Summary = { transport: carrier.name, ...totals(leat), malformed, consumed, seconds }
  const next = isComplete ? "" : nextSentence(carrier.isShared, args.isFresh)
  return { summary, ledger: leat.ledger.snapshot(), role: args.role, isComplete, faults, next }
})

/** Tells the report, and counts the malformed lines. */
class CountingListener implements PublisherListener {
  malformedLines = 0
  /** Lines of the input that are behind us. */
  done = 0
  readonly #report: Report

  constructor(report: Report) {
    this.#report = report
  }

  malformed(ref: string, reason: string): void {
    this.malformedLines++
    this.#report.malformed(ref, reason)
  }

  trouble(message: string): void {
    this.#report.trouble(message)
  }

  progress(done: number): void {
    this.done = done
    this.#report.progress(done)
  }

  resumed(lines: number): void {
    this.#report.resumed(lines)
  }
}

function nextSentence(isShared: boolean, isFresh: boolean): string {
  if (!isShared) return "stopped: what was in memory is gone with this process"
  return `stopped: everything that was under way is stored; the same command${isFresh ? " without --fresh" : ""} goes on from here`
}

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
