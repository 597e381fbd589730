/** The log as one thing: its tables, opened together, and brought up to date when another process has committed. */
import { endianness } from "node:os"
import { Refusal } from "../../Fault.ts"
import { Batches } from "./Batches.ts"
import { Database, type DatabaseOptions } from "./Database.ts"
import { EventIds } from "./EventIds.ts"
import { Heads } from "./Heads.ts"
import { Quarantine } from "./Quarantine.ts"
import { Topics } from "./Topics.ts"

export class Store {
  readonly db: Database
  readonly quarantine: Quarantine
  readonly topics: Topics
  readonly heads: Heads
  readonly batches: Batches
  readonly ids: EventIds
  /** Called when another process is found to have committed, whoever finds it; must not read at once. */
  whenChanged: (() => void) | undefined

  constructor(options: DatabaseOptions) {
    if (endianness() === "BE") throw new Refusal("Unsupported", "@leat/log stores little-endian columns only")
    this.db = Database.open(options)
    this.quarantine = new Quarantine(this.db, options.isReadOnly)
    this.topics = new Topics(this.db)
    this.heads = new Heads(this.db, this.quarantine)
    this.batches = new Batches(this.db)
    this.ids = new EventIds(this.db, this.quarantine)
  }

  /** To be called first in every transaction: forgets what another process may have changed. */
  refresh(): void {
    if (this.db.hasChanged()) {
      this.heads.forget()
      this.ids.forget()
      this.whenChanged?.()
    }
    this.topics.refresh()
  }

  /** After a rollback: nothing of what the transaction put into memory is so. */
  forget(): void {
    this.heads.forget()
    this.ids.forget()
    this.topics.forget()
  }

  /** Reads on one state of the log. */
  look<A>(look: () => A): A {
    this.db.presence.checkForRead()
    return this.db.snapshot(() => {
      this.refresh()
      return look()
    })
  }
}
