/** The cluster that is meant: one of a route document, or a log by its directory. */
import { readFileSync, statSync } from "node:fs"
import { log, logCapabilities, type LogReader, logTransport, readLog } from "@leat/log"
import { Effect, Option, Result, type Scope, Stream } from "effect"
import { type Driver, Leat, memory, Routes, TransportError } from "leat"
import type { Transport } from "leat/transport"
import { brokerDrivers, importDriver } from "./importDriver.ts"
import { noLog, openLog, transportFailure } from "./log/openLog.ts"
import { CommandFailure, exitCode } from "./outcome.ts"
import { faultText } from "./routes/faultText.ts"

/** Where it is, as it is said on the command line. */
export interface ClusterFlags {
  readonly directory: string
  readonly routes: Option.Option<string>
  readonly cluster: Option.Option<string>
}

/** A cluster that was opened. */
export interface OpenedCluster<T> {
  readonly transport: T
  /** Name of the cluster in the document, or the directory. */
  readonly name: string
  /** The route document, where one says what the cluster is. */
  readonly routes?: Routes
}

/** What looking at records needs. */
export type Looking = Pick<Transport, "read" | "bounds" | "topics" | "groups">

/** The most that a log takes: what another process could store can be replayed. */
const recordBytesMax = 256 * 1024 ** 2

/** Opens the cluster for looking: nothing is made or changed in it. */
export const openForLooking = Effect.fnUntraced(function* (
  flags: ClusterFlags
): Effect.fn.Return<OpenedCluster<Looking>, CommandFailure, Scope.Scope> {
  if (Option.isSome(flags.routes)) return yield* openOfDocument(flags.routes.value, flags.cluster, lookingLog)
  yield* withoutCluster(flags)
  return { transport: yield* openNamedLog(flags.directory), name: flags.directory }
})

/** Without a document it is a log that is looked for, and somebody with another cluster has named none. */
const openNamedLog = (directory: string): Effect.Effect<LogReader, CommandFailure, Scope.Scope> =>
  Effect.mapError(openLog(directory), ({ code, message, report }) => {
    const isMissing = report?.["reason"] === noLog
    const more = isMissing ? "; of another cluster name the route document, by --routes" : ""
    return new CommandFailure({ code, message: `${message}${more}`, ...(report === undefined ? {} : { report }) })
  })

/** Opens the cluster for writing. A log that is not there is made only where that was asked for. */
export const openForWriting = Effect.fnUntraced(function* (
  flags: ClusterFlags,
  isMaking = false
): Effect.fn.Return<OpenedCluster<Transport>, CommandFailure, Scope.Scope> {
  const driver: LogDriver = isMaking ? () => log : writingLog
  if (Option.isSome(flags.routes)) return yield* openOfDocument(flags.routes.value, flags.cluster, driver)
  yield* withoutCluster(flags)
  if (!isMaking) yield* Effect.scoped(openNamedLog(flags.directory))
  const opening = logTransport({ directory: flags.directory, recordBytesMax })
  return { transport: yield* Effect.mapError(opening, transportFailure), name: flags.directory }
})

export function withoutCluster({ cluster }: Pick<ClusterFlags, "cluster">): Effect.Effect<void, CommandFailure> {
  if (Option.isNone(cluster)) return Effect.void
  return misuse("--cluster names a cluster of a route document; name the document too, by --routes")
}

export function misuse(message: string): Effect.Effect<never, CommandFailure> {
  return Effect.fail(new CommandFailure({ code: exitCode.misuse, message }))
}

/** A cluster of a document that was chosen, and not opened. */
export interface ChosenCluster {
  readonly name: string
  /** Of all clusters of the document. */
  readonly routes: Routes
  readonly open: Effect.Effect<OpenedCluster<Looking>, CommandFailure, Scope.Scope>
}

/** Chooses a cluster of a document. No driver of a broker is imported yet. */
export const chooseCluster = Effect.fnUntraced(function* (
  path: string,
  named: Option.Option<string>
): Effect.fn.Return<ChosenCluster, CommandFailure> {
  const text = yield* readDocument(path, " by --routes")
  const routes = yield* compile(path, text, [memory, log, ...brokerStubs()])
  const name = yield* choose(path, routes, named)
  return { name, routes, open: openOfDocument(path, Option.some(name), lookingLog) }
})

