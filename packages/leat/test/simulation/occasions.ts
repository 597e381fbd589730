/** The occasions that stories can come to: each mishap in each state, but for those that there cannot be. */
import { type Mishap, mishaps, type Occasion, type State, states } from "leat/testing"
import { knownMishaps } from "./knownFaults.ts"

/** Occasions that there cannot be, and why. */
const impossible: ReadonlyArray<{ readonly mishaps: ReadonlyArray<Mishap>; readonly state: State }> = [
  // A send is of something that is on its way.
  {
    state: "empty",
    mishaps: [
      "fail",
      "refuse",
      "delay",
      "loseResponse",
      "cut",
      "lateWrite",
      "silence",
      "throw",
      "answerTwice",
      "oversize",
      "fence"
    ]
  },
  // A leat that is closing is not closed again; its subscriptions have been closed first.
  { state: "closing", mishaps: ["close", "settle", "hangSettle", "pull", "loseLane", "handler"] },
  // A lane that is full is not pulled.
  { state: "blocked", mishaps: ["pull", "loseLane"] },
  // Who closes a leat replays nothing more with it.
  { state: "closing", mishaps: ["replay"] }
]

/** Mishaps that are tried. */
export const tried: ReadonlyArray<Mishap> = mishaps.filter((mishap) => !knownMishaps.includes(mishap))

/** Every occasion that there can be. */
export const occasions: ReadonlyArray<Occasion> = tried.flatMap((mishap) =>
  states
    .filter((state) => !impossible.some((one) => one.state === state && one.mishaps.includes(mishap)))
    .map((state) => ({ mishap, state }))
)
