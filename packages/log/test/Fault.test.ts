import type { TransportReason } from "leat/transport"
import { describe, expect, it } from "vitest"
import { faultOf, isBusy, isDamage, isGlobal, Refusal, sqliteCode } from "../src/Fault.js"

/** An error as `node:sqlite` throws it. The text says something else, because nobody may read it. */
function sqliteError(errcode: number): Error {
  return Object.assign(new Error("database or disk is full"), { code: "ERR_SQLITE_ERROR", errcode })
}

const table: ReadonlyArray<readonly [name: string, code: number, reason: TransportReason]> = [
  ["SQLITE_ERROR", 1, "Unknown"],
  ["SQLITE_INTERNAL", 2, "Unknown"],
  ["SQLITE_PERM", 3, "Unauthorized"],
  ["SQLITE_ABORT", 4, "Unavailable"],
  ["SQLITE_BUSY", 5, "Unavailable"],
  ["SQLITE_BUSY_RECOVERY", 261, "Unavailable"],
  ["SQLITE_BUSY_SNAPSHOT", 517, "Unavailable"],
  ["SQLITE_BUSY_TIMEOUT", 773, "Unavailable"],
  ["SQLITE_LOCKED", 6, "Unavailable"],
  ["SQLITE_NOMEM", 7, "Full"],
  ["SQLITE_READONLY", 8, "Unauthorized"],
  ["SQLITE_READONLY_DIRECTORY", 1544, "Unauthorized"],
  ["SQLITE_READONLY_CANTINIT", 1288, "Unauthorized"],
  ["SQLITE_INTERRUPT", 9, "Unavailable"],
  ["SQLITE_IOERR", 10, "Unknown"],
  ["SQLITE_IOERR_READ", 266, "Unknown"],
  ["SQLITE_IOERR_SHORT_READ", 522, "Corrupt"],
  ["SQLITE_IOERR_WRITE", 778, "Unknown"],
  ["SQLITE_IOERR_FSYNC", 1034, "Unknown"],
  ["SQLITE_IOERR_NOMEM", 3082, "Full"],
  ["SQLITE_IOERR_SHMSIZE", 4874, "Full"],
  ["SQLITE_IOERR_DATA", 8202, "Corrupt"],
  ["SQLITE_IOERR_CORRUPTFS", 8458, "Corrupt"],
  ["SQLITE_CORRUPT", 11, "Corrupt"],
  ["SQLITE_CORRUPT_INDEX", 779, "Corrupt"],
  ["SQLITE_FULL", 13, "Full"],
  ["SQLITE_CANTOPEN", 14, "Unauthorized"],
  ["SQLITE_CANTOPEN_ISDIR", 526, "Unsupported"],
  ["SQLITE_PROTOCOL", 15, "Unavailable"],
  ["SQLITE_SCHEMA", 17, "Unavailable"],
  ["SQLITE_TOOBIG", 18, "TooLarge"],
  ["SQLITE_CONSTRAINT_PRIMARYKEY", 1555, "Corrupt"],
  ["SQLITE_MISMATCH", 20, "Corrupt"],
  ["SQLITE_MISUSE", 21, "Unsupported"],
  ["SQLITE_NOLFS", 22, "Full"],
  ["SQLITE_AUTH", 23, "Unauthorized"],
  ["SQLITE_RANGE", 25, "Unsupported"],
  ["SQLITE_NOTADB", 26, "Corrupt"],
  ["a code of a later SQLite", 99, "Unknown"]
]

const files: ReadonlyArray<readonly [code: string, reason: TransportReason]> = [
  ["EACCES", "Unauthorized"],
  ["EPERM", "Unauthorized"],
  ["EROFS", "Unauthorized"],
  ["ENOTDIR", "Unsupported"],
  ["EEXIST", "Unsupported"],
  ["ENAMETOOLONG", "Unsupported"],
  ["ELOOP", "Unsupported"],
  ["ENOSPC", "Full"],
  ["EDQUOT", "Full"],
  ["EMFILE", "Unavailable"],
  ["ENFILE", "Unavailable"],
  ["EIO", "Unknown"],
  ["ERR_OUT_OF_RANGE", "Corrupt"],
  ["EWHATEVER", "Unknown"]
]

describe("a fault", () => {
  it.for(table)("of SQLite is classified by its code: %s", ([, code, reason]) => {
    const fault = faultOf(sqliteError(code), "/data/log.sqlite")
    expect(fault.reason).toBe(reason)
    expect(fault.detail).toContain("/data/log.sqlite")
    expect(fault.detail).toContain(`SQLite ${code}`)
    expect(isDamage(sqliteError(code))).toBe(reason === "Corrupt")
  })

  it.for(files)("of the file system is classified by its code: %s", ([code, reason]) => {
    expect(faultOf(Object.assign(new Error("no space left"), { code }), "/data").reason).toBe(reason)
  })

  it("is what was refused, or unknown", () => {
    expect(faultOf(new Refusal("TooLarge", "a record of 5 bytes"), "/data")).toEqual({
      reason: "TooLarge",
      detail: "a record of 5 bytes"
    })
    expect(faultOf(new Error("SQLITE_FULL"), "/data").reason).toBe("Unknown")
    expect(faultOf("a text", "/data").reason).toBe("Unknown")
    expect(sqliteCode(new Error("no code"))).toBe(undefined)
  })

  it("passes by itself when another process holds the log, and concerns every work when the volume or the file is the matter", () => {
    expect([5, 261, 517, 6, 15, 17].every((code) => isBusy(sqliteError(code)))).toBe(true)
    expect([13, 10, 11, 8].some((code) => isBusy(sqliteError(code)))).toBe(false)
    expect([13, 10, 1034, 8, 14, 26, 7].every((code) => isGlobal(sqliteError(code)))).toBe(true)
    expect([11, 19, 1].some((code) => isGlobal(sqliteError(code)))).toBe(false)
  })
})
