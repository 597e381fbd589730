import { Effect } from "effect"
import type { FloorPlan } from "../input/floorPlan.ts"
import type { InputSource } from "../input/source.ts"
import { measure, replay, type Span, type Speed } from "../input/replay.ts"
import { Expected } from "./Expected.ts"

/** What the input says, before anything of it is published. */
export interface Survey {
  readonly spans: ReadonlyArray<Span>
  /** Lines that are not blank. */
  readonly lines: number
  readonly expected: Expected
}

/** Goes through the whole input in the order in which it will be played. */
export const survey = Effect.fnUntraced(function* (
  inputs: ReadonlyArray<InputSource>,
  speed: Speed,
  plan: FloorPlan
): Effect.fn.Return<Survey> {
  const spans = yield* measure(inputs)
  const expected = new Expected(plan)
  let lines = 0
  const order = speed === "minute" ? "max" : speed
  const read = replay(
    spans,
    order,
    () => false,
    ({ line }) => {
      lines++
      if (line.kind === "sighting") expected.sighting(line.event)
      else if (line.kind === "log") expected.log(line.event)
      return Effect.succeed("skipped")
    }
  )
  yield* read
  return { spans, lines, expected }
})
