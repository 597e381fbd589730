import { Clock, Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { MoveTools } from "leat"
import { CommandFailure, exitCode, plural, printable, printJson } from "../outcome.ts"
import { controlFlags } from "../routes/controlFlags.ts"
import { openControl } from "../routes/openControl.ts"
import { table } from "../table.ts"
import { documentDrivers } from "./documentDrivers.ts"
import { told } from "./moveFlags.ts"
import { rowsOf, spilledNote, toldStream } from "./statusRows.ts"

/** How far moves are. */
export const status = Command.make(
  "status",
  {
    ...controlFlags,
    stream: Flag.String("stream").pipe(
      Flag.atLeast(0),
      Flag.withDescription("Only this stream; may be given several times. All that are placed when none is named")
    ),
    offline: Flag.Boolean("offline").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Ask no cluster but that of the control stream: how far groups are behind is not told")
    )
  },
  Effect.fnUntraced(function* (flags) {
    const { topic, json } = flags
    const { transport } = yield* openControl(flags)
    const drivers = flags.offline ? undefined : documentDrivers
    const all = yield* told(MoveTools.status(transport, { topic, drivers }))
    const unknown = flags.stream.filter((name) => !all.some(({ stream }) => stream === name))
    if (unknown.length > 0) {
      const placed = all.length === 0 ? "none is" : `there is ${all.map(({ stream }) => stream).join(", ")}`
      const message = `${unknown.length === 1 ? `stream ${unknown[0]} is` : `streams ${unknown.join(", ")} are`} not placed; ${placed}`
      return yield* new CommandFailure({ code: exitCode.failed, message })
    }
    const found = flags.stream.length === 0 ? all : all.filter(({ stream }) => flags.stream.includes(stream))
    if (json) return yield* printJson({ topic, streams: found.map(toldStream) })
    if (found.length === 0) return yield* Console.log("no stream is placed; leat move start places those that it moves")
    const rows = found.flatMap(rowsOf)
    const hasNotes = rows.some((row) => row.at(-1) !== "")
    const headings = ["STREAM", "EPOCH", "PLACE", "PARTITIONS", "PHASE", ...(hasNotes ? ["WAITS FOR"] : [])]
    yield* Console.log(table(headings, rows))
    const nowMs = yield* Clock.currentTimeMillis
    for (const { stream, epochs, writers, groups, spilled, isPaused, sinceMs } of found) {
      const isMoving = epochs.some(({ phase }) => phase !== "open" && phase !== "retired")
      const since =
        sinceMs === undefined ? "" : `; its last step was ${Math.max(0, Math.round((nowMs - sinceMs) / 1000))} s ago`
      yield* Console.log(
        printable(
          `${stream} ${isPaused ? "is paused" : isMoving ? "moves" : "lies still"}: open in ${plural(writers, "process", "processes")}, ${plural(groups.length, "group")}${isMoving ? since : ""}${spilledNote(spilled)}`
        )
      )
    }
  }, Effect.scoped)
).pipe(
  Command.withDescription("Tell where placed streams lie and lay, how far their moves are, and what they wait for")
)
