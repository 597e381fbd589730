// How fast the lanes can be explored: `node --conditions=@leat/source measure.ts [LEGS [STORIES]]` prints one JSON object.
import { simulate } from "leat/testing"
import { explore } from "./machines.ts"
import { calm, type Scenario, tell } from "./scenario.ts"

const legs = Number(process.argv[2] ?? 500_000)
const stories = Number(process.argv[3] ?? 300)

const scenario: Scenario = {
  ...calm,
  events: 400,
  rates: { fail: 0.1, loseResponse: 0.05, lateWrite: 0.05 },
  handlerFaults: 0.05,
  consumers: 2,
  rebalances: 0.002
}

explore(0, Math.min(legs, 50_000))
const machinesAtMs = performance.now()
const explored = explore(1, legs)
const machinesMs = performance.now() - machinesAtMs

const traces: Array<string> = []
simulate(0, tell(scenario, 0))
const shellsAtMs = performance.now()
for (let seed = 1; seed <= stories; seed++) traces.push(simulate(seed, tell(scenario, seed)).trace)
const shellsMs = performance.now() - shellsAtMs

console.log(
  JSON.stringify({
    machines: { legs, legsPerSecond: Math.round((legs / machinesMs) * 1000), trace: explored.trace },
    shells: {
      legs: stories * scenario.events,
      legsPerSecond: Math.round(((stories * scenario.events) / shellsMs) * 1000),
      trace: traces.join(" ")
    }
  })
)
