import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Logger, type Scope } from "effect"
import { Leat, type OpenLeat, RouteError } from "leat"
import { open } from "leat/promise"
import { simulate, waitUntil } from "leat/testing"
import { describe, expect, it } from "vitest"
import { References } from "../../src/routes/References.ts"
import { followRoutesFile } from "../../src/routes/RoutesFile.ts"
import { noteContract } from "../contracts/Note.ts"

const documentOf = (version: number, settings = ""): string => `version: ${version}
clusters: { local: { transport: memory } }
routes:
  - match: { stream: "*" }
    to: [{ cluster: local, topic: "{stream}"${settings} }]
`

interface Machine {
  /** What the file says; undefined: it is not there. */
  text: string | undefined
  looks: number
  readonly lines: Array<string>
}

const readers = (machine: Machine) => ({
  variable: () => undefined,
  file: () =>
    Effect.suspend(() => {
      machine.looks++
      return machine.text === undefined ? Effect.fail("is not there") : Effect.succeed(machine.text)
    })
})

/** Runs a story on virtual time beside a file, and fails as it does. */
function story(tell: (machine: Machine) => Effect.Effect<void, unknown, Scope.Scope>, text = documentOf(1)): Machine {
  const machine: Machine = { text, looks: 0, lines: [] }
  const logger = Logger.make(({ logLevel, message }) => void machine.lines.push(`${logLevel} ${String(message)}`))
  const program = Effect.suspend(() => tell(machine)).pipe(
    Effect.scoped,
    Effect.provideService(References, readers(machine)),
    Effect.provide(Logger.layer([logger]))
  )
  const { exit, timers } = simulate(1, program)
  if (Exit.isFailure(exit)) throw new Error("the story failed", { cause: exit.cause })
  expect(timers).toBe(0)
  return machine
}

const opened = (every?: string) =>
  Leat.make({ source: "test", routes: { file: "routes.yaml", ...(every === undefined ? {} : { every }) } })
const version = (leat: OpenLeat): number => leat.routes().version

describe("a routes file that is followed", () => {
  it("is the document that a leat opens with, and its next version is in force when two looks have found it", () => {
    const { lines } = story((machine) =>
      Effect.gen(function* () {
        const leat = yield* opened()
        const notes = yield* leat.stream(noteContract())
        expect(version(leat)).toBe(1)
        machine.text = documentOf(2, ", buffer: { overflow: reject }")
        yield* Effect.sleep("1500 millis")
        expect(version(leat)).toBe(1)
        yield* Effect.sleep("1 second")
        expect(version(leat)).toBe(2)
        expect(leat.routes().lookup("test.notes", "test")?.legs[0]?.overflow).toBe("reject")
        yield* notes.publish({ key: "a", text: "1" })
        expect(leat.ledger.snapshot().balanced).toBe(true)
      })
    )
    expect(lines).toEqual(["Info version 2 of the routes file routes.yaml is in force"])
  })

  it("is never taken half: what the next look finds otherwise is nothing", () => {
    const { lines } = story((machine) =>
      Effect.gen(function* () {
        const leat = yield* opened()
        for (const part of ["", "version: 2\n", `${documentOf(2)}subscriptions:\n`, documentOf(3)]) {
          machine.text = part
          yield* Effect.sleep("1 second")
          expect(version(leat)).toBe(1)
        }
        yield* Effect.sleep("1 second")
        expect(version(leat)).toBe(3)
      })
    )
    expect(lines).toEqual(["Info version 3 of the routes file routes.yaml is in force"])
  })

  it("is refused whole, with every fault and its path, told once; the next good one is taken", () => {
    const { lines } = story((machine) =>
      Effect.gen(function* () {
        const leat = yield* opened()
        machine.text = documentOf(2, ", linger: soon").replace("cluster: local", "cluster: loca")
        yield* Effect.sleep("20 seconds")
        expect(version(leat)).toBe(1)
        machine.text = documentOf(1, ", linger: 7 millis")
        yield* Effect.sleep("20 seconds")
        expect(leat.routes().lookup("test.notes", "test")?.legs[0]?.lingerMs).toBe(5)
        machine.text = documentOf(3, ", linger: 7 millis")
        yield* Effect.sleep("3 seconds")
        expect(leat.routes().lookup("test.notes", "test")?.legs[0]?.lingerMs).toBe(7)
      })
    )
    expect(lines).toHaveLength(3)
    expect(lines[0]).toMatch(
      /^Warn the routes file routes.yaml was refused, and version 1 stays in force: .*routes\[0\]\.to\[0\]\.cluster: no cluster named loca/
    )
    expect(lines[0]).toContain("routes[0].to[0].linger")
    expect(lines[1]).toContain("version: version 1 is in force with another content")
    expect(lines[2]).toBe("Info version 3 of the routes file routes.yaml is in force")
  })

  it("stays in force when the file goes, and when it comes back as it was", () => {
    const { lines } = story((machine) =>
      Effect.gen(function* () {
        const leat = yield* opened("100 millis")
        machine.text = undefined
        yield* Effect.sleep("5 seconds")
        machine.text = documentOf(1)
        yield* Effect.sleep("5 seconds")
        machine.text = undefined
        yield* Effect.sleep("5 seconds")
        expect(version(leat)).toBe(1)
      })
    )
    const gone = "Warn the routes file routes.yaml is not there; version 1 stays in force"
    expect(lines).toEqual([gone, gone])
  })

  it("is tried again where it was refused, ever more rarely: some reasons pass", () => {
    let tries = 0
    const { lines } = story((machine) =>
      Effect.gen(function* () {
        const refusal = new RouteError({ faults: [{ path: "routes[0].to[1]", message: "is not open" }] })
        const swap = () => Effect.suspend(() => (++tries < 5 ? Effect.fail(refusal) : Effect.void))
        const following = { text: "1", readers: readers(machine), swap, version: () => 1 }
        machine.text = "2"
        yield* Effect.forkScoped(followRoutesFile({ file: "f" }, following))
        // Looks 2, 4, 7, 12 and 21: after 1, 2, 4 and 8 looks that pass by.
        yield* Effect.sleep("20500 millis")
        expect(tries).toBe(4)
        yield* Effect.sleep("1 second")
        expect(tries).toBe(5)
      })
    )
    expect(lines).toEqual([
      "Warn the routes file f was refused, and version 1 stays in force: routes[0].to[1]: is not open",
      "Info version 1 of the routes file f is in force"
    ])
  })

  it("is refused where putting it in force throws, and followed on", () => {
    const { lines } = story((machine) =>
      Effect.gen(function* () {
        const swap = (text: string) => (text === "2" ? Effect.die("a driver broke") : Effect.void)
        const following = { text: "1", readers: readers(machine), swap, version: () => 1 }
        machine.text = "2"
        yield* Effect.forkScoped(followRoutesFile({ file: "f" }, following))
        yield* Effect.sleep("3500 millis")
        machine.text = "3"
        yield* Effect.sleep("3 seconds")
      })
    )
    expect(lines).toEqual([
      "Warn the routes file f was refused, and version 1 stays in force: routes: cannot be read: a driver broke",
      "Info version 1 of the routes file f is in force"
    ])
  })

  it("is looked at no more when the leat is closed", () => {
    let looks = 0
    const { looks: after } = story((machine) =>
      Effect.gen(function* () {
        yield* Effect.scoped(Effect.andThen(opened(), Effect.sleep("5500 millis")))
        looks = machine.looks
        yield* Effect.sleep("1 minute")
      })
    )
    expect(looks).toBe(6)
    expect(after).toBe(looks)
  })

  it.each([
    [{ file: "" }, "routes.file: is the path of a file, and not empty"],
    [{ file: 7 }, "routes.file: is the path of a file, and not a number"],
    [{ file: "f", evry: 1 }, "routes.evry: is not known here; a file of routes has file, every"],
    [{ file: "f", every: "soon" }, 'routes.every: is a duration from 10 milliseconds to an hour, as "5 seconds"'],
    [{ file: "f", every: "9 millis" }, 'routes.every: is a duration from 10 milliseconds to an hour, as "5 seconds"'],
    [
      { file: "/nowhere/routes.yaml" },
      "routes.file: the file /nowhere/routes.yaml is not there; correct the path, or put the file there"
    ]
  ])("has faults of its own: %j", async (routes, message) => {
    await expect(open({ source: "test", routes })).rejects.toThrow(message)
  })

  it("is a document, and no file, when it has a version", async () => {
    const routes = { version: 1, clusters: {}, routes: [], file: "f" }
    await expect(open({ source: "test", routes })).rejects.toThrow("file: is no field of")
  })
})

