import { Effect } from "effect"
import type { EventStream, RouteError, StoredRange, TransportError } from "leat"
import { readBack } from "./readBack.ts"

/** Names of events: a `LineSet` where each is named by a line of input, a `Set` of texts where not. */
export interface Names {
  readonly size: number
  readonly has: (name: string) => boolean
  readonly add: (name: string) => unknown
}

/** What of a stream is stored already, by a name for each event; looks further with every `refresh`. */
export class StoredNames<T> {
  readonly #stream: EventStream<T>
  readonly #name: (event: T) => string
  readonly #names: Names
  /** By partition and epoch. */
  readonly #next = new Map<string, bigint>()

  constructor(stream: EventStream<T>, name: (event: T) => string, names: Names) {
    this.#stream = stream
    this.#name = name
    this.#names = names
  }

  has(event: T): boolean {
    return this.#names.has(this.#name(event))
  }

  get size(): number {
    return this.#names.size
  }

  /** Reads what has been stored since the last time. */
  readonly refresh: Effect.Effect<void, TransportError | RouteError> = Effect.suspend(() =>
    readBack(
      this.#stream,
      (event, range, position) => {
        this.#names.add(this.#name(event))
        this.#next.set(nameOf(range), position + 1n)
      },
      (range) => ({ from: this.#next.get(nameOf(range)) })
    )
  )
}

function nameOf({ partition, epoch }: StoredRange): string {
  return `${partition} of ${epoch}`
}
