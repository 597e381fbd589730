/**
 * The streams of a leat that its fleet moves: where they lie, by the control stream, and who writes and reads them here. Streams that are not placed
 * have nothing here, and a leat without a control stream has none of this.
 */
import {
  Clock,
  type Context,
  type Duration,
  Effect,
  type Fiber,
  Result,
  type Scheduler,
  type Scope,
  Stream
} from "effect"
import { spilledStreamsMax } from "../control/bounds.ts"
import type { Place } from "../control/ControlRecord.ts"
import type { ControlStream } from "../control/ControlStream.ts"
import { endsOf, type Placement } from "../control/Placement.ts"
import { standingOf } from "../control/standing.ts"
import type { ContractInfo } from "../contract/Contract.ts"
import type { Whereabouts } from "../consume/Whereabouts.ts"
import { idleSleep } from "../idleSleep.ts"
import { compactionOf, isMadeFor, openTopic } from "../publish/openTopic.ts"
import type { OpenError, Sinks } from "../publish/Sinks.ts"
import { partitionFault } from "../routes/partitionFault.ts"
import { type Leg, type Route, RouteError, type Routes, stayedIn, routeError } from "../routes/Routes.ts"
import type { Transport } from "../transport/index.ts"
import * as Telemetry from "../Telemetry.ts"
import { monotonicMs, Wake } from "../Wake.ts"
import { Bystander } from "./Bystander.ts"
import { CarriedRecords } from "./CarriedRecords.ts"
import { coordinate } from "./Coordinator.ts"
import { Departed } from "./Departed.ts"
import { PastLegs } from "./PastLegs.ts"
import { Places } from "./Places.ts"
import { SpillCarrier } from "./SpillCarrier.ts"
import { sweptBefore } from "./sweptBefore.ts"
import { epochWritten, placeKey } from "./PlacedRoute.ts"
import { PlacedWriter, type WriterHome } from "./PlacedWriter.ts"

/** From one look whether the control stream is open to the next, in milliseconds. */
const openMs = 250

/** From one look at the control stream to the next while some stream moves, in milliseconds: each step of a move waits for one. */
const movingMs = 100

/** From one look whether streams wait for the control stream to the next, in milliseconds. */
const gatedMs = 1000

/** How long the begin of a leat waits until the others know of it, and from one look to the next, in milliseconds. */
const [knownMs, knownLookMs] = [3000, 5]

/** How long a place may take to be reached where a stream is on its way to, in milliseconds. */
const reachedMs = 30_000

/** How long the end of a leat may wait for that, in milliseconds. */
const endMs = 10_000

/** What all streams of a leat share. */
export interface MovesHome {
  /** The incarnation. */
  readonly member: string
  /** Undefined: it is not open yet. */
  readonly fleet: () => ControlStream | undefined
  /** How long a process may be silent before nobody waits for it; as a coordinator has it when undefined. */
  readonly lease: Duration.Input | undefined
  /** What the table in force says. */
  readonly tableRoute: (stream: string) => Route | undefined
  readonly take: (stream: string, ...taken: Parameters<WriterHome["take"]>) => ReturnType<WriterHome["take"]>
  readonly outletOf: (stream: string, leg: Leg) => ReturnType<WriterHome["outletOf"]>
  readonly transportOf: (cluster: string) => Effect.Effect<Transport, OpenError, Scope.Scope>
  /** Compiles a document of the fleet. */
  readonly compile: (document: string) => Result.Result<Routes, RouteError>
  readonly sinks: () => Pick<Sinks, "named" | "ledger">
  /** The groups that read a stream here. */
  readonly groupsOf: (stream: string) => ReadonlyArray<string>
  readonly isClosing: () => boolean
  readonly runtime: { readonly scheduler: Scheduler.Scheduler; readonly context: Context.Context<never> }
}

const none: ReadonlyMap<string, Placement> = new Map()

interface Moving {
  readonly writer: PlacedWriter
  readonly wake: Wake
  fiber: Fiber.Fiber<unknown> | undefined
}

export class Moves {
  readonly #home: MovesHome
  /** By stream that is open here and placed. */
  readonly #moving = new Map<string, Moving>()
  /** By stream that is open here: its read leg, as it was opened. */
  readonly #open = new Map<string, () => Leg | undefined>()
  readonly #watchers = new Map<string, Set<() => void>>()
  readonly #bystander: Bystander
  readonly departed: Departed
  readonly #past: PastLegs
  #seen: ReadonlyMap<string, Placement> = new Map()

