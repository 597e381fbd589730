// Measures what `publish` takes on a stream beside another whose cluster is dead, in each of five ways, against what it takes beside one that is
// well and gets the same events; in turns, so that the machine is as busy for both. The 99th percentile beside the dead one is at most 1.2
// times the other, or 5 ms more, in the median of the turns. Where it is more, other programs may have been: four times as many turns decide.
// Exit code 0: so it was; 3: it was not, and the last line says what.
//   node --conditions=@leat/source test/isolation/measureNeighbours.ts [turns of each kind] [seed]
import { Effect, References } from "effect"
import { Leat } from "leat"
import { noteContract } from "../../packages/leat/test/contracts/Note.ts"
import { SickDriver, sicknesses, type Sickness } from "../memory/SickDriver.ts"

const turns = Number(process.argv[2] ?? 5)

/** Of one measurement, in milliseconds, and before it: code that runs for the first time is compiled. */
const measuredMs = 1500
const warmMs = 500
const stepMs = 5

/** Events that both streams are given in a step: 1,000 and 10,000 a second. The buffer of the other is full in a moment. */
const publishedPerStep = 5
const offeredPerStep = 50

/** So many times the turns, where what was measured is over the bound. */
const turnsMore = 4

const ratioMax = 1.2
const slackMs = 5

const again = [
  { on: ["Rejected"], then: "deadLetter" },
  { on: ["*"], retry: { base: "100 millis", factor: 2, maxDelay: "5 seconds" }, then: "halt" }
]

const documentOf = (far: string) => ({
  version: 1,
  clusters: { near: { transport: "near" }, far: { transport: far } },
  policies: { again },
  routes: [
    { match: { stream: "test.near" }, to: [{ cluster: "near", topic: "{stream}", linger: "1 milli" }] },
    {
      match: { stream: "*" },
      to: [{ cluster: "far", topic: "{stream}", policy: "again", timeout: "1 second", buffer: { bytes: 1_048_576 } }]
    }
  ]
})

const noted = (index: number) => ({ key: `k${index % 50}`, text: "x".repeat(200) })

/** What each publish took, in milliseconds, beside a cluster in this state. */
const besides = Effect.fnUntraced(function* (sickness: Sickness) {
  const near = { ...new SickDriver("none").driver, name: "near" }
  const far = { ...new SickDriver(sickness).driver, name: "far" }
  const leat = yield* Leat.make({ source: "test", routes: documentOf("far"), drivers: [near, far], drain: "0 millis" })
  const traffic = Effect.flatMap(leat.stream(noteContract({ stream: "test.far" })), (stream) =>
    Effect.gen(function* () {
      for (let turn = 0; ; turn++) {
        for (let index = 0; index < offeredPerStep; index++) stream.offer(noted(turn * offeredPerStep + index))
        yield* Effect.sleep(stepMs)
      }
    })
  )
  yield* Effect.forkScoped(traffic)
  const stream = yield* leat.stream(noteContract({ stream: "test.near" }))
  const tookMs: Array<number> = []
  const beganMs = performance.now()
  for (let turn = 0; performance.now() - beganMs < warmMs + measuredMs; turn++) {
    for (let index = 0; index < publishedPerStep; index++) {
      const startMs = performance.now()
      const publishing = Effect.map(stream.publish(noted(turn * publishedPerStep + index)), () => {
        if (startMs - beganMs >= warmMs) tookMs.push(performance.now() - startMs)
      })
      yield* Effect.forkScoped(publishing)
    }
    yield* Effect.sleep(stepMs)
  }
  return ninetyNinth(tookMs)
}, Effect.scoped)

function ninetyNinth(values: ReadonlyArray<number>): number {
  return values.toSorted((one, other) => one - other)[Math.ceil(values.length * 0.99) - 1] ?? Number.NaN
}

function median(values: ReadonlyArray<number>): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1] ?? Number.NaN
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100
}

const measured = (sickness: Sickness) =>
  Effect.runPromise(Effect.provideService(besides(sickness), References.MinimumLogLevel, "None"))

const p99Ms: Record<string, { readonly well: number; readonly dead: number }> = {}
const violations: Array<string> = []
for (const sickness of sicknesses.filter((one) => one !== "none")) {
  const well: Array<number> = []
  const dead: Array<number> = []
  const turn = async () => {
    well.push(await measured("none"))
    dead.push(await measured(sickness))
  }
  const isWithin = () => median(dead) <= Math.max(ratioMax * median(well), median(well) + slackMs)
  while (well.length < turns) await turn()
  while (!isWithin() && well.length < turns * turnsMore) await turn()
  const [beside, than] = [median(dead), median(well)]
  p99Ms[sickness] = { well: rounded(than), dead: rounded(beside) }
  if (!isWithin())
    violations.push(
      `${rounded(beside)} ms beside a cluster that is ${sickness}, ${rounded(than)} beside one that is well`
    )
}
const report = { turns, p99Ms }
process.stdout.write(
  `${JSON.stringify(violations.length === 0 ? report : { ...report, violation: violations.join("; ") })}\n`
)
process.exitCode = violations.length === 0 ? 0 : 3
