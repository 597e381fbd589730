/** The smallest world in which something still goes wrong: what is left out one by one, until nothing more can be. */
import type { World, WorldGroup, WorldLeg, WorldStream } from "./World.ts"

/** How a world is shrunk. */
export interface ShrinkOptions {
  /** Most worlds that are told; 1,500 when absent. */
  readonly tellingsMax?: number
}

/**
 * Seeds that are tried for each smaller world: with one thing less everything is drawn anew from there on, and what went wrong may
 * need another draw.
 */
const seedsEach = 12

/**
 * Leaves out streams, legs, groups, publishers, calls, keys and mishaps, as long as `isFailing` says that it still goes wrong. The same
 * world shrinks to the same one.
 *
 * @example
 * ```ts
 * const small = shrinkWorld(world, (smaller) => simulateWorld(smaller).verdicts.some(({ kind }) => kind === "lost"))
 * console.error([...worldLines(small), ...storyLines(simulateWorld(small).chronicle)].join("\n"))
 * ```
 */
export function shrinkWorld(
  world: World,
  isFailing: (world: World) => boolean,
  { tellingsMax = 1500 }: ShrinkOptions = {}
): World {
  return new Shrinking(world, isFailing, tellingsMax).shrunk()
}

class Shrinking {
  readonly #isFailing: (world: World) => boolean
  #smallest: World
  #left: number

  constructor(world: World, isFailing: (world: World) => boolean, tellingsMax: number) {
    this.#smallest = world
    this.#isFailing = isFailing
    this.#left = tellingsMax
  }

  shrunk(): World {
    // What could not be left out at first may be, once something else is.
    for (let before; before !== this.#smallest;) {
      before = this.#smallest
      for (const step of steps) this.#leaveOut(step)
    }
    return this.#smallest
  }

  /** Takes each choice of a step as long as it helps. */
  #leaveOut(step: Step): void {
    for (let index = 0; ;) {
      const smaller = step(this.#smallest, index)
      if (smaller === undefined) return
      const found = smaller === this.#smallest ? undefined : this.#firstFailing(smaller)
      if (found === undefined) index++
      else this.#smallest = found
    }
  }

  #firstFailing(smaller: World): World | undefined {
    for (let add = 0; add < seedsEach && this.#left > 0; add++) {
      this.#left--
      const candidate = { ...smaller, seed: smaller.seed + add }
      if (this.#isFailing(candidate)) return candidate
    }
    return undefined
  }
}

/** A smaller world; the same one when this is small already, and undefined when there is no choice of that number. */
type Step = (world: World, index: number) => World | undefined

const steps: ReadonlyArray<Step> = [
  (world, index) =>
    choice(
      [{ isTraced: false }, { slow: undefined }, { buffersBytes: undefined }, { focus: undefined }, { rotates: false }],
      world,
      index
    ),
  withoutDisk,
  (world, index) => (index < world.streams.length ? withoutStream(world, index) : undefined),
  (world, index) => fewer(world, "leats", index),
  (world, index) => fewer(world, "callers", index),
  (world, index) => fewer(world, "calls", index),
  (world, index) => fewerMishaps(world, index),
  withoutRate,
  (world, index) =>
    index < world.groups.length ? { ...world, groups: world.groups.filter((_, at) => at !== index) } : undefined,
  withoutLeg,
  withOneMember,
  plainGroup,
  (world, index) => (index === 0 && world.clusters > 1 ? onFewerClusters(world) : undefined),
  (world, index) => choice([{ keys: 1 }, { msMax: 5 }], world, index),
  plainLeg,
  withOneFallback,
  plainStream
]

function choice(changes: ReadonlyArray<Partial<World>>, world: World, index: number): World | undefined {
  const change = changes[index]
  if (change === undefined) return undefined
  const isSame = Object.entries(change).every(([name, value]) => world[name as keyof World] === value)
  return isSame ? world : { ...world, ...change }
}

/** One, half of them, or one less. */
function fewer(world: World, of: "leats" | "callers" | "calls", index: number): World | undefined {
  const count = [1, Math.floor(world[of] / 2), world[of] - 1][index]
  if (count === undefined) return undefined
  return count < 1 || count >= world[of] ? world : { ...world, [of]: count }
}

/** Up to how many mishaps are tried; a story with more is told by its rates. */
const mishapsMost = 64

function fewerMishaps(world: World, index: number): World | undefined {
  const now = world.mishapsMax ?? mishapsMost
  const count = [0, Math.floor(now / 4), Math.floor(now / 2), now - 1][index]
  if (count === undefined) return undefined
  return count < 0 || count >= now ? world : { ...world, mishapsMax: count }
}

function withoutRate(world: World, index: number): World | undefined {
  const names = Object.keys(world.rates)
  const name = names[index]
  if (name === undefined) return undefined
  return { ...world, rates: Object.fromEntries(Object.entries(world.rates).filter(([other]) => other !== name)) }
}

function withoutStream(world: World, index: number): World {
  if (world.streams.length === 1) return world
  const groups = world.groups
    .filter(({ stream }) => stream !== index)
    .map((group): WorldGroup => ({ ...group, stream: group.stream > index ? group.stream - 1 : group.stream }))
  return { ...world, streams: world.streams.filter((_, at) => at !== index), groups }
}

