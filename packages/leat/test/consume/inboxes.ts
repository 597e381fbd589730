/** A database with effects and an inbox, and copies of what stands in a topic: for tests of inboxes. */
import { Effect, type Scope, Stream } from "effect"
import type { SqlClient } from "effect/sql"
import { Inbox, type MemoryBroker, memoryTransport } from "leat"
import { batchOf } from "leat/testing"
import { sendEffect } from "leat/transport"
import { sqliteClient } from "./sqlite.ts"

/** A database with a table of effects. */
export const opened = (
  path?: string
): Effect.Effect<{ readonly sql: SqlClient.SqlClient; readonly inbox: Inbox.Inbox }, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { client: sql } = yield* sqliteClient(path)
    yield* sql`create table if not exists effect (text text not null)`
    return { sql, inbox: yield* Inbox.sql(sql) }
  })

export const write = (sql: SqlClient.SqlClient, text: string) => sql`insert into effect ${sql.insert({ text })}`

export const effectsIn = (sql: SqlClient.SqlClient) =>
  Effect.map(sql<{ readonly text: string }>`select text from effect order by rowid`, (rows) =>
    rows.map(({ text }) => text)
  )

export const idsIn = (sql: SqlClient.SqlClient) =>
  Effect.map(sql<{ readonly count: number }>`select count(*) as count from leat_inbox`, ([row]) => row?.count)

/** Stores what stands in a partition once more behind itself, as a mirror would that was begun anew. */
export const storeAgain = (broker: MemoryBroker, partition = 0) =>
  Effect.gen(function* () {
    const transport = memoryTransport(broker)
    const batches = yield* Stream.runCollect(transport.read("notes", partition, { fromPosition: 0n }))
    const records = Array.from(batches).flatMap((batch) => batch.records)
    const writer = yield* transport.openWriter("notes")
    if (records.length > 0) yield* sendEffect(writer, partition, batchOf(records), 0, records.length, 1000)
  }).pipe(Effect.scoped)

export const readAll = (broker: MemoryBroker, topic: string) =>
  Effect.gen(function* () {
    const batches = yield* Stream.runCollect(memoryTransport(broker).read(topic, 0, { fromPosition: 0n }))
    return { records: Array.from(batches).flatMap((batch) => batch.records) }
  }).pipe(Effect.scoped)

export const put = (broker: MemoryBroker, topic: string, records: Parameters<typeof batchOf>[0]) =>
  Effect.gen(function* () {
    const writer = yield* memoryTransport(broker).openWriter(topic)
    yield* sendEffect(writer, 0, batchOf(records), 0, records.length, 1000)
  }).pipe(Effect.scoped)
