import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

/*
 * Every way in which Kafka's clients are known to lose, duplicate or reorder stands in docs/traps.md. A test must show that the driver
 * of each client named there does not: in the name of a case of `TransportSuite` for all, or of a test of the driver.
 */

const root = fileURLToPath(new URL("..", import.meta.url))

interface Trap {
  readonly name: string
  readonly clients: string
  /** The file that the row links to, from `docs`. */
  readonly file: string | undefined
}

const page = readFileSync(join(root, "docs", "traps.md"), "utf8")
const traps = [...page.matchAll(/^\| (T\d+) +\|[^|]*\|([^|]*)\|.*\|([^|]*)\|$/gm)].map(
  ([, name = "", clients = "", test = ""]): Trap => ({ name, clients, file: /\]\(([^)]+)\)/.exec(test)?.[1] })
)

/** The trap numbers in the names of the tests of some files: a string that is an argument, or the first entry of a table's row. */
function namedIn(paths: ReadonlyArray<string>): ReadonlySet<string> {
  const names = paths.flatMap((path) => [...readFileSync(path, "utf8").matchAll(/["'`](T\d+,? [^"'`\n]*)/g)])
  return new Set(names.flatMap(([, numbers = ""]) => numbers.match(/T\d+/g) ?? []))
}

const filesIn = (...folders: ReadonlyArray<string>): ReadonlyArray<string> =>
  folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((path) => join(root, folder, path))
    )
    .filter((path) => path.endsWith(".ts"))

const forAll = namedIn(filesIn("packages/leat/src/testing/conformance", "test/kafka"))

describe.each(["kafkajs", "confluent"])("the traps of %s", (client) => {
  const own = namedIn(filesIn(`packages/${client}/test`))
  const rows = traps.filter(({ clients }) => clients.includes(client))

  it.each(rows)("$name has a test", ({ name }) => {
    // Offsets beyond 2^53 are one trap, met by committing and by reading.
    expect(own.has(name) || forAll.has(name) || (name === "T35" && own.has("T36"))).toBe(true)
  })
})

describe("the table of traps", () => {
  it("has every number once", () => {
    expect(traps.map(({ name }) => name)).toEqual(Array.from({ length: 46 }, (_, index) => `T${index + 1}`))
  })

  it.each(traps.filter(({ file }) => file !== undefined))(
    "$name leads to a test that names it",
    ({ name, file = "" }) => {
      expect(namedIn([join(root, "docs", file)]).has(name)).toBe(true)
    }
  )

  it("leads to a test from every row about a client that leat uses", () => {
    expect(traps.filter(({ clients, file }) => /kafkajs|confluent/.test(clients) && file === undefined)).toEqual([])
  })
})
