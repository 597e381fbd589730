/** What happens to everybody in a story: clocks jump, tables change, lanes are resumed, members come and go, a leat closes. */
import { Effect, Fiber, type Scope } from "effect"
import { replay } from "../../deadLetters/replayLetters.ts"
import type { Mishap } from "./Occasions.ts"
import { joinParty, type Party, resumeOne } from "./party.ts"
import { crash, restart } from "./processes.ts"
import type { Teller } from "./Teller.ts"
import { one, type World, type WorldGroup } from "./World.ts"
import { clusterName, sinksIn, worldRoutes } from "./worldRoutes.ts"

/** An hour, in milliseconds. */
const hourMs = 3_600_000

/** Looks that come quickly one after the other. */
const hastyLooks = 150

/** Members of a group at one time. */
const membersMax = 4

/** Steps after which a replay is killed, at most. */
const replaySteps = 200

/** How long a cluster is away, or a disk full, in milliseconds. */
const outagesMs = [100, 500, 3000] as const

/** Processes at most that take the place of others, while the story goes on. */
const restartsMax = 3

/** Looks a lane stays halted before somebody resumes it. */
const haltedLooks = 10

/** Goes on until it is interrupted. */
export const disturb = Effect.fnUntraced(function* (party: Party) {
  const { mischief, tellers, world } = party
  const halted = new Map<Teller, number>()
  const versions = new Map<Teller, number>()
  const swapping = new Set<Teller>()
  for (let look = 0; ; look++) {
    // Most of a story is told soon; what goes on for long waits for a time-out.
    const ms = look < hastyLooks ? 12 : 120
    yield* Effect.sleep(1 + Math.floor(mischief.random() * ms))
    for (const teller of tellers) {
      if (teller.isClosed || teller.isCrashed) continue
      const { index, leat } = teller
      const looks = isHalted(teller) ? (halted.get(teller) ?? 0) + 1 : 0
      halted.set(teller, looks)
      if (looks > haltedLooks || mischief.strikes("resume", index)) yield* resumeOne(teller)
      if (mischief.strikes("wallBack", index)) party.wall.jump(-hourMs)
      if (mischief.strikes("wallForward", index)) party.wall.jump(hourMs)
      if (mischief.strikes("flush", index)) yield* Effect.forkScoped(leat.flush)
      if (!swapping.has(teller) && mischief.strikes("swap", index))
        yield* Effect.forkScoped(swap(party, teller, versions, swapping))
      const group = world.groups[Math.floor(mischief.random() * world.groups.length)]
      if (group === undefined) continue
      const count = party.members.filter((member) => member.group === group).length
      if (count < membersMax && mischief.strikes("join", index)) yield* joinParty(party, group, teller)
      if (hasLetters(party, group) && !teller.isClosing && mischief.strikes("replay", index))
        yield* replayOnce(party, group, teller)
      if (party.members.length > 1 && mischief.strikes("leave", index)) yield* leaveParty(party)
      // One leat sees the story to its end, unless closing is what the story is about.
      const mayClose = !teller.isClosing && (index > 0 || isFocus(world, "close"))
      if (mayClose && mischief.strikes("close", index)) yield* Effect.forkScoped(teller.close)
      yield* disturbMachine(party, teller)
    }
  }
})

function isHalted({ leat }: Teller): boolean {
  return leat.halted().length > 0 || leat.subscriptions().some(({ halted }) => halted().length > 0)
}

/** What happens to the machines of a leat: its cluster is away, its disk is full or loses its power, its process crashes. */
const disturbMachine = Effect.fnUntraced(function* (party: Party, teller: Teller) {
  const { mischief, disks, world } = party
  const { index, disk } = teller
  // Both clusters of a leg that falls back may be away.
  const hasFallback = world.streams.some(({ legs }) => legs.some(({ fallback }) => fallback !== undefined))
  if ((hasFallback || !mischief.isAway(index)) && mischief.lasts("outage", index)) yield* awayForAWhile(party, teller)
  if (disk !== undefined && !mischief.isFull(index) && mischief.lasts("diskFull", index))
    yield* forAWhile(party, mischief.fillDisk(index))
  if (disk !== undefined && mischief.lasts("losePower", index))
    yield* disks.losePower(disk, Math.floor(mischief.random() * 4))
  const mayCrash = party.tellers.length < world.leats + restartsMax
  if (mayCrash && mischief.lasts("crash", index)) {
    const isAway = mischief.isAway(index)
    yield* crash(party, teller)
    const next = yield* restart(party, teller)
    // What the next one is cut off from is the same as before.
    if (isAway) yield* awayForAWhile(party, next)
  }
})

