/**
 * The control stream of a fleet for tools: what it says, and a document for all. A tool is no process of the fleet: it does not beat, and has
 * nothing in force.
 *
 * @example
 * ```ts
 * const { version, processes } = yield* ControlTools.read(transport)
 * yield* ControlTools.apply(transport, { author: "deploy 71", document: readFileSync("routes.yaml", "utf8"), reason: "less load" })
 * ```
 */
import { Effect } from "effect"
import { isObject, kindOf } from "../given/takes.ts"
import { References } from "../routes/References.ts"
import type { Driver, Transport } from "../transport/index.ts"
import { type AppliedTable, ControlledRoutes } from "./ControlledRoutes.ts"
import { ControlError } from "./ControlError.ts"
import type { FoldedRecord } from "./ControlFold.ts"
import { openControlStream, readAll } from "./ControlStream.ts"
import { meansOf, noPlaces, type PlacesOf, placesWith } from "./places.ts"
import { watching, type WatchOptions } from "./watch.ts"
import {
  backReason,
  type FleetChange,
  type PastDocument,
  pastDocuments,
  processesOf,
  type SeenProcess,
  versionAt
} from "./fleet.ts"

export { documentCharsMax } from "./bounds.ts"
export type { WatchOptions } from "./watch.ts"
export type { FleetChange, FleetProcess, PastDocument, SeenProcess } from "./fleet.ts"

/** The topic where nobody has named another. */
export const topicDefault = "leat-control"

/** What a control stream says. Versions are those that stand in the documents. */
export interface FleetTable {
  /** Of the document that was applied last; 0: none. */
  readonly version: number
  /** The one that was applied last; empty: none. */
  readonly document: string
  /** Those that were applied last, oldest first, with that one: as many as 32, and no more than a mebibyte of text. */
  readonly history: ReadonlyArray<PastDocument>
  /** The processes, by incarnation, with the version that was in force there at their last beat. */
  readonly processes: ReadonlyArray<SeenProcess>
  /** Things that stand there and are no records, as far as they are kept. */
  readonly unreadable: number
}

/** Reads all of a control stream. Creates nothing; fails with `Unreachable` where the topic is not there. */
export const read = (
  transport: Pick<Transport, "read" | "bounds">,
  topic = topicDefault
): Effect.Effect<FleetTable, ControlError> =>
  Effect.andThen(
    given(transport, ["read", "bounds"], { topic }),
    Effect.suspend(() => {
      const seen = new Map<string, number>()
      const see = ({ entry: { author }, timeMs }: FoldedRecord) => void (timeMs > 0 && seen.set(author, timeMs))
      return Effect.map(readAll(transport, topic, see), ({ control, unreadable }) => ({
        version: versionAt(control, control.version),
        document: control.document,
        history: pastDocuments(control),
        processes: processesOf(control).map((process) => {
          const seenMs = seen.get(process.incarnation)
          return seenMs === undefined ? process : { ...process, seenMs }
        }),
        unreadable
      }))
    })
  )

/** Who writes something for a fleet. */
export interface Tool {
  readonly topic?: string | undefined
  /** Who it is; no two runs have one name. */
  readonly author: string
  readonly reason?: string | undefined
  /** With which documents are compiled; needed where streams are placed, since a document may move those. */
  readonly drivers?: ReadonlyArray<Driver> | undefined
}

/** What a tool applies. */
export interface ToolTable extends Tool {
  /** YAML or JSON text. Only its version is looked at here: the processes refuse what has faults. */
  readonly document: string
}

/** Writes a document for all, on top of what stands there. Its version has to be higher than the last one. */
export const apply = (transport: Transport, tool: ToolTable): Effect.Effect<AppliedTable, ControlError> =>
  Effect.suspend(() => {
    const { document } = isObject(tool) ? tool : ({} as ToolTable)
    return writing(transport, tool, { document }, (routes, reason, placesOf) =>
      routes.apply(document, reason, placesOf)
    )
  })

/**
 * Applies an older document again: with a new version, above all others, and otherwise as it was written. Fails with `Refused` where the history does
 * not have it.
 *
 * @example
 * ```ts
 * yield* ControlTools.rollback(transport, { author: "deploy 72", version: 12, reason: "13 was slow" })
 * ```
 */
export const rollback = (
  transport: Transport,
  tool: Tool & { readonly version: number }
): Effect.Effect<AppliedTable, ControlError> =>
  Effect.suspend(() => {
    const { version } = isObject(tool) ? tool : { version: 0 }
    return writing(transport, tool, {}, (routes, reason, placesOf) =>
      Effect.flatMap(routes.textBackTo(version), (text) => routes.apply(text, backReason(version, reason), placesOf))
    )
  })

function writing(
  transport: Transport,
  tool: Tool,
  more: Readonly<Record<string, unknown>>,
  write: (routes: ControlledRoutes, reason: string, placesOf: PlacesOf) => Effect.Effect<AppliedTable, ControlError>
): Effect.Effect<AppliedTable, ControlError> {
  const { topic = topicDefault, author, reason = "", drivers } = isObject(tool) ? tool : ({} as Tool)
  const opened = Effect.suspend(() => openControlStream({ transport, topic, author, isTool: true }))
  const written = Effect.flatMap(Effect.all([opened, References]), ([stream, references]) => {
    const routes = new ControlledRoutes()
    routes.connected(stream)
    return write(routes, reason, drivers === undefined ? noPlaces : placesWith(meansOf(drivers, references)))
  })
  const texts = { topic, author, reason, ...more }
  return Effect.andThen(given(transport, ["read", "bounds", "openWriter", "ensure"], texts), Effect.scoped(written))
}

/**
 * Tells what stands in a control stream now (the last document, and who lives) and then each thing that is said, in order, until it is interrupted.
 * Fails when the stream cannot be read to begin with, and with `Lost` when it was put back to an older state.
 *
 * @example
 * ```ts
 * yield* ControlTools.watch(transport, { topic: "leat-control" }, (change) => Console.log(change.kind))
 * ```
 */
export const watch = (
  transport: Pick<Transport, "read" | "bounds">,
  options: WatchOptions,
  see: (change: FleetChange) => Effect.Effect<void>
): Effect.Effect<never, ControlError> =>
  Effect.suspend(() => {
    const { topic } = isObject(options) ? options : ({} as WatchOptions)
    const checked = given(transport, ["read", "bounds"], { topic })
    return Effect.andThen(
      checked,
      Effect.suspend(() => watching(transport, options, see))
    )
  })

/** For callers without types. */
function given(
  transport: unknown,
  functions: ReadonlyArray<string>,
  texts: Readonly<Record<string, unknown>>
): Effect.Effect<void, ControlError> {
  const refused = (detail: string) => Effect.fail(new ControlError({ reason: "Refused", detail }))
  if (!isObject(transport) || !functions.every((name) => typeof transport[name] === "function"))
    return refused(`a control stream is on a transport, and not on ${kindOf(transport)}`)
  for (const [name, text] of Object.entries(texts))
    if (typeof text !== "string") return refused(`${name} is a text, and not ${kindOf(text)}`)
  return Effect.void
}
