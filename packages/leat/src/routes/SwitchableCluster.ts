/**
 * A cluster whose client can be replaced while everybody who uses it goes on: another one is opened and proven beside it, and takes its place. A partition
 * that is written goes over when nothing of it is on its way or in doubt; a subscription leaves its group and joins it again by the new client, as
 * after a failure that passes. The old client is closed with its last user.
 *
 * What is sent to a partition meanwhile waits for what is on its way. If that fails, it is answered as what stands behind a failure: not stored, and
 * no attempt.
 */
import { Clock, Context, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { isSameValue } from "./sameValue.ts"
import { monotonicMs } from "../Wake.ts"
import type { LeavingTransport } from "../transport/whenLeft.ts"
import { unknownRun } from "../transport/Sending.ts"
import { type Run, type Transport, TransportError, type Writer } from "../transport/index.ts"

/** How long the present client has to say what a topic holds, in milliseconds: its cluster may not be reached by it any more. */
const boundsMs = 5000

/** How often partitions are fenced that are in doubt and not sent to, and how long a fence may take, in milliseconds. */
const fenceEveryMs = 1000
const fenceMs = 30_000

class Client {
  readonly transport: Transport
  readonly scope: Scope.Closeable
  /** Told when another one has taken its place. */
  readonly told = new Set<(error: TransportError) => void>()
  #users = 0
  #isLeft = false

  constructor(transport: Transport, scope: Scope.Closeable) {
    this.transport = transport
    this.scope = scope
  }

  hold(): void {
    this.#users++
  }

  readonly release: Effect.Effect<void> = Effect.suspend(() => (--this.#users === 0 ? this.#closed : Effect.void))

  /** Another one has taken its place. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    this.#isLeft = true
    const { name: transport } = this.transport
    const detail = "its cluster has another section, and another client has taken its place"
    const error = new TransportError({ reason: "Disconnected", transport, operation: "subscribe", detail })
    for (const left of this.told) left(error)
    return this.#users === 0 ? this.#closed : Effect.void
  })

  get #closed(): Effect.Effect<void> {
    return this.#isLeft ? Scope.close(this.scope, Exit.void) : Effect.void
  }
}

/** A topic, open at one client. */
interface Opened {
  readonly client: Client
  readonly writer: Writer
  readonly scope: Scope.Closeable
}

/** What waits for what is on its way. */
interface Held {
  readonly sent: Parameters<Writer["send"]>
  /** In milliseconds of the monotonic clock. */
  readonly sinceMs: number
}

/** A writer that goes over from one client to another: what there is of it only then. */
interface GoingOver {
  readonly next: Opened
  /** Partitions that have gone over. */
  readonly over: Set<number>
  /** Fences what nobody sends to any more. */
  fencing: Fiber.Fiber<void> | undefined
}

class SwitchedWriter implements Writer {
  readonly topic: string
  readonly #cluster: SwitchableCluster
  #now: Opened
  #going: GoingOver | undefined
  /** Ranges on their way, by partition. */
  #onWay: Array<number> | undefined
  /** Ranges that were handed over so far, and the longest time that one of them was given, in milliseconds. */
  #sent = 0
  #timeoutMs = 0
  /** What waits for what is on its way, by partition; undefined until something does. */
  #held: Map<number, Array<Held>> | undefined
  /** How often a partition was fenced, and whether an outcome is unknown since. */
  #fences: Array<{ count: number; isNeeded: boolean }> | undefined

  constructor(topic: string, opened: Opened, cluster: SwitchableCluster) {
    this.topic = topic
    this.#now = opened
    this.#cluster = cluster
  }

  /** It is not written to any more. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#cluster.forget(this)
      const going = this.#going
      const opened = going === undefined ? [this.#now] : [this.#now, going.next]
      going?.fencing?.interruptUnsafe()
      return Effect.forEach(opened, (one) => Effect.andThen(Scope.close(one.scope, Exit.void), one.client.release), {
        discard: true
      })
    })
  }

  get partitions(): number {
    return this.#now.writer.partitions
  }

  send(...sent: Parameters<Writer["send"]>): void {
    const [partition, batch, from, to, timeoutMs, answer] = sent
    const going = this.#going
    if (going !== undefined && !this.#goOver(going, partition)) {
      const all = (this.#held ??= new Map<number, Array<Held>>())
      const held = all.get(partition) ?? []
      all.set(partition, held)
      held.push({ sent, sinceMs: this.#cluster.nowMs })
      return
    }
    const { client, writer } = this.#of(partition)
    const onWay = (this.#onWay ??= [])
    onWay[partition] = (onWay[partition] ?? 0) + 1
    this.#sent++
    this.#timeoutMs = Math.max(this.#timeoutMs, timeoutMs)
    let isAnswered = false
    const fences = this.#fences?.[partition]?.count ?? 0
    const answered = (runs: ReadonlyArray<Run>) => {
      // What is answered after a fence was counted off by that.
      if (!isAnswered && fences === (this.#fences?.[partition]?.count ?? 0)) this.#answered(partition, client, runs)
      isAnswered = true
      answer(runs)
    }
    try {
      writer.send(partition, batch, from, to, timeoutMs, answered)
    } catch (error) {
      if (!isAnswered) this.#answered(partition, client, [{ from, to, fate: "unknown" }])
      isAnswered = true
      throw error
    }
  }

  fence(partition: number): Effect.Effect<bigint, TransportError> {
    return Effect.suspend(() => {
      // Whoever fences has given up what waits here.
      this.#refuse(partition)
      return Effect.tap(this.#of(partition).writer.fence(partition), () =>
        Effect.sync(() => {
          const fences = (this.#fences ??= [])
          fences[partition] = { count: (fences[partition]?.count ?? 0) + 1, isNeeded: false }
          if (this.#onWay !== undefined) this.#onWay[partition] = 0
          if (this.#going !== undefined) this.#goOver(this.#going, partition)
        })
      )
    })
  }

  /** Goes over, each partition as soon as it can. */
  switch(next: Opened): void {
    const going: GoingOver = { next, over: new Set<number>(), fencing: undefined }
    this.#going = going
    for (let partition = 0; partition < this.partitions; partition++) this.#goOver(going, partition)
    if (this.#going === going) going.fencing = this.#cluster.fork(this.#fenceIdle(going))
  }

  /** Whether some partition is still at the client that it had. */
  get isGoingOver(): boolean {
    return this.#going !== undefined
  }

  #of(partition: number): Opened {
    return this.#going?.over.has(partition) === true ? this.#going.next : this.#now
  }

  /**
   * Whoever sends to a partition in doubt fences it before; where nobody does any more, it would never go over. So it is where the driver never answers what
   * it was handed last.
   */
  #fenceIdle(going: GoingOver): Effect.Effect<void> {
    const isStuck = (partition: number, isQuiet: boolean) =>
      (this.#onWay?.[partition] ?? 0) === 0 ? this.#fences?.[partition]?.isNeeded === true : isQuiet
    return Effect.gen({ self: this }, function* () {
      for (let [sent, quietMs] = [this.#sent, 0]; this.#going === going; sent = this.#sent) {
        yield* Effect.sleep(fenceEveryMs)
        quietMs = sent === this.#sent ? quietMs + fenceEveryMs : 0
        const isQuiet = quietMs > this.#timeoutMs + fenceEveryMs
        for (let partition = 0; partition < this.partitions && this.#going === going; partition++)
          if (isStuck(partition, isQuiet)) yield* Effect.ignore(Effect.timeout(this.fence(partition), fenceMs))
      }
    })
  }

  /** Whether the partition is, or goes now, where the next client is. */
  #goOver(going: GoingOver, partition: number): boolean {
    if (going !== this.#going || going.over.has(partition)) return true
    if ((this.#onWay?.[partition] ?? 0) > 0 || this.#fences?.[partition]?.isNeeded === true) return false
    going.over.add(partition)
    if (going.over.size === this.partitions) this.#end(going)
    return true
  }

  /** Nothing is left at the client that it had. */
  #end({ next, fencing }: GoingOver): void {
    const { client, scope } = this.#now
    this.#now = next
    this.#going = undefined
    fencing?.interruptUnsafe()
    this.#cluster.run(Effect.andThen(Scope.close(scope, Exit.void), client.release))
  }

  #answered(partition: number, client: Client, runs: ReadonlyArray<Run>): void {
    if (this.#onWay !== undefined) this.#onWay[partition] = Math.max(0, (this.#onWay[partition] ?? 0) - 1)
    const { fencing } = client.transport.capabilities
    if (fencing !== "none" && runs.some(({ fate }) => fate === "unknown")) {
      const fences = (this.#fences ??= [])
      fences[partition] = { count: fences[partition]?.count ?? 0, isNeeded: true }
    }
    // The driver does not know that what waits was handed over behind it.
    if (runs.some(({ fate }) => fate !== "stored")) this.#refuse(partition)
    const going = this.#going
    if (going === undefined || !this.#goOver(going, partition)) return
    const held = this.#held?.get(partition) ?? []
    for (let one = held.shift(); one !== undefined; one = held.shift()) this.#again(one)
  }

  /** Within the time that it was given; what has waited for longer is not sent any more, because whoever waits for it gives it up. */
  #again({ sent, sinceMs }: Held): void {
    const [partition, batch, from, to, timeoutMs, answer] = sent
    const leftMs = timeoutMs - (this.#cluster.nowMs - sinceMs)
    const { name: transport } = this.#now.client.transport
    if (leftMs > 0) {
      try {
        this.send(partition, batch, from, to, leftMs, answer)
      } catch (error) {
        // Whoever handed it over is not there to be told otherwise.
        answer([unknownRun(transport, from, to, `the driver failed: ${String(error)}`)])
      }
      return
    }
    const detail = "what was on its way at the client before took too long"
    const error = new TransportError({ reason: "Timeout", transport, operation: "send", detail })
    answer([{ from, to, fate: "notStored", error }])
    this.#refuse(partition)
  }

  /** What waits stands behind a failure. */
  #refuse(partition: number): void {
    for (const { sent } of this.#held?.get(partition)?.splice(0) ?? []) {
      const [, , from, to, , answer] = sent
      answer([{ from, to, fate: "notStored" }])
    }
  }
}

/** Another client that is to take the place of the present one. */
export class Candidate {
  readonly client: Client
  readonly writers = new Map<SwitchedWriter, Opened>()

  constructor(client: Client) {
    this.client = client
  }

  /** It does not take that place after all. */
  readonly discard: Effect.Effect<void> = Effect.suspend(() => {
    const opened = Array.from(this.writers.values(), ({ scope }) => Scope.close(scope, Exit.void))
    return Effect.andThen(Effect.all(opened, { discard: true }), Scope.close(this.client.scope, Exit.void))
  })
}

export class SwitchableCluster {
  readonly transport: Transport
  readonly #scope: Scope.Scope
  readonly #writers = new Set<SwitchedWriter>()
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  readonly #clock: Clock.Clock
  /** What is being closed. */
  readonly #closing = new Set<Fiber.Fiber<void>>()
  #client: Client

  private constructor(client: Client, scope: Scope.Scope, context: Context.Context<never>) {
    this.#client = client
    this.#scope = scope
    this.fork = Effect.runForkWith(context)
    this.#clock = Context.get(context, Clock.Clock)
    this.transport = this.#facade(client.transport)
  }

  /** Opens the first client; all of them are closed with the scope. */
  static readonly open = <E>(
    opening: Effect.Effect<Transport, E, Scope.Scope>
  ): Effect.Effect<SwitchableCluster, E, Scope.Scope> =>
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const own = yield* Scope.fork(scope)
      const transport = yield* Scope.provide(opening, own)
      const cluster = new SwitchableCluster(new Client(transport, own), scope, yield* Effect.context<never>())
      yield* Scope.addFinalizer(
        scope,
        Effect.suspend(() => Fiber.awaitAll(cluster.#closing))
      )
      return cluster
    })

  /** Opens another client beside the present one, and what is open for writing at it. Nothing of it stays when it fails. */
  prepare<E>(opening: Effect.Effect<Transport, E, Scope.Scope>): Effect.Effect<Candidate, E | TransportError> {
    return Effect.flatMap(Scope.fork(this.#scope), (own) =>
      Effect.gen({ self: this }, function* () {
        const transport = yield* Scope.provide(opening, own)
        const candidate = new Candidate(new Client(transport, own))
        const { capabilities } = this.#client.transport
        if (!isSameValue(transport.capabilities, capabilities, "inOrder"))
          return yield* unlike(transport, "open", "it can do other things than the client that is open")
        yield* this.complete(candidate)
        return candidate
      }).pipe(Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : Scope.close(own, Exit.void))))
    )
  }

  /** Opens what has been opened for writing since. */
  complete(candidate: Candidate): Effect.Effect<void, TransportError> {
    return Effect.gen({ self: this }, function* () {
      for (let missing = this.#missing(candidate); missing.length > 0; missing = this.#missing(candidate))
        for (const writer of missing) candidate.writers.set(writer, yield* this.#proven(writer, candidate.client))
    })
  }

  isComplete(candidate: Candidate): boolean {
    return this.#missing(candidate).length === 0
  }

  /** Whether partitions are still on their way to the present client. */
  get isGoingOver(): boolean {
    return Array.from(this.#writers).some((writer) => writer.isGoingOver)
  }

  /** The candidate takes the place of the present client, in one step. */
  switch({ client, writers }: Candidate): void {
    const before = this.#client
    this.#client = client
    for (const [writer, opened] of writers) {
      if (this.#writers.has(writer)) {
        client.hold()
        writer.switch(opened)
      } else this.run(Scope.close(opened.scope, Exit.void))
    }
    this.run(before.leave)
  }

  /** Milliseconds of the monotonic clock. */
  get nowMs(): number {
    return monotonicMs(this.#clock)
  }

  /** For what is closed without anybody who waits. */
  run(closing: Effect.Effect<void>): void {
    const fiber = this.fork(closing)
    this.#closing.add(fiber)
    fiber.addObserver(() => this.#closing.delete(fiber))
  }

  /** A writer is closed. */
  forget(writer: SwitchedWriter): void {
    this.#writers.delete(writer)
  }

  #missing({ writers }: Candidate): ReadonlyArray<SwitchedWriter> {
    return Array.from(this.#writers).filter((writer) => !writers.has(writer))
  }

  /** Another client of the same cluster has the same topics, with what stands in them. */
  #proven({ topic, partitions }: SwitchedWriter, client: Client): Effect.Effect<Opened, TransportError> {
    const { transport } = client
    return Effect.gen({ self: this }, function* () {
      const before = yield* Effect.option(Effect.timeout(this.#client.transport.bounds(topic), boundsMs))
      const count = yield* transport.partitionsOf(topic)
      if (count !== partitions)
        return yield* unlike(
          transport,
          "partitionsOf",
          `${topic} has ${count} partitions there, and ${partitions} here`
        )
      if (before._tag === "Some") {
        const now = yield* Effect.catchIf(
          transport.bounds(topic),
          ({ reason }) => reason === "UnknownTopic",
          () => Effect.succeed([])
        )
        const isThere = before.value.every(
          ({ partition, end }) => (now.find((one) => one.partition === partition)?.end ?? 0n) >= end
        )
        if (!isThere)
          return yield* unlike(transport, "bounds", `${topic} has less there than here, so it is another cluster`)
      }
      return yield* openedAt(client, topic)
    })
  }

  #facade({ name, capabilities, topics, trim }: Transport): LeavingTransport {
    const now = <A, E, R>(ask: (transport: Transport) => Effect.Effect<A, E, R>) =>
      Effect.suspend(() => {
        const client = this.#client
        client.hold()
        return Effect.ensuring(ask(client.transport), client.release)
      })
    return {
      name,
      capabilities,
      openWriter: (topic) => this.#openWriter(topic),
      partitionsOf: (topic) => now((transport) => transport.partitionsOf(topic)),
      whenLeft: (left) => {
        const { told } = this.#client
        told.add(left)
        return () => told.delete(left)
      },
      // The scope of the caller is that of the member; the stream has one of its own.
      subscribe: (asked) =>
        Stream.flatMap(Stream.fromEffect(Effect.scope), (member) => {
          const client = this.#client
          client.hold()
          const held = Effect.as(Scope.addFinalizer(member, client.release), client.transport)
          return Stream.flatMap(Stream.fromEffect(held), (transport) =>
            Stream.provideService(transport.subscribe(asked), Scope.Scope, member)
          )
        }),
      read: (...asked) =>
        Stream.suspend(() => {
          const client = this.#client
          client.hold()
          return Stream.ensuring(client.transport.read(...asked), client.release)
        }),
      bounds: (...asked) => now((transport) => transport.bounds(...asked)),
      ensure: (spec) => now((transport) => transport.ensure(spec)),
      ...(topics === undefined ? {} : { topics: now((transport) => transport.topics ?? topics) }),
      ...(trim === undefined
        ? {}
        : { trim: (...asked: Parameters<typeof trim>) => now((transport) => (transport.trim ?? trim)(...asked)) })
    }
  }

  #openWriter(topic: string): Effect.Effect<Writer, TransportError, Scope.Scope> {
    const opening = Effect.gen({ self: this }, function* () {
      const scope = yield* Effect.scope
      for (;;) {
        const client = this.#client
        const opened = yield* Effect.interruptible(openedAt(client, topic))
        if (client !== this.#client) {
          yield* Scope.close(opened.scope, Exit.void)
          continue
        }
        client.hold()
        const writer = new SwitchedWriter(topic, opened, this)
        this.#writers.add(writer)
        yield* Scope.addFinalizer(scope, writer.close)
        return writer
      }
    })
    return Effect.uninterruptible(opening)
  }
}

/** In a scope of its own, closed when it fails. */
function openedAt(client: Client, topic: string): Effect.Effect<Opened, TransportError> {
  return Effect.uninterruptibleMask((restore) => {
    const scope = Scope.makeUnsafe()
    const opening = Effect.exit(restore(Scope.provide(client.transport.openWriter(topic), scope)))
    return Effect.flatMap(opening, (exit) =>
      Exit.isSuccess(exit)
        ? Effect.succeed({ client, writer: exit.value, scope })
        : Effect.andThen(Scope.close(scope, Exit.void), Effect.failCause(exit.cause))
    )
  })
}

function unlike(
  { name: transport }: Transport,
  operation: string,
  detail: string
): Effect.Effect<never, TransportError> {
  return Effect.fail(new TransportError({ reason: "Unsupported", transport, operation, detail }))
}