/** Opens a cluster of a document as a service does, with the references of its section. */
const openOfDocument = Effect.fnUntraced(function* (
  path: string,
  named: Option.Option<string>,
  driverOf: LogDriver
): Effect.fn.Return<OpenedCluster<Transport>, CommandFailure, Scope.Scope> {
  const text = yield* readDocument(path, " by --routes")
  const stubs = brokerStubs()
  let isMissing = false
  const logDriver = driverOf(() => void (isMissing = true))
  // Which drivers there are to be imported, the compiled document says.
  const first = yield* compile(path, text, [memory, logDriver, ...stubs])
  const cluster = yield* choose(path, first, named)
  const asked = first.clusters.get(cluster)?.driver.name ?? ""
  if (asked === memory.name)
    return yield* misuse(
      `cluster ${cluster} is in the memory of the process that opened it, where nobody else can look; use DeadLetters or Audit of leat there`
    )
  const importing = Effect.mapError(importDriver(asked), ({ code, message }) => {
    return new CommandFailure({ code, message: `cluster ${cluster} cannot be opened: ${message}` })
  })
  const drivers = brokerDrivers.has(asked)
    ? [memory, logDriver, yield* importing, ...stubs.filter(({ name }) => name !== asked)]
    : [memory, logDriver, ...stubs]
  const routes = yield* compile(path, text, drivers)
  const transport = yield* Effect.gen(function* () {
    const leat = yield* Leat.make({ source: "leat-cli", routes: text, drivers })
    return yield* leat.transport(cluster)
  }).pipe(
    Effect.mapError(({ message }) => {
      const report = isMissing ? { report: { reason: noLog } } : {}
      return new CommandFailure({ code: exitCode.failed, message, ...report })
    })
  )
  return { transport, name: cluster, routes }
})

/** The text of a document; `how` it is named on the command line. */
export function readDocument(path: string, how: "" | " by --routes" = ""): Effect.Effect<string, CommandFailure> {
  return Effect.suspend(() => {
    const found = statSync(path, { throwIfNoEntry: false })
    if (found === undefined) return misuse(`there is no file ${path}; name a route document${how}`)
    if (found.isDirectory()) return misuse(`${path} is a folder; name a route document${how}`)
    return readText(path)
  })
}

function readText(path: string): Effect.Effect<string, CommandFailure> {
  return Effect.try({
    try: () => readFileSync(path, "utf8"),
    catch: (error) => {
      const reason = error instanceof Error ? error.message : String(error)
      return new CommandFailure({ code: exitCode.misuse, message: `${path} cannot be read: ${reason}` })
    }
  })
}

function compile(path: string, text: string, drivers: ReadonlyArray<Driver>): Effect.Effect<Routes, CommandFailure> {
  const compiled = Routes.compile(text, { drivers })
  if (Result.isSuccess(compiled)) return Effect.succeed(compiled.success)
  const { faults } = compiled.failure
  const message = faults.map((fault) => faultText(path, fault)).join("\n")
  return Effect.fail(new CommandFailure({ code: exitCode.failed, message, report: { faults } }))
}

/** Compiles a document, whatever drivers it names; the settings of brokers are for their own drivers to check. */
export function compileDocument(path: string, text: string): Effect.Effect<Routes, CommandFailure> {
  return compile(path, text, [memory, log, ...brokerStubs()])
}

/** The cluster that was named; without a name the only one there is. */
function choose(
  path: string,
  { clusters }: Routes,
  named: Option.Option<string>
): Effect.Effect<string, CommandFailure> {
  const names = [...clusters.keys()]
  const [only = "", ...others] = names
  if (Option.isNone(named) && others.length === 0) return Effect.succeed(only)
  if (Option.isNone(named)) return misuse(`name the cluster by --cluster; in ${path} there is ${names.join(", ")}`)
  if (clusters.has(named.value)) return Effect.succeed(named.value)
  return misuse(`there is no cluster ${named.value} in ${path}; there is ${names.join(", ")}`)
}

function brokerStubs(): ReadonlyArray<Driver> {
  return Array.from(brokerDrivers.keys(), stubOf)
}

/** In the place of a driver whose clusters are not opened. */
function stubOf(name: string): Driver {
  return { ...memory, name, inspect: () => memory.inspect({}) }
}

/** Makes a log driver; `missing` is told of a log that is not there. */
type LogDriver = (missing: () => void) => Driver

/** The log driver for looking: nothing in the folder is created or changed. */
const lookingLog: LogDriver = (missing) => ({
  ...log,
  open: (_, { directory }) =>
    Effect.map(readExisting(String(directory), missing), (reader): Transport => {
      const refused = unsupported("the log was opened for looking only")
      return {
        name: log.name,
        capabilities: logCapabilities({}),
        read: reader.read,
        bounds: reader.bounds,
        topics: reader.topics,
        groups: reader.groups,
        openWriter: () => Effect.fail(refused),
        partitionsOf: (topic) => Effect.map(reader.bounds(topic), ({ length }) => length),
        subscribe: () => Stream.fail(refused),
        ensure: () => Effect.fail(refused)
      }
    })
})

/** The log driver, which makes no log. */
const writingLog: LogDriver = (missing) => ({
  ...log,
  open: (cluster, config) =>
    Effect.andThen(Effect.scoped(readExisting(String(config["directory"]), missing)), log.open(cluster, config))
})

/** A log that is not there will not be there soon: a cluster of a document is asked for again and again. */
function readExisting(directory: string, missing: () => void): Effect.Effect<LogReader, TransportError, Scope.Scope> {
  return Effect.mapError(readLog(directory), (error) => {
    if (error.reason === "UnknownTopic") missing()
    return error.isRetryable ? unsupported(error.detail) : error
  })
}

function unsupported(detail: string): TransportError {
  return new TransportError({ reason: "Unsupported", transport: log.name, operation: "open", detail })
}