describe("a routes file on disk", () => {
  const within = async (run: (folder: string) => Promise<void>): Promise<void> => {
    const folder = mkdtempSync(join(tmpdir(), "leat-routes-"))
    try {
      await run(folder)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  const reaches = (leat: OpenLeat, expected: number): Promise<void> =>
    Effect.runPromise(
      waitUntil(
        `version ${expected}`,
        Effect.sync(() => version(leat) === expected)
      )
    )

  it("is followed over the saves of editors: in place, and by another file that takes its name", () =>
    within(async (folder) => {
      const file = join(folder, "routes.yaml")
      writeFileSync(file, documentOf(1))
      await using leat = await open({ source: "test", routes: { file, every: "20 millis" } })
      writeFileSync(file, documentOf(2))
      await reaches(leat.effect, 2)
      writeFileSync(`${file}~`, documentOf(3))
      renameSync(`${file}~`, file)
      await reaches(leat.effect, 3)
      rmSync(file)
      writeFileSync(file, documentOf(4))
      await reaches(leat.effect, 4)
      expect(version(leat.effect)).toBe(4)
    }))

  it("is followed over the symbolic links of Kubernetes, which swaps ..data below the file", () =>
    within(async (folder) => {
      const publish = (count: number): void => {
        mkdirSync(join(folder, `..${count}`))
        writeFileSync(join(folder, `..${count}`, "routes.yaml"), documentOf(count))
        symlinkSync(`..${count}`, join(folder, "..data_tmp"))
        renameSync(join(folder, "..data_tmp"), join(folder, "..data"))
        rmSync(join(folder, `..${count - 1}`), { recursive: true, force: true })
      }
      publish(1)
      symlinkSync(join("..data", "routes.yaml"), join(folder, "routes.yaml"))
      const routes = { file: join(folder, "routes.yaml"), every: "20 millis" }
      await using leat = await open({ source: "test", routes })
      for (const count of [2, 3, 4]) {
        publish(count)
        await reaches(leat.effect, count)
        expect(version(leat.effect)).toBe(count)
      }
    }))
})
