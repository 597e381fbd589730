import { Clock, Duration, Effect, type Scope } from "effect"
import type { Ledger } from "../ledger/Ledger.ts"
import { textOfThrown } from "../thrown.ts"
import { type Announcement, announcementOf, type BucketNext, type LedgerStore } from "./Announcement.ts"

/** How often the ledger is announced: what a crash may leave unknown. */
const everyDefault = Duration.seconds(1)

export interface AnnouncerOptions {
  readonly store: LedgerStore
  readonly every?: Duration.Input
}

/** Announces the ledger of one leat now and then. Events go on whatever becomes of it: that the books are behind is told, and tried again. */
export class Announcer {
  readonly #options: AnnouncerOptions | undefined
  readonly #ledger: Ledger
  readonly #origin: Pick<Announcement, "incarnation" | "source">
  readonly #sequences: (stream: string) => ReadonlyArray<BucketNext>

  /** Without options nothing is announced. */
  constructor(
    options: AnnouncerOptions | undefined,
    ledger: Ledger,
    origin: Pick<Announcement, "incarnation" | "source">,
    sequences: (stream: string) => ReadonlyArray<BucketNext>
  ) {
    this.#options = options
    this.#ledger = ledger
    this.#origin = origin
    this.#sequences = sequences
  }

  /** Announces once, and then again and again until the scope closes. */
  readonly begin: Effect.Effect<void, never, Scope.Scope> = Effect.suspend(() => {
    if (this.#options === undefined) return Effect.void
    const every = this.#options.every ?? everyDefault
    const again = Effect.forever(Effect.delay(this.announce(false), every))
    return Effect.asVoid(Effect.andThen(this.announce(false), Effect.forkScoped(again)))
  })

  /** Announces what the ledger says now. */
  announce(isClosed: boolean): Effect.Effect<void> {
    const { store } = this.#options ?? {}
    if (store === undefined) return Effect.void
    return Effect.flatMap(Clock.currentTimeMillis, (announcedAtMs) =>
      store.save(announcementOf(this.#ledger, this.#sequences, { ...this.#origin, announcedAtMs, isClosed }))
    ).pipe(
      Effect.as(undefined),
      Effect.catch((error) => Effect.succeed(error.message)),
      Effect.catchDefect((defect) => Effect.succeed(textOfThrown(defect))),
      Effect.flatMap((why) =>
        why === undefined ? Effect.void : Effect.logWarning(`the ledger could not be announced: ${why}`)
      )
    )
  }
}
