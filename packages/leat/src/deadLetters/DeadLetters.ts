/**
 * What people do with dead letters, on every transport: find, list, replay and drop them. `leat` exports this module as `DeadLetters`; on the
 * command line it is `leat dlq`.
 *
 * Nothing is ever changed or deleted in a topic of dead letters. What became of a letter is one more record there
 * (`record/DeadLetter.ts`, `DeadLetterResolution`), so the topic is its own history, and who was killed goes on.
 *
 * @example
 * ```ts
 * import { DeadLetters } from "leat"
 *
 * const transport = yield* leat.transport("main")
 * const which = { topic: "shop.orders", group: "billing" }
 * const letters = yield* Stream.runCollect(DeadLetters.list(transport, which))
 * const { replayed } = yield* DeadLetters.replay(transport, which, { rate: 100 })
 * ```
 */
export type { ChosenLetters } from "./pages.ts"
export { drop, type DropOptions } from "./dropLetters.ts"
export { find, type FoundLetters } from "./findTopics.ts"
export {
  type GroupLetters,
  type LetterReader,
  list,
  type ListedLetter,
  type ListOptions,
  type NamedLetters,
  type OwnLetters,
  type UndeliveredLetters
} from "./listLetters.ts"
export { replay, type ReplayOptions, type ReplayReport } from "./replayLetters.ts"
