import { Clock, Console, Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { MoveTools } from "leat"
import { contractInfo, readContracts } from "../contracts/readContracts.ts"
import { proto } from "../flags.ts"
import { readDocument } from "../openCluster.ts"
import { CommandFailure, CommandVerdict, exitCode, plural, printable, printJson } from "../outcome.ts"
import { controlFlags } from "../routes/controlFlags.ts"
import { openControl } from "../routes/openControl.ts"
import { restFlags, streams, told, toolOf } from "./moveFlags.ts"
import { moveText, quietText, toldMove, toldQuiet } from "./planText.ts"

/** What a move is planned by. */
export const planFlags = {
  document: Argument.String("document").pipe(
    Argument.withDescription("Route document that has the streams where they are to lie")
  ),
  ...controlFlags,
  stream: streams,
  partitions: Flag.Int("partitions").pipe(
    Flag.filter(
      (count) => count > 0,
      () => "--partitions is 1 or more"
    ),
    Flag.optional,
    Flag.withDescription(
      "Partitions of a topic that is not there yet; as many as its cluster would give it when not given"
    )
  ),
  foreignWritersStopped: Flag.Boolean("foreign-writers-stopped").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Whoever writes the old topic and is no process of the fleet was stopped")
  ),
  order: Flag.Literals("order", ["keep", "relaxed"]).pipe(
    Flag.withDefault("keep"),
    Flag.withDescription(
      "keep: a group is given what stands in the new place when it has settled the old one. relaxed: at once, beside what is left there; keys may lose their order"
    )
  ),
  ...restFlags,
  proto
}

export type PlanFlags = Command.Command.Config.Infer<typeof planFlags>

/** What is asked of the library. */
export const askedOf = Effect.fnUntraced(function* (
  flags: PlanFlags
): Effect.fn.Return<Omit<MoveTools.MoveAsked, keyof MoveTools.MoveTool>, CommandFailure> {
  const document = yield* readDocument(flags.document)
  const { contracts } = yield* readContracts(flags.proto)
  const { foreignWritersStopped, standInsEmpty, withoutState, stream, order } = flags
  return {
    document,
    streams: stream,
    foreignWritersStopped,
    standInsEmpty,
    withoutState,
    order,
    contracts: contracts.map(contractInfo),
    ...(flags.partitions._tag === "Some" ? { partitions: flags.partitions.value } : {})
  }
})

/** What a document would move. */
export const plan = Command.make(
  "plan",
  planFlags,
  Effect.fnUntraced(function* (flags) {
    yield* tellPlan(flags, yield* askedOf(flags))
    return yield* new CommandVerdict({ code: exitCode.changes })
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Tell which streams a document would move, and look at both places; exits 4: it may be started, 3: it is refused"
  )
)

/** Tells what would be done, and fails where it may not be. */
export const tellPlan = Effect.fnUntraced(function* (
  flags: PlanFlags,
  asked: Omit<MoveTools.MoveAsked, keyof MoveTools.MoveTool>
) {
  const { transport } = yield* openControl(flags)
  const tool = toolOf({ topic: flags.topic, by: "plan", reason: "", dryRun: true })
  const { moves, refused, from, to, processes, silent, quiet } = yield* told(
    MoveTools.plan(transport, { ...tool, ...asked })
  )
  const report = {
    verdict: refused.length > 0 ? "refused" : "moves",
    from,
    to,
    moves: moves.map(toldMove),
    processes: processes.length,
    silent,
    quiet: quiet.map(toldQuiet),
    refused
  }
  if (!flags.json) for (const move of moves) yield* Console.log(printable(moveText(move)))
  const nowMs = yield* Clock.currentTimeMillis
  for (const name of flags.json ? [] : silent)
    yield* Console.log(
      printable(
        `note: process ${name} is silent, and would be passed over; the move ends when it comes back or is given up`
      )
    )
  for (const one of flags.json ? [] : quiet) yield* Console.log(printable(quietText(one, nowMs)))
  if (refused.length > 0) {
    const message = `refused, ${plural(refused.length, "reason")}:\n${refused.join("\n")}`
    return yield* new CommandFailure({ code: exitCode.violations, message, report })
  }
  if (flags.json) return yield* printJson(report)
  yield* Console.log(
    `version ${to} of ${flags.document} may be started on top of version ${from}; ${plural(processes.length, "process follows", "processes follow")} the control stream`
  )
})
