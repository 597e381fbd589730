/** The clusters of a leat that are open or being opened, by name, and the sections that they are opened by. */
import { Deferred, Effect, Fiber, Scope, Exit } from "effect"
import type { Transport, TransportError } from "../../transport/index.ts"
import type { Cluster } from "../Clusters.ts"
import type { GivenSection } from "../openCluster.ts"
import type { RouteError } from "../Routes.ts"
import type { Candidate } from "./Candidate.ts"
import { SwitchableCluster } from "./SwitchableCluster.ts"

type OpenError = RouteError | TransportError

/** Opens a cluster, and says what its driver was given. */
type Opening = (cluster: Cluster, given: GivenSection) => Effect.Effect<Transport, OpenError, Scope.Scope>

/** Another client of a cluster, and what its driver was given. */
export interface Successor {
  readonly candidate: Candidate<OpenError>
  readonly given: GivenSection
}

export class OpenClusters {
  readonly sections = new Map<string, Cluster>()
  readonly #open = new Map<string, SwitchableCluster>()
  /** Completed when what is being opened has another section. */
  readonly #anew = new Map<string, Deferred.Deferred<void>>()
  /** What the drivers of those that are open were given. */
  readonly #given = new Map<string, GivenSection>()
  readonly #opening: Opening

  constructor(opening: Opening) {
    this.#opening = opening
  }

  /** Undefined: it is being opened, or closed. */
  get(name: string): SwitchableCluster | undefined {
    return this.#open.get(name)
  }

  /** What the driver was given for the client that a cluster has now. */
  given(name: string): GivenSection | undefined {
    return this.#given.get(name)
  }

  /** Another client, which nobody has tried yet. */
  successor(open: SwitchableCluster, section: Cluster): Successor {
    const given = nothingGiven()
    return { candidate: open.candidate(this.#opening(section, given)), given }
  }

  /** The other client takes the place of the present one, in one step. */
  switch(name: string, { candidate, given }: Successor): void {
    this.#given.set(name, given)
    this.#open.get(name)?.switch(candidate)
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
      const given = nothingGiven()
      const opening = Scope.provide(SwitchableCluster.open(this.#opening(section, given)), own)
      const opened = yield* Effect.acquireUseRelease(
        Effect.forkDetach(Effect.interruptible(opening), { startImmediately: true }),
        (fiber) =>
          Effect.onInterrupt(Effect.raceFirst(Fiber.join(fiber), Effect.as(Deferred.await(anew), undefined)), () =>
            Fiber.interrupt(fiber)
          ),
        (fiber) => Effect.sync(() => fiber.interruptUnsafe())
      )
      return opened === undefined ? undefined : yield* this.#entered(name, section, { opened, given }, own)
    })
  }

  /** In one step, unless another section was adopted just now. */
  #entered(
    name: string,
    section: Cluster,
    { opened, given }: { readonly opened: SwitchableCluster; readonly given: GivenSection },
    own: Scope.Closeable
  ) {
    const entering = Effect.suspend(() => {
      if (this.sections.get(name) !== section) return Effect.undefined
      this.#anew.delete(name)
      this.#open.set(name, opened)
      this.#given.set(name, given)
      const left = Effect.sync(() => {
        this.#open.delete(name)
        this.#given.delete(name)
      })
      return Effect.as(Scope.addFinalizer(own, left), opened)
    })
    return Effect.uninterruptible(entering)
  }
}

function nothingGiven(): GivenSection {
  return { config: undefined, isAsking: false }
}
