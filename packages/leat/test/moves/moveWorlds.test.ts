import { describe, expect, it } from "vitest"
import { moveWorld, type MoveWorld } from "./moveWorld.ts"

const worlds = 12
const drawn = 6
const first = Number(process.env["LEAT_SEED"] ?? Math.floor(Math.random() * 1e6))

/** Fixed seeds reach what is asserted, whatever is drawn. */
const seeds = [
  ...Array.from({ length: worlds }, (_, index) => index + 1),
  // Somebody comes after a process that has left something, and is cut off from the control stream.
  35,
  ...Array.from({ length: drawn }, (_, index) => first + index)
]

describe("worlds in which a stream moves", () => {
  const all: Array<MoveWorld> = []
  it.each(seeds)("lose nothing, break no order and come to an end: seed %i", (seed) => {
    const world = moveWorld(seed)
    all.push(world)
    expect({ seed, wrong: world.wrong }).toEqual({ seed, wrong: [] })
  })

  it("reach what they are about", () => {
    const sum = (of: (world: MoveWorld) => number) => all.reduce((total, world) => total + of(world), 0)
    expect(sum(({ opened }) => opened)).toBeGreaterThan(3 * worlds)
    expect(all.filter(({ streams }) => streams > 1).length).toBeGreaterThan(3)
    expect(sum(({ relaxed }) => relaxed)).toBeGreaterThan(3)
    expect(sum(({ aborted }) => aborted)).toBeGreaterThan(3)
    expect(sum(({ kills }) => kills)).toBeGreaterThan(3)
    expect(sum(({ grows }) => grows)).toBeGreaterThan(3)
    expect(sum(({ pauses }) => pauses)).toBeGreaterThan(3)
    expect(sum(({ carries }) => carries)).toBeGreaterThan(3)
    expect(sum(({ heirs }) => heirs)).toBeGreaterThan(0)
    expect(sum(({ fellBack }) => fellBack)).toBeGreaterThan(100)
    expect(sum(({ mirrored }) => mirrored)).toBeGreaterThan(1000)
  })
})
