/** The clusters of a leat that are open or being opened, by name, and the sections that they are opened by. */
import { Deferred, Effect, Fiber, Scope, Exit } from "effect"
import type { Transport, TransportError } from "../../transport/index.ts"
import type { Cluster } from "../Clusters.ts"
import type { RouteError } from "../Routes.ts"
import { SwitchableCluster } from "./SwitchableCluster.ts"

type OpenError = RouteError | TransportError

export class OpenClusters {
  readonly sections = new Map<string, Cluster>()
  readonly #open = new Map<string, SwitchableCluster>()
  /** Completed when what is being opened has another section. */
  readonly #anew = new Map<string, Deferred.Deferred<void>>()
  readonly #opening: (cluster: Cluster) => Effect.Effect<Transport, OpenError, Scope.Scope>

  constructor(opening: (cluster: Cluster) => Effect.Effect<Transport, OpenError, Scope.Scope>) {
    this.#opening = opening
  }

  /** Undefined: it is being opened, or closed. */
  get(name: string): SwitchableCluster | undefined {
    return this.#open.get(name)
  }

  opening(cluster: Cluster): Effect.Effect<Transport, OpenError, Scope.Scope> {
    return this.#opening(cluster)
  }

  /** It has another section: what is open has a client for it, and what is being opened is opened by it. */
  adopt(name: string, section: Cluster): void {
    this.sections.set(name, section)
    const anew = this.#anew.get(name)
    if (anew !== undefined) Deferred.doneUnsafe(anew, Exit.void)
  }

  /** Opens a cluster, by the section that it has at last. */
  open(name: string, section: Cluster): Effect.Effect<Transport, OpenError, Scope.Scope> {
    const forget = Effect.sync(() => {
      this.sections.delete(name)
      this.#anew.delete(name)
    })
    return Effect.gen({ self: this }, function* () {
      const scope = yield* Effect.scope
      yield* Effect.acquireRelease(
        Effect.sync(() => this.sections.set(name, section)),
        () => forget
      )
      for (;;) {
        const own = Scope.forkUnsafe(scope)
        const cluster = yield* this.#attempt(name, own)
        if (cluster !== undefined) return cluster.transport
        yield* Scope.close(own, Exit.void)
      }
    })
  }

  /** Undefined: it has another section meanwhile. A driver that does not let its opening be interrupted is left with it: its scope has ended. */
  #attempt(name: string, own: Scope.Closeable): Effect.Effect<SwitchableCluster | undefined, OpenError> {
    return Effect.gen({ self: this }, function* () {
      const section = this.sections.get(name)
      if (section === undefined) return yield* Effect.interrupt
      const anew = Deferred.makeUnsafe<void>()
      this.#anew.set(name, anew)
      const opening = Scope.provide(SwitchableCluster.open(this.#opening(section)), own)
      const opened = yield* Effect.acquireUseRelease(
        Effect.forkDetach(Effect.interruptible(opening), { startImmediately: true }),
        (fiber) =>
          Effect.onInterrupt(Effect.raceFirst(Fiber.join(fiber), Effect.as(Deferred.await(anew), undefined)), () =>
            Fiber.interrupt(fiber)
          ),
        (fiber) => Effect.sync(() => fiber.interruptUnsafe())
      )
      return opened === undefined ? undefined : yield* this.#entered(name, section, opened, own)
    })
  }

  /** In one step, unless another section was adopted just now. */
  #entered(name: string, section: Cluster, opened: SwitchableCluster, own: Scope.Closeable) {
    const entering = Effect.suspend(() => {
      if (this.sections.get(name) !== section) return Effect.undefined
      this.#anew.delete(name)
      this.#open.set(name, opened)
      const left = Effect.sync(() => this.#open.delete(name))
      return Effect.as(Scope.addFinalizer(own, left), opened)
    })
    return Effect.uninterruptible(entering)
  }
}
