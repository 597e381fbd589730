import { drawWorld, simulateWorld } from "leat/testing"
import { occasions } from "../test/simulation/occasions.ts"
const seeds = process.argv.slice(2).map(Number)
for (const seed of seeds) {
  const v0 = simulateWorld(drawWorld(seed)).verdicts
  if (v0.length)
    console.log(
      seed,
      "-",
      v0.slice(0, 2).map((v) => v.kind + ": " + v.evidence.slice(0, 200))
    )
  for (const o of occasions as any) {
    const v = simulateWorld(drawWorld(seed, o)).verdicts
    if (v.length)
      console.log(
        seed,
        JSON.stringify(o),
        v.slice(0, 2).map((v) => v.kind + ": " + v.evidence.slice(0, 200))
      )
  }
}
