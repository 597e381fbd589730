/**
 * Effects exactly once: the ids of events that were handled, kept where their effects are kept, and committed with them. An event that comes again (after
 * a crash between its effect and its settle, out of a second cluster, by a replay) is recognised by its id, and not handled again.
 *
 * A store is an inbox when it has transactions, and says whether an id is new. `leat` exports this module as `Inbox`.
 *
 * @example
 * ```ts
 * const sql = yield* SqlClient.SqlClient
 * const inbox = yield* Inbox.sql(sql)
 * yield* payments.handle("billing", ({ id, cents }) => sql`insert into bill ${sql.insert({ id, cents })}`, { inbox })
 * ```
 */
import type { Effect } from "effect"

export { type Sql, sql } from "./sqlInbox.ts"

/** Ids of one call of a handler, and when that is. */
export interface Handled {
  /** Name of the group: each has ids of its own. */
  readonly group: string
  /** What `formatEventId` gives, in the order of the lane; one may stand there twice. */
  readonly ids: ReadonlyArray<string>
  /** Epoch milliseconds. */
  readonly atMs: number
}

/** Ids that may be forgotten. */
export interface Forgotten {
  /** Name of the group. */
  readonly group: string
  /** Those that were recorded before this time, in epoch milliseconds. */
  readonly beforeMs: number
}

/** A store of effects that keeps the ids of events beside them. */
export interface Inbox {
  /** How long an id is remembered at least, in milliseconds: a minute to ten years; seven days when absent. */
  readonly horizonMs?: number | undefined
  /**
   * Must run `work` in a transaction, once: commit when it succeeds, roll back when it fails or is interrupted, and end as it has ended. What a
   * handler writes must be in that transaction, and what it fails with may come back as it is or in an error of the store.
   */
  readonly transaction: (work: Effect.Effect<void, unknown>) => Effect.Effect<void, unknown>
  /**
   * Must keep ids in the transaction in which it is run, and answer for each in order whether it is new: false where it is there already, true
   * for the first of two that are the same. Where another transaction has the same id in its hands it must wait for that one, or fail.
   */
  readonly record: (handled: Handled) => Effect.Effect<ReadonlyArray<boolean>, unknown>
  /** Should delete ids that are older than the horizon. Called outside of transactions, now and then. */
  readonly forget: (forgotten: Forgotten) => Effect.Effect<void, unknown>
}
