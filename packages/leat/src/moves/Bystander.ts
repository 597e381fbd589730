/**
 * A process as a writer of streams that it has never opened: it holds nothing of them, and says so when their writers are to drain. Whoever opens a
 * stream after that has read that it moves, and sends nothing to the old place.
 */
import { Effect } from "effect"
import type { ControlRecord } from "../control/ControlRecord.ts"
import type { ControlStream } from "../control/ControlStream.ts"
import { type Standing, standingOf } from "../control/standing.ts"

export class Bystander {
  readonly #member: string
  /** Streams that are open here, or being opened: what they hold is their writers' to say. */
  readonly #opened = new Set<string>()

  /** Streams that it has to write all the same: a spill here holds some of them. */
  readonly #joins = new Set<string>()

  constructor(member: string) {
    this.#member = member
  }

  /** Before anything of it is opened. */
  opening(stream: string): void {
    this.#opened.add(stream)
  }

  /** It could not be opened after all: nobody has published anything of it. */
  closed(stream: string): void {
    this.#opened.delete(stream)
  }

  /** A spill of this process holds events of a stream that has moved, and nobody has it open here: who carries them has to be a writer. */
  join(stream: string): void {
    this.#joins.add(stream)
  }

  /** Says so of each stream that is to be drained. What could not be said is said at the next look. */
  answer({ control, write }: Pick<ControlStream, "control" | "write">): Effect.Effect<void> {
    return Effect.suspend(() => {
      const answers = Array.from(control.streams).flatMap(([stream, placement]): ReadonlyArray<ControlRecord> => {
        if (this.#opened.has(stream)) return []
        const member = this.#member
        if (this.#joins.has(stream) && !placement.writers.has(member)) return [{ kind: "joined", stream, member }]
        const standing = standingOf(placement, member)
        if (!isAsked(standing)) return []
        const { epoch, attempt } = standing
        return [{ kind: "drained", stream, epoch, attempt, member, upTo: [] }]
      })
      const said = Effect.forEach(answers, (one) => write(one), { discard: true })
      return answers.length === 0 ? Effect.void : Effect.ignore(said)
    })
  }
}

function isAsked(standing: Standing): standing is Extract<Standing, { readonly attempt: number }> {
  return standing.does === "drain" || standing.does === "stop" || standing.does === "leave"
}
