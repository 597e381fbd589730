/** A person's word about what is dead: the place of an epoch, a writer that was passed over, a group. */
import { Clock, Duration, Effect, Result } from "effect"
import type { Control } from "../control/Control.ts"
import { ControlError } from "../control/ControlError.ts"
import type { Place } from "../control/ControlRecord.ts"
import { pastDocuments } from "../control/fleet.ts"
import type { SaidOfRest } from "../control/leftBehind.ts"
import { legsOf, type PlacesMeans, standInsAt } from "../control/places.ts"
import type { StandInName } from "../routes/standIns.ts"
import { dutiesOf } from "../control/duties.ts"
import { isHandedOver, isOver } from "../control/moves.ts"
import { isSameTopic, type Placement } from "../control/Placement.ts"
import type { Transport } from "../transport/index.ts"
import { namesText } from "./awaited.ts"
import { type MoveTool, type OpenFleet, refused, type ToolStream, writing } from "./openFleet.ts"
import { type Places, placeText } from "./Places.ts"
import { retire as retireEpoch } from "./retire.ts"
import type { DutyCalled } from "./Task.ts"

/**
 * A person's word: the place of an epoch is dead, and nobody waits for what only it has. What has no answer there goes to the newest place, perhaps
 * twice; what comes back later is delivered late, in no order with the rest.
 *
 * @example
 * ```ts
 * yield* MoveTools.abandon(transport, { author: "move 7", drivers: [log], reason: "its disk is gone", stream: "shop.orders", epoch: 1 })
 * ```
 */
export const abandon = (
  transport: Transport,
  asked: MoveTool & Pick<SaidOfRest, "standInsEmpty"> & { readonly stream: string; readonly epoch: number }
): Effect.Effect<void, ControlError> =>
  writing(transport, asked, { stream: asked?.stream }, ({ stream, means }) =>
    Effect.gen(function* () {
      const { stream: name, epoch } = asked
      const placement = yield* placementOf(stream.control, name)
      const fault = abandonFault(placement, epoch)
      if (fault !== undefined) return yield* refused(`epoch ${String(epoch)} of stream ${name} ${fault}`)
      const place = placement.epochs.find((one) => one.epoch === epoch)?.place
      const left =
        place === undefined || asked.standInsEmpty === true ? [] : standInsThere(stream.control, means, name, place)
      // What a spill holds is carried.
      if (place !== undefined && left.includes("fallback"))
        return yield* refused(
          `epoch ${epoch} of stream ${name} lies in ${placeText(place)}, whose leg has a fallback: what that holds is sent there when the place comes back, and is read by nobody then; see that it is empty, and say --stand-ins-empty (standInsEmpty)`
        )
      const { counts } = yield* stream.write(
        { kind: "abandoned", stream: name, base: placement.step, epoch },
        asked.reason
      )
      if (!counts) return yield* overtaken(name)
    })
  )

/** What stands in for the leg of a place, by the newest document that has the stream there. */
function standInsThere(control: Control, means: PlacesMeans, stream: string, place: Place): ReadonlyArray<StandInName> {
  for (const { document } of pastDocuments(control).toReversed()) {
    const routes = Result.getOrUndefined(means.compile(document))
    if (routes === undefined) continue
    const isThere = legsOf(routes, stream).some((leg) => isSameTopic(place, { ...leg, partitions: 0 }))
    if (isThere) return standInsAt(routes, stream, place)
  }
  return []
}

function abandonFault({ epochs }: Placement, epoch: number): string | undefined {
  const index = epochs.findIndex((one) => one.epoch === epoch)
  const found = epochs[index]
  if (found === undefined) return `is not known; there is ${epochs.map((one) => one.epoch).join(", ")}`
  if (found.phase === "abandoned" || found.phase === "retired") return `is ${found.phase} already`
  if (index === epochs.length - 1) return "is the newest, so there is nowhere to go; move the stream elsewhere first"
  const isUsedAgain = epochs.slice(index + 1).some(({ place: later }) => isSameTopic(later, found.place))
  if (isUsedAgain && !(found.phase === "sealed" && found.over.size === 0))
    return `lies in ${placeText(found.place)}, where a later one has begun: the two could not be told apart`
  return undefined
}

