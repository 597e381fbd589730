/** Everything that a story is played with, and what everybody may do with it. */
import { Effect, type Fiber } from "effect"
import type { Chronicle } from "../judge/Chronicle.ts"
import type { Disks } from "./Disks.ts"
import { join, type Member } from "./members.ts"
import type { Mischief } from "./Mischief.ts"
import type { Occasions } from "./Occasions.ts"
import type { Stage } from "./Scenario.ts"
import type { Teller } from "./Teller.ts"
import type { WallClock } from "./WallClock.ts"
import type { World, WorldGroup } from "./World.ts"

/** Everything that a story is played with. */
export interface Party {
  readonly world: World
  readonly stages: ReadonlyArray<Stage>
  readonly wall: WallClock
  readonly chronicle: Chronicle
  readonly occasions: Occasions
  readonly mischief: Mischief
  /** Those that have gone too, in the order in which they were opened. */
  readonly tellers: Array<Teller>
  readonly disks: Disks
  readonly members: Array<Member>
  /** Callers that run, or have ended. */
  readonly calling: Array<OfTeller>
  /** Processes that crash, or have crashed. */
  readonly crashing: Array<Fiber.Fiber<void>>
  /** Replays that were begun. */
  readonly replaying: Array<OfTeller>
  /** What has to end before the story does. */
  readonly outcomes: Array<Fiber.Fiber<unknown>>
  memberCount: number
  /** The next serial of an event. */
  serial: number
}

/** A fiber that is gone when the process of its leat crashes. */
export interface OfTeller {
  readonly teller: Teller
  readonly fiber: Fiber.Fiber<unknown, unknown>
}

/** A member joins a group; not where the leat is closing. */
export const joinParty = Effect.fnUntraced(function* (party: Party, group: WorldGroup, teller: Teller | undefined) {
  if (teller === undefined) return
  const member = yield* join({ group, teller, mischief: party.mischief, member: party.memberCount++ })
  if (member !== undefined) party.members.push(member)
})

export function resumeOne(teller: Teller): Effect.Effect<void> {
  return Effect.andThen(
    teller.leat.resume,
    Effect.forEach(teller.leat.subscriptions(), ({ resume }) => resume, { discard: true })
  )
}

/** Lets everything go on that was halted. */
export function resumeAll(party: Party): Effect.Effect<void> {
  return Effect.forEach(party.tellers, resumeOne, { discard: true })
}
