import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))
let folder = ""
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "leat-job-"))
})
afterAll(() => rmSync(folder, { recursive: true }))

function run(...args: ReadonlyArray<string>) {
  const options = { encoding: "utf8", timeout: 25_000 } as const
  return spawnSync(process.execPath, ["--conditions=@leat/source", main, ...args], options)
}

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const sighting = (second: number, sensor: string, rssi: string) =>
  `${1581249600 + second}.5,${sensor},b1,${rssi},7.0,5.0,1.0`

describe("npm start", () => {
  it("tells exactly one object on stdout with --json, and balances", () => {
    const beacons = file(
      "walk.mbd",
      [sighting(0, "b827eb4521b4", "-60"), "", sighting(1, "000000000101", "-61"), "broken"].join("\r\n")
    )
    const logs = file(
      "auth.log",
      Array.from(
        { length: 6 },
        (_, index) => `Dec 10 06:55:4${index} gate sshd[1]: Failed password for root from 203.0.113.9 port 1 ssh2\n`
      ).join("")
    )
    const { status, stdout, stderr } = run(
      "--transport",
      "memory",
      "--beacons",
      beacons,
      "--logs",
      logs,
      "--speed",
      "max",
      "--json"
    )
    const lines = stdout.trim().split("\n")
    const told: unknown = JSON.parse(lines[0] ?? "")
    expect(lines).toHaveLength(1)
    expect(status).toBe(0)
    expect(told).toMatchObject({
      transport: "memory",
      offered: 9,
      admitted: 9,
      stored: 9,
      rejected: 0,
      pending: 0,
      balanced: true,
      malformed: 1,
      consumed: 8
    })
    expect(stderr).toContain("malformed walk.mbd:4:")
    expect(stderr).toContain("5 failed log-ins on gate")
    expect(stderr).not.toContain("203.0.113.9")
  })

  it.each([
    [["--beacons", "/no/such/file"], "--beacons /no/such/file: there is no such file"],
    [["--no-such-flag"], "--no-such-flag"],
    [["--speed", "fast"], "--speed fast: it must be max or a number above 0"],
    [["--transport", "pigeon"], "--transport pigeon: there is only memory"],
    [["--config", "/no/such/routes.yaml"], "there is no such file"]
  ])("refuses %j with one sentence and exit code 2", (args, sentence) => {
    const { status, stdout, stderr } = run(...args)
    expect(status).toBe(2)
    expect(stderr).toContain(sentence)
    expect(stderr.trim().split("\n")).toHaveLength(1)
    expect(stdout).toBe("")
  })

  it("names every fault of a route document with its path", () => {
    const config = file(
      "routes.yaml",
      "version: 1\nclusters: { a: { transport: pigeon } }\nroutes: [{ match: { stream: '*' }, to: [{ cluster: b, topic: t }] }]\n"
    )
    const { status, stderr } = run("--config", config, "--speed", "max")
    expect(status).toBe(2)
    expect(stderr).toContain("clusters.a.transport: no driver named pigeon")
    expect(stderr).toContain("routes[0].to[0].cluster: no cluster named b")
  })
})
