import { Clock, Duration, Effect, Fiber, Option, Scheduler, type Scope } from "effect"
import { beforeExit } from "../beforeExit.ts"
import { effectTrouble } from "../given/effectTrouble.ts"
import {
  type Announcement,
  announcementOf,
  type Books,
  type BucketNext,
  type DropBooks,
  type LedgerStore
} from "./Announcement.ts"
import { idleSleep } from "../idleSleep.ts"
import * as Telemetry from "../Telemetry.ts"
import { Wake } from "../Wake.ts"

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
  readonly #drops: DropBooks
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
    drops: DropBooks,
    origin: Pick<Announcement, "incarnation" | "source">,
    sequences: (stream: string) => ReadonlyArray<BucketNext>
  ) {
    this.#options = options
    this.#books = books
    this.#drops = drops
    this.#origin = origin
    this.#sequences = sequences
  }

  /**
   * Announces once, and then again and again until the scope closes. That keeps no process; one that has nothing else to do announces once more before
   * it ends, or what came in its last second would be unknown.
   */
  readonly begin: Effect.Effect<void, never, Scope.Scope> = Effect.gen({ self: this }, function* () {
    if (this.#options === undefined) return
    const everyMs = Duration.toMillis(this.#options.every ?? everyDefault)
    yield* this.announce(false)
    const ending = new Wake(yield* Scheduler.Scheduler)
    let isLast = false
    yield* beforeExit(() => {
      // The last one keeps the process too, until the store has answered. Once, or it would never end.
      if (!isLast) ending.signal()
      isLast = true
    })
    const again = Effect.gen({ self: this }, function* () {
      // It goes on: there will be another last one.
      const goesOn = Effect.map(idleSleep(everyMs), () => void (isLast = false))
      for (;;) {
        yield* Effect.raceFirst(ending.wait, goesOn)
        yield* this.announce(false)
      }
    })
    yield* Effect.forkScoped(again)
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
        store.save(
          announcementOf(this.#books, this.#drops, this.#sequences, { ...this.#origin, announcedAtMs, isClosed })
        )
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
