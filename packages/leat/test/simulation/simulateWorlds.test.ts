import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { drawWorld, shrinkWorld, simulateWorld, storyLines, type World, worldLines } from "leat/testing"
import { describe, expect, it } from "vitest"

const program = fileURLToPath(new URL("simulateWorlds.ts", import.meta.url))

interface Ended {
  readonly code: number
  readonly report: Readonly<Record<string, unknown>>
  readonly stderr: string
}

function run(...flags: ReadonlyArray<string>): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>()
  const parameters = ["--conditions=@leat/source", program, ...flags, "--json"]
  execFile(process.execPath, parameters, { encoding: "utf8" }, (error, stdout, stderr) => {
    const last = stdout.trim().split("\n").at(-1) ?? ""
    resolve({ code: Number(error?.code ?? 0), report: last === "" ? {} : JSON.parse(last), stderr })
  })
  return promise
}

describe("npm run simulate", () => {
  it(
    "is the same history for the same seed, in another process, and another one for another",
    { timeout: 120_000 },
    async () => {
      const [first, again, other] = await Promise.all([
        run("--seeds", "2", "--seed", "5"),
        run("--seeds", "2", "--seed", "5"),
        run("--seeds", "2", "--seed", "6")
      ])
      expect(first).toMatchObject({ code: 0, report: { seeds: 2, seed: 5, violations: 0 }, stderr: "" })
      expect(first.report["traceHash"]).toMatch(/^[0-9a-f]{32}$/)
      expect(again).toEqual(first)
      expect(other.report["traceHash"]).not.toBe(first.report["traceHash"])
    }
  )

  // Each fault in each state: `worlds.test.ts` once, and `npm run prove -- simulation` often.
  it("goes on until a fault has met a state of a lane so often", { timeout: 120_000 }, async () => {
    const { code, report } = await run("--seeds", "1", "--after", "fence while halted", "--each", "5")
    expect({ code, violation: report["violation"], seeds: report["seeds"] }).toEqual({ code: 0, seeds: 1 })
    const { fence } = report["faults"] as Readonly<Record<string, Readonly<Record<string, number>>>>
    expect(Number(report["worlds"])).toBeGreaterThan(1)
    expect(report["rarest"]).toEqual({ occasion: "fence while halted", times: fence?.["halted"] })
    expect(fence?.["halted"]).toBeGreaterThanOrEqual(5)
    expect(report["waysOfLetters"]).toEqual({ count: 15, rarest: expect.any(String), times: expect.any(Number) })
  })

  it("names what a fault does not meet", { timeout: 120_000 }, async () => {
    const mutant = "a lane that is full does not say so"
    const { code, report } = await run("--seeds", "1", "--each", "1", "--misses", "8", "--first", "--mutant", mutant)
    expect({ code, violation: report["violation"] }).toEqual({
      code: 3,
      violation: expect.stringMatching(/"fail while blocked" came 0 times, .*each has to come 1 times$/)
    })
  })

  it("tells the same world after an occasion", { timeout: 120_000 }, async () => {
    const after = ["--seeds", "3", "--seed", "77", "--after", "cut while inDoubt"]
    const [first, again, plain] = await Promise.all([run(...after), run(...after), run("--seeds", "3", "--seed", "77")])
    expect(first).toMatchObject({ code: 0, report: { worlds: 3, faults: { cut: { inDoubt: expect.any(Number) } } } })
    expect(again).toEqual(first)
    expect(plain.report["traceHash"]).not.toBe(first.report["traceHash"])
  })

  it("counts faults by kind and state", { timeout: 120_000 }, async () => {
    const { report } = await run("--seeds", "6", "--seed", "1")
    expect(report).toMatchObject({ faults: { tooLarge: { queued: expect.any(Number), times: expect.any(Number) } } })
    expect(Number(report["legs"])).toBeGreaterThan(100)
  })

  it.for([
    ["a batch leaves out its last event", "again"],
    ["what a policy dropped is told stored", "once"]
  ] as const)(
    "names a seed in which %s, and tells a story that fits a screen",
    { timeout: 120_000 },
    async ([mutant, tellings]) => {
      const { code, report, stderr } = await run("--seeds", "100", "--first", "--mutant", mutant)
      expect({ code, violation: report["violation"] }).toEqual({
        code: 3,
        violation: expect.stringMatching(/^seed \d+: (lost|toldWrongly): /)
      })
      const lines = stderr.trim().split("\n")
      expect(lines.length).toBeLessThanOrEqual(50)
      expect(lines).toContainEqual(expect.stringMatching(/^=> (lost|toldWrongly): /))
      expect(lines.filter((line) => line.startsWith("stream "))).toHaveLength(1)
      if (tellings === "once") return
      // The same call tells the same story.
      const [, again = ""] = /--seed (\d+) --mutant/.exec(stderr) ?? []
      expect(await run("--seeds", "1", "--seed", again, "--mutant", mutant)).toMatchObject({ code: 3, stderr })
    }
  )

  it("says what a wrong call is", { timeout: 120_000 }, async () => {
    for (const flags of [
      ["--seeds", "0"],
      ["--seed", "x"],
      ["--sedes", "3"],
      ["--each", "many"],
      ["--after", "cut while asleep"]
    ])
      expect(await run(...flags)).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/^leat: .*; say npm run simulate/)
      })
  })
})

