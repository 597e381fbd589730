/**
 * A consumer group of the memory broker: members, which member holds which partition, and how far each partition is settled.
 * A partition changes hands only after its holder has released it, or has let its drain deadline pass.
 */
import { Cause, Effect, Queue, type Scope, Stream } from "effect"
import type { MemoryPartition } from "./MemoryPartition.ts"
import { type From, type Lane, type Position, type ReceivedBatch, TransportError } from "../index.ts"

interface Member {
  readonly id: number
  /** Takes no more lanes: it drains the ones it has, and then goes. */
  isLeaving: boolean
  readonly lanes: Queue.Queue<Lane>
  readonly scope: Scope.Scope
  readonly from: From
  readonly drainMs: number
}

/** One partition in the hands of one member. */
interface Holding {
  readonly member: Member
  readonly start: Position
  /** Next position that is handed out. */
  next: Position
  state: "held" | "revoked" | "released" | "lost"
  /** Called when the state is no longer `held`. */
  readonly ended: Set<() => void>
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

  settled(partition: number): Position | undefined {
    return this.#partitions[partition]?.settled
  }

  /** Joins. Lanes come through the stream; who no longer runs it gets no more of them, and has left when the scope closes. */
  readonly join = (from: From, drainMs: number): Stream.Stream<Lane, never, Scope.Scope> =>
    Stream.fromEffect(
      Effect.gen({ self: this }, function* () {
        const scope = yield* Effect.scope
        const lanes = yield* Queue.unbounded<Lane>()
        const member = { id: this.#nextMember++, isLeaving: false, lanes, scope, from, drainMs }
        // In this order: the scope may have ended by now, and then the finalizer runs at once.
        this.#members.push(member)
        yield* Effect.addFinalizer(() => this.#leave(member))
        yield* this.#rebalance
        return member
      }).pipe(Effect.uninterruptible)
    ).pipe(Stream.flatMap((member) => Stream.ensuring(Stream.fromQueue(member.lanes), this.#takeNoMore(member))))

  #takeNoMore(member: Member): Effect.Effect<void> {
    return Effect.suspend(() => {
      member.isLeaving = true
      return this.#rebalance
    })
  }

  /** A member that goes without releasing loses its lanes: what it had in its hands comes again. */
  #leave(member: Member): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#members = this.#members.filter((one) => one !== member)
      for (const partition of this.#partitions) if (partition.holding?.member === member) this.#lose(partition)
      return this.#rebalance
    })
  }

  /**
   * Moves as few partitions as it takes to give every member its share. Decided and done in one step: a member that left
   * between the two would be given a partition for ever.
   */
  readonly #rebalance: Effect.Effect<void> = Effect.suspend(() => {
    const target = this.#target()
    const deadlines: Array<Effect.Effect<unknown>> = []
    for (const partition of this.#partitions) {
      const member = target.get(partition.number)
      const { holding } = partition
      if (member === undefined || holding?.member === member) continue
      if (holding === undefined) this.#give(partition, member)
      else if (holding.state === "held") deadlines.push(this.#revoke(partition, holding))
    }
    return Effect.all(deadlines, { discard: true })
  }).pipe(Effect.uninterruptible)

  #target(): ReadonlyMap<number, Member> {
    const target = new Map<number, Member>()
    const members = this.#members.filter(({ isLeaving }) => !isLeaving)
    const share = Math.ceil(this.#partitions.length / Math.max(1, members.length))
    const counts = new Map(members.map((member) => [member, 0]))
    const assign = (number: number, member: Member) => {
      target.set(number, member)
      counts.set(member, (counts.get(member) ?? 0) + 1)
    }
    for (const { number, holding } of this.#partitions) {
      if (holding?.state === "held" && (counts.get(holding.member) ?? share) < share) assign(number, holding.member)
    }
    for (const { number } of this.#partitions) {
      if (target.has(number)) continue
      const [least] = members.toSorted((a, b) => (counts.get(a) ?? 0) - (counts.get(b) ?? 0) || a.id - b.id)
      if (least !== undefined) assign(number, least)
    }
    return target
  }

  #give(partition: GroupPartition, member: Member): void {
    const start = this.#start(partition, member.from)
    const holding: Holding = { member, start, next: start, state: "held", ended: new Set() }
    partition.holding = holding
    Queue.offerUnsafe(member.lanes, this.#lane(partition, holding))
  }

  #start(partition: GroupPartition, from: From): Position {
    if (partition.settled !== undefined) return partition.settled
    // Kept, so that a group that began at the latest record does not skip what comes before its first settle.
    partition.origin ??= originOf(partition.log, from)
    return partition.origin
  }

