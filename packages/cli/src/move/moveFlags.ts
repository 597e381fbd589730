import { Effect, Option } from "effect"
import { Flag } from "effect/cli"
import type { ControlError, MoveTools } from "leat"
import { by } from "../dlq/letterFlags.ts"
import { dryRun } from "../flags.ts"
import { misuse } from "../openCluster.ts"
import type { CommandFailure } from "../outcome.ts"
import { controlFailure, controlFlags } from "../routes/controlFlags.ts"
import { authorOf } from "../routes/openControl.ts"
import { documentDrivers } from "./documentDrivers.ts"

/** Streams that are meant; several times. */
export const streams = Flag.String("stream").pipe(
  Flag.atLeast(0),
  Flag.withDescription(
    "Stream that is to move; may be given several times. Those of routes without a star need no name"
  )
)

/** The one stream that is meant. */
export const stream = Flag.String("stream").pipe(Flag.optional, Flag.withDescription("Stream that is meant; needed"))

/** Of commands that take something back, or give it up. */
export const wordFlags = {
  ...controlFlags,
  reason: Flag.String("reason").pipe(
    Flag.optional,
    Flag.withDescription("Why, in one sentence, for those who read the control stream; needed")
  ),
  by,
  dryRun: dryRun.pipe(Flag.withDescription("Tell what would be done, and write nothing"))
}

/** What a person says of what a move leaves behind. */
export const restFlags = {
  standInsEmpty: Flag.Boolean("stand-ins-empty").pipe(
    Flag.withDefault(false),
    Flag.withDescription(
      "The fallbacks of the old leg are empty, and a spill whose cluster the document leaves out; nothing goes there meanwhile"
    )
  ),
  withoutState: Flag.Boolean("without-state").pipe(
    Flag.withDefault(false),
    Flag.withDescription("The latest event of each key of a compacted topic may stay behind: it is published again")
  )
}

export function neededReason(reason: Option.Option<string>): Effect.Effect<string, CommandFailure> {
  const text = Option.getOrElse(reason, () => "").trim()
  return text === ""
    ? misuse("say why by --reason: it stands in the control stream of the fleet")
    : Effect.succeed(text)
}

export function neededStream(named: Option.Option<string>): Effect.Effect<string, CommandFailure> {
  return Option.match(named, {
    onNone: () => misuse("say by --stream which stream is meant; leat move status lists them"),
    onSome: (name) => Effect.succeed(name)
  })
}

/** Who writes, and with what clusters are opened. */
export function toolOf(flags: {
  readonly topic: string
  readonly by: string
  readonly dryRun: boolean
  readonly reason: string
}): MoveTools.MoveTool {
  const { topic, by: who, reason, dryRun: isDryRun } = flags
  return { topic, author: authorOf(who), reason, drivers: documentDrivers, isDryRun }
}

export const told = <A, R>(effect: Effect.Effect<A, ControlError, R>): Effect.Effect<A, CommandFailure, R> =>
  Effect.mapError(effect, controlFailure)
