/** One life of a stream that is moved while a group reads it, as it is drawn: moves, writers of which one may be passed over, and members that come and go. */
import { Clock, Effect, Exit, Fiber, References, Scope, Stream } from "effect"
import fc from "fast-check"
import { seededRandom, simulate } from "leat/testing"
import type { Place } from "../../src/control/ControlRecord.ts"
import type { Epoch } from "../../src/control/Placement.ts"
import type { Consuming } from "../../src/consume/Consuming.ts"
import type { DeliveryInfo } from "../../src/consume/DeliveryInfo.ts"
import type { Note } from "../contracts/Note.ts"
import { MovedMember } from "./MovedMember.ts"
import { MovedStream, stream, type Written, type WriterName } from "./MovedStream.ts"

const names = ["a", "b", "c"] as const
type PlaceName = (typeof names)[number]

/** The latest that anybody hears of the control stream, in milliseconds. */
const lateMsMax = 700

const memberDrawn = fc.record({
  beginMs: fc.nat(1500),
  /** Undefined: it stays until all is done, and one more does so in any case. */
  stayMs: fc.option(fc.nat(1500), { nil: undefined }),
  isKilled: fc.boolean(),
  lateMs: fc.constantFrom(0, 0, 5, 60, lateMsMax)
})

export const worldDrawn = fc.record({
  partitions: fc.array(fc.constantFrom(1, 1, 2, 3, 4, 6, 12), { minLength: 3, maxLength: 3 }),
  /** Where it begins is `a`. */
  moves: fc.array(
    fc.record({
      to: fc.constantFrom<PlaceName>("a", "b", "b", "c"),
      /** A writer does not answer, is passed over, and writes so many events behind the end. */
      late: fc.constantFrom(0, 0, 1, 3),
      events: fc.nat(10),
      /** It is retired before the next move begins. */
      isRetired: fc.boolean(),
      pauseMs: fc.nat(300)
    }),
    { minLength: 1, maxLength: 4 }
  ),
  /** Before the stream is placed, and in the first epoch. */
  events: fc.tuple(fc.nat(8), fc.nat(8)),
  /** Records of earlier times in the other places, by a stranger or of an epoch before; and of another stream. */
  older: fc.array(
    fc.record({ to: fc.constantFrom<PlaceName>("b", "c"), key: fc.nat(5), epoch: fc.constantFrom(undefined, 1) }),
    {
      maxLength: 4
    }
  ),
  epoch: fc.constantFrom(1, 1, 3),
  keys: fc.integer({ min: 1, max: 6 }),
  members: fc.array(memberDrawn, { maxLength: 3 }),
  concurrency: fc.constantFrom(1, 2, 8),
  handlerMs: fc.constantFrom(0, 0, 20, 150),
  fails: fc.constantFrom(0, 0, 0.2),
  settleFails: fc.constantFrom(0, 0, 0.2, 0.6),
  boundsFails: fc.constantFrom(0, 0, 0.3),
  settleEveryMs: fc.constantFrom(5, 100, 2000),
  awayMs: fc.constantFrom(0, 0, 0, 800, 4000),
  markers: fc.boolean(),
  kind: fc.constantFrom<"one" | "batch" | "loop">("one", "one", "batch", "loop")
})
export type MovedWorld = typeof worldDrawn extends fc.Arbitrary<infer A> ? A : never

export interface Call {
  readonly member: number
  readonly topic: string
  readonly partition: number
  readonly position: number
  readonly event: string
  readonly epoch: number | undefined
  readonly atMs: number
  isHandled: boolean
}

/** One after the other: a call, or that it has handled its event. */
export type Happening = { readonly call: Call; readonly what: "called" | "handled" }

const keysOf = (writer: WriterName, keys: number) =>
  Array.from({ length: keys }, (_, key) => key).filter((key) => key % 2 === writer)

export class Life {
  readonly drawn: MovedWorld
  readonly places: Readonly<Record<PlaceName, Place>>
  readonly moved: MovedStream
  readonly happened: Array<Happening> = []
  readonly members: Array<MovedMember> = []
  /** Members that are in each topic. */
  readonly counts = new Map<string, number>()
  readonly random: () => number
  readonly #seqs = new Map<number, number>()
  readonly #failed = new Map<string, number>()
  readonly deaths: Array<Fiber.Fiber<unknown, unknown>> = []
  /** Late events that were written behind an end, in order. */
  swept = 0

