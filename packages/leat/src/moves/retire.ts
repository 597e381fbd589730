/**
 * The end of an epoch: it is retired when all groups that read it have settled it, and from then on nobody reads it. Processes of the fleet say which
 * groups they read with, and the cluster says who else has got anywhere in the topic: a process that was stopped before the stream was placed, or
 * another program.
 */
import { Effect } from "effect"
import type { Control } from "../control/Control.ts"
import type { Place } from "../control/ControlRecord.ts"
import { type Epoch, isSameTopic } from "../control/Placement.ts"
import { isPassed } from "../control/readable.ts"
import { type BoundsOfPartition, type Places, placeText } from "./Places.ts"
import type { DutyCalled, Means, Task } from "./Task.ts"
import type { Trouble } from "./Trouble.ts"
import { type Outcome, written } from "./written.ts"

/** Why nobody knows all groups of a place. */
export const untoldGroups = (place: Place): string =>
  `the cluster of ${placeText(place)} does not tell which groups read it; when none does any more, npx leat move retire says so`

/**
 * Notes the groups that have settled all of it, and retires it when they all have. The cluster is asked for others when no group of the fleet is
 * behind. `word`: a person says that there are no others: where the cluster cannot tell, or also where it gives no answer.
 */
export const retire = Effect.fnUntraced(function* (
  task: Task<DutyCalled<"retire">>,
  means: Means,
  word?: "untold" | "unanswered"
): Effect.fn.Return<Outcome, Trouble> {
  const { stream, duty, placement, control } = task
  const { epoch, place } = duty.epoch
  const known = yield* handOver(task, means, [...placement.groups], "group")
  if (known !== "all") return known.standing
  const asked = otherGroups(control, stream, place, means.places)
  const others = yield* word === "unanswered" ? Effect.orElseSucceed(asked, () => undefined) : asked
  if (others === undefined && word === undefined) return untoldGroups(place)
  const found = yield* handOver(task, means, others ?? [], "other group")
  if (found !== "all") return found.standing
  const groups = [...placement.groups, ...(others ?? [])]
  return yield* written(means, { kind: "retired", stream, base: placement.step, epoch, groups })
})

/** `all`: each of these groups has settled it. `standing` undefined: some have been noted now, and it is looked at anew. */
const handOver = Effect.fnUntraced(function* (
  { stream, duty }: Task<DutyCalled<"retire">>,
  means: Means,
  groups: ReadonlyArray<string>,
  what: string
): Effect.fn.Return<"all" | { readonly standing: Outcome }, Trouble> {
  const { epoch, place, handedOver } = duty.epoch
  const left = groups.filter((group) => !handedOver.has(group))
  if (left.length === 0) return "all"
  const behind: Array<string> = []
  for (const group of left) {
    const count = unsettled(duty.epoch, yield* means.places.bounds(place, group))
    if (count === 0) yield* written(means, { kind: "handedOver", stream, epoch, group })
    else behind.push(`${what} ${group} has ${count} to settle`)
  }
  if (behind.length < left.length) return { standing: undefined }
  const more = what === "group" ? "" : "; npx leat move give-up says which of them read no more"
  return { standing: `${placeText(place)} of epoch ${epoch} is read on: ${behind.join(", ")}${more}` }
})

/**
 * Groups of a place of which no process of the fleet has said what they read there; undefined: its cluster cannot tell. Another stream that lies in that
 * topic, or lay there, has groups of its own: a group has one position in a topic, for one stream, and settles nothing behind what it reads.
 */
export const otherGroups = (
  { streams }: Pick<Control, "streams">,
  stream: string,
  place: Place,
  places: Places
): Effect.Effect<ReadonlyArray<string> | undefined, Trouble> =>
  Effect.map(places.groups(place), (found) => {
    const named = Array.from(streams).flatMap(([name, { groups, epochs }]) =>
      name === stream || epochs.some((one) => isSameTopic(one.place, place)) ? [...groups] : []
    )
    return found?.filter((group) => !named.includes(group))
  })

/**
 * Positions of an epoch that a group has not settled. What its cluster has let go of is nothing to wait for. Of one that was abandoned nobody
 * knows the end: it is all that its place has now, since everybody has left it.
 */
export function unsettled(epoch: Epoch, rows: ReadonlyArray<BoundsOfPartition>): number {
  const ended = epoch.end === undefined ? { ...epoch, end: rows.map(({ end }) => end) } : epoch
  const settledOf = (_: Place, partition: number): number => {
    const { settled = 0, start = 0 } = rows[partition] ?? {}
    return Math.max(settled, start)
  }
  return rows.reduce((total, _, partition) => {
    if (isPassed(ended, partition, settledOf)) return total
    const from = Math.max(settledOf(epoch.place, partition), ended.begin?.[partition] ?? 0)
    return total + (ended.end?.[partition] ?? 0) - from
  }, 0)
}
