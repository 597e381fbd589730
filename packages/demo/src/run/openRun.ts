import { confluent } from "@leat/confluent"
import { kafkajs } from "@leat/kafkajs"
import { log } from "@leat/log"
import { Data, Effect } from "effect"
import { Leat, type OpenLeat } from "leat"
import { type JobArguments, Misuse } from "../arguments.ts"
import type { Expected } from "../check/Expected.ts"
import { BeaconSighting } from "../gen/risk/v1/beacon.ts"
import { openStreams, streamNames } from "../streams/streams.ts"
import { type Document, placedAt } from "./documents.ts"
import { foreignFile, isBegun, isFinished } from "./found.ts"
import { controlOf, isMoved, openControl } from "./moving.ts"
import { beginRun, documentOfRun, newestRun } from "./Runs.ts"

/** What a document of `--config` may name. */
const drivers = [log, kafkajs, confluent]

/** Why the run that is there is not the one to go on with: it has come to its end, or a new one was asked for. */
export class RunTaken extends Data.TaggedError("RunTaken")<{ readonly isFinished: boolean }> {}

export interface OpenOptions {
  readonly args: JobArguments
  readonly document: Document
  readonly expected: Expected
  /** Where the log stands, where the document leaves that open. */
  readonly directory: string | undefined
  /** Whether the directory is one of the job's own folders: its runs are folders then, and not topics beside each other. */
  readonly isOwnFolder: boolean
}

/** Opens the run to go on with or to begin. Fails with `Misuse` where that is not possible, and with `RunTaken` where another has to be found. */
export const openRun = Effect.fnUntraced(function* (options: OpenOptions) {
  const { args, document, expected, directory, isOwnFolder } = options
  const text = directory === undefined ? document.text : placedAt(document, directory)
  const newest = yield* Effect.scoped(findNewest(options, text))
  const run = newest?.run ?? 0
  const routes = documentOfRun(text, run)
  // A run that was begun with --move goes on where its streams lie, with the flag or without.
  const hasMoved = directory !== undefined && (args.moves || (yield* isMoved(directory, run)))
  const moving = hasMoved ? { directory, run } : undefined
  const control = moving && (yield* openControl(directory ?? "", run, routes, streamNames))
  const leat = yield* makeLeat(routes, moving && controlOf(moving.directory, run))
  const carrier = carrierOf(leat)
  // Whoever publishes asks there for its turn, wherever the streams lie.
  const transport = yield* leat.transport(moving === undefined ? carrier.cluster : "local")
  const streams = yield* openStreams(leat)
  const mustMove = args.isFresh && carrier.isShared && (yield* isBegun(streams))
  if (mustMove && newest !== undefined) {
    if (newest.run > 0 && carrier.topic === newest.first) return yield* Effect.fail(new Misuse(literalSentence))
    yield* beginRun(transport, newest.first)
    return yield* new RunTaken({ isFinished: false })
  }
  const stranger = yield* foreignFile(streams, expected)
  if (stranger !== undefined) return yield* Effect.fail(new Misuse(strangerSentence(directory, stranger)))
  if (yield* isFinished(streams, expected)) return yield* new RunTaken({ isFinished: true })
  if (mustMove && isOwnFolder) return yield* new RunTaken({ isFinished: false })
  return { leat, streams, transport, carrier, run, control }
})

/** The newest of the runs that stand beside each other; undefined where there is one only. */
const findNewest = Effect.fnUntraced(function* ({ args, isOwnFolder }: OpenOptions, text: string) {
  const leat = yield* makeLeat(text)
  const { name, isShared, cluster, topic } = carrierOf(leat)
  if (args.transport !== undefined && args.config !== undefined && args.transport !== name)
    return yield* Effect.fail(new Misuse(`--transport ${args.transport}: the document of --config is on ${name}`))
  if (args.role !== undefined && !isShared)
    return yield* Effect.fail(new Misuse("--role needs a transport that processes can share, such as the log"))
  if (isOwnFolder || !isShared) return undefined
  return { first: topic, run: yield* newestRun(yield* leat.transport(cluster), topic) }
})

function makeLeat(routes: string, control?: ReturnType<typeof controlOf>) {
  return Leat.make({ source: "demo", routes, drivers, ...(control === undefined ? {} : { control }) })
}

const literalSentence = "--fresh: a new run has topics of its own: write {stream} in the topics of --config"

function strangerSentence(directory: string | undefined, stranger: string): string {
  const [where, other] =
    directory === undefined ? ["the cluster of --config", "other topics"] : [directory, "another directory"]
  return `${where} holds a run over other files (${stranger}): name those files, or ${other}, or begin a new run with --fresh`
}

/** What carries the sightings: the name that `--transport` uses, and whether other processes can be on it. */
function carrierOf(leat: OpenLeat) {
  const leg = leat.routes().lookup(BeaconSighting.stream, leat.source)?.readLeg
  const found = leat.routes().clusters.get(leg?.cluster ?? "")
  return {
    name: found?.driver.name.replace("@leat/", "") ?? "none",
    isShared: found?.capabilities.ephemeral === false,
    cluster: leg?.cluster ?? "",
    topic: leg?.topic ?? ""
  }
}