/** Whom a person gives up: a writer by name, all writers that nobody has heard of for so long, or a group that reads no more. */
export type GivenUp = { readonly member: string } | { readonly silentFor: Duration.Input } | { readonly group: string }

/**
 * A person's word: writers that were passed over, or that have not left an abandoned place, are dead, and so is all that they sent; or a group reads
 * no more, and what it has not settled in old places is not kept for it. Of all streams when none is named, and of a group one has to be. Gives who they
 * were. Fails with `Refused` for one that is waited for nowhere, or that was heard of just now.
 *
 * A writer is a process, so the word holds for all streams: whoever coordinates gives it up where it is passed over later.
 *
 * @example
 * ```ts
 * yield* MoveTools.giveUp(transport, { author: "move 7", drivers: [log], stream: "shop.orders", silentFor: "10 minutes" })
 * ```
 */
export const giveUp = (
  transport: Transport,
  asked: MoveTool & { readonly stream?: string | undefined } & GivenUp
): Effect.Effect<ReadonlyArray<string>, ControlError> =>
  writing(transport, asked, { stream: asked?.stream ?? "" }, (fleet) =>
    Effect.gen(function* () {
      const { stream, seen, places } = fleet
      const { streams } = stream.control
      const { stream: only } = asked
      if ("group" in asked) {
        if (only === undefined) return yield* refused("say of which stream the group reads no more")
        return yield* groupGivenUp(fleet, { ...asked, stream: only }, yield* placementOf(stream.control, only))
      }
      const all = only === undefined ? streams : new Map([[only, yield* placementOf(stream.control, only)]])
      const nowMs = yield* Clock.currentTimeMillis
      const silentMs = (member: string): number => nowMs - (seen.get(member) ?? 0)
      const owing = Array.from(all).flatMap(([name, { epochs }]) =>
        epochs.flatMap((epoch) =>
          Array.from(epoch.over).flatMap(([member, upTo]) => (upTo === undefined ? [{ name, epoch, member }] : []))
        )
      )
      const fault = giveUpFault(asked, Array.from(new Set(owing.map(({ member }) => member))), silentMs)
      if (fault !== undefined) return yield* refused(fault)
      const leastMs = "silentFor" in asked ? Duration.toMillis(asked.silentFor) : 0
      const those = owing.filter(({ member }) =>
        "member" in asked ? member === asked.member : silentMs(member) >= leastMs
      )
      for (const { name, epoch, member } of those) {
        // Read after it is known to be dead: all that it wrote lies before.
        const upTo =
          epoch.phase === "abandoned" ? [] : yield* Effect.mapError(places.ends(epoch.place), ({ why }) => refused(why))
        const record = { kind: "givenUp", stream: name, epoch: epoch.epoch, member, upTo } as const
        const { counts } = yield* stream.write(record, asked.reason)
        if (!counts && !isGivenUp(stream.control, name, member)) return yield* overtaken(name)
        // No move waits until a document is in force there. Does not count while it writes another stream.
        const { beats } = stream.control.members.get(member) ?? {}
        if (beats !== undefined) yield* Effect.ignore(stream.write({ kind: "forgotten", member, beats }, asked.reason))
      }
      return Array.from(new Set(those.map(({ member }) => member)))
    })
  )

/** By somebody who was faster: a coordinator, by a word of another stream. */
const isGivenUp = ({ streams }: Control, stream: string, member: string): boolean =>
  streams.get(stream)?.writers.get(member) === "givenUp"

/** It counts as one that has settled all of the epochs that wait for it. Of a cluster that does not answer a person knows better. */
const groupGivenUp = Effect.fnUntraced(function* (
  { stream: { write }, places }: OpenFleet & { readonly stream: ToolStream },
  { stream, group, reason }: { readonly stream: string; readonly group: string; readonly reason?: string | undefined },
  placement: Placement
): Effect.fn.Return<ReadonlyArray<string>, ControlError> {
  const waiting = placement.epochs.filter((epoch) => isHandedOver(epoch, group) === false)
  const known = yield* groupsOf(placement, places)
  if (waiting.length === 0 || (known.isAll && !known.groups.has(group))) {
    const others = known.groups.size === 0 ? "it has none" : `it has ${namesText([...known.groups])}`
    return yield* refused(`no epoch of stream ${stream} waits for a group ${group}; ${others}`)
  }
  for (const { epoch } of waiting) {
    const { counts } = yield* write({ kind: "handedOver", stream, epoch, group }, reason)
    if (!counts) return yield* overtaken(stream)
  }
  return [group]
})