  /** Ends the lane, and returns the watch over its drain deadline. */
  #revoke(partition: GroupPartition, holding: Holding): Effect.Effect<unknown> {
    holding.state = "revoked"
    partition.log.wake()
    tellEnded(holding)
    const deadline = Effect.suspend(() => {
      if (partition.holding !== holding) return Effect.void
      this.#lose(partition)
      return this.#rebalance
    })
    return Effect.forkIn(Effect.delay(deadline, holding.member.drainMs), holding.member.scope)
  }

  #lose(partition: GroupPartition): void {
    const { holding } = partition
    if (holding === undefined) return
    holding.state = "lost"
    partition.holding = undefined
    partition.log.wake()
    tellEnded(holding)
    const position = partition.settled ?? holding.start
    if (holding.next === holding.start) return
    partition.abandoned = partition.abandonedAt === position ? partition.abandoned + 1 : 1
    partition.abandonedAt = position
  }

  #lane(partition: GroupPartition, holding: Holding): Lane {
    const { number, log } = partition
    const lost = (operation: string) =>
      new TransportError({
        reason: "LaneLost",
        transport: "memory",
        operation,
        detail: `partition ${number} of ${this.#topic} is no longer held by this member of group ${this.#group}`
      })
    const changed = Effect.callback<void>(function (resume) {
      // The fiber may have given way since it looked: what came meanwhile wakes nobody any more.
      if (holding.state !== "held" || log.end > holding.next) return resume(Effect.void)
      const dispatcher = this.makeDispatcher()
      // Scheduled, so that no reader runs inside the stack of the writer that wakes it.
      const cancel = log.whenChanged(() => dispatcher.scheduleTask(() => resume(Effect.void), 0))
      return Effect.sync(cancel)
    })
    const pull: Effect.Effect<readonly [ReceivedBatch], TransportError | Cause.Done> = Effect.suspend(() => {
      if (holding.state === "lost") return Effect.fail(lost("pull"))
      if (holding.state !== "held") return Cause.done()
      const batch = log.read(holding.next, log.end)
      if (batch === undefined) return Effect.andThen(changed, pull)
      holding.next = batch.next
      return Effect.succeed([batch] as const)
    })
    return {
      id: `${this.#topic}/${number}`,
      partition: number,
      start: holding.start,
      abandoned: partition.abandonedAt === holding.start ? partition.abandoned : 0,
      batches: Stream.fromPull(Effect.succeed(pull)),
      revoked: Effect.callback<void>(function (resume) {
        if (holding.state !== "held") return resume(Effect.void)
        const dispatcher = this.makeDispatcher()
        const ended = () => dispatcher.scheduleTask(() => resume(Effect.void), 0)
        holding.ended.add(ended)
        return Effect.sync(() => holding.ended.delete(ended))
      }),
      settle: (position) =>
        Effect.suspend(() => {
          if (holding.state === "lost" || holding.state === "released") return Effect.fail(lost("settle"))
          if (position > log.end) return Effect.fail(beyondEnd(position, log.end))
          if (position > (partition.settled ?? holding.start)) {
            partition.settled = position
            partition.abandoned = 0
          }
          return Effect.void
        }),
      release: Effect.suspend(() => {
        if (holding.state === "lost" || holding.state === "released") return Effect.void
        holding.state = "released"
        partition.holding = undefined
        partition.abandoned = 0
        log.wake()
        tellEnded(holding)
        return this.#rebalance
      })
    }
  }
}

/** Whoever waits for it runs later, never inside the stack of a rebalancing. */
function tellEnded({ ended }: Holding): void {
  for (const tell of ended) tell()
  ended.clear()
}

function originOf(log: MemoryPartition, from: From): Position {
  if (from === "earliest") return log.start
  if (from === "latest") return log.end
  if ("timeMs" in from) return log.positionAt(from.timeMs)
  return from.position < log.start ? log.start : from.position > log.end ? log.end : from.position
}

function beyondEnd(position: Position, end: Position): TransportError {
  const detail = `position ${position} is behind the end ${end}: nothing there was ever read`
  return new TransportError({ reason: "Rejected", transport: "memory", operation: "settle", detail })
}
