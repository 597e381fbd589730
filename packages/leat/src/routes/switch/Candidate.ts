/**
 * Another client that is to take the place of the present one. It is proven first: each topic that is open for writing is opened at it, has as many
 * partitions there, and holds at least what the present client says that it holds. Nothing of it stays unless it takes that place.
 */
import { Effect, Exit, Scope } from "effect"
import { leaving } from "../../transport/endWithin.ts"
import { type Transport, TransportError } from "../../transport/index.ts"
import { isSameValue } from "../sameValue.ts"
import { Client, closed, type Opened, openedAt } from "./Client.ts"
import type { SwitchedWriter } from "./SwitchedWriter.ts"

/** How long the present client has to say what a topic holds, in milliseconds: its cluster may not be reached by it any more. */
const boundsMs = 5000

/** Topics that are proven at the same time. */
const atOnce = 16

export class Candidate<E = never> {
  /** The one whose place it is to take. */
  readonly present: Client
  readonly writers = new Map<SwitchedWriter, Opened>()
  readonly #scope: Scope.Closeable
  readonly #opening: Effect.Effect<Transport, E, Scope.Scope>
  #client: Client | undefined
  /** Whether the present client has not said what a topic holds: then nothing is compared any more. */
  #isDark = false

  /** `scope`: what is open at last is closed with it. */
  constructor(present: Client, scope: Scope.Scope, opening: Effect.Effect<Transport, E, Scope.Scope>) {
    this.present = present
    this.#scope = Scope.forkUnsafe(scope)
    this.#opening = opening
  }

  /** Once it is open. */
  get client(): Client | undefined {
    return this.#client
  }

  /** Opens it, and what these write. */
  complete(writers: () => ReadonlyArray<SwitchedWriter>): Effect.Effect<void, E | TransportError> {
    return Effect.gen({ self: this }, function* () {
      const client = this.#client ?? (yield* this.#opened)
      for (let missing = this.#missing(writers()); missing.length > 0; missing = this.#missing(writers()))
        yield* Effect.forEach(missing, (writer) => this.#prove(writer, client), { concurrency: atOnce, discard: true })
    })
  }

  isComplete(writers: ReadonlyArray<SwitchedWriter>): boolean {
    return this.#client !== undefined && this.#missing(writers).length === 0
  }

  /** It does not take that place after all. */
  readonly discard: Effect.Effect<void> = Effect.suspend(() => {
    const opened = Array.from(this.writers.values(), closed)
    return Effect.andThen(
      Effect.all(opened, { discard: true, concurrency: "unbounded" }),
      Scope.close(this.#scope, Exit.void)
    )
  })

  #missing(writers: ReadonlyArray<SwitchedWriter>): ReadonlyArray<SwitchedWriter> {
    return writers.filter((writer) => !this.writers.has(writer))
  }

  get #opened(): Effect.Effect<Client, E | TransportError> {
    return Effect.gen({ self: this }, function* () {
      const transport = yield* leaving(Scope.provide(this.#opening, this.#scope))
      const { capabilities, topics, groups, trim } = this.present.transport
      const isAlike =
        isSameValue(transport.capabilities, capabilities, "inOrder") &&
        (transport.topics === undefined) === (topics === undefined) &&
        (transport.groups === undefined) === (groups === undefined) &&
        (transport.trim === undefined) === (trim === undefined)
      if (!isAlike) return yield* unlike(transport, "open", "it can do other things than the client that is open")
      return (this.#client = new Client(transport, this.#scope))
    })
  }

  #prove(writer: SwitchedWriter, client: Client): Effect.Effect<void, TransportError> {
    const { topic, partitions } = writer
    const { transport } = client
    return Effect.gen({ self: this }, function* () {
      const before = this.#isDark ? undefined : yield* this.#boundsBefore(topic)
      this.#isDark = before === undefined
      const count = yield* transport.partitionsOf(topic)
      const counts = `${topic} has ${count} partitions there, and ${partitions} here`
      if (count !== partitions) return yield* unlike(transport, "partitionsOf", counts)
      const now = before === undefined ? [] : yield* boundsThere(transport, topic)
      const isThere = (before ?? []).every(
        ({ partition, end }) => (now.find((one) => one.partition === partition)?.end ?? 0n) >= end
      )
      if (!isThere)
        return yield* unlike(transport, "bounds", `${topic} has less there than here, so it is another cluster`)
      // In one step: what is open is closed with the rest.
      const opening = Effect.tap(Effect.interruptible(openedAt(client, topic)), (opened) =>
        Effect.sync(() => this.writers.set(writer, opened))
      )
      yield* Effect.uninterruptible(opening)
    })
  }

  /** Undefined: it gives no answer, or fails. */
  #boundsBefore(topic: string) {
    const asked = Effect.suspend(() => this.present.transport.bounds(topic))
    return Effect.catchCause(
      Effect.timeoutOrElse(asked, { duration: boundsMs, orElse: () => Effect.undefined }),
      () => Effect.undefined
    )
  }
}

function boundsThere(transport: Transport, topic: string) {
  return Effect.catchIf(
    transport.bounds(topic),
    ({ reason }) => reason === "UnknownTopic",
    () => Effect.succeed([])
  )
}

function unlike(
  { name: transport }: Transport,
  operation: string,
  detail: string
): Effect.Effect<never, TransportError> {
  return Effect.fail(new TransportError({ reason: "Unsupported", transport, operation, detail }))
}
