/**
 * A consumer group of the memory broker: members, which member holds which partition, and how far each partition is settled.
 * A partition changes hands only after its holder has released it, or has let its drain deadline pass.
 */
import { Effect, type Fiber, type Scope, Stream } from "effect"
import { HeldLane } from "../HeldLane.ts"
import type { From, Lane, Position } from "../index.ts"
import { OfferedLanes } from "../OfferedLanes.ts"
import type { TransportError } from "../TransportError.ts"
import type { MemoryPartition } from "./MemoryPartition.ts"

interface Member {
  readonly id: number
  /** Takes no more lanes: it drains the ones it has, and then goes. */
  isLeaving: boolean
  readonly lanes: OfferedLanes
  readonly from: From
  readonly drainMs: number
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
}

/** One partition in the hands of one member. */
interface Holding {
  readonly member: Member
  readonly held: HeldLane
  /** Ends the watch over the log, and over the drain deadline. */
  readonly stop: Array<() => void>
  /** Its member lives, and did not drain in time: nobody has vanished. */
  isOverdue: boolean
}

interface GroupPartition {
  readonly number: number
  readonly log: MemoryPartition
  holding: Holding | undefined
  /** Where the group began, before it settled anything. */
  origin: Position | undefined
  settled: Position | undefined
  /** Holders in a row that vanished at `abandonedAt` with records in their hands. */
  abandoned: number
  abandonedAt: Position
}

export class MemoryGroup {
  readonly #topic: string
  readonly #group: string
  readonly #partitions: ReadonlyArray<GroupPartition>
  #members: Array<Member> = []
  #nextMember = 0

  constructor(topic: string, group: string, logs: ReadonlyArray<MemoryPartition>) {
    this.#topic = topic
    this.#group = group
    this.#partitions = logs.map((log, number) => ({
      number,
      log,
      holding: undefined,
      origin: undefined,
      settled: undefined,
      abandoned: 0,
      abandonedAt: 0n
    }))
  }

  /** How far a partition is settled: where the group began counts too, unless that was the start. */
  settled(partition: number): Position | undefined {
    const { settled, origin, log } = this.#partitions[partition] ?? {}
    if (settled !== undefined || origin === undefined || log === undefined) return settled
    return origin > log.start ? origin : undefined
  }

  /** Whether a member was given a partition, now or before. */
  get hasBegun(): boolean {
    return this.#partitions.some(({ origin, settled }) => origin !== undefined || settled !== undefined)
  }

  /** Joins. Lanes come through the stream; who no longer runs it gets no more of them, and has left when the scope closes. */
  readonly join = (from: From, drainMs: number): Stream.Stream<Lane, TransportError, Scope.Scope> =>
    Stream.fromEffect(
      Effect.gen({ self: this }, function* () {
        const fork = Effect.runForkWith(yield* Effect.context<never>())
        const lanes = yield* OfferedLanes.make
        const member: Member = { id: this.#nextMember++, isLeaving: false, lanes, from, drainMs, fork }
        // In this order: the scope may have ended by now, and then the finalizer runs at once.
        this.#members.push(member)
        yield* Effect.addFinalizer(() => Effect.sync(() => this.#leave(member)))
        this.#rebalance()
        return lanes.stream(Effect.sync(() => this.#takeNoMore(member)))
      }).pipe(Effect.uninterruptible)
    ).pipe(Stream.flatten)

  #takeNoMore(member: Member): void {
    member.isLeaving = true
    this.#rebalance()
  }

  /** A member that goes without releasing loses its lanes: what it had in its hands comes again. */
  #leave(member: Member): void {
    this.#members = this.#members.filter((one) => one !== member)
    for (const { holding } of this.#partitions) if (holding?.member === member) holding.held.lose()
    this.#rebalance()
  }

  /** Moves as few partitions as it takes to give every member its share. */
  #rebalance(): void {
    const target = this.#target()
    for (const partition of this.#partitions) {
      const member = target.get(partition.number)
      const { holding } = partition
      if (member === undefined || holding?.member === member) continue
      if (holding === undefined) this.#give(partition, member)
      else if (holding.held.isHeld) this.#revoke(holding)
    }
  }

  #target(): ReadonlyMap<number, Member> {
    const target = new Map<number, Member>()
    const members = this.#members.filter(({ isLeaving }) => !isLeaving)
    const share = Math.floor(this.#partitions.length / Math.max(1, members.length))
    // Members that may have one more than the others: when all might, the last ones could be left with nothing.
    let larger = members.length === 0 ? 0 : this.#partitions.length % members.length
    const counts = new Map(members.map((member) => [member, 0]))
    const assign = (number: number, member: Member) => {
      target.set(number, member)
      counts.set(member, (counts.get(member) ?? 0) + 1)
    }
    for (const { number, holding } of this.#partitions) {
      if (holding?.held.isHeld !== true) continue
      const count = counts.get(holding.member)
      if (count === undefined || count > share || (count === share && larger === 0)) continue
      if (count === share) larger--
      assign(number, holding.member)
    }
    for (const { number } of this.#partitions) {
      if (target.has(number)) continue
      const [least] = members.toSorted((a, b) => (counts.get(a) ?? 0) - (counts.get(b) ?? 0) || a.id - b.id)
      if (least !== undefined) assign(number, least)
    }
    return target
  }

  #give(partition: GroupPartition, member: Member): void {
    const { number, log } = partition
    const start = this.#start(partition, member.from)
    const options = {
      transport: "memory",
      topic: this.#topic,
      group: this.#group,
      partition: number,
      start,
      abandoned: partition.abandonedAt === start ? partition.abandoned : 0
    }
    const held = new HeldLane(options, {
      read: (from) => log.read(from, log.end),
      commit: (position, done) => {
        partition.settled = position
        partition.abandoned = 0
        done(undefined)
      },
      over: (how) => this.#over(partition, how)
    })
    partition.holding = { member, held, stop: [log.onAppend(() => held.wake())], isOverdue: false }
    member.lanes.offer(held)
  }

  #start(partition: GroupPartition, from: From): Position {
    if (partition.settled !== undefined) return partition.settled
    // Kept: a group that began at the latest record must not skip what comes before its first settle.
    partition.origin ??= originOf(partition.log, from)
    return partition.origin
  }

  /** Ends the lane, and watches over its drain deadline. */
  #revoke(holding: Holding): void {
    const { held, member, stop } = holding
    held.revoke()
    const take = () => {
      holding.isOverdue = true
      held.lose()
    }
    const watch = member.fork(Effect.delay(Effect.sync(take), member.drainMs))
    stop.push(() => watch.interruptUnsafe())
  }

  /** A lane whose member has gone with records in its hands has been abandoned. */
  #over(partition: GroupPartition, how: "released" | "lost"): void {
    const { holding } = partition
    if (holding === undefined) return
    for (const stop of holding.stop) stop()
    partition.holding = undefined
    const { handedOut, lane } = holding.held
    if (how === "released") partition.abandoned = 0
    else if (!holding.isOverdue && handedOut > lane.start) {
      const position = partition.settled ?? lane.start
      partition.abandoned = partition.abandonedAt === position ? partition.abandoned + 1 : 1
      partition.abandonedAt = position
    }
    this.#rebalance()
  }
}

function originOf(log: MemoryPartition, from: From): Position {
  if (from === "earliest") return log.start
  if (from === "latest") return log.end
  if ("timeMs" in from) return log.positionAt(from.timeMs)
  return from.position < log.start ? log.start : from.position > log.end ? log.end : from.position
}
