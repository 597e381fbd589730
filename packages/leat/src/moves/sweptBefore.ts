/**
 * Who has left something in a spill may have been passed over before, and have stored what stood in front of it behind the end of an epoch: that is
 * swept, and what is left goes behind it.
 */
import { Effect, Result } from "effect"
import type { Positions } from "../control/ControlRecord.ts"
import { type Epoch, type Placement } from "../control/Placement.ts"
import type { Changes } from "../publish/Changes.ts"
import { type Places, placeText } from "./Places.ts"

/** Pauses between two tries to read a place, in milliseconds. */
const [againMs, againMsMax] = [200, 5000]

/** How long nothing is said, in milliseconds. */
const tellMs = 10_000

export interface Owed {
  readonly placement: () => Placement | undefined
  /** Which the rest is to go to. */
  readonly to: number
  /** Who has left it, and sends nothing any more. */
  readonly members: ReadonlySet<string>
  readonly places: Places
  /** Of the placement. */
  readonly changes: Changes
  readonly tell: (what: string) => Effect.Effect<void>
}

/**
 * Completes when what they have stored is swept, as far as it stood in its place when this was asked: they are gone, so no more of it comes. Nobody has to
 * give them up for that. In an abandoned epoch no order is promised.
 */
export function sweptBefore(owed: Owed): Effect.Effect<void> {
  const { placement, to, members } = owed
  const epochs = placement()?.epochs ?? []
  const left = epochs.filter((one) => one.epoch < to && isOwing(one, members))
  return Effect.forEach(left, (one) => sweptOf(owed, one), { discard: true })
}

const isOwing = ({ phase, over }: Epoch, members: ReadonlySet<string>) =>
  phase !== "abandoned" && Array.from(members).some((member) => over.has(member))

function sweptOf({ placement, members, places, changes, tell }: Owed, { epoch, place }: Epoch): Effect.Effect<void> {
  const isSwept = (ends: Positions) => {
    const now = placement()?.epochs.find((one) => one.epoch === epoch)
    return now === undefined || !isOwing(now, members) || ends.every((end, index) => (now.swept[index] ?? 0) >= end)
  }
  const ends = Effect.gen(function* () {
    for (let pauseMs = againMs; ; pauseMs = Math.min(pauseMs * 2, againMsMax)) {
      const tried = yield* Effect.result(places.ends(place))
      if (Result.isSuccess(tried)) return tried.success
      yield* Effect.sleep(pauseMs)
    }
  })
  const swept = Effect.flatMap(ends, (found) => changes.until(() => isSwept(found)))
  const told = Effect.sleep(tellMs).pipe(
    Effect.andThen(
      tell(
        `waits: ${[...members].join(", ")} was passed over and has left something in a spill, which goes behind what it may have stored in ${placeText(place)} since; that is not swept yet, and is when ${placeText(place)} can be read`
      )
    ),
    Effect.andThen(Effect.never)
  )
  // It may be given up, or abandoned, while its place cannot be read.
  const ended = changes.until(() => isSwept([Number.POSITIVE_INFINITY]))
  return Effect.raceAllFirst([swept, ended, told])
}
