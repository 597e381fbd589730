/**
 * The shell of one lane being read: carries out what its `ReadLane` says, from the first pull to the release. One fiber pulls, one
 * listens for the revocation, one drives: it starts handlers, settles what is due and waits. A defect in any of them is a halt: the
 * lane stands, says why, and `resume` leaves the group and joins it again, because what a broken shell still knows is not to be
 * trusted; nothing it counted after its last settle is used.
 */
import { Cause, type Clock, Deferred, Effect, Exit, type Fiber, Option, Stream } from "effect"
import type { AsideTopics } from "./AsideTopics.ts"
import type { DeliveryInfo } from "./DeliveryInfo.ts"
import { LaneTeller } from "./LaneTeller.ts"
import { Handling } from "./Handling.ts"
import { haltWith, type ReadHalted, transportErrorOf } from "./Failure.ts"
import { ReadLane, type ReadLaneSettings } from "./ReadLane.ts"
import { lookBack } from "./lookBack.ts"
import { SeenIds } from "./SeenIds.ts"
import { nextTierOf, type ToSetAside } from "./SetAside.ts"
import type { SubscriptionSettings } from "../routes/Routes.ts"
import type { Signs } from "./holdBack.ts"
import type { HaltedReadLane, ReadableLane, SourceOptions } from "./SourceOptions.ts"
import * as Telemetry from "../Telemetry.ts"
import { type Position, TransportError } from "../transport/index.ts"
import { released } from "../transport/released.ts"
import { monotonicMs, Wake } from "../Wake.ts"

/** After so many handlers, or so many milliseconds, the driving fiber gives way to others. */
const handlersPerTurn = 512
const turnMs = 5

/** Part of the drain time after which handlers on a lane that was revoked are interrupted: the rest is for their cleaning up. */
const drainPart = 0.8

/** How long a lane that this member gives back by itself waits for interrupted handlers, in milliseconds. */
const cleanupMs = 5000

/** How long one settle may take, in milliseconds: what has no answer by then is begun again. */
const settleMs = 30_000

/** Until a settle that failed is made up for: after the first failure, and at most, in milliseconds; `settleEvery` where that is less. */
const settleAgainMs = 100
const settleAgainMsMax = 10_000

/** How long settles may fail for passing reasons before it is told, in milliseconds. */
const tellUnsettledMs = 10_000

/** How a lane ends: handlers are interrupted at one time, and waited for until another, in monotonic milliseconds. */
interface Ending {
  readonly interruptAtMs: number
  readonly giveUpAtMs: number
}

export interface ShellPorts {
  readonly clock: Clock.Clock
  readonly random: () => number
  /** The drain time that the group was told when this member joined: then it gives the lane to somebody else. */
  readonly groupDrainMs: number
  /** Of all lanes of the subscription. */
  readonly signs: Signs
  readonly aside: AsideTopics
  /** Called when it takes an old event for new, of which it cannot know. */
  readonly onOld: () => void
  /** Called when it has settled or halted, and when a handler ends while it is halted. */
  readonly onChanged: () => void
}

export class LaneShell<T> {
  readonly lane: ReadableLane
  readonly machine: ReadLane
  readonly #options: SourceOptions<T>
  readonly #fail: (error: TransportError) => void
  readonly #wake: Wake
  readonly #roomAgain: Wake
  readonly #clock: Clock.Clock
  readonly #groupDrainMs: number
  readonly #onChanged: () => void
  readonly #signs: Signs
  readonly #aside: AsideTopics
  readonly #seen: SeenIds | undefined
  /** Done when no handler of it runs any more, or those that do are given up. */
  readonly #handlersOver = Deferred.makeUnsafe<void>()
  #settings: SubscriptionSettings
  #handling: Handling<T> | undefined
  #ending: Ending | undefined
  #isLost = false
  /** It is lost by the backend's own word: this member has nothing to give back. */
  #isTheirs = false
  #isSettling = false
  /** The settle that was begun last. */
  #settling: Fiber.Fiber<void> | undefined
  /** The backend has taken the lane away, or is about to. */
  #isTaken = false
  #defect: ReadHalted | undefined
  readonly #teller: LaneTeller
  #isResumed = false
  /** Somebody waits until this position is settled. */
  #settleAt: Position | undefined
  /** The sleeping fiber that wakes the lane next, and when. */
  #alarm: { readonly atMs: number; readonly fiber: Fiber.Fiber<void> } | undefined

