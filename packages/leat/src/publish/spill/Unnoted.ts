/**
 * What a leat has put into its spill without an answer that said so. Once the spill is fenced nothing of it can land any more, and what stands
 * there is read, once: a record that goes there again is found then, wherever it stands, and however many had no answer.
 */
import { Effect, Stream } from "effect"
import { formatEventId } from "../../record/EventId.ts"
import type { OutgoingBatch } from "../../record/OutgoingBatch.ts"
import { readMeta } from "../../record/Wire.ts"
import type { Position, Run, TransportError } from "../../transport/index.ts"
import { idOf, isUnplaced, partsOf } from "./placed.ts"
import type { SpillPart, SpillPlace } from "./Spill.ts"

/** Records that are on their way to the spill. */
export interface Sending {
  /** Whether an answer says anything: a fence has not come before. */
  readonly isOpen: boolean
  readonly answered: (runs: ReadonlyArray<Run>) => void
}

/** Of one partition. */
export class Unnoted {
  /** From here on there may be some that nobody has looked for. */
  #from: Position | undefined
  readonly #open = new Map<object, { readonly begun: Position; readonly end: () => void }>()
  /** Where they stand, by their ids. */
  readonly #found = new Map<string, Position>()

  /** Records go there, and nothing before `begun` is of them. `over`: nobody waits for them any more. */
  send(begun: Position, over: () => void): Sending {
    const all = this.#open
    const doubt = () => {
      if (this.#from === undefined || begun < this.#from) this.#from = begun
    }
    const sending = {
      get isOpen() {
        return all.has(sending)
      },
      answered: (runs: ReadonlyArray<Run>) => {
        if (!all.delete(sending)) return
        over()
        if (runs.length === 0 || runs.some(({ fate }) => fate === "unknown")) doubt()
      }
    }
    const end = () => {
      over()
      doubt()
    }
    all.set(sending, { begun, end })
    return sending
  }

  /** Whether an answer is waited for. */
  get isSending(): boolean {
    return this.#open.size > 0
  }

  /**
   * Before which position everything is noted, as far as it will be: of what was sent after it, something may have no answer yet. `isOwed`: whether
   * something goes there again that may stand there. Undefined: everything is.
   */
  notedEnd(isOwed: boolean): Position | undefined {
    const [first] = this.#open.values()
    const all = [first?.begun, ...(isOwed ? [this.#from, ...this.#found.values()] : [])]
    return all.reduce((least, one) => (least === undefined || (one !== undefined && one < least) ? one : least))
  }

  /** The spill is being fenced: what is on its way is in doubt. */
  fence(): void {
    const open = Array.from(this.#open.values())
    this.#open.clear()
    for (const { end } of open) end()
  }

  /** Reads what stands there before `end`, where a fence has found the end. */
  look(
    { transport, topic }: SpillPlace,
    partition: number,
    part: SpillPart,
    end: Position
  ): Effect.Effect<void, TransportError> {
    return Effect.suspend(() => {
      const from = this.#from
      if (from === undefined) return Effect.void
      const fromPosition = from > part.at ? from : part.at
      const ids = new Map<string, Position>()
      let markers = 0
      const read = transport.read(topic, partition, { fromPosition, toPosition: end })
      const reading = Stream.runForEach(read, ({ records }) =>
        Effect.sync(() => {
          for (const { position, headers } of records) {
            if (position >= end || part.book.isNoted(position)) continue
            const { id, isMarker } = readMeta(headers, "")
            if (isMarker) markers++
            else if (id !== undefined) ids.set(formatEventId(id), position)
          }
        })
      )
      return Effect.map(fromPosition < end ? reading : Effect.void, () => {
        for (const [id, position] of ids) this.#found.set(id, position)
        part.markers += markers
        if (end > part.seenEnd) part.seenEnd = end
        this.#from = undefined
      })
    })
  }

  /** Where records of a batch stand already, as their answer; those that do not stand there are not stored. */
  take(batch: OutgoingBatch, from: number, to: number, at: Position): ReadonlyArray<Run> {
    const standing = new Map<number, Position>()
    for (let index = from; index < to; index++) {
      const id = idOf(batch.headers(index))
      const position = id === undefined ? undefined : this.#found.get(id)
      // Another process has had it since.
      if (id === undefined || position === undefined || position < at) continue
      this.#found.delete(id)
      standing.set(index, position)
    }
    const runs = partsOf({ from, to, fate: "stored" }, standing)
    return runs.map((run) => (isUnplaced(run) ? { ...run, fate: "notStored" } : run))
  }

  /** One of them was sent on: it stands there no more. */
  ended(id: string): void {
    this.#found.delete(id)
  }

  /** Whether nothing stands there that had no answer and was found. */
  get isEmpty(): boolean {
    return this.#found.size === 0
  }

  /** Nothing of the partition is left. */
  clear(): void {
    this.#found.clear()
  }
}
