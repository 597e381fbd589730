/** Which streams a document moves that the fleet would not move: who has them open refuses the document, and whoever applies it is told before it is. */
import { Console, Effect } from "effect"
import { type ControlTools, MoveTools, type Routes } from "leat"
import { type Looking, compileDocument } from "../openCluster.ts"
import { printable } from "../outcome.ts"
import { planned } from "./planned.ts"
import { withApplied } from "./otherDocument.ts"

export interface NextDocument {
  readonly transport: Looking
  readonly topic: string
  readonly fleet: ControlTools.FleetTable
  readonly after: Routes
  /** That it will have. */
  readonly version: number
}

/** Tells them on standard error. Streams that are placed are moved by the document, and nothing is told of them. */
export const tellUnmoved = Effect.fnUntraced(function* ({ transport, topic, fleet, after, version }: NextDocument) {
  if (fleet.processes.length === 0 || fleet.history.length === 0) return
  const next = { after, afterName: `version ${version}`, streams: [], notes: [] }
  // What cannot be compared is applied as it was before there was this note.
  const two = yield* Effect.orElseSucceed(withApplied(next, fleet), () => undefined)
  const placed = yield* Effect.orElseSucceed(MoveTools.status(transport, { topic }), () => [])
  if (two === undefined) return
  const isPlaced = (name: string): boolean =>
    name.includes("*") ? placed.length > 0 : placed.some(({ stream }) => stream === name)
  const names = planned(two).report.streams.filter(({ moves, stream }) => moves && !isPlaced(stream))
  for (const stream of new Set(names.map((one) => one.stream)))
    yield* Console.error(
      printable(
        `leat: stream ${stream} would move: a process that has ${stream.includes("*") ? "one of these" : "it"} open refuses version ${version} and keeps what it has; npx leat move start moves it, and npx leat routes status tells who refuses what`
      )
    )
})

/** As `tellUnmoved`, of the text of a document of the history. */
export const tellUnmovedBy = (next: Omit<NextDocument, "after">, document: string) =>
  Effect.flatMap(Effect.option(compileDocument("a document of the history", document)), (after) =>
    after._tag === "Some" ? tellUnmoved({ ...next, after: after.value }) : Effect.void
  )
