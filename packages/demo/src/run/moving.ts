/** The streams of the job go to a second place while everything runs, and come back. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { kafkajs } from "@leat/kafkajs"
import { log } from "@leat/log"
import { Effect, type Scope } from "effect"
import { type ControlError, ControlTools, MoveTools, type OpenLeat, type TransportError } from "leat"
import type { Transport } from "leat/transport"
import { BeaconSighting } from "../gen/risk/v1/beacon.ts"
import { type Streams, streamNames } from "../streams/streams.ts"
import type { Report } from "../view/Report.ts"
import { documentOfMove, placedAt } from "./documents.ts"
import { documentOfRun, runPrefix } from "./Runs.ts"

/** How long a process may be silent before the streams move without it: a job that was killed is waited for so long. */
export const lease = "6 seconds" as const

/** Shares of the input after which the streams go, and come back. */
const goesAt = 0.15
const comesAt = 0.6

/** Time between two looks, in milliseconds. */
const lookMs = 50

/** How long a move may take, in milliseconds. */
const moveMsMax = 120_000

/** The control stream of a run in a directory. */
export function controlOf(directory: string, run: number) {
  const cluster = { transport: "@leat/log", directory: join(directory, "control") }
  return { cluster, topic: `${runPrefix(run)}leat-control`, lease }
}

/** Whether a run was begun with `--move`. */
export const isMoved = Effect.fnUntraced(function* (directory: string, run: number) {
  const { cluster, topic } = controlOf(directory, run)
  if (!existsSync(cluster.directory)) return false
  return yield* isBegun(yield* log.open("control", { directory: cluster.directory }), topic)
}, Effect.scoped)

/** Whether anything stands in a control stream. */
const isBegun = (control: Transport, topic: string) =>
  control.bounds(topic).pipe(
    Effect.map((rows) => rows.some(({ end }) => end > 0n)),
    Effect.catchIf(
      ({ reason }) => reason === "UnknownTopic",
      () => Effect.succeed(false)
    )
  )

const tool = (topic: string) => ({
  author: `job ${process.pid}`,
  reason: "npm start -- --move",
  topic,
  drivers: [log, kafkajs]
})

/** Whom all processes of the run hear. Its first document is applied, and its streams are placed, before any of them is there. */
export const openControl = Effect.fnUntraced(function* (
  directory: string,
  run: number,
  document: string,
  streams: ReadonlyArray<string>
): Effect.fn.Return<OpenControl, TransportError | ControlError, Scope.Scope> {
  const { cluster, topic } = controlOf(directory, run)
  const control = yield* log.open("control", { directory: cluster.directory })
  if (!(yield* isBegun(control, topic))) yield* ControlTools.apply(control, { ...tool(topic), document })
  yield* MoveTools.place(control, { ...tool(topic), streams })
  const applied = yield* ControlTools.read(control, topic)
  return { control, isKafka: applied.document.includes(kafkajs.name) }
})

export interface OpenControl {
  readonly control: Transport
  /** Whether the second place is Kafka, as the run was begun. */
  readonly isKafka: boolean
}

export interface MoveOptions {
  readonly leat: OpenLeat
  readonly streams: Streams
  readonly control: Transport
  readonly isKafka: boolean
  readonly directory: string
  readonly run: number
  readonly report: Report
  readonly isStopped: () => boolean
  /** Which share of the input is behind us, from 0 to 1. */
  readonly share: () => number
  /** Whether it is this process that publishes: of several jobs that one moves the streams. */
  readonly isMine: () => boolean
  /** Whether all else is done. */
  readonly isOver: () => boolean
}

/** Whether they have gone and come back. False: the job was stopped before. */
export const thereAndBack = Effect.fnUntraced(function* (options: MoveOptions) {
  const { isStopped, share, isMine, isOver } = options
  const been = (yield* placesOf(options)).filter((cluster) => cluster === "second").length
  for (const [place, at] of [
    ["second", goesAt],
    ["local", comesAt]
  ] as const) {
    while (share() < at || !isMine()) {
      if (isStopped()) return false
      // Another job has published all of it, and moves what is to be moved.
      if (isOver() && !isMine()) return true
      yield* Effect.sleep(lookMs)
    }
    if (isStopped()) return false
    const places = yield* placesOf(options)
    // It was stopped, and goes on: what a process before has done stays done.
    const isDone = place === "second" ? been > 0 : places.at(-1) === "local"
    if (!(yield* goneTo(options, place, isDone))) return false
  }
  return true
})

/** The places of the sightings, oldest first; all other streams go with them. */
const placesOf = ({ control, run, directory }: MoveOptions) =>
  Effect.map(MoveTools.status(control, { topic: controlOf(directory, run).topic }), (rows) => {
    const row = rows.find(({ stream }) => stream === BeaconSighting.stream)
    return row?.epochs.map(({ cluster }) => cluster) ?? []
  })

/** Starts the move where nobody has, and waits until all streams are written in their new places, and read to their end in the old ones. */
const goneTo = Effect.fnUntraced(function* (
  { control, leat, streams, directory, run, isKafka, report, isStopped }: MoveOptions,
  place: "local" | "second",
  isStarted: boolean
) {
  const { topic } = controlOf(directory, run)
  const beganMs = performance.now()
  const where = place === "local" ? "the log" : isKafka ? "Kafka" : "a second log"
  if (!isStarted) {
    const version = leat.routes().version + 1
    const text = documentOfRun(documentOfMove({ version, place, secondIsKafka: isKafka }), run)
    const partitions = (yield* streams.sightings.bounds()).length
    const document = placedAt({ text, takesDirectory: true }, directory)
    report.note(`version ${version} of the routes: all streams go to ${where}, while everything goes on`)
    yield* MoveTools.start(control, { ...tool(topic), document, streams: streamNames, partitions })
  }
  // Where a process before has seen to it, there is nothing to tell.
  let isNews = !isStarted
  let isWritten = false
  for (;;) {
    if (isStopped()) return false
    const rows = yield* MoveTools.status(control, { topic })
    const phases = rows.map(({ epochs }) => epochs.map(({ phase }) => phase))
    const isOpen = phases.every((all) => all.at(-1) === "open")
    const isRead = phases.every((all) => all.slice(0, -1).every((phase) => phase === "retired"))
    isNews ||= !isOpen || !isRead
    if (isNews && isOpen && !isWritten) report.note(`they are written in ${where}, ${seconds(beganMs)} after that`)
    isWritten ||= isOpen
    if (isOpen && isRead) break
    // Of two jobs one publishes at a time: who was passed over here was killed.
    const dead = rows.flatMap(({ epochs }) =>
      epochs.flatMap(({ passedOver }) => passedOver.filter(({ isOwing }) => isOwing))
    )
    for (const member of new Set(dead.map((one) => one.member)))
      if (member !== leat.incarnation) yield* Effect.ignore(MoveTools.giveUp(control, { ...tool(topic), member }))
    if (performance.now() - beganMs > moveMsMax) {
      report.trouble(`the streams have not moved to ${where} within ${moveMsMax / 1000} seconds`)
      return false
    }
    yield* Effect.sleep(lookMs)
  }
  if (isNews) report.note(`what lay in the old place is read to its end, ${seconds(beganMs)} after that`)
  return true
})

function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`
}
