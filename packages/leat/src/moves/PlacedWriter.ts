/**
 * A process as a writer of one stream that is placed. What it does is what `standingOf` says of it: it sends to an epoch; or it gates what is offered,
 * empties its old lanes, moves what they still hold in front of that, and says that it has drained; or it waits. It has no rule of its own about a move.
 */
import { Effect, Option, Result, type Scope } from "effect"
import type { ControlStream } from "../control/ControlStream.ts"
import type { ControlRecord, Place, Positions } from "../control/ControlRecord.ts"
import { type Epoch, endsOf, type Placement } from "../control/Placement.ts"
import { type Standing, standingOf } from "../control/standing.ts"
import { textOfThrown } from "../given/thrown.ts"
import type { Outlet } from "../publish/Destinations.ts"
import { drained, holdsOf, settled, standsInQuiet } from "../publish/leaving.ts"
import { moveOver } from "../publish/moveOver.ts"
import type { OpenError } from "../publish/Sinks.ts"
import type { Leg, Route } from "../routes/Routes.ts"
import * as Telemetry from "../Telemetry.ts"
import type { Transport } from "../transport/index.ts"
import type { Wake } from "../Wake.ts"
import type { Spilled } from "./Departed.ts"
import { GatedByControl } from "./GatedByControl.ts"
import { LeftSpills, type LeftSpillsHome } from "./LeftSpills.ts"
import { Straggler } from "./Straggler.ts"
import { legOf, placeKey, placesRead, routeAt } from "./PlacedRoute.ts"

/** How long old lanes may take to be empty before what they hold moves over, in milliseconds. */
const drainMs = 10_000

/** From one try to the next, in milliseconds: of a record that was not written, of a place that could not be opened. */
const [againMs, againMsMax] = [200, 5000]

/** How long a transport may take to answer, in milliseconds. */
const answerMs = 30_000

/** What the writer of a stream needs of its leat. */
export interface WriterHome {
  readonly stream: string
  /** The incarnation. */
  readonly member: string
  readonly control: ControlStream
  /** What the table in force says; undefined: nothing any more. */
  readonly route: () => Route | undefined
  /** Opens what the route lacks; then, in one step, runs `before` and writes to the route. Not while a table is put in force. */
  readonly take: (route: Route, before: () => void) => Effect.Effect<void, OpenError>
  /** Whether nothing more is offered, and nothing is opened: what there is goes where it is, or waits there for its gate. */
  readonly isClosing: () => boolean
  /** Where the events of a leg go that is open. */
  readonly outletOf: (leg: Leg) => Outlet | undefined
  readonly transportOf: (cluster: string) => Effect.Effect<Transport, OpenError, Scope.Scope>
  readonly spills: LeftSpillsHome
  readonly wake: Wake
  /** What nobody waits for. */
  readonly fork: (effect: Effect.Effect<void>) => void
}

/** A leg that was written to before, and may still hold some of it. */
interface Old {
  readonly epoch: Epoch
  readonly outlet: Outlet
}

export class PlacedWriter {
  readonly #home: WriterHome
  /** By place: the legs of documents that were in force. */
  readonly #known = new Map<string, Leg>()
  /** Where what is offered goes; undefined: no epoch lies where this process writes, and it goes on there. */
  #written: Epoch | undefined
  /** Where that is; undefined until it is open. A sink that is closing still sends. */
  #outlet: Outlet | undefined
  /** Whether nothing of that is sent. */
  #isGated = false
  #olds: ReadonlyArray<Old> = []
  /** Where the stream was read when its legs were taken over last. */
  #places = ""
  /** Where it is open although the fleet has the stream elsewhere, until it has gone there. */
  #straggler: Straggler | undefined
  /** Epochs that were abandoned: what has no answer there is taken along, and nothing is asked. */
  readonly #lost = new Set<number>()
  /** Epochs that spills send nothing of to their places any more. */
  readonly #left = new Set<number>()
  /** Where that is carried; undefined: it waits. */
  #carriesTo: Epoch | undefined
  readonly #spills: LeftSpills
  readonly #gated: GatedByControl

  /** `written`: what is written now; undefined: nothing that the fleet has, it is open elsewhere. `open`: its leg, where that is open. */
  constructor(home: WriterHome, written: Epoch | undefined, open?: Leg) {
    this.#home = home
    this.#spills = new LeftSpills(home, (text) => this.#tell(text))
    this.#gated = new GatedByControl(home.stream)
    this.#written = written
    if (open === undefined) return
    this.#known.set(open.sink, open)
    if (written !== undefined) return
    this.#straggler = new Straggler(home, open)
    this.#written = this.#straggler.epoch
    this.#outlet = home.outletOf(open)
  }

