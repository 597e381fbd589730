import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { cleanUp, Job, temporary } from "./Job.ts"
import { JobInProcess } from "./JobInProcess.ts"

let folder = ""
beforeAll(() => {
  folder = temporary()
})
afterAll(cleanUp)

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const sighting = (second: number, sensor: string, rssi: string) =>
  `${1581249600 + second}.5,${sensor},b1,${rssi},7.0,5.0,1.0`

describe("npm start", () => {
  it("tells exactly one object on stdout with --json, and balances", async () => {
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
    const args = ["--transport", "memory", "--beacons", beacons, "--logs", logs, "--speed", "max", "--json"]
    const { code, stdout, stderr } = await new Job(args).ended
    const lines = stdout.trim().split("\n")
    const told: unknown = JSON.parse(lines[0] ?? "")
    expect(lines).toHaveLength(1)
    expect(code).toBe(0)
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
  ])("refuses %j with one sentence and exit code 2", async (args, sentence) => {
    const { code, stdout, stderr } = await new JobInProcess(args).ended
    expect(code).toBe(2)
    expect(stderr).toContain(sentence)
    expect(stderr.trim().split("\n")).toHaveLength(1)
    expect(stdout).toBe("")
  })

  it("names every fault of a route document with its path", async () => {
    const config = file(
      "routes.yaml",
      "version: 1\nclusters: { a: { transport: pigeon } }\nroutes: [{ match: { stream: '*' }, to: [{ cluster: b, topic: t }] }]\n"
    )
    const { code, signal, stderr } = await new Job(["--config", config, "--speed", "max"]).ended
    expect([code, signal]).toEqual([2, null])
    expect(stderr).toContain("clusters.a.transport: no driver named pigeon")
    expect(stderr).toContain("routes[0].to[0].cluster: no cluster named b")
  })
})
