import { Effect, type Scope } from "effect"
import type { Transport, TransportError } from "../transport/index.ts"
import { checked } from "./givenArguments.ts"
import type { OwnLetters } from "./listLetters.ts"
import { type ChosenLetters, choosing, eachPage, pageLettersMax } from "./pages.ts"
import { openLetters, resolve } from "./resolve.ts"

/** Which letters are dropped, and why. */
export interface DropOptions extends ChosenLetters {
  /** One sentence, for those who ask later; not blank. */
  readonly reason: string
}

/**
 * Gives open letters up: a record beside each says that it was dropped, and why. Nothing is deleted; `list` with `state: "all"` still
 * shows them. Gives how many were dropped; in a dry run, how many would be.
 *
 * @example
 * ```ts
 * const dropped = yield* DeadLetters.drop(transport, { topic: "shop.orders", group: "billing" }, {
 *   where: ({ letter }) => letter.tag === "Malformed",
 *   reason: "sent by the load test of 3 May",
 *   by: "anna"
 * })
 * ```
 */
export const drop = Effect.fnUntraced(function* (
  transport: Transport,
  which: OwnLetters,
  options: DropOptions
): Effect.fn.Return<number, TransportError, Scope.Scope> {
  yield* checked("drop", [...choosing, "reason"], { transport, which, options })
  const { reason, by } = options
  const target = yield* Effect.cached(openLetters(transport, which))
  return yield* eachPage(
    { transport, which, chosen: options, lettersMax: pageLettersMax },
    () => true,
    Effect.fnUntraced(function* (letters, partition) {
      yield* resolve(yield* target, partition, letters, { how: "dropped", reason, by })
      return letters.length
    })
  )
}, Effect.scoped)
