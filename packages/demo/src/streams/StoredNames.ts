import { Effect } from "effect"
import type { EventStream, OpenLeat, RouteError, TransportError } from "leat"
import { readBack } from "./readBack.ts"

/** Names of events: a `LineSet` where each is named by a line of input, a `Set` of texts where not. */
export interface Names {
  readonly size: number
  readonly has: (name: string) => boolean
  readonly add: (name: string) => unknown
}

/** What of a stream is stored already, by a name for each event; looks further with every `refresh`. */
export class StoredNames<T> {
  readonly #leat: OpenLeat
  readonly #stream: EventStream<T>
  readonly #name: (event: T) => string
  readonly #names: Names
  readonly #next = new Map<number, bigint>()

  constructor(leat: OpenLeat, stream: EventStream<T>, name: (event: T) => string, names: Names) {
    this.#leat = leat
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
      this.#leat,
      this.#stream,
      (event, partition, position) => {
        this.#names.add(this.#name(event))
        this.#next.set(partition, position + 1n)
      },
      (partition) => ({ from: this.#next.get(partition) })
    )
  )
}
