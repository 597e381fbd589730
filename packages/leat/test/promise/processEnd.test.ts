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

/** Runs `leftOpen.ts`; says how it ended and what it printed. One that still runs after so long is killed. */
function left(name: string, limitMs = 20_000) {
  const program = join(import.meta.dirname, "leftOpen.ts")
  const child = spawn(process.execPath, ["--conditions=@leat/source", program, name], {
    timeout: limitMs,
    killSignal: "SIGKILL",
    stdio: ["ignore", "pipe", "ignore"]
  })
  let printed = ""
  child.stdout.on("data", (chunk: unknown) => (printed += String(chunk)))
  return new Promise<{ readonly code: number | NodeJS.Signals | null; readonly printed: string }>((resolve) => {
    child.once("close", (code, signal) => resolve({ code: code ?? signal, printed }))
  })
}

describe.concurrent("a process that leaves its leat on the memory transport open", () => {
  it.each(["publish", "handle", "handleBatch", "inbox", "loop"])(
    "ends when it has nothing more to do: %s",
    async (name) => {
      expect(await left(name)).toEqual({ code: 0, printed: "at its end\n" })
    }
  )
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
