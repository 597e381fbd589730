/** Where a sink writes to: the destination, and what takes its place. */
import { Effect, type Scope } from "effect"
import { textOfThrown } from "../given/thrown.ts"
import type { Leg } from "../routes/Route.ts"
import { allOrNothing, contained } from "../transport/contained.ts"
import { type Transport, TransportError, type Writer } from "../transport/index.ts"
import type { FallbackPlaces } from "./fallback/openFallback.ts"
import { type Compaction, openTopic } from "./openTopic.ts"
import type { SpillPlace } from "./spill/Spill.ts"

type Opening<A> = Effect.Effect<A, TransportError, Scope.Scope>

/** How they are opened, with so many partitions; absent: the sink has none. At most one of them is there. */
export interface StandIns {
  readonly spill?: (partitions: number) => Opening<SpillPlace>
  readonly fallback?: (partitions: number) => Opening<FallbackPlaces>
}

/** Whose places they are. */
export interface PlacedLeg extends StandIns {
  readonly leg: Leg
  /** Whether the topic is to be compacted: a record without a key has no place there, so drops are not announced on close. */
  readonly compaction: Compaction
}

interface Opened extends PlacedLeg {
  readonly pump: { readonly transport: Transport }
  readonly away: object | undefined
}

export interface Places {
  readonly writer: Writer
  readonly spill?: SpillPlace | undefined
  readonly fallback?: FallbackPlaces | undefined
}

/** What stands for a cluster that is away makes the topic when that is there. */
export function openPlaces({ leg, pump, compaction, away, spill, fallback }: Opened): Opening<Places> {
  const { transport } = pump
  const { topic, sink } = leg
  const opened = Effect.suspend(() =>
    away === undefined
      ? openTopic(transport, { topic, sink, compaction })
      : contained(transport.openWriter(topic), sink)
  )
  const all = Effect.gen(function* () {
    const writer = yield* opened
    const { partitions } = writer
    return { writer, spill: yield* spill?.(partitions) ?? none, fallback: yield* fallback?.(partitions) ?? none }
  })
  const isAlone = spill === undefined && fallback === undefined
  // A scope of its own is kept as long as the sink is open.
  const places = isAlone ? Effect.map(opened, (writer): Places => ({ writer })) : allOrNothing(all)
  return Effect.catchDefect(places, (defect) => {
    const detail = `the driver broke: ${textOfThrown(defect)}`
    return Effect.fail(
      new TransportError({ reason: "Unsupported", transport: transport.name, operation: "openWriter", detail })
    )
  })
}

const none = Effect.succeed(undefined)