/** Groups of the fleet, and of the places that it has left. */
const groupsOf = Effect.fnUntraced(function* (
  { epochs, groups }: Placement,
  places: Places
): Effect.fn.Return<{ readonly groups: ReadonlySet<string>; readonly isAll: boolean }> {
  const found = new Set(groups)
  let isAll = true
  for (const { place } of epochs.filter(isOver)) {
    const names = yield* Effect.orElseSucceed(places.groups(place), () => undefined)
    isAll &&= names !== undefined
    for (const name of names ?? []) found.add(name)
  }
  return { groups: found, isAll }
})

/**
 * A person's word: no group that nobody knows of reads the places that a stream has left, where their cluster cannot tell. Retires those that wait
 * for no group that is known. Gives their epochs. Fails with `Refused` where one has something to settle there. `isGone`: also a cluster that does
 * not answer has no other groups.
 *
 * @example
 * ```ts
 * yield* MoveTools.retire(transport, { author: "move 7", drivers: [queue], reason: "all of it is read", stream: "shop.orders" })
 * ```
 */
export const retire = (
  transport: Transport,
  asked: MoveTool & { readonly stream: string; readonly isGone?: boolean | undefined }
): Effect.Effect<ReadonlyArray<number>, ControlError> =>
  writing(transport, asked, { stream: asked?.stream }, ({ stream, places }) =>
    Effect.gen(function* () {
      const { stream: name, reason } = asked
      const word = asked.isGone === true ? "unanswered" : "untold"
      const control = { write: (...[record]: Parameters<typeof stream.write>) => stream.write(record, reason) }
      const means = { control, places, onWaiting: () => {} }
      const gone = new Set<number>()
      for (;;) {
        const placement = yield* placementOf(stream.control, name)
        const duty = dutiesOf(placement).find((one): one is DutyCalled<"retire"> => one.does === "retire")
        if (duty === undefined) break
        const task = { stream: name, duty, placement, control: stream.control }
        const standing = yield* Effect.mapError(retireEpoch(task, means, word), ({ why }) => refused(why))
        if (standing !== undefined) return yield* refused(standing)
        gone.add(duty.epoch.epoch)
      }
      if (gone.size === 0)
        return yield* refused(`stream ${name} has left no place that could be retired now; look at its status`)
      return [...gone]
    })
  )

/** Who was heard of within so many milliseconds lives: it may not go on under its name if it was given up. */
const livingMs = 15_000

function giveUpFault(
  asked: { readonly stream?: string | undefined } & Exclude<GivenUp, { readonly group: string }>,
  owing: ReadonlyArray<string>,
  silentMs: (member: string) => number
): string | undefined {
  if ("silentFor" in asked)
    return Duration.toMillis(asked.silentFor) < livingMs
      ? `who was heard of within ${livingMs / 1000} seconds lives; give up those that are silent for longer`
      : undefined
  const { member, stream } = asked
  if (!owing.includes(member)) {
    const who = stream === undefined ? "no stream waits for" : `stream ${stream} waits for no`
    const [it, waits] = stream === undefined ? ["they", "wait"] : ["it", "waits"]
    return `${who} ${member} that was passed over; ${it} ${waits} for ${owing.length === 0 ? "nobody" : namesText(owing)}`
  }
  const heardMs = silentMs(member)
  return heardMs < livingMs
    ? `${member} was heard of ${Math.round(heardMs / 1000)} seconds ago: it lives; stop it, and then give it up`
    : undefined
}

const placementOf = ({ streams }: Control, stream: string): Effect.Effect<Placement, ControlError> => {
  const placement = streams.get(stream)
  if (placement !== undefined) return Effect.succeed(placement)
  const others = streams.size === 0 ? "none is" : `there is ${namesText([...streams.keys()])}`
  return Effect.fail(refused(`stream ${stream} is not placed; ${others}`))
}

const overtaken = (stream: string): Effect.Effect<never, ControlError> => {
  const detail = `something else was said of stream ${stream} meanwhile; look at its status and say it again`
  return Effect.fail(new ControlError({ reason: "Overtaken", detail }))
}
