import { spawn } from "node:child_process"
import { join } from "node:path"
import { open, type PromiseInbox } from "leat/promise"
import { describe, expect, it } from "vitest"
import { routes } from "../consume/support.ts"
import { noteContract } from "../contracts/Note.ts"

const inbox: PromiseInbox<undefined> = {
  transaction: (work) => work(undefined),
  record: (_, { ids }) => ids.map(() => true),
  forget: () => undefined
}

const withFallback = {
  version: 1,
  clusters: { near: { transport: "memory" }, far: { transport: "memory" } },
  policies: { falling: [{ on: ["Unavailable"], then: "fallback" }] },
  routes: [
    {
      match: { stream: "*" },
      to: [{ cluster: "near", topic: "notes", policy: "falling", fallback: { cluster: "far", back: "stay" } }]
    }
  ]
}

const planter = join(import.meta.dirname, "../mutants/plantNamed.ts")

/**
 * Runs `leftOpen.ts`; says how it ended, what it printed and what it was warned of. One that still runs after so long is killed, and `afterMs` after it has
 * said that it is at its end.
 */
function left(name: string, limitMs = 30_000, afterMs = limitMs) {
  const program = join(import.meta.dirname, "leftOpen.ts")
  // A mutant of this run is one of the program too.
  const planting = process.env["LEAT_MUTANT"] === undefined ? [] : ["--import", planter]
  const child = spawn(process.execPath, ["--conditions=@leat/source", ...planting, program, name], {
    timeout: limitMs,
    killSignal: "SIGKILL",
    stdio: ["ignore", "pipe", "pipe"]
  })
  let [printed, warned] = ["", ""]
  child.stdout.on("data", (chunk: unknown) => {
    if (printed === "") setTimeout(() => child.kill("SIGKILL"), afterMs).unref()
    printed += String(chunk)
  })
  child.stderr.on("data", (chunk: unknown) => (warned += String(chunk)))
  return new Promise<{
    readonly code: number | NodeJS.Signals | null
    readonly printed: string
    readonly warned: string
  }>((resolve) => child.once("close", (code, signal) => resolve({ code: code ?? signal, printed, warned })))
}

describe.concurrent("a process that leaves its leat on the memory transport open", () => {
  it.each(["publish", "handle", "handleBatch", "inbox", "loop"])(
    "ends when it has nothing more to do: %s",
    { timeout: 60_000 },
    async (name) => {
      expect(await left(name)).toMatchObject({ code: 0, printed: "at its end\n" })
    }
  )

  it.each([
    "file",
    "reference",
    "growable",
    "redrive",
    "stay",
    "stayBack",
    "control",
    "controlAway",
    "moved",
    "compacted"
  ])("ends though something is looked at or told now and then: %s", { timeout: 60_000 }, async (name) => {
    expect(await left(name)).toMatchObject({ code: 0, printed: "at its end\n" })
  })

  it("goes on while a stream of its fleet that is being moved may need it", { timeout: 60_000 }, async () => {
    expect(await left("moving", 50_000, 4000)).toMatchObject({ code: "SIGKILL", printed: "at its end\n" })
  })

  it("goes on while what its fallback has refused waits for the first cluster alone", { timeout: 60_000 }, async () => {
    expect(await left("stayRefused")).toMatchObject({ code: 0, printed: "at its end\nstored 20\n" })
  })

  it("announces its ledger once more before it ends", { timeout: 60_000 }, async () => {
    const { code, printed } = await left("ledger")
    expect({ code, printed }).toEqual({ code: 0, printed: "at its end\nannounced 50 stored of 50\n" })
  })

  it("is told before it ends that it loses events", { timeout: 60_000 }, async () => {
    const { code, printed, warned } = await left("objective")
    expect({ code, printed }).toEqual({ code: 0, printed: expect.stringMatching(/^at its end$/m) })
    expect(warned).toContain("as fast as the objective of 1 % in 1d allows")
  })

  it("is told once what it leaves behind in a lane that stands", { timeout: 60_000 }, async () => {
    const { code, printed, warned } = await left("halted")
    expect({ code, printed }).toEqual({ code: 0, printed: "at its end\n" })
    const told = warned.split("\n").filter((line) => line.includes("nothing keeps this program any more"))
    expect(told).toEqual([expect.stringContaining(`3 events of ${noteContract().stream} for near/failing`)])
  })

  it("is told of nothing where all has ended", { timeout: 60_000 }, async () => {
    expect(await left("publish")).toMatchObject({ code: 0, warned: "" })
  })
})

describe("what keeps a process", () => {
  /** Timers that do; those of the test itself are among them. */
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length

  it.each(["SideTopics", "FallbackTopics", "inbox"])("is no look of a subscription now and then: %s", async (which) => {
    const document = which === "FallbackTopics" ? withFallback : undefined
    await using leat = await open({ source: "test", routes: document })
    const notes = await leat.stream(noteContract())
    const handling = await notes.handle("g", () => undefined, which === "inbox" ? { inbox } : {})
    await handling.caughtUp()
    await new Promise((resolve) => setTimeout(resolve, 300))
    const during = timers()
    await handling.stop()
    expect(timers()).toBe(during)
  })

  it("is a wait for a handler that keeps none itself", { timeout: 30_000 }, async () => {
    const leat = await open({ source: "test", routes: routes({ drain: "0 millis" }) })
    const notes = await leat.stream(noteContract())
    const ended = Promise.withResolvers<void>()
    const handling = await notes.handle("g", () => ended.promise)
    await notes.publish({ key: "k", text: "1" })
    const caughtUp = handling.caughtUp()
    // By then it has been told what is waited for, and nothing is asked any more.
    await new Promise((resolve) => setTimeout(resolve, 11_000))
    const during = timers()
    ended.resolve()
    await caughtUp
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(timers()).toBe(during - 1)
    await leat.close()
  })
})
