/** What happens to everybody in a story: clocks jump, tables change, lanes are resumed, members come and go, a leat closes. */
import { Effect, Fiber } from "effect"
import { replay } from "../../deadLetters/replayLetters.ts"
import type { Chronicle } from "../judge/Chronicle.ts"
import { join, type Member } from "./members.ts"
import type { Mischief } from "./Mischief.ts"
import type { Mishap, Occasions } from "./Occasions.ts"
import type { Stage } from "./Scenario.ts"
import type { Teller } from "./Teller.ts"
import type { WallClock } from "./WallClock.ts"
import type { World, WorldGroup } from "./World.ts"
import { clusterName, worldRoutes } from "./worldRoutes.ts"

/** Everything that a story is played with. */
export interface Party {
  readonly world: World
  readonly stages: ReadonlyArray<Stage>
  readonly wall: WallClock
  readonly chronicle: Chronicle
  readonly occasions: Occasions
  readonly mischief: Mischief
  readonly tellers: ReadonlyArray<Teller>
  readonly members: Array<Member>
  /** Replays that were begun. */
  readonly replaying: Array<Fiber.Fiber<unknown, unknown>>
  memberCount: number
}

/** An hour, in milliseconds. */
const hourMs = 3_600_000

/** Looks that come quickly one after the other. */
const hastyLooks = 150

/** Members of a group at one time. */
const membersMax = 4

/** Steps after which a replay is killed, at most. */
const replaySteps = 200

/** Looks a lane stays halted before somebody resumes it. */
const haltedLooks = 10

/** Goes on until it is interrupted. */
export const disturb = Effect.fnUntraced(function* (party: Party) {
  const { mischief, tellers, world } = party
  const halted = new Map<Teller, number>()
  const versions = new Map<Teller, number>()
  for (let look = 0; ; look++) {
    // Most of a story is told soon; what goes on for long waits for a time-out.
    const ms = look < hastyLooks ? 12 : 120
    yield* Effect.sleep(1 + Math.floor(mischief.random() * ms))
    for (const teller of tellers) {
      if (teller.isClosed) continue
      const { index, leat } = teller
      const looks = leat.halted().length > 0 ? (halted.get(teller) ?? 0) + 1 : 0
      halted.set(teller, looks)
      if (looks > haltedLooks || mischief.strikes("resume", index)) yield* resumeOne(teller)
      if (mischief.strikes("wallBack", index)) party.wall.jump(-hourMs)
      if (mischief.strikes("wallForward", index)) party.wall.jump(hourMs)
      if (mischief.strikes("flush", index)) yield* Effect.forkScoped(leat.flush)
      if (mischief.strikes("swap", index)) yield* swap(party, teller, versions)
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
    }
  }
})

function isFocus({ focus }: World, mishap: Mishap): boolean {
  return focus?.mishap === mishap
}

function swap({ stages, world, chronicle }: Party, teller: Teller, versions: Map<Teller, number>): Effect.Effect<void> {
  const version = (versions.get(teller) ?? 1) + 1
  versions.set(teller, version)
  return teller.leat.swapRoutes(worldRoutes(stages, world, version)).pipe(
    Effect.catch((error) =>
      Effect.sync(() => {
        if (!teller.isClosing)
          chronicle.notice("toldWrongly", `a table for the same places is refused: ${error.message}`)
      })
    )
  )
}

export const joinParty = Effect.fnUntraced(function* (party: Party, group: WorldGroup, teller: Teller | undefined) {
  if (teller === undefined) return
  const member = yield* join({ group, teller, mischief: party.mischief, member: party.memberCount++ })
  if (member !== undefined) party.members.push(member)
})

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
  replaying.push(fiber)
  if (steps !== undefined)
    replaying.push(
      yield* Effect.forkDetach(Effect.andThen(Effect.repeat(Effect.yieldNow, { times: steps }), Fiber.interrupt(fiber)))
    )
})

function leaveParty({ members, mischief }: Party): Effect.Effect<unknown> {
  const [member] = members.splice(Math.floor(mischief.random() * members.length), 1)
  return Effect.forkDetach(member?.leave ?? Effect.void)
}

function resumeOne(teller: Teller): Effect.Effect<void> {
  return Effect.andThen(
    teller.leat.resume,
    Effect.forEach(teller.leat.subscriptions(), ({ resume }) => resume, { discard: true })
  )
}

/** Lets everything go on that was halted. */
export function resumeAll(party: Party): Effect.Effect<void> {
  return Effect.forEach(party.tellers, resumeOne, { discard: true })
}
