/** All tables of one log, opened together. Their caches are cleared when another process has committed. */
import { endianness } from "node:os"
import { Refusal } from "../../Fault.ts"
import { type ClockSource, machineClock } from "../../clock.ts"
import { AgeClock } from "./AgeClock.ts"
import { Batches } from "./Batches.ts"
import { Database, type DatabaseOptions } from "./Database.ts"
import { EventIds } from "./EventIds.ts"
import { Heads } from "./Heads.ts"
import { Quarantine } from "./Quarantine.ts"
import { Room } from "./Room.ts"
import { Topics } from "./Topics.ts"

export class Store {
  readonly db: Database
  readonly quarantine: Quarantine
  readonly topics: Topics
  readonly heads: Heads
  readonly batches: Batches
  readonly ids: EventIds
  readonly room: Room
  /** By which records grow old. */
  readonly ages: AgeClock
  /** Called when a commit of another process is found; must not read synchronously. */
  whenChanged: (() => void) | undefined

  constructor(options: DatabaseOptions, clock: ClockSource = machineClock) {
    if (endianness() === "BE") throw new Refusal("Unsupported", "@leat/log stores little-endian columns only")
    this.db = Database.open(options)
    this.quarantine = new Quarantine(this.db, options.isReadOnly)
    this.topics = new Topics(this.db)
    this.heads = new Heads(this.db, this.quarantine)
    this.batches = new Batches(this.db)
    this.ages = new AgeClock(this.db, this.quarantine, clock)
    this.ids = new EventIds(this.db, this.quarantine, this.ages)
    this.room = new Room(this.db)
  }

  /** Called first in every transaction: clears the caches that another process may have changed. */
  refresh(): void {
    if (this.db.hasChanged()) {
      this.heads.forget()
      this.ages.forget()
      this.ids.forget()
      this.whenChanged?.()
    }
    this.topics.refresh()
  }

  /** Called after a rollback: clears what the transaction cached. */
  forget(): void {
    this.heads.forget()
    this.ages.forget()
    this.ids.forget()
    this.topics.forget()
  }

  /** After a write that has failed, before `forget`: true if it can be done again, without the damaged rows that nothing depends on. */
  giveUp(error: unknown): boolean {
    return this.quarantine.giveUp(error) || this.ages.giveUp(error) || this.ids.giveUp(error)
  }

  /** Reads on one snapshot of the log. */
  look<A>(look: () => A): A {
    this.db.presence.checkForRead()
    return this.db.snapshot(() => {
      this.refresh()
      return look()
    })
  }
}
