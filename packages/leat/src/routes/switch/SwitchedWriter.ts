/**
 * The write side of a topic whose cluster may get another client. What is handed over is noted until it is answered, so that it is known when nothing of
 * a partition is on its way or in doubt. What happens while partitions go over is `GoingOver`'s.
 */
import { Deferred, Effect, Exit, type Fiber, Scope } from "effect"
import type { OutgoingBatch } from "../../record/OutgoingBatch.ts"
import { answeredRuns } from "../../transport/answeredRuns.ts"
import { unknownRun } from "../../transport/Sending.ts"
import type { Position, Run, TransportError, Writer } from "../../transport/index.ts"
import { closed, type Opened } from "./Client.ts"
import { GoingOver } from "./GoingOver.ts"

/** Ranges of a partition without an answer that are remembered, at most: a driver that never answers, and is never fenced, must not hold ever more. */
const onWayMax = 256

type Answer = (runs: ReadonlyArray<Run>) => void

/** What a writer needs of its cluster. */
export interface WriterHome {
  /** Milliseconds of the monotonic clock. */
  readonly nowMs: number
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  /** For what is closed without anybody who waits. */
  readonly run: (closing: Effect.Effect<void>) => void
  readonly forget: (writer: SwitchedWriter) => void
}

/** A range that was handed to a client and has no answer. */
class Handed {
  readonly timeoutMs: number
  readonly answer: Answer
  readonly #writer: SwitchedWriter
  readonly #opened: Opened
  readonly #partition: number
  readonly #from: number
  readonly #to: number

  constructor(
    writer: SwitchedWriter,
    opened: Opened,
    partition: number,
    from: number,
    to: number,
    timeoutMs: number,
    answer: Answer
  ) {
    this.#writer = writer
    this.#opened = opened
    this.#partition = partition
    this.#from = from
    this.#to = to
    this.timeoutMs = timeoutMs
    this.answer = answer
  }

  /** Whatever the driver says, and however often, is told on. */
  readonly told = (runs: ReadonlyArray<Run>): void => {
    // A driver may say anything, which is no reason to break its callback.
    this.#writer.answered(this, this.#opened, this.#partition, answeredRuns(runs, this.#from, this.#to))
    this.answer(runs)
  }

