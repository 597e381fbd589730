import { inspectLog, log } from "@leat/log"
import { Effect, type Scope } from "effect"
import { Leat } from "leat"
import { writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { inspect } from "node:util"
import { afterEach, describe, expect, it } from "vitest"
import { noteContract, routesTo } from "./support/Note.ts"
import { temporaryDirectory } from "./support/temporary.ts"

/** Runs a test with `LEAT_DIR` set to a directory of its own. */
const inDirectory = <A, E>(run: (directory: string) => Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(temporaryDirectory, (directory) => {
        process.env["LEAT_DIR"] = directory
        return run(directory)
      })
    )
  )

const opened = (directory: string, more: Readonly<Record<string, unknown>> = {}) =>
  Effect.flatMap(Leat.make({ source: "test", routes: routesTo(directory, more), drivers: [log] }), (leat) =>
    leat.stream(noteContract)
  )

describe("a log whose directory is a reference", () => {
  afterEach(() => {
    delete process.env["LEAT_DIR"]
  })

  it("is where the reference says", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const notes = yield* opened("${env:LEAT_DIR}/x")
        yield* notes.publish({ key: "k", text: "t" })
        expect((yield* inspectLog(join(directory, "x"))).topics.map(({ topic }) => topic)).toEqual(["notes"])
      })
    ))

  it("is not opened without the variable", async () => {
    const error = await Effect.runPromise(Effect.flip(Effect.scoped(opened("${env:LEAT_DIR}/x"))))
    expect(error.message).toMatch(/^clusters.local.directory: the environment variable LEAT_DIR is not set/)
  })

  it("says the reference, and not the directory, when it cannot be opened", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        writeFileSync(join(directory, "x"), "a file")
        const error = yield* Effect.flip(opened("${env:LEAT_DIR}/x"))
        expect(error.message).toContain("${env:LEAT_DIR}/x")
        expect(inspect(error, { depth: 10 })).not.toContain(directory)
      })
    ))

  it("is told to be empty where it is, and not how long a text must be", () => {
    expect(log.inspect({ directory: "" })).toEqual({ issues: [{ path: "directory", message: "is empty" }] })
  })

  it.each([
    ["", "cluster local: directory: is empty"],
    ["  ", "cluster local: directory: begins or ends with a space or a line feed"],
    ["data\n", "cluster local: directory: begins or ends with a space or a line feed"],
    ["a\u0007b", "cluster local: directory: holds a control character"]
  ])("is told in one sentence where the variable holds %j, and is not tried again", async (value, sentence) => {
    process.env["LEAT_DIR"] = value
    const error = await Effect.runPromise(Effect.flip(Effect.scoped(opened("${env:LEAT_DIR}"))))
    expect(error).toMatchObject({ reason: "Unsupported", detail: sentence })
  })

  it.each([
    [{ directory: 5 }, "directory: must be a text, as ./data"],
    [{ directory: "a", partitions: "8" }, "partitions: must be a number, as 8"],
    [{ directory: "a", recordBytesMax: "1 MB" }, "recordBytesMax: must be a number, as 1048576"],
    [{ directory: "a", retention: "7 days" }, "retention: must be an object, as { timeMs: 604800000 }"],
    [{ directory: "a", retention: { timeMs: "7 days" } }, "retention.timeMs: must be a number, as 604800000"],
    [{ directory: "a", retention: { bytes: "1 GB" } }, "retention.bytes: must be a number, as 1000000000"],
    [{ directory: "a", retention: { idsMs: "7 days" } }, "retention.idsMs: must be a number, as 604800000"],
    [{ directory: "a", bytesMax: "10 GB" }, "bytesMax: must be a number, as 10000000000"],
    [{ directory: "a", leaseMs: 200.5 }, "leaseMs: must be a whole number, as 3000"]
  ])("says what a field may be: %j", (config, told) => {
    const inspected = log.inspect(config)
    const issues = "issues" in inspected ? inspected.issues : []
    expect(issues.map(({ path, message }) => `${path}: ${message}`)).toEqual([told])
  })

  it("has no fault that says what stood in the section", async () => {
    const config = { directory: "", partitions: "hunter2", retention: "hunter2", other: "hunter2" }
    const error = await Effect.runPromise(Effect.flip(Effect.scoped(log.open("local", config))))
    expect(error.detail).toContain("partitions")
    expect(inspect([error, log.inspect(config)], { depth: 10 })).not.toContain("hunter2")
  })
})

it("the address of a log is its directory, however it is written", () => {
  const addressesOf = (directory: string) => log.inspect({ directory })
  const addresses = [`directory:${resolve("data")}`]
  for (const directory of ["data", "./data/", resolve("data"), "x/../data"])
    expect(addressesOf(directory)).toMatchObject({ addresses })
  expect(addressesOf("${env:LEAT_DIR}")).toMatchObject({ addresses: ["directory:${env:LEAT_DIR}"] })
})
