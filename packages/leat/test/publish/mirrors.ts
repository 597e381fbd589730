/** Parts of stories in which a leg comes and goes. */
import { Effect } from "effect"
import { Leat, type LegRow, MemoryBroker, memoryDriver, type OpenLeat, TransportError } from "leat"
import { type FaultPlan, faultDriver } from "leat/testing"
import type { Driver, Transport, TransportReason } from "leat/transport"
import { noteContract } from "../contracts/Note.js"

/** A cluster whose calls are noted, as `open`, `writer notes`, `send notes 0`, `close`. */
export class Cluster {
  readonly calls: Array<string> = []
  readonly broker = new MemoryBroker({ partitions: 1 })
  readonly driver: Driver
  /** What opening a topic waits for, or fails with. */
  opening: Effect.Effect<void, never> | ReturnType<Transport["openWriter"]> = Effect.void
  /** How long its connection takes to open. */
  connecting: Effect.Effect<void> = Effect.void
  /** How long its connection takes to close. */
  closing: Effect.Effect<void> = Effect.void
  faults: FaultPlan = {}
  /** Where whoever opens it from now on gets to. */
  elsewhere: MemoryBroker | undefined
  /** Users whose clients do nothing any more, and how that shows. */
  dead: { readonly user: string | ReadonlyArray<string>; readonly how: Death } | undefined

  constructor(name: string) {
    const inner = faultDriver(memoryDriver(this.broker), { send: (call) => this.faults.send?.(call) })
    const noted = (transport: Transport, by: string): Transport => ({
      ...transport,
      openWriter: (topic) =>
        Effect.gen({ self: this }, function* () {
          this.calls.push(`writer ${topic}`)
          yield* this.opening
          const writer = yield* transport.openWriter(topic)
          yield* Effect.addFinalizer(() => Effect.orDie(this.#asked(by, Effect.void)))
          return {
            ...writer,
            send: (partition, batch, from, to, timeoutMs, answer) => {
              this.calls.push(`send ${topic} ${to - from}${by}`)
              if (!this.#isDead(by)) writer.send(partition, batch, from, to, timeoutMs, answer)
              else if (this.dead?.how === "throws") throw new Error("it is dead")
              else if (this.dead?.how === "refuses")
                answer([{ from, to, fate: "unknown", error: failure("Disconnected", "send") }])
            },
            fence: (partition) => {
              this.calls.push(`fence ${topic}${by}`)
              return this.#asked(by, writer.fence(partition))
            }
          }
        }),
      subscribe: (asked) => {
        this.calls.push(`join ${asked.topic}${by}`)
        return transport.subscribe(asked)
      },
      bounds: (...asked) => this.#asked(by, transport.bounds(...asked))
    })
    this.driver = {
      ...inner,
      name,
      // A user is all that a section may say.
      inspect: () => inner.inspect({}),
      open: (cluster, config, reread) =>
        Effect.gen({ self: this }, function* () {
          const by = typeof config["user"] === "string" ? ` by ${config["user"]}` : ""
          this.calls.push(`open${by}`)
          yield* Effect.addFinalizer(() => Effect.map(this.closing, () => void this.calls.push(`close${by}`)))
          yield* this.connecting
          if (config["user"] === "nobody") return yield* Effect.fail(this.#stranger)
          const reached = this.elsewhere === undefined ? inner : memoryDriver(this.elsewhere)
          return noted(yield* reached.open(cluster, {}, reread), by)
        })
    }
  }

  #isDead(by: string): boolean {
    return [this.dead?.user ?? []].flat().some((user) => by === ` by ${user}`)
  }

  #asked<A, R>(by: string, asked: Effect.Effect<A, TransportError, R>): Effect.Effect<A, TransportError, R> {
    if (!this.#isDead(by)) return asked
    if (this.dead?.how === "throws") throw new Error("it is dead")
    return this.dead?.how === "refuses"
      ? Effect.fail(failure("Unauthorized", "fence"))
      : Effect.uninterruptible(Effect.never)
  }

  readonly #stranger = new TransportError({
    reason: "Unauthenticated",
    transport: "far",
    operation: "open",
    detail: "nobody may"
  })

  count(call: string): number {
    return this.calls.filter((one) => one.startsWith(call)).length
  }
}

/** Of a client whose cluster is not to be reached by it any more. */
export type Death = "refuses" | "throws" | "never answers"

const failure = (reason: TransportReason, operation: string): TransportError =>
  new TransportError({ reason, transport: "far", operation, detail: "it is dead" })

export const main = { cluster: "main", topic: "notes", policy: "again", linger: "1 milli" }
export const mirror = { cluster: "far", topic: "copies", policy: "again", linger: "1 milli" }

/** Legs of all streams, in a document of this version. */
export const documentOf = (version: number, to: ReadonlyArray<object>, settings: object = {}) => ({
  version,
  clusters: { main: { transport: "main" }, far: { transport: "far" } },
  policies: { again: [{ on: ["*"], retry: { base: "10 millis", factor: 2, maxDelay: "1 second" }, then: "halt" }] },
  routes: [{ match: { stream: "*" }, to }],
  ...settings
})

export const openMirrored = Effect.fnUntraced(function* (to: ReadonlyArray<object> = [main], settings: object = {}) {
  const clusters = { main: new Cluster("main"), far: new Cluster("far") }
  const drivers = [clusters.main.driver, clusters.far.driver]
  const leat = yield* Leat.make({ source: "test", routes: documentOf(1, to, settings), drivers, drain: "1 minute" })
  return { ...clusters, leat, notes: yield* leat.stream(noteContract()) }
})

export const rowOf = ({ ledger }: Pick<OpenLeat, "ledger">, name: string): LegRow | undefined =>
  ledger.snapshot().legs.find(({ sink }) => sink === name)
