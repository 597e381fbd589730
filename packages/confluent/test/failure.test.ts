import { reasons } from "leat/transport"
import { createRequire } from "node:module"
import { describe, expect, it } from "vitest"
import { fateOf, nameOf, reasonOf } from "../src/client/failure.ts"

/** Of the client's sources: they can be read where the addon is not built, and not loaded. */
const codes = await codesOfClient()

async function codesOfClient(): Promise<ReadonlyArray<readonly [name: string, code: number]>> {
  const { readFile } = await import("node:fs/promises")
  const require = createRequire(import.meta.url)
  const path = await Promise.resolve()
    .then(() => require.resolve("@confluentinc/kafka-javascript/lib/error.js"))
    .catch(() => undefined)
  if (path === undefined) return []
  const text = await readFile(path, "utf8")
  return [...text.matchAll(/^ {2}(ERR_\w+): (-?\d+)/gm)].map(([, name = "", code]) => [name, Number(code)])
}

/** What is no error, and what stands for errors that have no code. */
const noErrors: ReadonlySet<string> = new Set(["ERR__BEGIN", "ERR__END", "ERR_NO_ERROR", "ERR_UNKNOWN"])

describe.skipIf(codes.length === 0)("every error code of the client", () => {
  it("is there to be judged", () => {
    expect(codes.length).toBeGreaterThan(150)
  })

  it.each(codes.filter(([name]) => !noErrors.has(name)))("%s (%d) has a reason and a name", (name, code) => {
    expect(reasons[reasonOf(code)]).toBeDefined()
    expect(nameOf(code)).not.toMatch(/error (code )?-?\d/)
    // For a broker's codes librdkafka has names of its own.
    expect(nameOf(code)).toBe(code < 0 ? name.slice("ERR__".length) : nameOf(code))
  })

  it.each(codes)("%s (%d) is told notStored only where its reason rules out that it is stored", (_, code) => {
    const isStored = code === 0 || code === 46
    const failed = reasons[reasonOf(code)].mayBeStored ? "unknown" : "notStored"
    expect(fateOf(code)).toBe(isStored ? "stored" : failed)
  })
})

describe("codes that decide", () => {
  it.each([
    [-192, "Timeout", "unknown"],
    [-152, "Disconnected", "unknown"],
    [-151, "Disconnected", "unknown"],
    [-195, "Disconnected", "unknown"],
    [-150, "Unknown", "unknown"],
    [-187, "Unavailable", "notStored"],
    [-190, "UnknownTopic", "notStored"],
    [-184, "Full", "notStored"],
    [-138, "Rejected", "notStored"],
    [10, "TooLarge", "notStored"],
    [29, "Unauthorized", "notStored"],
    [7, "Timeout", "unknown"],
    [-333, "Unknown", "unknown"]
  ] as const)("%d is %s, %s", (code, reason, fate) => {
    expect([reasonOf(code), fateOf(code)]).toEqual([reason, fate])
  })
})