  /** It is not waited for any more. */
  unknown(detail: string): void {
    this.answer([unknownRun(this.#opened.client.transport.name, this.#from, this.#to, detail, "Timeout")])
  }
}

/** A fence that somebody waits for. */
interface Fencing {
  readonly opened: Opened
  readonly partition: number
  readonly ended: Deferred.Deferred<Position, TransportError>
}

export class SwitchedWriter implements Writer {
  readonly topic: string
  readonly #home: WriterHome
  #now: Opened
  #going: GoingOver | undefined
  /** By partition; undefined until something was sent. */
  #onWay: Array<Array<Handed> | undefined> | undefined
  /** Partitions with an outcome that is unknown and was not fenced. */
  #doubts: Set<number> | undefined
  #fencing: Set<Fencing> | undefined

  constructor(topic: string, opened: Opened, home: WriterHome) {
    this.topic = topic
    this.#now = opened
    this.#home = home
  }

  get partitions(): number {
    return this.#now.writer.partitions
  }

  /** Whether some partition is still at the client that it had. */
  get isGoingOver(): boolean {
    return this.#going !== undefined
  }

  /** Whether some could have been left by now, if the next client could fence. */
  get isStuck(): boolean {
    return this.#going?.isStuck === true
  }

  /** Where a partition is now. */
  at(partition: number): Opened {
    return this.#going?.over.has(partition) === true ? this.#going.next : this.#now
  }

  /** What of a partition is on its way. */
  onWay(partition: number): ReadonlyArray<Handed> {
    return this.#onWay?.[partition] ?? []
  }

  isInDoubt(partition: number): boolean {
    return this.#doubts?.has(partition) === true
  }

  send(partition: number, batch: OutgoingBatch, from: number, to: number, timeoutMs: number, answer: Answer): void {
    const going = this.#going
    if (going === undefined || going.passes(partition)) this.hand(partition, batch, from, to, timeoutMs, answer)
    else going.hold({ partition, batch, from, to, timeoutMs, answer })
  }

  /** To the client where the partition is now. */
  hand(partition: number, batch: OutgoingBatch, from: number, to: number, timeoutMs: number, answer: Answer): void {
    const opened = this.at(partition)
    const handed = new Handed(this, opened, partition, from, to, timeoutMs, answer)
    const all = (this.#onWay ??= [])
    const onWay = (all[partition] ??= [])
    onWay.push(handed)
    if (onWay.length > onWayMax) onWay.shift()
    try {
      opened.writer.send(partition, batch, from, to, timeoutMs, handed.told)
    } catch (error) {
      this.answered(handed, opened, partition, [{ from, to, fate: "unknown" }])
      throw error
    }
  }

  /** The state of the partition follows before whoever waits for the answer hears of it: that may send at once. */
  answered(handed: Handed, { client }: Opened, partition: number, runs: ReadonlyArray<Run>): void {
    const onWay = this.#onWay?.[partition]
    const at = onWay?.indexOf(handed) ?? -1
    // What was fenced is on its way no more, and what comes then or twice says nothing new.
    if (onWay === undefined || at < 0) return
    onWay.splice(at, 1)
    const { fencing } = client.transport.capabilities
    if (fencing !== "none" && runs.some(isUnknown)) (this.#doubts ??= new Set<number>()).add(partition)
    this.#going?.answered(partition, runs.every(isStored))
  }

  /** Another client may take the place of one whose driver never ends its fence, so that is not waited for then. */
  fence(partition: number): Effect.Effect<Position, TransportError> {
    return Effect.uninterruptibleMask((restore) => {
      // Who fences has given up what waits here.
      this.#going?.refuse(partition)
      const opened = this.at(partition)
      const ended = Deferred.makeUnsafe<Position, TransportError>()
      const fencing = { opened, partition, ended }
      const all = (this.#fencing ??= new Set<Fencing>())
      all.add(fencing)
      const asked = Effect.suspend(() => opened.writer.fence(partition))
      const forked = Effect.forkDetach(Effect.interruptible(asked), { startImmediately: true })
      return Effect.flatMap(forked, (fiber) => {
        fiber.addObserver((exit) => {
          all.delete(fencing)
          if (Exit.isSuccess(exit)) this.fenced(opened, partition)
          Deferred.doneUnsafe(ended, exit)
        })
        const left = Effect.suspend(() => {
          fiber.interruptUnsafe()
          return Effect.exit(Deferred.await(ended))
        })
        return Effect.onInterrupt(restore(Deferred.await(ended)), () => left)
      })
    })
  }

  /** Nothing that was sent to the partition there can land any more. */
  fenced(opened: Opened, partition: number): void {
    if (opened !== this.at(partition)) return
    this.#onWay?.[partition]?.splice(0)
    this.#doubts?.delete(partition)
    this.#going?.settled(partition)
  }

  /** Nobody can tell what became of what was sent there, and nobody waits for that any more. */
  leave(opened: Opened, partition: number, error: TransportError): void {
    this.fenced(opened, partition)
    for (const one of this.#fencing ?? [])
      if (one.opened === opened && one.partition === partition) Deferred.doneUnsafe(one.ended, Exit.fail(error))
  }

  /** Goes over, each partition as soon as it can. */
  switch(next: Opened): void {
    const going = new GoingOver(this, this.#now, next, this.#home)
    this.#going = going
    going.begin()
  }

  /** What goes over for long is left where another client, which is proven, can fence. */
  relieved(by: Opened): Effect.Effect<void> {
    return Effect.suspend(() => this.#going?.relieved(by) ?? Effect.void)
  }

  /** Nothing is left at the client that it had. */
  isOver({ next, was }: GoingOver): void {
    this.#now = next
    this.#going = undefined
    this.#home.run(Effect.andThen(closed(was), was.client.release))
  }

  /** It is not written to any more. Whoever closes it hears what breaks at the present client, and how long that is waited for is theirs. */
  close(): Effect.Effect<void> {
    this.#home.forget(this)
    const going = this.#going
    going?.end()
    this.#going = undefined
    const { scope, client } = going?.next ?? this.#now
    const closing = Effect.ensuring(Scope.close(scope, Exit.void), client.release)
    if (going === undefined) return closing
    return Effect.andThen(Effect.andThen(closed(going.was), going.was.client.release), closing)
  }
}

function isStored({ fate }: Run): boolean {
  return fate === "stored"
}

function isUnknown({ fate }: Run): boolean {
  return fate === "unknown"
}