describe("shrinkWorld", () => {
  const shrink = (isFailing: (world: World) => boolean, seed = 11) => shrinkWorld(drawWorld(seed), isFailing)

  it("leaves out everything where everything fails", () => {
    const small = shrink(() => true)
    expect(small).toMatchObject({
      clusters: 1,
      leats: 1,
      callers: 1,
      calls: 1,
      keys: 1,
      groups: [],
      rates: {},
      mishapsMax: 0,
      slow: undefined
    })
    expect(small.streams).toMatchObject([{ isCompacted: false, isOrdered: true, legs: [{ wire: "compact" }] }])
    expect(worldLines(small)).toHaveLength(4)
  })

  it("keeps what it fails for, and nothing else", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const { streams, groups } = drawWorld(seed)
      const small = shrink((world) => world.streams.length === streams.length && world.calls >= 3, seed)
      expect(small).toMatchObject({ calls: 3, leats: 1, groups: [], rates: {} })
      const withGroup = shrink((world) => world.groups.some(({ api }) => api === groups[0]?.api), seed)
      expect(withGroup.groups).toMatchObject([{ api: groups[0]?.api, stream: 0, members: 1 }])
      expect(withGroup.streams).toHaveLength(1)
    }
  })

  it("leaves out a second fallback, unless it fails for that", () => {
    const fallbacks = ({ streams }: World) =>
      streams.flatMap(({ legs }) => legs.flatMap(({ fallback }) => (fallback === undefined ? [] : [fallback])))
    const hasTwo = (world: World) => fallbacks(world).some(({ further }) => further !== undefined)
    const seeds = Array.from({ length: 200 }, (_, index) => index + 1).filter((seed) => hasTwo(drawWorld(seed)))
    const [first = 0] = seeds
    // A leg of some 40 has two.
    expect(seeds.length).toBeGreaterThan(5)
    expect(fallbacks(shrink(hasTwo, first))).toMatchObject([{ cluster: 1, further: 2 }])
    const one = shrink((world) => fallbacks(world).length > 0, first)
    expect(fallbacks(one)).toMatchObject([{ cluster: 1, further: undefined }])
    expect(one.clusters).toBe(2)
  })

  it("is the world itself where nothing smaller fails, and tells no more worlds than it may", () => {
    const world = drawWorld(12)
    let told = 0
    const count = () => {
      told++
      return false
    }
    expect(shrinkWorld(world, count, { tellingsMax: 30 })).toBe(world)
    expect(told).toBe(30)
  })
})

describe("simulateWorld", () => {
  it("tells with no more mishaps than there may be", () => {
    const many = drawWorld(11)
    expect(simulateWorld(many).chronicle.mishaps.length).toBeGreaterThan(3)
    const told = simulateWorld({ ...many, mishapsMax: 2 })
    // Large events and streams that are opened are no faults, and are told all the same.
    const struck = told.chronicle.mishaps.filter(({ mishap }) => mishap !== "tooLarge" && mishap !== "openStream")
    expect(struck.length).toBeLessThanOrEqual(2)
    expect(told.verdicts).toEqual([])
  })

  it("has lines for each call, leg, handling and record", () => {
    const { chronicle } = simulateWorld(drawWorld(16))
    const lines = storyLines(chronicle)
    expect(lines.filter((line) => / is told /.test(line))).toHaveLength(chronicle.calls.size)
    expect(lines.filter((line) => / is admitted, /.test(line))).toHaveLength(chronicle.legs.size)
    expect(lines.filter((line) => / begins, /.test(line))).toHaveLength(chronicle.handlings.length)
    expect(lines.join("\n").match(/\d: event \d+ seq/g)).toHaveLength(chronicle.copies.length)
  })
})