  constructor(home: MovesHome) {
    this.#home = home
    this.#bystander = new Bystander(home.member)
    this.#past = new PastLegs(home.compile, () => home.fleet()?.control)
    const places = new Places(home.transportOf)
    const carried = new CarriedRecords()
    this.departed = new Departed(home.runtime.scheduler)
    this.departed.connect({
      member: home.member,
      streams: () => home.fleet()?.control.streams ?? none,
      look: Effect.suspend(() => {
        const fleet = home.fleet()
        return fleet === undefined ? Effect.succeed(true) : Effect.map(fleet.look, () => fleet.isFollowed)
      }),
      trouble: () => home.fleet()?.trouble,
      writerOf: (stream) => this.#moving.get(stream)?.writer,
      wasRead: (stream, sink) => this.#past.of(stream).some((leg) => leg.sink === sink),
      join: (stream) => this.#bystander.join(stream),
      carrierTo: (stream, to) =>
        new SpillCarrier(stream, to, {
          places,
          carried,
          member: home.member,
          mayCount: (name, epoch) => this.departed.changes.until(() => this.departed.mayWrite(name, epoch)),
          swept: (name, epoch, members) =>
            sweptBefore({
              placement: () => this.placement(name),
              to: epoch,
              members,
              places,
              changes: this.departed.changes,
              tell: (what) => Telemetry.warn(`the move of ${name} ${what}`)
            }),
          journal: home.sinks().ledger.journal,
          account: (sink, epoch) => home.sinks().ledger.account(stream, sink, epoch)
        })
    })
  }

  #fork(effect: Effect.Effect<unknown>): Fiber.Fiber<unknown> {
    return Effect.runForkWith(this.#home.runtime.context)(effect)
  }

  placement(stream: string): Placement | undefined {
    return this.#home.fleet()?.control.streams.get(stream)
  }

  /** Whether a document may say that the stream is to lie elsewhere. */
  isPlaced(stream: string): boolean {
    return this.#moving.get(stream)?.writer.isPlaced === true
  }

  /** The route of a table, as the stream is written to now. */
  routeOf(stream: string, route: Route): Route {
    return this.#moving.get(stream)?.writer.routeOf(route) ?? route
  }

  /**
   * Completes when this process can reach where a route has a stream that is placed, and write there, as far as that can be told before it moves. A topic that
   * is not there is made, as the contract wants it: whoever coordinates does not know that.
   */
  reached(contract: ContractInfo, route: Route): Effect.Effect<void, OpenError> {
    const { readLeg: leg } = route
    return Effect.scoped(
      Effect.gen({ self: this }, function* () {
        const transport = yield* this.#home.transportOf(leg.cluster)
        const found = yield* Effect.result(transport.bounds(leg.topic))
        if (Result.isFailure(found) && found.failure.reason !== "UnknownTopic") return yield* found.failure
        const partitions = Result.isSuccess(found)
          ? found.success.length
          : this.#targetAt(contract.stream, leg.sink)?.partitions
        if (partitions === undefined) return
        const wrong = partitionFault(contract, route, leg, partitions)
        if (wrong !== undefined) return yield* new RouteError({ faults: [wrong] })
        const spec = { topic: leg.topic, partitions }
        if (Result.isFailure(found) && !(yield* isMadeFor(contract, transport, spec))) return
        // What is only wanted is told when the stream goes there.
        const isNeeded = compactionOf(contract) === "needed"
        yield* openTopic(transport, { topic: leg.topic, sink: leg.sink, compaction: isNeeded ? "needed" : undefined })
      })
    )
  }

  /** As `reached`, of a stream that is opened at one place while a document has it at another: a writer that could not go there would hold up all others. */
  awaitsMove(contract: ContractInfo, asked: Route, route: Route): Effect.Effect<void, OpenError> {
    const { sink, path } = route.readLeg
    if (asked.readLeg.sink === sink || this.#targetAt(contract.stream, sink) === undefined) return Effect.void
    const refused = (why: string) => {
      const message = `stream ${contract.stream} is on its way to ${sink}, which this process cannot reach: ${why}`
      return Effect.fail(routeError(path, message))
    }
    const late = () => refused(`no answer within ${reachedMs / 1000} seconds`)
    const reached = Effect.timeoutOrElse(this.reached(contract, route), { duration: reachedMs, orElse: late })
    return Effect.catchTag(reached, "TransportError", ({ message }) => refused(message))
  }

  /** Where a stream is on its way to, if that is there. A table that is older than the move may have a place that nobody writes any more. */
  #targetAt(stream: string, sink: string): Place | undefined {
    const placement = this.placement(stream)
    const { newest, source } = placement === undefined ? {} : endsOf(placement)
    return source !== undefined && newest !== undefined && placeKey(newest.place) === sink ? newest.place : undefined
  }

