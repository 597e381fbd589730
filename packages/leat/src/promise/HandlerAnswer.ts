/**
 * What a handler may give. Nobody looks at it, so it may be whatever an insert or a `push` gives; but nothing may hide there that has still to be
 * done, or waited for, or that has failed: a list of promises, an effect, a generator, a function, an error.
 *
 * @example
 * ```ts
 * await orders.handle("archive", async (order) => repository.insert(order))
 * await orders.handle("archive", (order) => Promise.all(order.lines.map(insert)))
 * ```
 */
export type HandlerAnswer = Unread | PromiseLike<Unread>

type Unread = void | null | undefined | string | number | bigint | boolean | symbol | (object & Ended)

/** By its members: what has them has not ended. */
interface Ended {
  /** Of a promise within a promise's answer, and of a query that begins when it is awaited. */
  readonly then?: never
  readonly "~effect/Effect"?: never
  readonly [Symbol.asyncIterator]?: never
  /** Of a generator. */
  readonly throw?: never
  /** Of an error. */
  readonly stack?: never
  /** Of a function. */
  readonly bind?: never
  /** Of a list. */
  readonly at?: (index: number) => Item
}

type Item =
  | null
  | undefined
  | string
  | number
  | bigint
  | boolean
  | (object & { readonly then?: never; readonly stack?: never; readonly bind?: never })
