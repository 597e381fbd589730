/** What comes of a step that writes a record of it. */
import { Effect } from "effect"
import type { ControlRecord } from "../control/ControlRecord.ts"
import type { Means } from "./Task.ts"
import { Trouble } from "./Trouble.ts"

/** Undefined: it has got on. A text: what it waits for, as the rest of a sentence. */
export type Outcome = string | undefined

/** Writes a record. One that does not count has been overtaken, or says what cannot be: either way it is thought out anew. */
export function written({ control }: Means, record: ControlRecord): Effect.Effect<Outcome, Trouble> {
  return Effect.matchEffect(control.write(record, "coordinator"), {
    onFailure: ({ message }) => Effect.fail(new Trouble({ why: message })),
    onSuccess: ({ counts }) =>
      Effect.succeed(counts ? undefined : `a record ${record.kind} was written, and does not count`)
  })
}
