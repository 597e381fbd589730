/**
 * Where the document of a leat comes from: its options, a file that is followed, or the control stream of its fleet. Gives what the leat begins with,
 * and how it goes on.
 */
import { type Duration, Effect, Exit, Result, Scope } from "effect"
import { ControlledRoutes, type AppliedTable, type ControlStatus } from "./control/ControlledRoutes.ts"
import type { ControlError } from "./control/ControlError.ts"
import { topicDefault } from "./control/ControlTools.ts"
import { type ControlStream, openControlStream } from "./control/ControlStream.ts"
import { meansOf, placesWith } from "./control/places.ts"
import { backReason, type PastDocument } from "./control/fleet.ts"
import { textOfThrown } from "./given/thrown.ts"
import { idleSleep } from "./idleSleep.ts"
import { openCluster } from "./routes/openCluster.ts"
import { OpeningWatch } from "./routes/OpeningWatch.ts"
import type { ReferenceReaders } from "./routes/References.ts"
import { RouteError, Routes, routeError } from "./routes/Routes.ts"
import { followRoutesFile, isRoutesFile, readRoutesFile } from "./routes/RoutesFile.ts"
import * as Telemetry from "./Telemetry.ts"
import type { Driver, TransportError } from "./transport/index.ts"

/** Where the control stream of a fleet is. */
export interface ControlOptions {
  /** A section as in `clusters` of a document: `{ transport: "@leat/log", directory: "./control" }`. */
  readonly cluster: unknown
  /** A topic of one partition that nobody else writes; `leat-control` when absent. */
  readonly topic?: string | undefined
  /** How long a process may be silent before streams are moved without it; 30 seconds when absent. The same in all processes. */
  readonly lease?: Duration.Input | undefined
}

/** The document of a fleet: applied by one process, in force in all. */
export interface Control {
  /**
   * Writes a document, text or value, for the whole fleet. It is in force here and elsewhere within a second or two; `status` says where. Fails with
   * `RouteError` when it has faults here, and with `ControlError`: `Overtaken` where somebody else was first, `Unreachable` where nothing was written,
   * `InDoubt` where nobody can tell.
   */
  readonly apply: (document: unknown, reason?: string) => Effect.Effect<AppliedTable, RouteError | ControlError>
  /**
   * Applies an older document again, by its version: with a new version, above all others, and otherwise as it was written. Fails as `apply` does, with
   * `Refused` where `history` does not have it.
   */
  readonly rollback: (version: number, reason?: string) => Effect.Effect<AppliedTable, RouteError | ControlError>
  /** Which document is in force where, as far as this process has read. */
  readonly status: () => ControlStatus
  /** The documents that were applied last, oldest first: as many as 32, and no more than a mebibyte of text. */
  readonly history: () => ReadonlyArray<PastDocument>
}

/** What a source needs to know of the leat, before it is open. */
export interface Beginning {
  readonly routes: unknown
  readonly control: ControlOptions | undefined
  readonly incarnation: string
  readonly drivers: ReadonlyArray<Driver>
  readonly references: ReferenceReaders
  readonly compile: (document: unknown) => Result.Result<Routes, RouteError>
}

/** And when it is. */
export interface Running {
  readonly routes: () => Routes
  readonly swapRoutes: (document: unknown) => Effect.Effect<void, RouteError>
  /** As `swapRoutes`, of a document that the fleet has applied: its streams may lie elsewhere by it. */
  readonly takeRoutes: (document: unknown) => Effect.Effect<void, RouteError>
}

export interface RoutesSource {
  /** What to begin with; undefined: everything is in memory. */
  readonly document: unknown
  readonly follow: (running: Running) => Effect.Effect<void, never, Scope.Scope>
  readonly control: ((running: Running) => Control) | undefined
  /** The control stream, once it is open; undefined: the leat has none. */
  readonly fleet: (() => ControlStream | undefined) | undefined
}

export function routesSource(beginning: Beginning): Effect.Effect<RoutesSource, RouteError, Scope.Scope> {
  const { routes, control } = beginning
  if (control !== undefined) return controlled(beginning, control)
  if (!isRoutesFile(routes))
    return Effect.succeed({ document: routes, follow: () => Effect.void, control: undefined, fleet: undefined })
  return Effect.map(readRoutesFile(routes, beginning.references), (text) => ({
    document: text,
    follow: (running) => {
      const version = () => running.routes().version
      const following = { text, readers: beginning.references, swap: running.swapRoutes, version }
      return Effect.asVoid(Effect.forkScoped(followRoutesFile(routes, following)))
    },
    control: undefined,
    fleet: undefined
  }))
}

/** From one try to open the control stream to the next, while the leat runs without it. */
const againEveryMs = 5000

