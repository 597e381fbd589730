import { spawn } from "node:child_process"
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { askMetadata } from "@leat/brokers"
import { describeOwnKafka } from "@leat/brokers/vitest"

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))

/** Runs the program, up to its end or to what it says on stderr. */
function broker(commandLine: ReadonlyArray<string>, env: NodeJS.ProcessEnv = process.env) {
  const child = spawn(process.execPath, ["--conditions=@leat/source", main, ...commandLine], { env })
  const said = { stdout: "", stderr: "" }
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said.stdout += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said.stderr += text))
  const exitCode = once(child, "close").then(() => child.exitCode)
  const running = async () => {
    while (!said.stderr.includes("until Ctrl-C") && child.exitCode === null) await sleep(20)
    return Number(/as process (\d+)/.exec(said.stderr)?.[1])
  }
  return { child, said, exitCode, running }
}

async function isGone(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      process.kill(pid, 0)
    } catch {
      return true
    }
    await sleep(20)
  }
  return false
}

describe("npm run broker", () => {
  it.each([
    [[], "which broker?"],
    [["rabbit"], 'there is no broker "rabbit"'],
    [["kafka", "--nodes", "2"], "--nodes 2 is not possible"],
    [["kafka", "--fast"], "Unknown option '--fast'"]
  ])("%j is a wrong call, said in one sentence", async (commandLine, sentence) => {
    const { said, exitCode } = broker(commandLine)
    expect(await exitCode).toBe(2)
    expect(said.stderr).toContain(`leat: ${sentence}`)
    expect(said.stderr.trim().split("\n")).toHaveLength(1)
    expect(said.stdout).toBe("")
  })

  it("tells how it is called on --help", async () => {
    const { said, exitCode } = broker(["--help"])
    expect(await exitCode).toBe(0)
    expect(said).toEqual({ stdout: expect.stringMatching(/^npm run broker -- kafka \[--nodes 1\|3\]\n/), stderr: "" })
  })

  it("says that there is no Java", async () => {
    const { said, exitCode } = broker(["kafka"], { PATH: "/nowhere" })
    expect(await exitCode).toBe(1)
    expect(said.stderr).toContain("leat: there is no Java: install Java 17")
  })
})

await describeOwnKafka("npm run broker -- kafka", () => {
  it("prints where it listens, and ends clean on SIGTERM", async () => {
    const { child, said, exitCode, running } = broker(["kafka"])
    const pid = await running()
    const port = Number(/^bootstrap=127\.0\.0\.1:(\d+)\n$/.exec(said.stdout)?.[1])
    expect((await askMetadata("127.0.0.1", port, 5000)).brokers).toHaveLength(1)
    child.kill("SIGTERM")
    expect(await exitCode).toBe(0)
    expect(await isGone(pid)).toBe(true)
  })

  it("leaves no Kafka behind when it is killed", async () => {
    const { child, running } = broker(["kafka"])
    const pid = await running()
    child.kill("SIGKILL")
    expect(await isGone(pid)).toBe(true)
  })
})