  constructor(drawn: MovedWorld, seed: number) {
    this.drawn = drawn
    this.random = seededRandom(seed)
    const [a = 1, b = 1, c = 1] = drawn.partitions
    this.places = {
      a: { cluster: "one", topic: "a", partitions: a },
      b: { cluster: "two", topic: "b", partitions: b },
      c: { cluster: "one", topic: "c", partitions: c }
    }
    this.moved = new MovedStream(Object.values(this.places))
  }

  /** The next event of one of the keys. */
  #next(keys: ReadonlyArray<number>, epoch: number | undefined): Written | undefined {
    const key = keys[Math.floor(this.random() * keys.length)]
    if (key === undefined) return undefined
    const seq = this.#seqs.get(key) ?? 0
    this.#seqs.set(key, seq + 1)
    return { writer: key % 2 === 0 ? 0 : 1, key, seq, epoch, wire: this.random() < 0.5 ? "compact" : "cloudevents" }
  }

  /** Some events of these keys, now and then. */
  write(place: Place, epoch: number | undefined, count: number, keys: ReadonlyArray<number>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (let index = 0; index < count; index++) {
        const one = this.#next(keys, epoch)
        if (one !== undefined) yield* this.moved.append(place, one)
        if (this.drawn.markers && this.random() < 0.2)
          yield* this.moved.mark(place, Math.floor(this.random() * place.partitions))
        yield* Effect.sleep(this.random() * 40)
      }
    })
  }

  readonly join = (late: number) =>
    Effect.gen({ self: this }, function* () {
      const { settleFails, boundsFails, settleEveryMs, concurrency, awayMs } = this.drawn
      const number = this.members.length
      const beganMs = yield* Clock.currentTimeMillis
      const member = new MovedMember(this.moved, {
        leg: { cluster: "one", topic: "a" },
        lateMs: late,
        settleFails,
        boundsFails,
        random: this.random,
        members: this.counts,
        awayUntilMs: (cluster) => (cluster === "two" ? beganMs + awayMs : 0),
        settings: { settleEveryMs, concurrency, drainMs: 500 }
      })
      this.members.push(member)
      yield* member.open
      const policy = [
        { on: ["Bug"], retry: { times: 100, baseMs: 20, maxDelayMs: 100, jitter: 0 }, then: "halt" as const }
      ]
      const consuming = yield* member.consuming
      const { kind } = this.drawn
      const handled = ({ text }: Note, info: DeliveryInfo) => this.#handled(number, member, text, info)
      const each = Effect.forEach<{ readonly event: Note; readonly info: DeliveryInfo }, void, unknown, never>(
        ({ event, info }) => handled(event, info)
      )
      if (kind === "one") yield* Effect.orDie(consuming.handle("g", handled, { policy }))
      else if (kind === "batch")
        yield* Effect.orDie(consuming.handleBatch("g", each, { policy, records: 4, waitMs: 20 }))
      else
        yield* consuming.subscribe("g", { policy }).pipe(
          Stream.runForEach(({ event, info, done, fail }) =>
            Effect.matchEffect(handled(event, info), { onSuccess: () => done, onFailure: () => fail("Bug") })
          ),
          Effect.forkScoped({ startImmediately: true })
        )
      return { member, consuming }
    })

  #handled(
    number: number,
    member: MovedMember,
    event: string,
    info: {
      readonly topic: string
      readonly partition: number
      readonly position: bigint
      readonly epoch: number | undefined
    }
  ): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      if (member.isDead) return yield* Effect.never
      const { topic, partition, position, epoch } = info
      const atMs = yield* Clock.currentTimeMillis
      const call = {
        member: number,
        topic,
        partition,
        position: Number(position),
        event,
        epoch,
        atMs,
        isHandled: false
      }
      this.happened.push({ call, what: "called" })
      yield* Effect.sleep(this.random() * this.drawn.handlerMs)
      const failures = this.#failed.get(event) ?? 0
      if (failures < 2 && this.random() < this.drawn.fails) {
        this.#failed.set(event, failures + 1)
        return yield* Effect.fail(Object.assign(new Error("planted"), { _tag: "Bug" }))
      }
      if (member.isDead) return yield* Effect.never
      call.isHandled = true
      this.happened.push({ call, what: "handled" })
    })
  }

  /** One that comes and goes. */
  readonly visit = ({ beginMs, stayMs, isKilled, lateMs }: MovedWorld["members"][number]): Effect.Effect<void> =>
    Effect.gen({ self: this }, function* () {
      yield* Effect.sleep(beginMs)
      const scope = yield* Scope.make()
      const { member } = yield* Scope.provide(this.join(lateMs), scope)
      if (stayMs === undefined) yield* Effect.onInterrupt(Effect.never, () => Scope.close(scope, Exit.void))
      else yield* Effect.sleep(stayMs)
      if (isKilled) {
        yield* member.kill
        this.deaths.push(yield* Effect.forkDetach(Scope.close(scope, Exit.void)))
      } else yield* Scope.close(scope, Exit.void)
    })

  get epochs(): ReadonlyArray<Epoch> {
    return this.moved.placement.epochs
  }

  /** What a coordinator does when the group has settled epochs; says whether only the last one is left. */
  readonly retire: Effect.Effect<boolean> = Effect.gen({ self: this }, function* () {
    const { moved } = this
    for (const { epoch, place, phase, begin, end, over, handedOver } of this.epochs) {
      if (phase !== "sealed" || over.size > 0 || this.epochs.at(-1)?.begin === undefined) continue
      const settled = yield* moved.settled(place, "g")
      const isPassed = end?.every((one, index) => Math.max(settled[index] ?? 0, begin?.[index] ?? 0) >= one)
      if (isPassed !== true) return false
      if (!handedOver.has("g")) moved.say({ kind: "handedOver", stream, epoch, group: "g" })
      moved.say({ kind: "retired", stream, base: moved.step, epoch, groups: ["g"] })
    }
    return this.epochs.slice(0, -1).every(({ phase }) => phase === "retired")
  })

  /** Looks so often whether all but the last epoch are retired; says whether they are. */
  #retired(looks: number): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function* () {
      for (let left = looks; left > 0; left--) {
        if (yield* this.retire) return true
        yield* Effect.sleep(50)
      }
      return false
    })
  }

  readonly move = ({ to, late, events, isRetired, pauseMs }: MovedWorld["moves"][number]): Effect.Effect<void> =>
    Effect.gen({ self: this }, function* () {
      const { moved, drawn } = this
      const source = this.epochs.at(-1)
      const place = this.places[to]
      if (source === undefined || source.place.topic === place.topic) return
      const [own, others] = [keysOf(0, drawn.keys), keysOf(1, drawn.keys)]
      const rest = Effect.suspend(() => Effect.sleep(this.random() * pauseMs))
      moved.direct(place)
      yield* rest
      moved.say({ kind: "sealing", stream, base: moved.step })
      yield* rest
      const sealing = moved.placement.epochs.find(({ epoch }) => epoch === source.epoch)
      const says = { kind: "drained", stream, epoch: source.epoch, attempt: sealing?.attempt ?? 0 } as const
      const over = new Map<string, number>()
      for (const member of ["w0", "w1"]) {
        if (member === "w1" && late > 0) over.set(member, moved.control.members.get(member)?.beats ?? 0)
        else moved.say({ ...says, member, upTo: yield* moved.ends(source.place) })
      }
      yield* rest
      moved.say({ kind: "sealed", stream, base: moved.step, end: yield* moved.ends(source.place), over })
      const begun = yield* this.#lateWriting(source, late, others)
      moved.say({ kind: "opened", stream, base: moved.step, begin: yield* moved.ends(place) })
      const epoch = moved.placement.lastEpoch
      const writing = yield* Effect.forkChild(this.write(place, epoch, events, late > 0 ? own : [...own, ...others]))
      if (late > 0) {
        yield* rest
        moved.say({ ...says, member: "w1", upTo: yield* moved.ends(source.place) })
        yield* rest
        for (const one of begun) yield* moved.append(place, { ...one, epoch })
        this.swept += begun.length
        if (begun.length > 0)
          moved.say({ kind: "swept", stream, epoch: source.epoch, upTo: yield* moved.ends(source.place) })
        yield* this.write(place, epoch, 3, others)
      }
      yield* Fiber.join(writing)
      // Nobody may read it now.
      if (isRetired) yield* this.#retired(20)
    })

  #lateWriting(source: Epoch, count: number, keys: ReadonlyArray<number>): Effect.Effect<ReadonlyArray<Written>> {
    return Effect.gen({ self: this }, function* () {
      const written: Array<Written> = []
      for (let index = 0; index < count; index++) {
        const one = this.#next(keys, source.epoch)
        if (one === undefined) continue
        written.push(one)
        yield* this.moved.append(source.place, one)
        yield* Effect.sleep(this.random() * 60)
      }
      return written
    })
  }

  /** All of it; at the end nothing moves any more. */
  readonly lived = Effect.gen({ self: this }, function* () {
    const { drawn, moved, places } = this
    const all = Array.from({ length: drawn.keys }, (_, key) => key)
    for (const { to, key, epoch } of drawn.older)
      yield* moved.append(places[to], { writer: 0, key, seq: 1000 + key, epoch, wire: "compact" })
    for (const member of ["w0", "w1"]) moved.say({ kind: "beat", member, version: 0, refused: "" })
    const visits = yield* Effect.forEach(drawn.members, (member) => Effect.forkChild(this.visit(member)))
    const [before, first] = drawn.events
    yield* this.write(places.a, this.random() < 0.5 ? undefined : 1, before, all)
    moved.place(places.a, drawn.epoch)
    moved.say({ kind: "reads", stream, group: "g" })
    // Who does not know that the stream is placed looks at no epoch: coordinators begin no move before every process has heard.
    yield* Effect.sleep(lateMsMax)
    yield* this.write(places.a, drawn.epoch, first, all)
    for (const one of drawn.moves) yield* this.move(one)
    const last = yield* Effect.scoped(
      Effect.gen({ self: this }, function* () {
        const { member, consuming } = yield* this.join(20)
        yield* Effect.sleep(1)
        const [subscription] = consuming.subscriptions
        if (subscription === undefined) return yield* Effect.die(new Error("it has no subscription"))
        yield* Effect.orDie(subscription.caughtUp)
        // Nothing is written any more.
        const caughtUpAt = this.happened.length
        const lag = yield* Effect.orDie(Effect.eventually(subscription.lag))
        if (!(yield* this.#retired(2000))) return yield* Effect.die(new Error("the group does not pass its epochs"))
        yield* Effect.sleep("30 seconds")
        for (const one of visits) yield* Fiber.interrupt(one)
        for (const one of this.deaths) yield* Fiber.join(one)
        yield* Effect.sleep("30 seconds")
        const topics = new Map(this.counts)
        const history = yield* Effect.orDie(Effect.eventually(historyIn(consuming)))
        return { topics, caughtUpAt, lag, history, groups: member.groups.of(stream) }
      })
    )
    const raw = yield* Effect.forEach(Object.values(places), (place) => moved.raw(place))
    const settled = new Map<string, ReadonlyArray<number>>()
    const ends = new Map<string, ReadonlyArray<number>>()
    for (const place of Object.values(places)) {
      settled.set(place.topic, yield* moved.settled(place, "g"))
      ends.set(place.topic, yield* moved.ends(place))
    }
    return { raw: raw.flat(), settled, ends, ...last }
  }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
}

/** What is stored, as it is read without a group: `topic/partition@position event`. */
function historyIn(consuming: Consuming<Note>) {
  return Effect.gen(function* () {
    const found: Array<string> = []
    for (const range of yield* consuming.stored("g")) {
      if (range.from < range.to && range.settled !== range.to)
        yield* Effect.die(new Error(`not settled: ${range.topic}/${range.partition}`))
      const events = yield* Stream.runCollect(consuming.read(range))
      for (const { event, info } of events)
        found.push(`${info.cluster} ${info.topic}/${info.partition}@${info.position} ${event?.text}`)
    }
    return found
  })
}

/** What became of it all. */
export function lifeOf(drawn: MovedWorld, seed: number) {
  const life = new Life(drawn, seed)
  const { exit, elapsedMs } = simulate(seed, life.lived, { stepsMax: 3_000_000, stepsAtOnceMax: 50_000 })
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
  return { life, ...exit.value, elapsedMs }
}

export type LifeEnd = ReturnType<typeof lifeOf>
