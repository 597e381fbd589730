/** Writes what became of dead letters, and opens the topics that this needs. */
import { Clock, Effect, type Scope } from "effect"
import type { PlainRecord } from "../record/batchOf.ts"
import { type DeadLetterResolution, resolutionHeader } from "../record/DeadLetter.ts"
import { type Transport, TransportError } from "../transport/index.ts"
import { type ListedLetter, type OwnLetters, topicOf, topicsOf } from "./listLetters.ts"
import { openTarget, storePage, type Target } from "./storePage.ts"

/** What is said of a letter that is resolved. */
export interface ResolvedAs extends Pick<DeadLetterResolution, "how" | "reason"> {
  readonly by: string | undefined
}

/** Writes that letters of one partition are resolved. Fails where not all of it can be stored: those letters stay open. */
export const resolve = Effect.fnUntraced(function* (
  target: Target,
  partition: number,
  letters: ReadonlyArray<ListedLetter>,
  { by, ...resolved }: ResolvedAs
): Effect.fn.Return<void, TransportError> {
  const atMs = yield* Clock.currentTimeMillis
  const resolution = { ...resolved, ...(by === undefined ? {} : { by }), atMs }
  const records = letters.map(({ key, position }): PlainRecord => {
    return { key, value: null, headers: [resolutionHeader({ partition, position, ...resolution })], timeMs: atMs }
  })
  const refused = (yield* storePage(target, partition, records)).find((error) => error !== undefined)
  if (refused !== undefined) return yield* refused
})

/** What a command writes to. */
export interface Targets {
  readonly deadLetters: Target
  /** From which the group takes replays; made, with the partitions of the dead letters, where it is not there. Or that publishers write to. */
  readonly replays: Target
}

/** Opens the topic of the dead letters for writing. */
export const openLetters = Effect.fnUntraced(function* (transport: Transport, which: OwnLetters) {
  const { length } = yield* transport.bounds(topicOf(which))
  return yield* openTarget(transport, topicOf(which), length)
})

/** Opens the topic of the dead letters, and that of replays. */
export const openBoth = Effect.fnUntraced(function* (
  transport: Transport,
  which: OwnLetters
): Effect.fn.Return<Targets, TransportError, Scope.Scope> {
  const names = topicsOf(which)
  const { length } = yield* transport.bounds(names.deadLetters)
  // A topic of services is not made here, where a name was misspelt.
  if ("undelivered" in which) yield* transport.bounds(which.undelivered)
  const replays = yield* openTarget(transport, names.replays, length)
  const { partitions } = replays.forwarder
  if (partitions < length) {
    const detail = `${names.replays} has ${partitions} partitions and ${names.deadLetters} has ${length}; give it as many, so that each letter keeps its partition`
    const { name } = transport
    return yield* new TransportError({ reason: "Unsupported", transport: name, operation: "replay", detail })
  }
  return { deadLetters: yield* openTarget(transport, names.deadLetters, length), replays }
})
