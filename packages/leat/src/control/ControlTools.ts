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
import type { Transport } from "../transport/index.ts"
import { type AppliedTable, ControlledRoutes } from "./ControlledRoutes.ts"
import { ControlError } from "./ControlError.ts"
import { openControlStream, readAll } from "./ControlStream.ts"

/** The topic where nobody has named another. */
export const topicDefault = "leat-control"

/** What a control stream says. */
export interface FleetTable {
  /** Documents that were applied up to now; 0: none. */
  readonly version: number
  /** The one that was applied last; empty: none. */
  readonly document: string
  /** The processes, by incarnation, with the version that was in force there at their last beat. */
  readonly processes: ReadonlyArray<{ readonly incarnation: string; readonly applied: number }>
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
    Effect.map(
      Effect.suspend(() => readAll(transport, topic)),
      ({ control: { version, document, members }, unreadable }) => ({
        version,
        document,
        processes: Array.from(members, ([incarnation, member]) => ({ incarnation, applied: member.version })),
        unreadable
      })
    )
  )

/** What a tool applies. */
export interface ToolTable {
  readonly topic?: string | undefined
  /** Who applies it; no two runs have one name. */
  readonly author: string
  /** YAML or JSON text. Nothing checks it here: the processes refuse what has faults. */
  readonly document: string
  readonly reason?: string | undefined
}

/** Writes a document for all, on top of what stands there. */
export const apply = (transport: Transport, tool: ToolTable): Effect.Effect<AppliedTable, ControlError> =>
  Effect.suspend(() => {
    const { topic = topicDefault, author, document, reason = "" } = isObject(tool) ? tool : ({} as ToolTable)
    const opened = Effect.suspend(() => openControlStream({ transport, topic, author, isTool: true }))
    const applied = Effect.flatMap(opened, (stream) => {
      const routes = new ControlledRoutes()
      routes.connected(stream)
      return routes.apply(document, reason)
    })
    const texts = { topic, author, document, reason }
    return Effect.andThen(given(transport, ["read", "bounds", "openWriter", "ensure"], texts), Effect.scoped(applied))
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