  /** Clusters in which its events may stay, by the documents of the fleet that the control stream still has. */
  staysIn(stream: string): ReadonlyArray<string> {
    return [...new Set(this.#past.of(stream).flatMap(stayedIn))]
  }

  /** Before a stream is opened: the route to open where the stream is placed. */
  opening(stream: string, route: Route): Route {
    this.#bystander.opening(stream)
    const placement = this.placement(stream)
    if (placement === undefined) return route
    const found = this.#moving.get(stream) ?? this.#begin(stream, (home) => PlacedWriter.opening(home, placement))
    return found.writer.routeOf(route)
  }

  /** A stream is open: `readLeg` is the leg that is read, as it is written to now. */
  opened(stream: string, readLeg: () => Leg | undefined): void {
    this.#open.set(stream, readLeg)
    const moving = this.#moving.get(stream)
    if (moving === undefined) this.#look(stream)
    else this.#run(moving)
  }

  /** It could not be opened after all, or is closed. */
  closed(stream: string): void {
    this.#bystander.closed(stream)
    this.#open.delete(stream)
    this.#moving.get(stream)?.fiber?.interruptUnsafe()
    this.#moving.delete(stream)
  }

  /** Calls `changed` after each change of where a stream lies; returns how to stop that. */
  watch(stream: string, changed: () => void): () => void {
    const watchers = this.#watchers.get(stream) ?? new Set()
    this.#watchers.set(stream, watchers.add(changed))
    return () => {
      watchers.delete(changed)
      if (watchers.size === 0 && this.#watchers.get(stream) === watchers) this.#watchers.delete(stream)
    }
  }

  /** Where a stream lies, for those who read it. */
  whereabouts(stream: string): Whereabouts {
    return {
      placement: () => this.placement(stream),
      watch: (changed) => this.watch(stream, changed),
      transportOf: this.#home.transportOf
    }
  }

  /**
   * Completes when the others know of this process, or soon: a stream that is placed after that has it among its writers, and it opens none before. One that
   * is not known then is found by what it writes, and joins what was placed when it is.
   */
  readonly known: Effect.Effect<void> = Effect.suspend(() => {
    const waiting: Effect.Effect<void> = Effect.suspend(() =>
      this.#home.fleet()?.control.members.has(this.#home.member) === false
        ? Effect.andThen(Effect.sleep(knownLookMs), waiting)
        : Effect.void
    )
    return Effect.asVoid(Effect.timeoutOption(waiting, knownMs))
  })

  /** Follows the control stream until it is interrupted. */
  readonly run: Effect.Effect<never> = Effect.gen({ self: this }, function* () {
    const { transportOf, lease } = this.#home
    let fleet = this.#home.fleet()
    for (; fleet === undefined; fleet = this.#home.fleet()) yield* idleSleep(openMs)
    const opened = fleet
    opened.beforeBeat = this.#tellGroups(opened)
    opened.spilled = () => this.#spilled
    const following = Stream.runForEach(opened.changes, ({ streams }) => Effect.sync(() => this.#changed(streams)))
    const looking = Effect.forever(
      Effect.andThen(
        // What is on its way keeps the process; a look that waits for something to begin, or for others, does not.
        Effect.suspend(() => (this.#isNeeded ? Effect.sleep(movingMs) : idleSleep(movingMs))),
        Effect.suspend(() => Effect.andThen(this.#isMoving ? opened.look : Effect.void, this.#tellGroups(opened)))
      )
    )
    const clock = yield* Clock.Clock
    const telling = Effect.forever(
      Effect.andThen(
        idleSleep(gatedMs),
        Effect.suspend(() =>
          Effect.forEach(this.#moving.values(), ({ writer }) => writer.tellGated(monotonicMs(clock)), { discard: true })
        )
      )
    )
    const standingBy = Effect.forever(
      Effect.andThen(
        idleSleep(movingMs),
        Effect.suspend(() => this.#bystander.answer(opened))
      )
    )
    const coordinating = coordinate({ control: opened, transportOf, lease })
    return yield* Effect.raceAllFirst([
      Effect.andThen(following, Effect.never),
      looking,
      telling,
      standingBy,
      coordinating
    ])
  })

  /**
   * Who was passed over says up to where it wrote before it ends: somebody has to read that. All that was sent has its answer by now. Bounded, and never
   * fails: who could not say so is as one that has crashed.
   */
  readonly end: Effect.Effect<void> = Effect.suspend(() => {
    const fleet = this.#home.fleet()
    if (fleet === undefined) return Effect.void
    const told: Effect.Effect<void> = Effect.suspend(() =>
      fleet.isOwing ? Effect.andThen(Effect.sleep(movingMs), told) : Effect.void
    )
    return Effect.andThen(Effect.timeoutOption(told, endMs), () => {
      for (const { fiber } of this.#moving.values()) fiber?.interruptUnsafe()
      return Effect.void
    })
  })

  /** Whether a move would miss this process: a stream of the fleet is on its way, or this one has to say something. An old place that is read still is not. */
  get #isNeeded(): boolean {
    const { member } = this.#home
    for (const placement of this.#seen.values()) {
      const isWriter = placement.writers.get(member) === "joined"
      if (endsOf(placement).source !== undefined) return true
      if (isWriter && standingOf(placement, member).does !== "send") return true
    }
    return false
  }

  /** Whether some stream of the fleet is on its way, wherever it is open: this process may have to say something. */
  get #isMoving(): boolean {
    for (const placement of this.#seen.values()) {
      const older = placement.epochs.slice(0, -1)
      if (older.some(({ phase }) => phase !== "retired" && phase !== "abandoned")) return true
    }
    return false
  }

  #changed(streams: ReadonlyMap<string, Placement>): void {
    const before = this.#seen
    this.#seen = streams
    this.departed.changed()
    for (const [stream, placement] of streams) {
      if (before.get(stream) === placement) continue
      this.#look(stream)
      this.#moving.get(stream)?.wake.signal()
      for (const changed of this.#watchers.get(stream) ?? []) changed()
    }
  }

  /** A stream that is open may be placed now. */
  #look(stream: string): void {
    const placement = this.placement(stream)
    const leg = this.#open.get(stream)?.()
    if (placement === undefined || leg === undefined || this.#moving.has(stream)) return
    const moving = this.#begin(stream, (home) => new PlacedWriter(home, epochWritten(placement, leg), leg))
    this.#run(moving)
  }

  #begin(stream: string, make: (home: WriterHome) => PlacedWriter): Moving {
    const { member, take, outletOf, tableRoute, transportOf, isClosing, runtime, sinks } = this.#home
    const wake = new Wake(runtime.scheduler)
    const control = this.#home.fleet()
    if (control === undefined) throw new Error("a stream is placed by a control stream that is open")
    const writer = make({
      stream,
      member,
      control,
      route: () => tableRoute(stream),
      take: (route, before) => take(stream, route, before),
      outletOf: (leg) => outletOf(stream, leg),
      transportOf,
      isClosing,
      spills: {
        departures: this.departed,
        pastLegs: (name) => this.#past.of(name),
        unreadPast: () => this.#past.unread,
        sinkNamed: (name) => sinks().named(name),
        context: runtime.context
      },
      wake,
      fork: (effect) => void this.#fork(effect)
    })
    const moving: Moving = { writer, wake, fiber: undefined }
    this.#moving.set(stream, moving)
    return moving
  }

  #run(moving: Moving): void {
    moving.writer.begin()
    moving.fiber ??= this.#fork(moving.writer.run)
  }

  /** By stream: what spills of this process hold for places that it is leaving, or has left. */
  get #spilled(): ReadonlyMap<string, number> {
    const held = new Map<string, number>()
    for (const [stream, { writer }] of this.#moving) {
      const events = writer.heldBySpills
      if (events > 0 && held.size < spilledStreamsMax) held.set(stream, events)
    }
    return held
  }

  /** An epoch is not retired before the groups that read it here have settled it. */
  #tellGroups(fleet: ControlStream): Effect.Effect<void> {
    return Effect.suspend(() => {
      const missing = Array.from(this.#seen).flatMap(([stream, { groups }]) =>
        this.#open.has(stream)
          ? this.#home.groupsOf(stream).flatMap((group) => (groups.has(group) ? [] : [{ stream, group }]))
          : []
      )
      const told = Effect.forEach(missing, ({ stream, group }) => fleet.write({ kind: "reads", stream, group }), {
        discard: true
      })
      return missing.length === 0 ? Effect.void : Effect.ignore(told)
    })
  }
}