  /** Of a stream that is not open yet: it opens what a writer writes that has just joined. */
  static readonly opening = (home: WriterHome, placement: Placement): PlacedWriter => {
    const standing = standingOf({ ...placement, writers: new Map([[home.member, "joined"]]) }, home.member)
    const number = standing.does === "send" ? standing.epoch : placement.lastEpoch
    const epoch = placement.epochs.find((one) => one.epoch === number) ?? placement.epochs.at(-1)
    return new PlacedWriter(home, epoch)
  }

  /** It is open: until the control stream says so nothing is sent. */
  begin(): void {
    const { control, stream, member } = this.#home
    const placement = control.control.streams.get(stream)
    const standing = placement && standingOf(placement, member)
    const route = this.#home.route()
    if (this.#written !== undefined && route !== undefined)
      this.#outlet ??= this.#home.outletOf(this.#leg(this.#written, route))
    const mayHold =
      placement !== undefined && this.#written !== undefined && this.#leftSpills(placement, this.#written).length > 0
    this.#gate(standing?.does !== "send" || standing.epoch !== this.#written?.epoch || mayHold)
    this.#tellMore()
  }

  /** What was added to a topic since the stream was placed there is written by nobody of the fleet: its keys would be in two partitions. */
  #tellMore(): void {
    const { sink, partitions = 0 } = this.#outlet ?? {}
    if (sink === undefined || sink.partitions <= partitions) return
    const text = `stream ${this.#home.stream} lies in the first ${partitions} of the ${sink.partitions} partitions of ${sink.leg.sink}, which had so many when it was placed there: it is written to those, and what others write to the rest is read by nobody; a move to another topic spreads it again`
    this.#home.fork(Telemetry.warn(text))
  }

  /** Whether a document may say that the stream is to lie elsewhere. */
  get isPlaced(): boolean {
    return this.#written !== undefined
  }

  /** The route of a table, as it is written to now. */
  routeOf(route: Route): Route {
    if (this.#written === undefined) return route
    const leg = this.#leg(this.#written, route)
    this.#known.set(route.readLeg.sink, route.readLeg)
    return this.#routeAt(route, leg)
  }

  #routeAt(route: Route, leg: Leg): Route {
    const { control, stream } = this.#home
    const placement = control.control.streams.get(stream)
    return placement === undefined ? route : routeAt(route, leg, placement)
  }