  /** When settles began to fail, in milliseconds of the monotonic clock; infinite once that was told. */
  #unsettledSinceMs: number | undefined
  #settleFailures = 0

  /** `fail` ends the membership that the lane belongs to. */
  constructor(
    lane: ReadableLane,
    options: SourceOptions<T>,
    settings: SubscriptionSettings,
    fail: (error: TransportError) => void,
    ports: ShellPorts
  ) {
    const { scheduler, unordered, handler, group, stream, topic } = options
    this.lane = lane
    this.#options = options
    this.#settings = settings
    this.#fail = fail
    this.#clock = ports.clock
    this.#groupDrainMs = ports.groupDrainMs
    this.#onChanged = ports.onChanged
    this.#signs = ports.signs
    this.#aside = ports.aside
    this.#teller = new LaneTeller({ group, stream, topic, partition: lane.partition }, (text, error) => {
      this.#fork(Telemetry.warn(text, error))
    })
    this.#wake = new Wake(scheduler)
    this.#roomAgain = new Wake(scheduler)
    const { start, abandoned } = lane
    const { crashLoop, dedupeRecords } = settings
    const seen = dedupeRecords === undefined ? undefined : new SeenIds(options.stream, ports.onOld)
    this.#seen = seen
    const dedupe = seen === undefined ? {} : { isSeen: seen.see.bind(seen) }
    const bundle = handler.kind === "batch" ? { bundleRecords: handler.records, bundleWaitMs: handler.waitMs } : {}
    this.machine = new ReadLane(
      { start, abandoned, crashLoop, unordered, random: ports.random, ...ports.signs, ...bundle, ...dedupe },
      this.#laneSettings(settings)
    )
  }

  /** What stands: the lane, or keys of it. */
  get halts(): ReadonlyArray<HaltedReadLane> {
    const halted = this.#defect ?? this.machine.halted
    const halts = halted === undefined ? this.machine.haltedKeys : [halted, ...this.machine.haltedKeys]
    const { topic } = this.#options
    return halts.map((halt) => haltWith({ ...halt, topic, partition: this.lane.partition }, halt.error))
  }

  configure(settings: SubscriptionSettings): void {
    this.#settings = settings
    this.machine.configure(this.#laneSettings(settings))
    this.#handling?.configure(settings.policy)
    this.#signal()
  }

  resume(): void {
    if (this.#defect === undefined) this.machine.resume(this.#now())
    else this.#isResumed = true
    this.#signal()
  }

  /** Settles as soon as everything before a position is done, without waiting for `settleEvery`: once. */
  settleAt(position: Position): void {
    // Settles that fail are tried again soon, each later than the last: whoever waits may ask again and again.
    if (this.#unsettledSinceMs !== undefined) return
    if (this.#settleAt !== undefined && this.#settleAt <= position) return
    this.#settleAt = position
    if (this.machine.watermark >= position) this.#signal()
  }

  /** Whether the lane is halted, and will not settle up to a position until it is resumed. */
  standsBefore(position: Position): boolean {
    const { machine } = this
    if (this.#defect !== undefined || machine.haltedKeys.some((halt) => halt.position < position)) return true
    if (machine.halted === undefined || machine.watermark >= position) return false
    return machine.halted.position < position || machine.running === 0
  }

  isHandling(delivery: DeliveryInfo): boolean {
    return this.#handling?.isHandling(delivery) ?? false
  }

  /** Gives the lane back: no more handlers, drain, settle, release. */
  stop(): void {
    const interruptAtMs = this.#now() + (this.#isConsumerGone ? 0 : this.#settings.drainMs)
    this.#end({ interruptAtMs, giveUpAtMs: interruptAtMs + cleanupMs })
    if (this.#options.consumer !== undefined) this.#handling?.takeBack()
  }

  /** Who takes the deliveries of the subscription takes no more of them. */
  get #isConsumerGone(): boolean {
    return this.#options.consumer?.isGone === true
  }

  /**
   * Its partition is given out anew, so the lane is lost. Waits until its handlers have ended, or are given up: whoever has the partition next
   * begins again what they have in their hands.
   */
  readonly giveUp: Effect.Effect<void> = Effect.suspend(() => {
    this.#lose("pull", Cause.fail(this.#givenOut))
    return Deferred.await(this.#handlersOver)
  })

  /** Runs until the lane is revoked, lost or stopped, and has been given back. Not interruptible: it is told to stop. */
  readonly run: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const isTraced = yield* Effect.withFiber(({ cache }) =>
      Effect.succeed(cache.tracer !== undefined && cache.tracerEnabled)
    )
    const { cluster, topic, stream, group, isKeyPersonal } = this.#options
    this.#handling = new Handling(
      this.#options,
      {
        machine: this.machine,
        from: { cluster, topic, stream, partition: this.lane.partition, isKeyPersonal },
        isTraced,
        signs: this.#signs,
        now: () => this.#now(),
        onEnded: () => this.#wake.signal(),
        onDefect: (error) => this.#breakDown(Cause.die(error))
      },
      this.#settings.policy
    )
    const forget = this.#options.consumer?.whenGone(() => this.#signal())
    const helpers = [this.#fork(this.#guarded(this.#pull)), this.#fork(this.#guarded(this.#listen))]
    yield* this.#guarded(this.#drive(this.#handling))
    if (this.#defect !== undefined) yield* this.#stand
    for (const fiber of helpers) fiber.interruptUnsafe()
    yield* this.#guarded(this.#finish(this.#handling))
    forget?.()
    Deferred.doneUnsafe(this.#handlersOver, Exit.void)
    this.#alarm?.fiber.interruptUnsafe()
    // Also one that has failed: whoever leaves with a lane in hand is taken for one that has died.
    if (!this.#isTheirs) yield* this.#guarded(released(this.lane, `${stream} of the group ${group}`))
    // What is answered later is no word about the lanes that are held by then.
    this.#isLost = true
    this.#settling?.interruptUnsafe()
  })

  /** Pulls while the machine wants more. The end of the lane's stream is its revocation; a failure is its loss. */
  readonly #pull: Effect.Effect<void> = Effect.scoped(
    Effect.gen({ self: this }, function* () {
      const { machine } = this
      if (this.#seen !== undefined) yield* lookBack(this.#seen, this.#options, this.lane, this.#settings)
      const pull = yield* Stream.toPull(this.lane.batches)
      for (;;) {
        while (!machine.wantsMore && !machine.isRevoked) yield* this.#roomAgain.wait
        // What was taken away is pulled once more, to learn whether it is lost already.
        if (machine.isRevoked && !this.#isTaken) return
        const exit = yield* Effect.exit(pull)
        if (Exit.isFailure(exit)) {
          // A stream that ends is a revocation; anything else means that the position is no longer ours to settle.
          if (!isEnd(exit.cause)) this.#lose("pull", exit.cause)
          return this.#taken()
        }
        if (machine.isRevoked) continue
        for (const batch of exit.value) {
          if (machine.received(batch)) continue
          this.#lose("pull", Cause.fail(this.#otherLog))
          return this.#taken()
        }
        this.#wake.signal()
      }
    })
  )

  readonly #listen: Effect.Effect<void> = Effect.suspend(() =>
    Effect.map(this.lane.revoked, () => {
      this.#taken()
    })
  )

  /** Starts handlers, settles what is due, waits; until the lane ends and nothing runs, or it is time to interrupt. */
  #drive(handling: Handling<T>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { machine } = this
      while (this.#defect === undefined) {
        const nowMs = this.#now()
        handling.expire(nowMs)
        this.#startHandlers(handling, nowMs)
        for (const one of this.machine.takeAside()) this.#setAside(one)
        this.#tellHalts(nowMs)
        this.#roomAgain.signal()
        const interruptAtMs = this.#ending?.interruptAtMs ?? Number.POSITIVE_INFINITY
        const isOver = machine.running === 0 || this.#isLost || this.#isConsumerGone || nowMs >= interruptAtMs
        if (machine.isRevoked && isOver) return
        if (!this.#isSettling) this.#settleDue(nowMs, this.#isWaitedFor())
        const settleAtMs = this.#isSettling ? Number.POSITIVE_INFINITY : machine.settleDueMs
        this.#wakeAt(Math.min(machine.retryDueMs, settleAtMs, interruptAtMs, handling.deadlineMs))
        yield* this.#wake.wait
      }
    })
  }

  /** Whether somebody waits for the settle that is due now. */
  #isWaitedFor(): boolean {
    if (this.#settleAt === undefined || this.machine.watermark < this.#settleAt) return false
    this.#settleAt = undefined
    return true
  }

  #tellHalts(nowMs: number): void {
    const { halted, haltedKeys } = this.machine
    if (halted !== undefined || haltedKeys.length > 0) this.#onChanged()
    this.#teller.tell(this.machine, nowMs)
  }

  #setAside(one: ToSetAside): void {
    const { machine } = this
    this.#aside.put(one, {
      partition: this.lane.partition,
      atMs: () => this.#clock.currentTimeMillisUnsafe(),
      isWanted: () => !machine.isGiven,
      done: (fault, reason) => {
        machine.setAside(one.held, fault, this.#now(), reason === "TooLarge")
        this.#wake.signal()
      }
    })
  }

  #startHandlers(handling: Handling<T>, nowMs: number): void {
    const { machine } = this
    let left = handlersPerTurn
    for (let held = machine.next(nowMs); held !== undefined; held = machine.next(nowMs)) {
      handling.start(held, nowMs)
      left--
      if (left > 0 && ((left & 7) !== 0 || this.#now() - nowMs < turnMs)) continue
      this.#wake.signal()
      break
    }
    handling.endTurn(nowMs)
  }

  /** A lane that broke down: what runs may end, nothing is settled. Until somebody resumes it, or it is to end. */
  readonly #stand: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    while (!this.#isResumed && !this.machine.isRevoked) yield* this.#wake.wait
    if (!this.#isResumed || this.machine.isRevoked) return
    const detail = "a lane that stood because of a defect was resumed"
    this.#fail(
      new TransportError({ reason: "Unknown", transport: this.#options.transport.name, operation: "resume", detail })
    )
  })

  /** Settles what is done, interrupts what still runs and waits until it has cleaned up. */
  #finish(handling: Handling<T>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.machine.revoke()
      const soonMs = this.#now() + cleanupMs
      // Nobody gives a lane that is lost any time; whoever has it next may wait here.
      const giveUpAtMs = this.#isLost ? soonMs : (this.#ending?.giveUpAtMs ?? soonMs)
      let hasSettled = false
      // Begun before the rest ends, so that it is stored even if the backend takes the lane meanwhile; but a settle may hang, and a consumer may go.
      const haveEnded = () => {
        if (!hasSettled) hasSettled = this.#beginsToSettle()
        if (this.#isConsumerGone) handling.interrupt(true)
        return handling.waiting === 0
      }
      haveEnded()
      handling.interrupt(this.#isConsumerGone)
      if (!(yield* this.#until(haveEnded, giveUpAtMs))) {
        const { group, stream } = this.#options
        yield* Telemetry.warn(
          `${handling.waiting === 1 ? "1 handler" : `${handling.waiting} handlers`} of the group ${group} of ${stream} did not end in time after ${handling.waiting === 1 ? "it was interrupted; it may still run while its event comes" : "they were interrupted; they may still run while their events come"} again`
        )
        handling.interrupt(true)
      }
      yield* this.#settleFinally(Math.max(giveUpAtMs, this.#now() + cleanupMs))
    })
  }

  #settleFinally(untilMs: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      // Of a lane that is lost nobody needs the answer.
      const hasAnswer = () => !this.#isSettling || this.#isLost
      if (!(yield* this.#until(hasAnswer, untilMs)) || !this.#beginsToSettle()) return
      yield* this.#until(hasAnswer, untilMs)
    })
  }

  /** Settles all that is done, unless a settle is on its way: says whether none was. */
  #beginsToSettle(): boolean {
    if (this.#isSettling || this.#defect !== undefined) return false
    this.#settleDue(this.#now(), true)
    return true
  }

  /** Waits until something is so, or a time has come; says whether it is so. */
  #until(isSo: () => boolean, untilMs: number): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function* () {
      while (!isSo() && this.#now() < untilMs) {
        this.#wakeAt(untilMs)
        yield* this.#wake.wait
      }
      return isSo()
    })
  }

  /** Begins to settle what is due, beside everything else. One settle at a time. */
  #settleDue(nowMs: number, isFinal: boolean): void {
    const position = this.machine.settleDue(nowMs, isFinal)
    if (position === undefined || this.#isLost) return
    this.#isSettling = true
    this.#settling = this.#fork(this.#guarded(this.#settle(position)))
    this.#settling.addObserver(() => {
      this.#isSettling = false
      this.#wake.signal()
    })
  }

  #settle(position: Position): Effect.Effect<void> {
    const { transport, topic, group } = this.#options
    const { lane, machine } = this
    const span = () =>
      Telemetry.commitSpan({ system: transport.name, topic, partition: lane.partition }, group, position)
    return Effect.suspend(() => lane.settle(position)).pipe(
      Effect.timeoutOrElse({ duration: settleMs, orElse: () => Effect.fail(unanswered(transport.name)) }),
      Telemetry.spanned(span),
      Effect.matchCauseEffect({
        onSuccess: () =>
          Effect.sync(() => {
            this.#unsettledSinceMs = undefined
            this.#settleFailures = 0
            machine.settled(position)
            this.#onChanged()
          }),
        // A settle that failed for a passing reason is made up for by the next one.
        onFailure: (cause) => {
          const error = Cause.findErrorOption(cause)
          if (Option.isSome(error) && error.value.isRetryable) return this.#notSettled(error.value)
          return Effect.sync(() => this.#lose("settle", cause))
        }
      })
    )
  }

  /** Handlers go on meanwhile; when it lasts, somebody has to know. */
  #notSettled({ message }: TransportError): Effect.Effect<void> {
    const nowMs = this.#now()
    this.machine.notSettled(nowMs + Math.min(settleAgainMs * 2 ** this.#settleFailures++, settleAgainMsMax))
    this.#unsettledSinceMs ??= nowMs
    if (nowMs - this.#unsettledSinceMs < tellUnsettledMs) return Effect.void
    const { group, stream } = this.#options
    // Told again only after it has worked once.
    this.#unsettledSinceMs = Number.POSITIVE_INFINITY
    return Telemetry.warn(
      `the group ${group} of ${stream} cannot settle partition ${this.lane.partition}, and is tried again; what it has handled comes again if this process ends: ${message}`
    )
  }

  /** The lane is not ours any more. Where that is not the backend's own word, only leaving the group gives it to somebody. */
  #lose(operation: string, cause: Cause.Cause<unknown>): void {
    if (this.#isLost) return
    this.#isLost = true
    this.machine.revoke()
    this.#signal()
    const error = transportErrorOf(this.#options.transport.name, operation, cause)
    this.#isTheirs = error.reason === "LaneLost"
    if (!this.#isTheirs) this.#fail(error)
  }

  /** What the group has settled says nothing about another log: the lane begins anew, with the group. */
  get #otherLog(): TransportError {
    const { transport, topic } = this.#options
    const detail = `${topic}/${this.lane.partition}: a position before ${this.machine.end} came again; the topic was made anew, or its log was cut`
    return new TransportError({ reason: "Unavailable", transport: transport.name, operation: "pull", detail })
  }

  get #givenOut(): TransportError {
    const { transport, topic, group } = this.#options
    const detail = `${topic}/${this.lane.partition} is given out anew in group ${group}`
    return new TransportError({ reason: "LaneLost", transport: transport.name, operation: "pull", detail })
  }

  /** The backend takes the lane: it waits for the drain time that it was told, from now. */
  #taken(): void {
    const drainMs = Math.min(this.#settings.drainMs, this.#groupDrainMs)
    const nowMs = this.#now()
    this.#isTaken = true
    this.#end({ interruptAtMs: nowMs + drainMs * drainPart, giveUpAtMs: nowMs + drainMs })
  }

  #end(ending: Ending): void {
    const before = this.#ending
    if (before === undefined || ending.interruptAtMs < before.interruptAtMs) this.#ending = ending
    this.machine.revoke()
    this.#signal()
  }

  /** Runs a part of the shell; what it dies of halts the lane. */
  #guarded(part: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.catchCause(part, (cause) => Effect.sync(() => this.#breakDown(cause)))
  }

  #breakDown(cause: Cause.Cause<unknown>): void {
    const detail = String(Cause.squash(cause))
    const { group, stream } = this.#options
    this.#defect ??= { scope: "lane", tag: "Defect", position: this.machine.watermark, attempts: 0, detail }
    this.#signal()
    this.#onChanged()
    // The last word of it: what a logger throws then ends this fiber only.
    const told = `a lane of the group ${group} of ${stream} stands because of a defect: ${detail}`
    this.#fork(Effect.logError(told, cause))
  }

  #fork<A>(effect: Effect.Effect<A>): Fiber.Fiber<A> {
    return Effect.runForkWith(this.#options.context)(effect)
  }

  /** Sees to it that the lane is woken at a time; earlier is harmless. */
  #wakeAt(atMs: number): void {
    const alarm = this.#alarm
    if (atMs === Number.POSITIVE_INFINITY || (alarm !== undefined && alarm.atMs <= atMs)) return
    alarm?.fiber.interruptUnsafe()
    const ring = Effect.sync(() => {
      this.#alarm = undefined
      this.#wake.signal()
    })
    this.#alarm = { atMs, fiber: this.#fork(Effect.delay(ring, Math.max(1, atMs - this.#now()))) }
  }

  #signal(): void {
    this.#wake.signal()
    this.#roomAgain.signal()
  }

  #now(): number {
    return monotonicMs(this.#clock)
  }

  #laneSettings(settings: SubscriptionSettings): ReadLaneSettings {
    const { handler, tier = 0 } = this.#options
    const nextTier = nextTierOf(settings, tier)
    // A lane has one batch at a time in the hands of a handler.
    return handler.kind === "batch" ? { ...settings, nextTier, concurrency: 1 } : { ...settings, nextTier }
  }
}

function unanswered(transport: string): TransportError {
  const detail = `no answer within ${settleMs} ms`
  return new TransportError({ reason: "Timeout", transport, operation: "settle", detail })
}

function isEnd(cause: Cause.Cause<unknown>): boolean {
  return cause.reasons.some((reason) => Cause.isFailReason(reason) && Cause.isDone(reason.error))
}