const controlled = Effect.fnUntraced(function* (
  beginning: Beginning,
  options: ControlOptions
): Effect.fn.Return<RoutesSource, RouteError, Scope.Scope> {
  const { routes } = beginning
  const own = new ControlledRoutes()
  const scope = yield* Effect.scope
  let fleet: ControlStream | undefined
  /** What the fleet had applied when this process began, and why it is not in force here. */
  const begun: { hasLooked: boolean; document?: string; fault?: RouteError; told: Effect.Effect<void> } = {
    hasLooked: false,
    told: Effect.void
  }
  const connected = (stream: ControlStream): void => {
    own.connected(stream)
    fleet = stream
    const { table } = own
    // What is found later is put in force by who follows.
    if (begun.hasLooked || table === undefined) return
    const compiled = beginning.compile(table.document)
    if (Result.isSuccess(compiled)) {
      begun.document = table.document
      own.took(table.version)
    } else {
      begun.fault = compiled.failure
      begun.told = own.refuses(table.version, compiled.failure.message)
    }
  }
  const connect = yield* connecting(beginning, options, own, connected, scope)
  const first = yield* Effect.result(connect)
  begun.hasLooked = true
  if (Result.isFailure(first)) {
    // What no time mends, and what there is nothing to begin with for.
    const { failure } = first
    const mayPass =
      failure._tag === "TransportError" || (failure._tag === "ControlError" && failure.reason === "Unreachable")
    if (!mayPass || routes === undefined) return yield* fault(failure.message)
    yield* Telemetry.warn(
      `the control stream is not open, and the own routes are in force until it is: ${failure.message}`
    )
  }
  if (begun.fault !== undefined && routes === undefined) return yield* begun.fault
  yield* begun.told
  const again = Effect.ignore(Effect.andThen(idleSleep(againEveryMs), connect))
  return {
    document: begun.document ?? routes,
    follow: ({ takeRoutes }) =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(own.follow(takeRoutes))
        const isOpen = () => own.status().trouble === undefined
        if (Result.isFailure(first)) yield* Effect.forkScoped(Effect.repeat(again, { until: isOpen }))
      }),
    control: (running) => controlOf(beginning, own, running),
    fleet: () => fleet
  }
})

/** An effect that opens the control stream for as long as the leat is open; what a try that fails has opened is closed. */
const connecting = Effect.fnUntraced(function* (
  { incarnation, drivers, references }: Beginning,
  { cluster, topic = topicDefault }: ControlOptions,
  own: ControlledRoutes,
  connected: (stream: ControlStream) => void,
  scope: Scope.Scope
) {
  const document = {
    version: 1,
    clusters: { control: cluster },
    routes: [{ match: { stream: "*" }, to: [{ cluster: "control", topic: "{stream}" }] }]
  }
  const compiled = yield* Effect.mapError(Effect.fromResult(Routes.compile(document, { drivers })), ({ faults }) => {
    const placed = faults.map(({ path, message }) => ({
      path: path.replace(/^clusters\.control/, "control.cluster"),
      message
    }))
    return new RouteError({ faults: placed })
  })
  const known = compiled.clusters.get("control")
  if (known === undefined) return yield* fault("its cluster is none")
  const opening = Effect.gen(function* () {
    const transport = yield* openCluster(known, references, new OpeningWatch())
    yield* openControlStream({
      transport,
      topic,
      author: incarnation,
      applied: () => own.applied,
      refused: () => own.refusal,
      begin: connected
    })
  })
  return Effect.flatMap(Scope.fork(scope), (holding) =>
    Scope.provide(opening, holding).pipe(
      Effect.tapError(({ message }) => Effect.sync(() => own.failed(message))),
      Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : Scope.close(holding, Exit.void)))
    )
  ) satisfies Effect.Effect<void, RouteError | TransportError | ControlError>
})

function controlOf({ compile, drivers, references }: Beginning, own: ControlledRoutes, running: Running): Control {
  const placesOf = placesWith(meansOf(drivers, references))
  const apply = Effect.fnUntraced(function* (
    document: unknown,
    reason: unknown
  ): Effect.fn.Return<AppliedTable, RouteError | ControlError> {
    // What can be read as a document and not be written as one, as a number of another kind or a circle, is told too.
    const compiled = yield* Effect.fromResult(compile(document))
    const text = typeof document === "string" ? document : yield* textOf(document)
    yield* Effect.fromResult(compile(text))
    const { version } = running.routes()
    if (compiled.version <= version) {
      const message = `version ${compiled.version} is not higher than ${version}, which is in force; give it a higher number, also to go back to what it says`
      return yield* routeError("version", message)
    }
    return yield* own.apply(text, typeof reason === "string" ? reason : "", placesOf)
  })
  return {
    status: () => own.status(),
    history: () => own.history(),
    apply,
    rollback: (version, reason) =>
      Effect.flatMap(own.textBackTo(version, running.routes().version), (text) =>
        apply(text, backReason(version, typeof reason === "string" ? reason : ""))
      )
  }
}

function textOf(document: unknown): Effect.Effect<string, RouteError> {
  return Effect.try({
    try: () => JSON.stringify(document),
    catch: (thrown) => routeError("", `it cannot be written: ${textOfThrown(thrown)}`)
  })
}

function fault(message: string): RouteError {
  return routeError("control", message)
}
