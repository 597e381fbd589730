/** All states of a setup, breadth first: the first that breaks something is at the end of a shortest story. */
import { actorSteps } from "./actorSteps.ts"
import { brokenAtRest, brokenIn } from "./invariants.ts"
import { type Conduct, type Machine, rightConduct } from "./Machine.ts"
import { readerSteps } from "./readerSteps.ts"
import { Seen } from "./Seen.ts"
import type { Emit, Model } from "./Step.ts"
import { beginning, Controls, nameOf, type Setup, trimmed, type World } from "./World.ts"
import { writerSteps } from "./writerSteps.ts"

export interface Explored {
  readonly setup: string
  readonly states: number
  /** Steps of the longest shortest way to a state. */
  readonly depth: number
  /** States in which nothing has to happen. */
  readonly atRest: number
  /** Whether the bound on states was met before all were seen. */
  readonly isCut: boolean
  /** Of the processor. */
  readonly seconds: number
  readonly violation: Violation | undefined
}

export interface Violation {
  readonly what: string
  /** The steps that lead there. */
  readonly story: ReadonlyArray<string>
}

export interface Exploring {
  readonly machine: Machine
  readonly conduct?: Conduct
  readonly statesMax?: number
}

export function explore(setup: Setup, { machine, conduct = rightConduct, statesMax = Infinity }: Exploring): Explored {
  const began = process.cpuUsage()
  const model: Model = { setup, controls: new Controls(machine), conduct }
  const seen = new Seen()
  const first = beginning(setup, model.controls)
  seen.add(nameOf(first, model.controls), 0, 0)
  let level: Array<{ readonly number: number; readonly world: World }> = [{ number: 0, world: first }]
  let depth = 0
  let atRest = 0
  const ended = (found?: { readonly what: string; readonly number: number; readonly step?: number }): Explored => ({
    setup: setup.name,
    states: seen.size,
    depth,
    atRest,
    isCut: seen.size >= statesMax,
    seconds: Math.round(process.cpuUsage(began).user / 1e5) / 10,
    violation:
      found === undefined ? undefined : { what: found.what, story: storyOf(model, seen, found.number, found.step) }
  })
  while (level.length > 0 && seen.size < statesMax) {
    const next: typeof level = []
    for (const { number, world } of level) {
      let step = 0
      let mustGoOn = false
      let found: { readonly what: string; readonly number: number; readonly step?: number } | undefined
      steps(world, model, (kind, _, after) => {
        const at = step++
        if (kind === "must") mustGoOn = true
        if (found !== undefined) return
        const slim = trimmed(after, model.controls)
        const added = seen.add(nameOf(slim, model.controls), number, at)
        if (added < 0 && slim.broken === undefined) return
        const what = brokenIn(slim, setup, machine)
        if (what !== undefined) found = { what, number, step: at }
        else next.push({ number: added, world: slim })
      })
      if (!mustGoOn) {
        atRest++
        const what = found === undefined ? brokenAtRest(world, setup) : undefined
        if (what !== undefined) found = { what, number }
      }
      if (found !== undefined) return ended(found)
    }
    level = next
    if (next.length > 0) depth++
  }
  return ended()
}

function steps(world: World, model: Model, emit: Emit): void {
  writerSteps(world, model, emit)
  actorSteps(world, model, emit)
  readerSteps(world, model, emit)
}

/** The steps to a state are told by taking them again. */
function storyOf(model: Model, seen: Seen, number: number, last: number | undefined): ReadonlyArray<string> {
  const choices: Array<number> = last === undefined ? [] : [last]
  for (let at = number; at > 0; at = seen.parentOf(at)) choices.unshift(seen.stepOf(at))
  const story: Array<string> = []
  let world = beginning(model.setup, model.controls)
  for (const choice of choices) {
    let step = 0
    let chosen: World | undefined
    steps(world, model, (_, says, after) => {
      if (step++ !== choice) return
      chosen = trimmed(after, model.controls)
      story.push(says())
    })
    if (chosen === undefined) throw new Error("the model did not take the same steps again")
    world = chosen
  }
  return story
}
