/** An inbox in a SQL database, over the client of Effect: a table of ids beside those that handlers write to. For SQLite and PostgreSQL. */
import { Effect } from "effect"
import { isObject, kindOf } from "../given/takes.ts"
import type { Forgotten, Handled, Inbox } from "./Inbox.ts"
import { TaggedError } from "../given/TaggedError.ts"

/** What is used of Effect's `SqlClient`. */
export interface Sql<E> {
  /** Runs an effect in a transaction; what it does with the same client is in it. */
  readonly withTransaction: <A, E2, R>(self: Effect.Effect<A, E2, R>) => Effect.Effect<A, E | E2, R>
  /** One statement as text, with its parameters. */
  readonly unsafe: <A extends object>(
    statement: string,
    parameters?: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<A>, E>
  /** Chooses by the database. */
  readonly onDialectOrElse: <A, B, C>(choice: {
    readonly orElse: () => A
    readonly sqlite: () => B
    readonly pg: () => C
  }) => A | B | C
}

/** The client, or an option, is none that an inbox can be made of. */
class InboxUnavailable extends TaggedError("InboxUnavailable")<{ readonly detail: string }> {
  override get message(): string {
    return this.detail
  }
}

/** Rows of one statement: SQLite of before 2020 takes 999 parameters. */
const rowsMax = 300

/** Rows that are deleted by one statement, so that it holds up nobody for long. */
const forgottenMax = 1000

interface IdRow {
  readonly id: string
}

/**
 * Makes the table `leat_inbox`, unless it is there, and an inbox of it. Fails with the client's error, and with `InboxUnavailable` where the
 * database is neither SQLite nor PostgreSQL: then write an `Inbox` for it, three functions.
 *
 * @example
 * ```ts
 * const inbox = yield* Inbox.sql(yield* SqlClient.SqlClient, { horizonMs: 30 * 86_400_000 })
 * ```
 */
export function sql<E>(
  client: Sql<E>,
  options: Pick<Inbox, "horizonMs"> = {}
): Effect.Effect<Inbox, E | InboxUnavailable> {
  return Effect.gen(function* () {
    if (!isClient(client))
      return yield* new InboxUnavailable({ detail: `takes a SqlClient of Effect, and not ${kindOf(client)}` })
    const dialect = client.onDialectOrElse({
      orElse: () => undefined,
      sqlite: () => ({ parameter: () => "?", table: `${table} without rowid` }),
      pg: () => ({ parameter: (at: number) => `$${at}`, table })
    })
    if (dialect === undefined) {
      const detail = "Inbox.sql writes for SQLite and PostgreSQL; for another database make an Inbox of your own"
      return yield* new InboxUnavailable({ detail })
    }
    yield* makeTable(client, dialect.table)
    return { ...options, ...inboxOf(client, dialect.parameter) }
  })
}

/** The client itself is a function. */
function isClient(client: unknown): boolean {
  if (typeof client !== "function" && !isObject(client)) return false
  return ["withTransaction", "unsafe", "onDialectOrElse"].every(
    (name) => typeof Reflect.get(client, name) === "function"
  )
}

const table =
  "create table leat_inbox (group_name text not null, id text not null, handled_ms bigint not null, primary key (group_name, id))"

/** Looks first, because who may not make a table may still use one; and afterwards, because another process may have been faster. */
function makeTable<E>(client: Sql<E>, statement: string): Effect.Effect<void, E> {
  const look = client.unsafe<IdRow>("select id from leat_inbox where 1 = 0")
  const make = Effect.andThen(
    client.unsafe(statement),
    client.unsafe("create index leat_inbox_handled on leat_inbox (group_name, handled_ms)")
  )
  const made = client.withTransaction(make).pipe(Effect.catch((error) => Effect.mapError(look, () => error)))
  return look.pipe(
    Effect.catch(() => made),
    Effect.asVoid
  )
}

function inboxOf<E>(client: Sql<E>, parameter: (at: number) => string): Omit<Inbox, "horizonMs"> {
  const insert = (group: string, ids: ReadonlyArray<string>, atMs: number) => {
    const rows = ids.map((_, index) => `(${[1, 2, 3].map((at) => parameter(index * 3 + at)).join(", ")})`)
    return client.unsafe<IdRow>(
      `insert into leat_inbox (group_name, id, handled_ms) values ${rows.join(", ")} on conflict do nothing returning id`,
      ids.flatMap((id) => [group, id, atMs])
    )
  }
  const record = ({ group, ids, atMs }: Handled) =>
    Effect.gen(function* () {
      const kept = new Set<string>()
      for (let from = 0; from < ids.length; from += rowsMax) {
        for (const { id } of yield* insert(group, ids.slice(from, from + rowsMax), atMs)) kept.add(id)
      }
      // The first of two that are the same takes the id out.
      return ids.map((id) => kept.delete(id))
    })
  const old = `select id from leat_inbox where group_name = ${parameter(2)} and handled_ms < ${parameter(3)} limit ${forgottenMax}`
  const forgetSome = ({ group, beforeMs }: Forgotten) =>
    client.unsafe<IdRow>(`delete from leat_inbox where group_name = ${parameter(1)} and id in (${old}) returning id`, [
      group,
      group,
      beforeMs
    ])
  const forget = (forgotten: Forgotten): Effect.Effect<void, E> =>
    Effect.flatMap(forgetSome(forgotten), ({ length }) => (length < forgottenMax ? Effect.void : forget(forgotten)))
  return { transaction: (work) => client.withTransaction(work), record, forget }
}