/** Nothing spills; or at least each leat has a disk of its own. */
function withoutDisk(world: World, index: number): World | undefined {
  const { disk } = world
  if (index > 1) return undefined
  if (disk === undefined || (index === 1 && !disk.isShared)) return world
  if (index === 1) return { ...world, disk: { ...disk, isShared: false } }
  const streams = world.streams.map((stream) => ({
    ...stream,
    legs: stream.legs.map((leg) => ({ ...leg, spill: undefined }))
  }))
  return { ...world, disk: undefined, streams }
}

/** The first leg stays: it is read. */
function withoutLeg(world: World, index: number): World | undefined {
  const places = world.streams.flatMap(({ legs }, stream) => legs.slice(1).map((leg) => ({ stream, leg })))
  const place = places[index]
  if (place === undefined) return undefined
  return withStream(world, place.stream, ({ legs }) => ({ legs: legs.filter((leg) => leg !== place.leg) }))
}

function withOneMember(world: World, index: number): World | undefined {
  const group = world.groups[index]
  if (group === undefined) return undefined
  if (group.members === 1) return world
  return { ...world, groups: world.groups.map((one) => (one === group ? { ...one, members: 1 } : one)) }
}

/** Whose events are tried again for ever; or at least not replayed at the end. */
function plainGroup(world: World, index: number): World | undefined {
  const group = world.groups[Math.floor(index / 2)]
  if (group === undefined) return undefined
  const change: Partial<WorldGroup> =
    index % 2 === 0
      ? { ending: "retry", isReplayed: false, retryDelaysMs: undefined }
      : { isReplayed: false, readBytes: undefined }
  if (Object.entries(change).every(([name, value]) => group[name as keyof WorldGroup] === value)) return world
  return { ...world, groups: world.groups.map((one) => (one === group ? { ...one, ...change } : one)) }
}

function legsOf({ streams }: World): ReadonlyArray<WorldLeg> {
  return streams.flatMap(({ legs }) => legs)
}

/** One, or where legs fall back one for all of them and one for all fallbacks, and one more for those behind them. */
function onFewerClusters(world: World): World {
  const streams = world.streams.map((stream) => ({
    ...stream,
    legs: stream.legs.map((leg) => ({
      ...leg,
      cluster: 0,
      fallback: leg.fallback && { ...leg.fallback, cluster: 1, further: leg.fallback.further && 2 }
    }))
  }))
  const legs = streams.flatMap((stream) => stream.legs)
  const used = legs.flatMap(({ cluster, fallback }) => [cluster, fallback?.cluster ?? 0, fallback?.further ?? 0])
  const clusters = Math.max(...used) + 1
  if (clusters === world.clusters && legs.every(({ cluster }, index) => cluster === legsOf(world)[index]?.cluster))
    return world
  return { ...world, clusters, streams, slow: world.slow === undefined ? undefined : { ...world.slow, cluster: 0 } }
}

const plain: ReadonlyArray<Partial<WorldLeg>> = [
  { budget: undefined },
  { breaker: undefined },
  { spill: undefined },
  { fallback: undefined },
  { isIn: undefined },
  { canary: undefined },
  { wire: "compact" },
  { policy: "keep" },
  { overflow: "block" },
  { lingerMs: 0 },
  { timeoutMs: 30_000 }
]

function plainLeg(world: World, index: number): World | undefined {
  const places = world.streams.flatMap(({ legs }, stream) =>
    legs.flatMap((leg) => plain.map((change) => ({ stream, leg, change })))
  )
  const place = places[index]
  if (place === undefined) return undefined
  const isSame = Object.entries(place.change).every(([name, value]) => place.leg[name as keyof WorldLeg] === value)
  if (isSame) return world
  return withStream(world, place.stream, ({ legs }) => ({
    legs: legs.map((leg) => (leg === place.leg ? { ...leg, ...place.change } : leg))
  }))
}

function withOneFallback(world: World, index: number): World | undefined {
  const leg = legsOf(world).filter(({ fallback }) => fallback?.further !== undefined)[index]
  const stream = world.streams.findIndex(({ legs }) => leg !== undefined && legs.includes(leg))
  if (leg?.fallback === undefined) return undefined
  const fallback = { ...leg.fallback, further: undefined }
  return withStream(world, stream, ({ legs }) => ({
    legs: legs.map((one) => (one === leg ? { ...leg, fallback } : one))
  }))
}

function plainStream(world: World, index: number): World | undefined {
  const stream = world.streams[index]
  if (stream === undefined) return undefined
  const stays = stream.legs.some(({ fallback }) => fallback?.back === "stay")
  if ((!stream.isCompacted && stream.isOrdered) || stays) return world
  return withStream(world, index, () => ({ isCompacted: false, isOrdered: true }))
}

function withStream(world: World, index: number, change: (stream: WorldStream) => Partial<WorldStream>): World {
  return { ...world, streams: world.streams.map((one, at) => (at === index ? { ...one, ...change(one) } : one)) }
}
