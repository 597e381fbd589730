/**
 * The steps of a move that a coordinator does: each asks the clusters what it has to know, and writes a record of it. Any of them can be begun by
 * one and ended by another, and done by two at once.
 */
import { Effect } from "effect"
import type { Place, Positions } from "../control/ControlRecord.ts"
import { endsOf, type Placement } from "../control/Placement.ts"
import { answered, type Places, placeText } from "./Places.ts"
import { isFoundCompacted } from "../transport/madeCompacted.ts"
import { retire } from "./retire.ts"
import { sweep } from "./sweep.ts"
import type { DutyCalled, Means, Task } from "./Task.ts"
import type { Trouble } from "./Trouble.ts"
import { type Outcome, written } from "./written.ts"

/** Does a duty that waits for nobody any more, as far as it goes now. */
export function perform(task: Task, means: Means): Effect.Effect<Outcome, Trouble> {
  const { duty } = task
  switch (duty.does) {
    case "startSealing":
      return startSealing(task, means)
    case "seal":
      return seal({ ...task, duty }, means)
    case "open":
      return open({ ...task, duty }, means)
    case "sweep":
      return sweep({ ...task, duty }, means)
    case "retire":
      return retire({ ...task, duty }, means)
    case "giveUp":
      return giveUp({ ...task, duty }, means)
    case "awaitLeaving":
      return Effect.succeed("a person has to say that they are gone")
  }
}

/** The ends are read when nobody is waited for any more: all that the others wrote lies before them. */
function seal(
  { stream, duty, placement, control }: Task<DutyCalled<"seal">>,
  means: Means
): Effect.Effect<Outcome, Trouble> {
  const over = new Map(duty.missing.map((member) => [member, control.members.get(member)?.beats ?? 0]))
  return Effect.flatMap(means.places.ends(duty.place), (end) =>
    written(means, { kind: "sealed", stream, base: placement.step, end, over })
  )
}

/** All that the dead wrote lies before the ends that are read after the word about them. */
const giveUp = Effect.fnUntraced(function* (
  { stream, duty }: Task<DutyCalled<"giveUp">>,
  means: Means
): Effect.fn.Return<Outcome, Trouble> {
  const { epoch, place, isAbandoned, members } = duty
  const upTo = isAbandoned ? [] : yield* means.places.ends(place)
  for (const member of members) yield* written(means, { kind: "givenUp", stream, epoch, member, upTo })
  return undefined
})

/** Not before the target is there and fits: until here nothing is held up, and another document ends it. */
function startSealing({ stream, placement }: Task, means: Means): Effect.Effect<Outcome, Trouble> {
  const { newest } = endsOf(placement)
  const targetEnds = newest === undefined ? Effect.void : endsOfTarget(newest.place, placement, means.places)
  return Effect.andThen(targetEnds, written(means, { kind: "sealing", stream, base: placement.step }))
}

function open({ stream, duty, placement }: Task<DutyCalled<"open">>, means: Means): Effect.Effect<Outcome, Trouble> {
  return Effect.flatMap(endsOfTarget(duty.place, placement, means.places), (begin) =>
    written(means, { kind: "opened", stream, base: placement.step, begin })
  )
}

/** Its ends as they are now. What is not there is made. */
function endsOfTarget(place: Place, placement: Placement, places: Places): Effect.Effect<Positions, Trouble> {
  return places
    .ends(place)
    .pipe(
      Effect.catch((trouble) =>
        trouble.reason === "UnknownTopic"
          ? Effect.andThen(created(place, placement, places), places.ends(place))
          : Effect.fail(trouble)
      )
    )
}

/** Makes the topic of a target that no writer has made (`Moves.reached`), compacted as the one that it follows: the contract is not known here. */
function created(place: Place, placement: Placement, places: Places): Effect.Effect<void, Trouble> {
  const { source } = endsOf(placement)
  return Effect.gen(function* () {
    const compacted = source !== undefined && source.phase !== "abandoned" && (yield* isCompacted(source.place, places))
    const spec = { topic: place.topic, partitions: place.partitions, ...(compacted ? { compacted } : {}) }
    yield* places.using(place.cluster, (transport) =>
      answered(
        Effect.suspend(() => transport.ensure(spec)),
        `${placeText(place)} cannot be made`
      )
    )
  })
}

/** As far as its cluster says. */
function isCompacted({ cluster, topic }: Place, places: Places): Effect.Effect<boolean> {
  const asked = places.using(cluster, (transport) =>
    answered(
      Effect.suspend(() => isFoundCompacted(transport, topic)),
      ""
    )
  )
  return Effect.orElseSucceed(asked, () => false)
}
