/** What everybody in a story was told, and whether it can all be true. */
import { Effect } from "effect"
import { type EventId, formatEventId } from "../../record/EventId.ts"
import type { OpenLeat } from "../../OpenLeat.ts"
import type { DeliveryInfo } from "../../consume/DeliveryInfo.ts"
import type { Transport, TransportError } from "../../transport/index.ts"
import type { FaultPlan } from "../FaultTransport.ts"
import { History } from "../History.ts"
import { type StoryNote, storyNotes } from "./storyNotes.ts"

const sink = "local/notes"
const group = "readers"

export class StoryJudge {
  readonly history = new History()
  readonly #wrong: Array<string> = []
  /** Texts of admitted events by id, as the publisher was told it. */
  readonly #announced = new Map<string, string>()
  /** Texts of handled events by id. */
  readonly #handled = new Map<string, string>()
  readonly #finished = new Set<string>()
  /** Positions whose handler has finished, as `partition/position`. */
  readonly #positions = new Set<string>()

  /** The plan, with an eye on what is settled: nothing that is unfinished. */
  watched(plan: FaultPlan): FaultPlan {
    return {
      ...plan,
      settle: (call) => {
        for (let at = 0n; at < call.position; at++)
          if (!this.#positions.has(`${call.partition}/${at}`))
            this.complain(`position ${at} of ${call.partition} was settled unfinished`)
        return plan.settle?.(call)
      }
    }
  }

  complain(sentence: string): void {
    this.#wrong.push(sentence)
  }

  /** The publisher was told this id. */
  announce(id: EventId | undefined, { text }: StoryNote): void {
    if (id !== undefined) this.#announced.set(legOf(id), text)
  }

  handled({ text }: StoryNote, { id, key }: DeliveryInfo): void {
    if (id === undefined) return this.complain(`a handler got "${text}" without an id`)
    this.history.handled(group, id, key)
    this.#handled.set(legOf(id), text)
  }

  finished({ id, partition, position }: DeliveryInfo): void {
    if (id !== undefined) this.#finished.add(formatEventId(id))
    this.#positions.add(`${partition}/${position}`)
  }

  balance(leat: OpenLeat): void {
    if (!leat.ledger.snapshot().balanced) this.complain(`the ledger does not balance: ${stateOf(leat)}`)
  }

  /** Everything that is wrong with a story whose leat has closed, against a raw read. `isWhole`: the group had to get all of it. */
  verdict(
    leat: OpenLeat,
    transport: Transport,
    isWhole: boolean
  ): Effect.Effect<ReadonlyArray<string>, TransportError> {
    return Effect.map(this.history.readBack(transport, "notes", sink, storyNotes.stream), () => {
      for (const place of ["queued", "inFlight", "inDoubt"] as const)
        for (const key of this.history.ids(sink, place)) this.complain(`${key} is ${place} after a close`)
      const ended = new Set((["stored", "dropped"] as const).flatMap((place) => this.history.ids(sink, place)))
      for (const key of ended.symmetricDifference(this.#announced)) {
        const told = `was ${this.#announced.has(key) ? "" : "not "}told to its publisher`
        this.complain(`${key} ${told}, and ${ended.has(key) ? "" : "not "}accounted for`)
      }
      for (const { dropped } of leat.ledger.snapshot().legs)
        if (dropped["closed"] !== undefined) this.complain(`${dropped["closed"]} legs were given up by the close`)
      for (const [key, text] of this.#handled)
        if (text !== this.#announced.get(key)) this.complain(`${key} reached a handler with other bytes`)
      if (isWhole) {
        for (const key of this.history.observed(sink))
          if (!this.#finished.has(`${leat.incarnation}/${key}`)) this.complain(`no handler ever finished ${key}`)
        this.history.checkGroup(group, sink, leat.incarnation)
      }
      return [...this.#wrong, ...this.history.verdict()]
    })
  }
}

/** The ledger as text, for whoever has to find out what went wrong. */
export function stateOf(leat: OpenLeat): string {
  return JSON.stringify(leat.ledger.snapshot(), (_, value) => (typeof value === "bigint" ? Number(value) : value))
}

function legOf({ stream, bucket, seq }: EventId): string {
  return `${stream}/${bucket}/${seq}`
}
