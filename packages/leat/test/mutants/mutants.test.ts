import { existsSync, readdirSync } from "node:fs"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { equivalents } from "./equivalents.ts"
import { findMutant, runBattery } from "./findMutant.ts"
import type { Mutant } from "./Mutant.ts"
import { mutants } from "./mutants.ts"
import { planted } from "./plant.ts"

const deadlineMs = 120_000

const roomOf = ({ file }: Mutant) => dirname(file)

/** One of each room, of those that are found soonest: all of them are what `npm run prove -- mutants` looks for. */
const short = [
  ...new Map(mutants.filter(({ foundBy }) => foundBy === undefined).map((mutant) => [roomOf(mutant), mutant])).values()
]

describe("the mutants", () => {
  it.for(mutants)("stand in the sources: $name", (mutant) => {
    expect(planted(mutant)).not.toBe("")
  })

  it("have names of their own, and proofs that are there", () => {
    const tests = (proof: string) => fileURLToPath(new URL(`../${proof}`, import.meta.url))
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
    const lost = mutants.filter(({ foundBy }) => foundBy?.endsWith(".test.ts") === true && !existsSync(tests(foundBy)))
    expect(lost).toEqual([])
  })

  it("name the test that has to find them, and not only its file", () => {
    const unnamed = mutants.filter(({ foundBy, test }) => foundBy?.endsWith(".test.ts") === true && test === undefined)
    expect(unnamed).toEqual([])
  })

  it("are in every file of the rooms in which events move, but for those that have nothing to break", () => {
    const source = fileURLToPath(new URL("../../src", import.meta.url))
    const rooms = ["audit", "publish", "consume", "transport", "record", "routes"]
    const files = rooms.flatMap((room) =>
      readdirSync(`${source}/${room}`, { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts"))
        .map((name) => `${room}/${name.replaceAll("\\", "/")}`)
    )
    const covered = new Set([...mutants.map(({ file }) => file), ...equivalents.map(({ file }) => file)])
    expect(files.filter((file) => !covered.has(file))).toEqual([])
  })
})

describe("the battery", () => {
  it("finds nothing where nothing is planted", { timeout: deadlineMs }, async () => {
    expect(await runBattery("none", 10)).toMatchObject({ how: "nothing found" })
  })

  it.concurrent.for(short)("finds: $name", { timeout: deadlineMs }, async (mutant) => {
    expect(await findMutant(mutant)).toMatchObject({ found: true })
  })
})
