/** The processes of a story: how one is begun, how it crashes, and who takes its place. */
import { Effect, Fiber } from "effect"
import type { ClusterConfig, Driver } from "../../transport/index.ts"
import { faultDriver } from "../FaultTransport.ts"
import { type Callers, caller, hasRoom } from "./callers.ts"
import { joinParty, type Party } from "./party.ts"
import { Gate } from "./Gate.ts"
import { Teller } from "./Teller.ts"
import { slowOpenings } from "./slowOpenings.ts"
import type { SeenAtDrivers } from "./statesOf.ts"
import { watchFallbacks } from "./watchFallbacks.ts"
import { watchLanes } from "./watchLanes.ts"
import { watchDoubts, watchSent, watchStored } from "./watchLetters.ts"
import { watchSettles } from "./watchSettles.ts"
import { watchSpills } from "./watchSpills.ts"
import type { World } from "./World.ts"
import { clusterName, diskName, password, sinksIn, worldRoutes } from "./worldRoutes.ts"

/** Requests of a partition that are on their way at once, at most: a slow cluster takes one after the other. */
const onWayMax = 8

/** Opens a leat; `slot` is the number of the one whose place it takes. */
export const openTeller = Effect.fnUntraced(function* (party: Party, slot?: number) {
  const { world, stages, chronicle, mischief, tellers, disks } = party
  const index = tellers.length
  const gate = new Gate()
  const seen: SeenAtDrivers = { lettersOnWay: new Set(), failing: new Set(), lanes: new Set() }
  const mirrors = new Set(
    world.streams.flatMap(({ legs }) => legs.flatMap(({ isIn, topic }) => (isIn === undefined ? [] : [topic])))
  )
  const drivers = stages.map(({ driver }, cluster) => {
    const faulty = faultDriver(watchStored(driver, chronicle, party.wall), mischief.planOf(index, cluster))
    const watched = watchLanes(watchSent(faulty, seen.lettersOnWay), clusterName(cluster), seen)
    const doubted = watchFallbacks(watchDoubts(watched, chronicle, cluster, world), chronicle, cluster, world)
    const own = mirrors.size === 0 ? doubted : slowOpenings(doubted, mirrors, () => mischief.random())
    return withPassword({ ...gate.driver(watchSettles(own, chronicle, world)), name: clusterName(cluster) })
  })
  const disk = world.disk === undefined ? undefined : world.disk.isShared ? 0 : (slot ?? index)
  const ofDisk = disks.driver(disk)
  if (ofDisk !== undefined && disk !== undefined) {
    const watched = watchSpills(faultDriver(ofDisk, mischief.planOfDisk(index)), chronicle, disk, world)
    drivers.push({ ...gate.driver(watched), name: diskName })
  }
  const routes = worldRoutes(stages, world, 1)
  const own = { gate, disk, slot: slot ?? index, seen }
  const teller = yield* Teller.open({ index, world, chronicle, drivers, routes, wall: party.wall, ...own })
  tellers.push(teller)
  chronicle.table(index, sinksIn(world, 1))
  return teller
})

/** A driver whose sections say one more thing, which is nothing to it. */
function withPassword(driver: Driver): Driver {
  const without = (config: ClusterConfig): ClusterConfig =>
    Object.fromEntries(Object.entries(config).filter(([name]) => name !== password))
  return {
    ...driver,
    inspect: (config) => driver.inspect(without(config)),
    open: (cluster, config, reread) => driver.open(cluster, without(config), reread)
  }
}

/** Begins the callers of a leat. */
export const beginCalling = Effect.fnUntraced(function* (party: Party, teller: Teller, calls: number) {
  const { world, mischief, outcomes, calling } = party
  const roomSeen = new Map<number, number>()
  const looking = yield* Effect.forkScoped(lookForRoom(world, teller, roomSeen))
  const callers: Callers = { world, teller, mischief, roomSeen, outcomes, calls, serial: () => party.serial++ }
  const own: Array<Fiber.Fiber<void>> = []
  for (let index = 0; index < world.callers; index++) own.push(yield* Effect.forkScoped(caller(callers)))
  for (const fiber of own) calling.push({ teller, fiber })
  yield* Effect.forkScoped(Effect.andThen(Fiber.awaitAll(own), Fiber.interrupt(looking)))
})

/** The process of a leat is gone, with everything that it was doing, also where nobody waits for that. */
export const crash = Effect.fnUntraced(function* (party: Party, teller: Teller) {
  const begun = Effect.tap(Effect.forkDetach(crashed(party, teller)), (fiber) =>
    Effect.sync(() => party.crashing.push(fiber))
  )
  yield* Fiber.await(yield* Effect.uninterruptible(begun))
})

const crashed = Effect.fnUntraced(function* (party: Party, teller: Teller) {
  const { mischief, members, calling, replaying } = party
  mischief.mayRepeat = true
  yield* teller.crash
  for (const member of members.splice(0)) {
    if (member.teller === teller) yield* Effect.forkDetach(member.leave)
    else members.push(member)
  }
  const gone = [...calling, ...replaying].filter((one) => one.teller === teller)
  yield* Fiber.interruptAll(gone.map(({ fiber }) => fiber))
  teller.endCalls()
})

/** Another process takes the place of one that is gone, when what that had on its way has landed, or never will. */
export const restart = Effect.fnUntraced(function* (party: Party, { slot }: Teller) {
  const { world } = party
  yield* Effect.sleep(50 + world.msMax + onWayMax * (world.slow?.ms ?? 0))
  const teller = yield* openTeller(party, slot)
  for (const group of world.groups) yield* joinParty(party, group, teller)
  yield* beginCalling(party, teller, Math.ceil(world.calls / 2))
  return teller
})

/** Looks again and again whether the legs of each stream have room for a small event. */
function lookForRoom(world: World, teller: Teller, seen: Map<number, number>): Effect.Effect<never> {
  const look = Effect.sync(() => {
    for (const [index, stream] of world.streams.entries())
      seen.set(index, hasRoom(teller, stream, 0) ? (seen.get(index) ?? 0) + 1 : 0)
  })
  return Effect.forever(Effect.delay(look, 20))
}
