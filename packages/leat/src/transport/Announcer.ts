import { Clock, Duration, Effect, Fiber, Option, type Scope } from "effect"
import { effectTrouble } from "../given/effectTrouble.ts"
import { type Announcement, announcementOf, type Books, type BucketNext, type LedgerStore } from "./Announcement.ts"
import * as Telemetry from "../Telemetry.ts"

/** How often the ledger is announced: what a crash may leave unknown. */
const everyDefault = Duration.seconds(1)

/** How long a leat that opens or closes waits for its store; one that is slower is told, and asked again when it has answered. */
const patience = Duration.seconds(10)

export interface AnnouncerOptions {
  readonly store: LedgerStore
  readonly every?: Duration.Input | undefined
}

/** Announces the ledger of one leat now and then. Events go on whatever becomes of it: that the books are behind is told, and tried again. */
export class Announcer {
  readonly #options: AnnouncerOptions | undefined
  readonly #books: Books
  readonly #origin: Pick<Announcement, "incarnation" | "source">
  readonly #sequences: (stream: string) => ReadonlyArray<BucketNext>
  /** What the store has not answered yet. One at a time: an older one that is late must not take the place of a newer one. */
  #saving: Fiber.Fiber<string | undefined> | undefined

  /** Why the last announcement could not be saved, as it was told. */
  #told: string | undefined

  /** Without options nothing is announced. */
  constructor(
    options: AnnouncerOptions | undefined,
    books: Books,
    origin: Pick<Announcement, "incarnation" | "source">,
    sequences: (stream: string) => ReadonlyArray<BucketNext>
  ) {
    this.#options = options
    this.#books = books
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
    return Effect.timeoutOption(Effect.andThen(this.#answer, this.#save(store, isClosed)), patience).pipe(
      Effect.map(Option.getOrElse(() => `the store has not answered within ${Duration.format(patience)}`)),
      Effect.flatMap((why) => this.#tell(why))
    )
  }

  /** Says why the ledger could not be announced, once for as long as the reason stays the same. */
  #tell(why: string | undefined): Effect.Effect<void> {
    const isNew = why !== this.#told
    this.#told = why
    return why === undefined || !isNew ? Effect.void : Telemetry.warn(`the ledger could not be announced: ${why}`)
  }

  /** Saves in a fiber that nobody waits for longer than he wants: a store may not let itself be interrupted. */
  #save(store: LedgerStore, isClosed: boolean): Effect.Effect<string | undefined> {
    const saving = Effect.flatMap(Clock.currentTimeMillis, (announcedAtMs) =>
      effectTrouble("save of the ledger store", () =>
        store.save(announcementOf(this.#books, this.#sequences, { ...this.#origin, announcedAtMs, isClosed }))
      )
    )
    return Effect.flatMap(Effect.forkDetach(saving), (fiber) => {
      this.#saving = fiber
      return this.#answer
    })
  }

  /** Why the announcement that was begun last could not be saved; undefined: it is saved, or there is none. */
  get #answer(): Effect.Effect<string | undefined> {
    return Effect.suspend(() => (this.#saving === undefined ? Effect.undefined : Fiber.join(this.#saving)))
  }
}
