/** Effect's `SqlClient` on a SQLite of node's own: Effect has none for node that fits its version. */
import { Effect, Semaphore, Stream } from "effect"
import { SqlClient, SqlError, Statement } from "effect/sql"
import type { Connection } from "effect/sql/SqlConnection"
import { Reactivity } from "effect/reactivity"
import { DatabaseSync, type SQLInputValue } from "node:sqlite"

/** A client of a database that is closed with the scope, and of that database itself. */
export const sqliteClient = (path = ":memory:") =>
  Effect.gen(function* () {
    const database = yield* Effect.acquireRelease(
      Effect.sync(() => new DatabaseSync(path, { timeout: 5000 })),
      (open) => Effect.sync(() => open.close())
    )
    const semaphore = yield* Semaphore.make(1)
    const acquirers = SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(connectionTo(database)),
      semaphore,
      isTransaction: () => database.isTransaction
    })
    const client = yield* SqlClient.make({
      ...acquirers,
      compiler: Statement.makeCompilerSqlite(),
      driver: "node-sqlite",
      spanAttributes: []
    })
    return { client, database }
  }).pipe(Effect.provide(Reactivity.layer))

function connectionTo(database: DatabaseSync): Connection {
  const run =
    <A>(use: (statement: ReturnType<DatabaseSync["prepare"]>, parameters: ReadonlyArray<SQLInputValue>) => A) =>
    (sql: string, parameters: ReadonlyArray<unknown>) =>
      Effect.try({
        try: () => use(database.prepare(sql), parameters as ReadonlyArray<SQLInputValue>),
        catch: (cause) =>
          new SqlError.SqlError({
            reason: SqlError.classifySqliteError(cause, { message: String(cause), operation: sql })
          })
      })
  const all = run((statement, parameters) => statement.all(...parameters))
  const values = run((statement, parameters) => statement.all(...parameters).map((row) => Object.values(row)))
  return {
    execute: all,
    executeRaw: all,
    executeUnprepared: all,
    executeValues: values,
    executeValuesUnprepared: values,
    executeStream: () => Stream.empty
  }
}
