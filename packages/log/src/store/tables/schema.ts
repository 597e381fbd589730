/**
 * The tables of a log. The index `batch` is a small tree without payloads, so an unreadable page of `bytes` costs only the batches on it.
 * Every row that affects delivery has a checksum.
 */

import type { DatabaseSync } from "node:sqlite"
import { wallMs } from "../../clock.ts"
import { rowSum } from "./rowSum.ts"

/** Version of the whole format: tables, row sums and blocks. */
export const formatVersion = 5

/** Older formats that are migrated when the log is opened for writing. */
export const oldestFormat = 1

/** The text `leat` in SQLite's header; a file with another id is not a log. */
export const applicationId = 0x6c656174

/** When each incarnation wrote last, and which of its ids are kept. */
const writers = `CREATE TABLE writer (incarnation BLOB PRIMARY KEY, last_ms INTEGER NOT NULL, kept TEXT NOT NULL,
  sum INTEGER NOT NULL) WITHOUT ROWID;`

/** By which clock a time was read, and the clocks. Times of formats before 5 are wall clock times: the clock 0. */
const clocks = `ALTER TABLE batch ADD COLUMN clock INTEGER NOT NULL DEFAULT 0;
ALTER TABLE writer ADD COLUMN clock INTEGER NOT NULL DEFAULT 0;
CREATE TABLE clock (id INTEGER PRIMARY KEY, first_id INTEGER NOT NULL, name TEXT NOT NULL, ref_ms INTEGER NOT NULL,
  from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL, since_ms INTEGER NOT NULL, shift_ms INTEGER,
  most_ms INTEGER NOT NULL,  sum INTEGER NOT NULL);
`

/** Topics of members: a member of a group has a row for each topic that it reads. */
const memberTopics = `CREATE TABLE member_topic (topic INTEGER NOT NULL, member INTEGER NOT NULL, drain_ms INTEGER NOT NULL,
  begins TEXT NOT NULL, leaving INTEGER NOT NULL, PRIMARY KEY (topic, member)) WITHOUT ROWID;`

export const tables = `
CREATE TABLE header (one INTEGER PRIMARY KEY CHECK (one = 1), format INTEGER NOT NULL, created_ms INTEGER NOT NULL,
  topics INTEGER NOT NULL, barrier INTEGER NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE topic (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, first_partition INTEGER NOT NULL,
  partitions INTEGER NOT NULL, compacted INTEGER NOT NULL, retention_ms INTEGER, retention_bytes INTEGER);
CREATE TABLE head (partition INTEGER PRIMARY KEY, start INTEGER NOT NULL, "end" INTEGER NOT NULL, bytes INTEGER NOT NULL,
  high_ms REAL NOT NULL, last_id INTEGER NOT NULL, cleaned INTEGER NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE batch (partition INTEGER NOT NULL, base INTEGER NOT NULL, "end" INTEGER NOT NULL, first_ms REAL NOT NULL,
  last_ms REAL NOT NULL, high_ms REAL NOT NULL, stored_ms INTEGER NOT NULL, length INTEGER NOT NULL, id INTEGER NOT NULL,
  sum INTEGER NOT NULL, PRIMARY KEY (partition, base)) WITHOUT ROWID;
CREATE TABLE bytes (id INTEGER PRIMARY KEY, block BLOB NOT NULL);
CREATE TABLE id_range (partition INTEGER NOT NULL, incarnation BLOB NOT NULL, stream TEXT NOT NULL, bucket INTEGER NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL, sum INTEGER NOT NULL,
  PRIMARY KEY (partition, incarnation, stream, bucket, first)) WITHOUT ROWID;
${writers}
CREATE TABLE member (id INTEGER PRIMARY KEY, "group" TEXT NOT NULL, owner TEXT NOT NULL, beat INTEGER NOT NULL,
  lease_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL, clock TEXT NOT NULL, at_ms INTEGER NOT NULL);
${memberTopics}
CREATE TABLE lane ("group" TEXT NOT NULL, partition INTEGER NOT NULL, topic INTEGER NOT NULL, number INTEGER NOT NULL,
  holder INTEGER, generation INTEGER NOT NULL, state TEXT NOT NULL, touched INTEGER NOT NULL, start INTEGER NOT NULL,
  origin INTEGER, settled INTEGER, abandoned INTEGER NOT NULL, abandoned_at INTEGER NOT NULL, sum INTEGER NOT NULL,
  PRIMARY KEY (partition, "group")) WITHOUT ROWID;
CREATE TABLE owner (task TEXT PRIMARY KEY, owner TEXT NOT NULL, beat INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE quarantine (partition INTEGER NOT NULL, base INTEGER NOT NULL, "end" INTEGER NOT NULL, what TEXT NOT NULL,
  found_ms INTEGER NOT NULL, PRIMARY KEY (partition, base, what)) WITHOUT ROWID;
${clocks}`

/** By the format that is migrated. The header is rewritten in the same transaction. */
export const upgrades: Readonly<Record<number, (sql: DatabaseSync) => void>> = {
  // A member had one topic.
  1: (sql) =>
    sql.exec(`
${memberTopics}
INSERT INTO member_topic SELECT topic, id, drain_ms, begins, leaving FROM member;
ALTER TABLE member DROP COLUMN topic;
ALTER TABLE member DROP COLUMN drain_ms;
ALTER TABLE member DROP COLUMN begins;
ALTER TABLE member DROP COLUMN leaving;
`),
  // Heartbeats were numbers without a time.
  2: (sql) =>
    sql.exec(`
ALTER TABLE member ADD COLUMN clock TEXT NOT NULL DEFAULT '';
ALTER TABLE member ADD COLUMN at_ms INTEGER NOT NULL DEFAULT 0;
`),
  // Ids were never deleted. Each incarnation counts as one that writes now.
  3: (sql) => {
    sql.exec(writers)
    addWriters(sql, wallMs())
  },
  // Times were those of the wall clock.
  4: (sql) => {
    sql.exec(clocks)
    const row = [0, 0, "", 0, 0, 0, 0, 0, 0, 0]
    sql.prepare("INSERT INTO clock VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)").run(...row, rowSum(...row))
  }
}

function addWriters(sql: DatabaseSync, nowMs: number): void {
  const put = sql.prepare("INSERT INTO writer VALUES (?, ?, 'all', ?)")
  for (const { incarnation } of sql.prepare("SELECT DISTINCT incarnation FROM id_range").all())
    // The sum is that of `Writers`.
    if (incarnation instanceof Uint8Array) put.run(incarnation, nowMs, rowSum(incarnation, nowMs, "all"))
}
