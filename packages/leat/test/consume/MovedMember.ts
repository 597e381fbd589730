/** A process that reads a stream that is moved: it hears of the control stream late, its settles may fail, and it may be killed. */
import { Clock, Effect, Scheduler, type Scope, Stream } from "effect"
import { type HandleOptions, MemoryBroker, memoryDriver, type Subscription } from "leat"
import { faultTransport } from "leat/testing"
import { type Transport, TransportError } from "leat/transport"
import { Consuming } from "../../src/consume/Consuming.ts"
import type { DeliveryInfo } from "../../src/consume/DeliveryInfo.ts"
import type { Whereabouts } from "../../src/consume/Whereabouts.ts"
import { Ledger } from "../../src/ledger/Ledger.ts"
import { ReadGroups } from "../../src/routes/ReadGroups.ts"
import { type Route, RouteError, Routes, type SubscriptionSettings } from "../../src/routes/Routes.ts"
import { Gate } from "../../src/testing/story/Gate.ts"
import { CompactionWatch } from "../../src/transport/CompactionWatch.ts"
import type { Note } from "../contracts/Note.ts"
import { contract, counting, type MovedStream, stream } from "./MovedStream.ts"

export interface MemberOptions {
  /** The read leg of the document that it was opened with. */
  readonly leg: { readonly cluster: string; readonly topic: string }
  /** How late it hears of the control stream, in milliseconds. */
  readonly lateMs?: number
  /** Chance that a settle fails. */
  readonly settleFails?: number
  /** Chance that a question fails how far a group is. */
  readonly boundsFails?: number
  /** Until when a cluster cannot be opened, in virtual milliseconds of the clock. */
  readonly awayUntilMs?: (cluster: string) => number
  readonly random?: () => number
  readonly settings?: Partial<SubscriptionSettings>
  /** Counts members by topic. */
  readonly members?: Map<string, number>
  /** Where the leg falls back to, and stays. */
  readonly fallback?: string
  /** The cluster that does not let it in. */
  readonly refuses?: string
  /** The cluster that no document names any more. */
  readonly gone?: () => string | undefined
}

export class MovedMember {
  readonly moved: MovedStream
  readonly groups = new ReadGroups()
  readonly ledger = new Ledger()
  readonly options: MemberOptions
  readonly gate = new Gate()
  readonly #heard = new Set<() => void>()
  #seen: number
  /** When it heard of each state, in milliseconds. */
  readonly heardAtMs: Array<number> = []
  /** When bounds were asked, by topic, in milliseconds. */
  readonly askedAtMs = new Map<string, Array<number>>()
  isDead = false

  constructor(moved: MovedStream, options: MemberOptions) {
    this.moved = moved
    this.options = options
    this.#seen = moved.states.length - 1
  }

  get placement() {
    return this.moved.states[this.#seen]?.streams.get(stream)
  }

  readonly #whereabouts: Whereabouts = {
    placement: () => this.placement,
    watch: (changed) => {
      this.#heard.add(changed)
      return () => this.#heard.delete(changed)
    },
    transportOf: (cluster) =>
      Effect.gen({ self: this }, function* () {
        if (cluster === this.options.gone?.())
          return yield* new RouteError({ faults: [{ path: "clusters", message: `has no ${cluster}` }] })
        const nowMs = yield* Clock.currentTimeMillis
        if (nowMs < (this.options.awayUntilMs?.(cluster) ?? 0))
          return yield* new TransportError({
            reason: "Unavailable",
            transport: "memory",
            operation: "open",
            detail: "away"
          })
        return this.#transport(cluster)
      })
  }

  #transport(cluster: string): Transport {
    const { settleFails = 0, random = () => 1, members = new Map<string, number>() } = this.options
    const inner = this.gate.transport(counting(this.moved.transport(cluster), members))
    const told = faultTransport(inner, { settle: () => (random() < settleFails ? "Unavailable" : undefined) })
    const refused = { reason: "Unauthorized", transport: "memory", operation: "subscribe", detail: "planted" } as const
    return {
      ...told,
      ...(this.options.refuses === cluster ? { subscribe: () => Stream.fail(new TransportError(refused)) } : {}),
      bounds: (topic, group) =>
        Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
          this.askedAtMs.set(topic, [...(this.askedAtMs.get(topic) ?? []), nowMs])
          if (random() < (this.options.boundsFails ?? 0))
            return Effect.fail(
              new TransportError({ reason: "Timeout", transport: "memory", operation: "bounds", detail: "planted" })
            )
          return told.bounds(topic, group)
        })
    }
  }

  /** Hears of the control stream until its scope closes. */
  readonly open: Effect.Effect<void, never, Scope.Scope> = Effect.gen({ self: this }, function* () {
    const scope = yield* Effect.scope
    const services = yield* Effect.context<never>()
    const hear = (index: number) =>
      Effect.gen({ self: this }, function* () {
        if (this.isDead) return
        this.#seen = Math.max(this.#seen, index)
        this.heardAtMs[index] = yield* Clock.currentTimeMillis
        for (const changed of this.#heard) changed()
      })
    const stop = this.moved.listen(() => {
      const index = this.moved.states.length - 1
      Effect.runForkWith(services)(Effect.forkIn(Effect.delay(hear(index), this.options.lateMs ?? 0), scope))
    })
    yield* Effect.addFinalizer(() => Effect.sync(stop))
    const nowMs = yield* Clock.currentTimeMillis
    for (let index = 0; index <= this.#seen; index++) this.heardAtMs[index] = nowMs
  })

  get #routes(): Routes {
    const { leg } = this.options
    const document = {
      version: 1,
      clusters: { one: { transport: "memory" }, two: { transport: "memory" } },
      routes: [{ match: { stream: "*" }, to: [leg] }]
    }
    const routes = Routes.compile(document, {
      drivers: [memoryDriver(new MemoryBroker())],
      contracts: [],
      source: "test"
    })
    if (routes._tag === "Failure") throw routes.failure
    return routes.success
  }

  /** Of the document that it was opened with. */
  get route(): Route {
    const route = this.#routes.lookup(stream, "test")
    if (route === undefined) throw new Error("no route")
    return route
  }

  /** Its half of the stream that reads. */
  readonly consuming = Effect.gen({ self: this }, function* () {
    const { leg, settings, fallback } = this.options
    const { route } = this
    const transport = this.#transport(leg.cluster)
    return new Consuming<Note>({
      contract,
      ledger: this.ledger,
      compactionWatch: new CompactionWatch(yield* Effect.scope),
      readLeg: () => route.readLeg,
      keepsMs: () => undefined,
      groups: this.groups,
      readTransport: () => transport,
      readFallbacks: () => {
        if (fallback === undefined) return []
        return [{ cluster: fallback, transport: this.#transport(fallback) }]
      },
      staysIn: () => [],
      settings: (group) => ({ ...this.#routes.subscription(stream, group), settleEveryMs: 1000, ...settings }),
      whereabouts: this.#whereabouts,
      scope: yield* Effect.scope,
      scheduler: yield* Scheduler.Scheduler
    })
  })

  handle(
    onEvent: (event: Note, info: DeliveryInfo) => Effect.Effect<void, unknown>,
    options: HandleOptions = {}
  ): Effect.Effect<Subscription, never, Scope.Scope> {
    return Effect.orDie(Effect.flatMap(this.consuming, (consuming) => consuming.handle("g", onEvent, options)))
  }

  /** From now on it does nothing that anybody sees. */
  readonly kill: Effect.Effect<void> = Effect.suspend(() => {
    this.isDead = true
    return this.gate.close
  })
}
