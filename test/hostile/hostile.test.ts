import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { planted } from "./planted.ts"

const program = fileURLToPath(new URL("hostileInputs.ts", import.meta.url))
const topics = fileURLToPath(new URL("hostileTopics.ts", import.meta.url))
const flags = ["--expose-gc", "--max-old-space-size=256", "--conditions=@leat/source"]

interface Ended {
  readonly code: number | string
  readonly last: string
}

function runTopics(records: number, ...more: ReadonlyArray<string>): Promise<Ended> {
  return execute([...flags, topics, String(records), "1", ...more])
}

function run(inputs: number, ...more: ReadonlyArray<string>): Promise<Ended> {
  return execute([...flags, program, String(inputs), "1", ...more])
}

function execute(parameters: ReadonlyArray<string>): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>()
  execFile(process.execPath, parameters, { encoding: "utf8" }, (error, stdout) => {
    resolve({ code: error?.code ?? error?.signal ?? 0, last: stdout.trim().split("\n").at(-1) ?? "" })
  })
  return promise
}

describe("hostile records in topics", () => {
  it("harm no healthy event, in the topic of the stream and in those of the group", { timeout: 120_000 }, async () => {
    const { code, last } = await runTopics(800)
    const report = JSON.parse(last) as Record<string, Record<string, number>>
    expect({ code, violation: report["violation"] }).toEqual({ code: 0, violation: undefined })
    for (const place of ["memory", "log"])
      for (const what of ["handled", "letters", "replayed", "skipped"]) expect(report[place]?.[what]).toBeGreaterThan(5)
  })

  it("show that what is set aside is counted twice", { timeout: 120_000 }, async () => {
    const { code, last } = await runTopics(400, "what is set aside is counted twice")
    expect(code).toBe(3)
    expect(last).toMatch(/counted as dead letters|does not balance/)
  })
})

describe("hostile inputs", () => {
  it("are each answered by a value or a typed error", { timeout: 120_000 }, async () => {
    const { code, last } = await run(20_000)
    expect({ code, violation: JSON.parse(last)["violation"] as unknown }).toEqual({ code: 0, violation: undefined })
    // Every target has answered in more ways than one.
    const answers = Object.entries(JSON.parse(last)["answers"] as Record<string, Record<string, number>>)
    expect(answers.map(([name]) => name).toSorted()).toEqual([
      "announced ledger",
      "batch of Kafka",
      "block of the log",
      "event",
      "headers",
      "id",
      "payload",
      "policy",
      "route document as a value",
      "route document as text"
    ])
    expect(answers.filter(([, ways]) => Object.keys(ways).length < 2)).toEqual([])
  })

  it.for(planted.filter(({ isOfTopics }) => isOfTopics !== true))(
    "find: $name",
    { timeout: 120_000 },
    async ({ name }) => {
      const { code, last } = await run(60_000, name)
      // A heap that is full ends the process, and then nothing is said.
      const said = code === 3 ? (JSON.parse(last) as { readonly violation: string }).violation : `input 0, ${code}`
      expect(said).toMatch(/^input [1-9]\d*, |SIGABRT|134/)
    }
  )
})
