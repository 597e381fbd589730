import { Console, Duration, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { MoveTools } from "leat"
import { misuse } from "../openCluster.ts"
import { type CommandFailure, plural, printable, printJson } from "../outcome.ts"
import { openControl, openControlForWriting } from "../routes/openControl.ts"
import { neededReason, neededStream, restFlags, stream, told, toolOf, wordFlags } from "./moveFlags.ts"

/** Says that a place is dead. */
export const abandon = Command.make(
  "abandon",
  {
    ...wordFlags,
    standInsEmpty: restFlags.standInsEmpty,
    stream,
    epoch: Flag.Int("epoch").pipe(
      Flag.optional,
      Flag.withDescription("Epoch whose place is dead, as leat move status has it; needed")
    )
  },
  Effect.fnUntraced(function* (flags) {
    const { topic, dryRun } = flags
    const name = yield* neededStream(flags.stream)
    if (Option.isNone(flags.epoch))
      return yield* misuse("say by --epoch which one is meant; leat move status lists them")
    const reason = yield* neededReason(flags.reason)
    const epoch = flags.epoch.value
    yield* Effect.scoped(openControl(flags))
    const transport = yield* openControlForWriting(flags)
    const tool = toolOf({ ...flags, reason })
    yield* told(MoveTools.abandon(transport, { ...tool, stream: name, epoch, standInsEmpty: flags.standInsEmpty }))
    if (flags.json) return yield* printJson({ topic, stream: name, epoch, ...(dryRun ? { dryRun } : {}) })
    yield* Console.log(
      printable(
        `epoch ${epoch} of stream ${name} ${dryRun ? "would be" : "is"} abandoned: nobody waits for what only its place has`
      )
    )
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Say that the place of an epoch is dead: what has no answer there goes to the new place, perhaps twice, and what comes back later is delivered late"
  )
)

/** Says that writers, or a group, are dead. */
export const giveUp = Command.make(
  "give-up",
  {
    ...wordFlags,
    stream: stream.pipe(Flag.withDescription("Stream that waits for them; all when not given. Needed with --group")),
    member: Flag.String("member").pipe(
      Flag.optional,
      Flag.withDescription("Incarnation of the writer that is dead, as leat move status names it")
    ),
    silentFor: Flag.String("silent-for").pipe(
      Flag.optional,
      Flag.withDescription("All writers that nobody has heard of for so long: 10 minutes")
    ),
    group: Flag.String("group").pipe(
      Flag.optional,
      Flag.withDescription("Group that reads no more: what it has not settled in old places is not kept for it")
    )
  },
  Effect.fnUntraced(function* (flags) {
    const { topic, dryRun } = flags
    const who = yield* givenUp(flags)
    const name = "group" in who ? yield* neededStream(flags.stream) : Option.getOrUndefined(flags.stream)
    const reason = yield* neededReason(flags.reason)
    yield* Effect.scoped(openControl(flags))
    const transport = yield* openControlForWriting(flags)
    const members = yield* told(MoveTools.giveUp(transport, { ...toolOf({ ...flags, reason }), stream: name, ...who }))
    if (flags.json)
      return yield* printJson({
        topic,
        ...(name === undefined ? {} : { stream: name }),
        members,
        ...(dryRun ? { dryRun } : {})
      })
    const what = "group" in who ? "group" : "writer"
    const text = members.length === 0 ? "nobody" : `${plural(members.length, what)}: ${members.join(", ")}`
    yield* Console.log(printable(`${dryRun ? "would give up" : "gave up"} ${text}`))
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Say that writers which a move has passed over are dead: what they wrote is sent on, and nobody waits for them; or that a group reads no more"
  )
)

function givenUp(flags: {
  readonly member: Option.Option<string>
  readonly silentFor: Option.Option<string>
  readonly group: Option.Option<string>
}): Effect.Effect<MoveTools.GivenUp, CommandFailure> {
  const [member, silentFor, group] = [flags.member, flags.silentFor, flags.group].map(Option.getOrUndefined)
  if ([member, silentFor, group].filter((one) => one !== undefined).length !== 1)
    return misuse("say who is dead, by --member, --silent-for or --group; one of them")
  if (member !== undefined) return Effect.succeed({ member })
  if (group !== undefined) return Effect.succeed({ group })
  const parsed = Duration.fromInput(silentFor as Duration.Input)
  if (Option.isNone(parsed)) return misuse(`--silent-for ${silentFor} is no duration; say 10 minutes`)
  return Effect.succeed({ silentFor: parsed.value })
}
