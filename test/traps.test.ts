import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

/*
 * Every way in which Kafka's clients are known to lose, duplicate or reorder, by the numbers of the design's table, and whose
 * tests must show that the driver does not: in the name of a case of `TransportSuite` for all, or of a test of the driver.
 */

const root = fileURLToPath(new URL("..", import.meta.url))

type Client = "kafkajs" | "confluent"

/** The rows that name kafkajs, confluent, all or any; T36 stands with T35, offsets beyond 2^53. */
const traps: Readonly<Record<string, ReadonlyArray<Client>>> = {
  T1: ["kafkajs"],
  T2: ["kafkajs"],
  T3: ["kafkajs"],
  T4: ["kafkajs", "confluent"],
  T5: ["kafkajs"],
  T6: ["kafkajs"],
  T11: ["kafkajs", "confluent"],
  T12: ["confluent"],
  T13: ["confluent"],
  T15: ["confluent"],
  T16: ["kafkajs"],
  T17: ["confluent"],
  T18: ["kafkajs"],
  T21: ["confluent"],
  T22: ["kafkajs", "confluent"],
  T23: ["kafkajs"],
  T24: ["confluent"],
  T25: ["confluent"],
  T27: ["kafkajs"],
  T28: ["kafkajs", "confluent"],
  T29: ["kafkajs", "confluent"],
  T30: ["kafkajs", "confluent"],
  T31: ["kafkajs", "confluent"],
  T32: ["kafkajs", "confluent"],
  T33: ["kafkajs", "confluent"],
  T34: ["kafkajs", "confluent"],
  T35: ["kafkajs", "confluent"],
  T37: ["kafkajs", "confluent"],
  T38: ["kafkajs", "confluent"]
}

/** The trap numbers in the names of the tests below some folders. */
function tested(...folders: ReadonlyArray<string>): ReadonlySet<string> {
  const files = folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((path) => join(root, folder, path))
    )
    .filter((path) => path.endsWith(".ts"))
  // Where a name of a test or case begins: a string that is an argument, or the first entry of a table's row.
  const names = files.flatMap((path) => [...readFileSync(path, "utf8").matchAll(/["'`]((?:T\d+,? )+)/g)])
  return new Set(names.flatMap(([, numbers = ""]) => numbers.match(/T\d+/g) ?? []))
}

const forAll = tested("packages/leat/src/testing/conformance", "test/kafka")

describe.each(["kafkajs", "confluent"] as const)("the traps of %s", (client) => {
  const own = tested(`packages/${client}/test`)
  const rows = Object.entries(traps).filter(([, clients]) => clients.includes(client))

  it.each(rows)("%s has a test", (trap) => {
    expect(own.has(trap) || forAll.has(trap) || (trap === "T35" && own.has("T36"))).toBe(true)
  })
})
