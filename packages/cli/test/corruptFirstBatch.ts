import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"

/** Flips a byte in the bytes of the first batch of a closed log. */
export function corruptFirstBatch(directory: string): void {
  const sql = new DatabaseSync(join(directory, "log.sqlite"))
  try {
    const row = sql.prepare("SELECT id, block FROM bytes ORDER BY id LIMIT 1").get()
    const bytes = Buffer.from(row?.["block"] as Uint8Array)
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
    sql.prepare("UPDATE bytes SET block = ? WHERE id = ?").run(bytes, Number(row?.["id"]))
  } finally {
    sql.close()
  }
}