  /** As it was, also where only documents say so that were in force before this process: what its spill holds is sent before all else. */
  #leg(epoch: Epoch, route: Route): Leg {
    const sink = placeKey(epoch.place)
    if (route.readLeg.sink !== sink && !this.#known.has(sink)) {
      const was = this.#home.spills.pastLegs(this.#home.stream).find((leg) => leg.sink === sink)
      if (was !== undefined) this.#known.set(sink, was)
    }
    return epoch === this.#straggler?.epoch ? this.#straggler.leg : legOf(epoch, route, this.#known)
  }

  /** Tells when it waits for the control stream, which is away. */
  tellGated(nowMs: number): Effect.Effect<void> {
    const { control, stream, member } = this.#home
    const placement = control.control.streams.get(stream)
    const standing = placement && standingOf(placement, member)
    const told = this.#gated.look(this.#outlet?.lanes, standing, control.trouble, nowMs)
    return told === undefined ? Effect.void : this.#tell(told)
  }

  /** Until it is interrupted. */
  readonly run: Effect.Effect<never> = Effect.suspend(() => {
    const { control, stream, member, wake } = this.#home
    const now = () => {
      const placement = control.control.streams.get(stream)
      if (placement === undefined) return undefined
      const standing = standingOf(placement, member)
      const { newest } = endsOf(placement)
      const how = placement.writers.get(member)
      return { placement, standing, key: JSON.stringify([standing, how, newest?.epoch, placesRead(placement)]) }
    }
    const changed = (key: string | undefined) =>
      Effect.gen(function* () {
        while (now()?.key === key) yield* wake.wait
      })
    return Effect.forever(
      Effect.suspend(() => {
        const seen = now()
        const step =
          seen === undefined
            ? Effect.void
            : this.#persistently(() =>
                Effect.andThen(this.#step(seen.placement, seen.standing), this.#mirrors(seen.placement))
              )
        return Effect.raceFirst(Effect.andThen(step, this.#lookAgain(seen?.placement)), changed(seen?.key))
      })
    )
  })

  /** What was left in spills after the first look is carried too. */
  #lookAgain(placement: Placement | undefined): Effect.Effect<never> {
    return Effect.suspend(() => {
      const to = this.#carriesTo
      if (placement === undefined || to === undefined) return Effect.never
      const legs = () => this.#spills.of(placement, to, this.#known.values())
      return legs().length === 0 ? Effect.never : this.#spills.again(legs, to)
    })
  }

  /** What a driver dies of must not leave a stream standing for ever. */
  #persistently(step: () => Effect.Effect<void>): Effect.Effect<void> {
    return Effect.catchDefect(Effect.suspend(step), (defect) =>
      this.#tell(`goes on after a defect: ${textOfThrown(defect)}`).pipe(
        Effect.andThen(Effect.sleep(againMsMax)),
        Effect.andThen(Effect.suspend(() => this.#persistently(step)))
      )
    )
  }

  #step(placement: Placement, standing: Standing): Effect.Effect<void> {
    if (this.#written === undefined) return Effect.void
    if (standing.does !== "send" || standing.epoch !== this.#carriesTo?.epoch) this.#carryTo(undefined)
    switch (standing.does) {
      case "wait":
        return this.#join(placement)
      case "send":
        return this.#send(placement, standing.epoch)
      case "drain":
        return Effect.gen({ self: this }, function* () {
          yield* this.#catchUp(placement, standing.epoch)
          const target = placement.epochs.at(-1)
          if (target !== undefined) yield* this.#goTo(target, true)
          yield* this.#empty
          // It is being closed, and sends what it holds.
          const now = this.#now
          if (now?.epoch.epoch === standing.epoch) yield* drained(now.outlet)
          yield* this.#sayDrained(placement, standing)
        })
      case "stop":
        return Effect.gen({ self: this }, function* () {
          this.#standStill(standing.epoch)
          yield* this.#quiet
          yield* this.#sayDrained(placement, standing)
        })
      case "leave":
        return Effect.suspend(() => {
          this.#lost.add(standing.epoch)
          this.#standStill(standing.epoch)
          this.#leave(standing.epoch)
          return this.#sayDrained(placement, standing)
        })
      case "hold":
        return Effect.sync(() => this.#gate(true))
    }
  }

  /** Mirrors are where nobody reads the stream, and go or come with that. */
  #mirrors(placement: Placement): Effect.Effect<void> {
    const places = placesRead(placement).join()
    return Effect.suspend(() => {
      const route = this.#home.route()
      if (this.#written === undefined || route === undefined || this.#places === places) return Effect.void
      const leg = this.#leg(this.#written, route)
      const taken = Effect.map(
        this.#home.take(this.#routeAt(route, leg), () => undefined),
        () => void (this.#places = places)
      )
      return this.#untilDone(taken, "waits: a leg beside it cannot be opened")
    })
  }

  #join({ writers }: Placement): Effect.Effect<void> {
    const { stream, member } = this.#home
    this.#gate(true)
    const how = writers.get(member)
    if (how === undefined) return this.#say({ kind: "joined", stream, member })
    const why = how === "left" ? "says that it has left" : "was given up as dead"
    return this.#tell(`stands: this process ${why}, and sends nothing more of it until it is started again`)
  }

  /** Sends to an epoch: first what older legs still hold, then what was gated, then what is offered. */
  #send(placement: Placement, number: number): Effect.Effect<void> {
    const epoch = placement.epochs.find((one) => one.epoch === number)
    if (epoch === undefined) return Effect.void
    return Effect.gen({ self: this }, function* () {
      yield* this.#catchUp(placement, number)
      if (this.#written?.epoch !== number) {
        this.#gate(true)
        yield* this.#quietOf(this.#now)
        yield* this.#goTo(epoch, true)
        // It is being closed: what it holds is given up behind its gate, since nothing may follow where it was sent.
        if (this.#written?.epoch !== number) return
      }
      for (const old of this.#olds.toReversed()) {
        if (old.epoch.epoch === number) continue
        old.outlet.lanes.gate(true)
        yield* this.#quietOf(old)
        this.#movesInFront(old)
      }
      this.#olds = []
      yield* this.#carried(placement, epoch)
      this.#gate(false)
    })
  }

  /** What spills of places hold that the stream has left goes in front of all that was moved and gated. */
  #carried(placement: Placement, to: Epoch): Effect.Effect<void> {
    return Effect.suspend(() => {
      const legs = this.#leftSpills(placement, to)
      if (legs.length > 0) this.#gate(true)
      this.#carryTo(to)
      return this.#spills.carried(legs, to)
    })
  }

  #leftSpills(placement: Placement, to: Epoch): ReadonlyArray<Leg> {
    return this.#spills.isDone(to) ? [] : this.#spills.of(placement, to, this.#known.values())
  }

  /** Where an event of an epoch goes that stands in the spill of its place. */
  spilled({ epoch, place }: Epoch): Spilled {
    const straggles = this.#straggler !== undefined && placeKey(this.#straggler.leg) === placeKey(place)
    const number = straggles ? this.#written?.epoch : epoch
    const isWritten = this.#written?.epoch === number || this.#olds.some((old) => old.epoch.epoch === number)
    if (number !== undefined && isWritten && !this.#left.has(number)) return "send"
    return this.#carriesTo ?? "wait"
  }

  /** Events that spills of this process hold for places that the stream is leaving, or has left. */
  get heldBySpills(): number {
    const placement = this.#home.control.control.streams.get(this.#home.stream)
    const newest = placement?.epochs.at(-1)
    return placement === undefined || newest === undefined
      ? 0
      : this.#spills.held(placement, newest, this.#known.values())
  }

  /** The spill of its place sends nothing of it any more. */
  #leave(epoch: number): void {
    this.#left.add(epoch)
    this.#home.spills.departures.changed()
  }

  #carryTo(epoch: Epoch | undefined): void {
    this.#carriesTo = epoch
    this.#home.spills.departures.changed()
  }

  /** What it has sent where the fleet does not read any more goes on to the epoch that it may write now, in front of all else. */
  #catchUp(placement: Placement, number: number): Effect.Effect<void> {
    const to = placement.epochs.find(({ epoch }) => epoch === number)
    const straggler = this.#straggler
    if (straggler === undefined || to === undefined) return Effect.void
    return Effect.gen({ self: this }, function* () {
      this.#gate(true)
      yield* this.#quietOf(this.#now)
      const carried = yield* this.#untilDone(straggler.carry(placement, to), `waits: ${placeKey(straggler.leg)}`)
      yield* this.#tell(straggler.sentence(placement, to, carried))
      this.#straggler = undefined
    })
  }

  get #now(): Old | undefined {
    return this.#written && this.#outlet && { epoch: this.#written, outlet: this.#outlet }
  }

  #gate(isGated: boolean): void {
    this.#isGated = isGated
    this.#now?.outlet.lanes.gate(isGated)
  }

  /** What is offered goes to an epoch from now on; tried until its place is open here. */
  #goTo(epoch: Epoch, isGated: boolean): Effect.Effect<void> {
    const { take, route } = this.#home
    return Effect.gen({ self: this }, function* () {
      for (let pauseMs = againMs; this.#written?.epoch !== epoch.epoch; pauseMs = Math.min(pauseMs * 2, againMsMax)) {
        if (this.#home.isClosing()) return
        const now = route()
        const leg = now && this.#leg(epoch, now)
        const taken =
          now === undefined || leg === undefined
            ? Effect.fail({ message: "no route of the table matches the stream" })
            : take(this.#routeAt(now, leg), () => this.#took(epoch, leg))
        const result = yield* Effect.result(taken)
        if (Result.isSuccess(result)) break
        if (pauseMs === againMs)
          yield* this.#tell(
            `waits: ${placeKey(epoch.place)} cannot be opened here, and is tried again: ${result.failure.message}`
          )
        yield* Effect.sleep(pauseMs)
      }
      this.#gate(isGated)
    })
  }

  /** In the step in which the stream goes over to an epoch, gated. */
  #took(epoch: Epoch, leg: Leg): void {
    const to = this.#home.outletOf(leg)
    const from = this.#now
    to?.lanes.gate(true)
    if (from !== undefined && to !== undefined && from.outlet.lanes !== to.lanes) {
      // What was gated was offered before all that will be. What is being sent goes on, and is moved when it has to be.
      if (this.#isGated) this.#moves(from, to, false)
      else this.#olds = [...this.#olds, from]
    }
    // What it returns to may still be emptied: it is no old one any more.
    this.#olds = this.#olds.filter(({ outlet }) => outlet.lanes !== to?.lanes)
    this.#written = epoch
    this.#left.delete(epoch.epoch)
    this.#outlet = to
    this.#isGated = true
    this.#home.spills.departures.changed()
    this.#tellMore()
  }

  /** Old lanes send what they hold, for a time; what is left by then goes to the target, in front of what was offered since. */
  get #empty(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (const old of this.#olds.toReversed()) {
        const at = placeKey(old.epoch.place)
        const spilled = this.#spilledText(old)
        if (spilled !== "") yield* this.#tell(`waits for what stands in for ${at}${spilled}`)
        const isEmpty = yield* Effect.timeoutOption(drained(old.outlet), drainMs)
        if (Option.isSome(isEmpty)) continue
        yield* this.#tell(
          `takes along what ${at} has not stored within ${drainMs / 1000} seconds${this.#spilledText(old)}`
        )
        old.outlet.lanes.gate(true)
        yield* this.#quietOf(old)
        this.#movesInFront(old)
      }
      this.#olds = []
    })
  }

  #spilledText({ outlet: { sink } }: Old): string {
    const { spilling, leg } = sink
    if (spilling === undefined || !holdsOf(sink, this.#home.stream)) return ""
    return `: its spill in ${leg.spill?.cluster} holds ${spilling.records} events`
  }

  #movesInFront(old: Old): void {
    const to = this.#now
    if (to !== undefined && to.outlet.lanes !== old.outlet.lanes) this.#moves(old, to.outlet, true)
  }

  /** A refusal is a defect: the step is taken again. */
  #moves({ epoch, outlet }: Old, to: Outlet, isInFront: boolean): void {
    const { refused } = moveOver({ from: outlet, to, isInFront, isAbandoned: this.#lost.has(epoch.epoch) })
    if (refused !== undefined) throw new Error(`${placeKey(epoch.place)} is not left: ${refused}`)
  }

  /** Nothing more is sent to an epoch, nor to those before it. */
  #standStill(epoch: number): void {
    for (const { outlet } of this.#olds) outlet.lanes.gate(true)
    if ((this.#written?.epoch ?? 0) <= epoch) this.#gate(true)
  }

  /** What was sent has its answer, and cannot land any more where it had none. */
  get #quiet(): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach([...this.#olds, this.#now], (one) => this.#quietOf(one), { discard: true })
    )
  }

  #quietOf(one: Old | undefined): Effect.Effect<void> {
    if (one === undefined || this.#lost.has(one.epoch.epoch)) return Effect.void
    return Effect.andThen(
      settled(one.outlet),
      Effect.suspend(() => {
        this.#leave(one.epoch.epoch)
        return standsInQuiet(one.outlet.sink, this.#home.stream)
      })
    )
  }

  #sayDrained(
    placement: Placement,
    { epoch, attempt }: { readonly epoch: number; readonly attempt: number }
  ): Effect.Effect<void> {
    const { stream, member } = this.#home
    const place = placement.epochs.find((one) => one.epoch === epoch)?.place
    if (place === undefined) return Effect.void
    const upTo = this.#lost.has(epoch) ? Effect.succeed<Positions>([]) : this.#endsOf(place)
    return Effect.flatMap(upTo, (positions) =>
      this.#say({ kind: "drained", stream, epoch, attempt, member, upTo: positions })
    )
  }

  /** The ends of a place, asked until there is an answer. */
  #endsOf({ cluster, topic, partitions }: Place): Effect.Effect<Positions> {
    const asked = Effect.scoped(
      Effect.flatMap(this.#home.transportOf(cluster), (transport) => Effect.timeout(transport.bounds(topic), answerMs))
    )
    const ends = Effect.map(asked, (rows) => rows.slice(0, partitions).map(({ end }) => Number(end)))
    return this.#untilDone(ends, `waits: ${cluster}/${topic} does not say where it ends`)
  }

  /** Says something for all, until it stands there, whether it counts or not. */
  #say(record: ControlRecord): Effect.Effect<void> {
    return Effect.asVoid(this.#untilDone(this.#home.control.write(record), "waits: the control stream takes nothing"))
  }

  #untilDone<A>(trying: Effect.Effect<A, { readonly message: string }>, what: string): Effect.Effect<A> {
    return Effect.gen({ self: this }, function* () {
      for (let pauseMs = againMs; ; pauseMs = Math.min(pauseMs * 2, againMsMax)) {
        const tried = yield* Effect.result(trying)
        if (Result.isSuccess(tried)) return tried.success
        if (pauseMs === againMs) yield* this.#tell(`${what}: ${tried.failure.message}`)
        yield* Effect.sleep(pauseMs)
      }
    })
  }

  #tell(text: string): Effect.Effect<void> {
    return Telemetry.warn(`the move of ${this.#home.stream} ${text}`)
  }
}