/** A cluster is away for one leat: that of a leg that spills or falls back, where there is one, or that of the first of two fallbacks. */
export function awayForAWhile(party: Party, { index }: Teller): Effect.Effect<unknown, never, Scope.Scope> {
  const { mischief, world } = party
  const legs = world.streams.flatMap((stream) => stream.legs)
  const leg = legs.find(({ spill, fallback }) => spill !== undefined || fallback !== undefined) ?? legs[0]
  const isAny = mischief.random() < 0.3
  const own = leg?.cluster ?? 0
  const isOfFallback = leg?.fallback?.further !== undefined && mischief.random() < 0.4
  const cluster = isAny
    ? Math.floor(mischief.random() * world.clusters)
    : isOfFallback
      ? (leg?.fallback?.cluster ?? 0)
      : own
  return forAWhile(party, mischief.beginOutage(index, cluster))
}

function forAWhile({ mischief }: Party, end: () => void): Effect.Effect<unknown, never, Scope.Scope> {
  return Effect.forkScoped(Effect.delay(Effect.sync(end), one(mischief.random, outagesMs)))
}

function isFocus({ focus }: World, mishap: Mishap): boolean {
  return focus?.mishap === mishap
}

/** Another table is put in force, which takes as long as opening what is new in it. */
function swap(
  { stages, world, chronicle }: Party,
  teller: Teller,
  versions: Map<Teller, number>,
  swapping: Set<Teller>
): Effect.Effect<void> {
  return Effect.suspend(() => {
    const before = versions.get(teller) ?? 1
    const version = before + 1
    swapping.add(teller)
    chronicle.table(teller.index, undefined)
    return teller.leat.swapRoutes(worldRoutes(stages, world, version)).pipe(
      Effect.match({
        onSuccess: () => {
          versions.set(teller, version)
          chronicle.table(teller.index, sinksIn(world, version))
        },
        onFailure: (error) => {
          // A cluster that is away, or is still going over, gets no other client.
          const isOfSection = error.faults.every(({ path }) => world.rotates === true && path.startsWith("clusters."))
          if (!teller.isClosing && !isOfSection)
            chronicle.notice("toldWrongly", `a table for the same places is refused: ${error.message}`)
        }
      }),
      Effect.ensuring(Effect.sync(() => swapping.delete(teller)))
    )
  })
}

function hasLetters({ chronicle }: Party, { group }: WorldGroup): boolean {
  return Array.from(chronicle.lettersStored.keys()).some((name) => name.startsWith(`${group} `))
}

/** Somebody replays the letters of a group; half of them are killed at some step. */
const replayOnce = Effect.fnUntraced(function* (
  { world, mischief, replaying }: Party,
  group: WorldGroup,
  teller: Teller
) {
  const [leg] = world.streams[group.stream]?.legs ?? []
  if (leg === undefined) return
  const steps = mischief.random() < 0.5 ? Math.floor(mischief.random() * replaySteps) : undefined
  const replayed = teller.leat
    .transport(clusterName(leg.cluster))
    .pipe(Effect.flatMap((transport) => replay(transport, { topic: leg.topic, group: group.group })))
  const fiber = yield* Effect.forkDetach(replayed)
  replaying.push({ teller, fiber })
  if (steps === undefined) return
  const killing = Effect.andThen(Effect.repeat(Effect.yieldNow, { times: steps }), Fiber.interrupt(fiber))
  replaying.push({ teller, fiber: yield* Effect.forkDetach(killing) })
})

function leaveParty({ members, mischief }: Party): Effect.Effect<unknown> {
  const [member] = members.splice(Math.floor(mischief.random() * members.length), 1)
  return Effect.forkDetach(member?.leave ?? Effect.void)
}
