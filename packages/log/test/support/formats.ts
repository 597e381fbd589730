import type { DatabaseSync } from "node:sqlite"
import { rowSum } from "../../src/store/tables/rowSum.js"

/** Rows and tables as format 4 had them, where times were those of the wall clock. The header stays as it is. */
export function toFormatFour(sql: DatabaseSync): void {
  const put = sql.prepare("UPDATE batch SET sum = ? WHERE partition = ? AND base = ?")
  const columns = ["partition", "base", "end", "first_ms", "last_ms", "high_ms", "stored_ms", "length", "id"]
  for (const row of sql.prepare("SELECT * FROM batch").all()) {
    const values = columns.map((name) => Number(row[name]))
    put.run(rowSum(...values), values[0] ?? 0, values[1] ?? 0)
  }
  sql.exec("DROP TABLE clock; ALTER TABLE batch DROP COLUMN clock; ALTER TABLE writer DROP COLUMN clock")
}
